//! The table: printed, and written as Markdown and JSON into `docs/`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::measure::Times;

/// The column of what is to be reached; the next says whether it was.
const GOAL: &str = "to reach";

/// What is measured, and what came out: columns in the order in which they were given.
pub struct Row {
    what: String,
    cells: Vec<(&'static str, String)>,
    json: Map<String, Value>,
}

impl Row {
    pub fn new(what: &str) -> Row {
        Row { what: what.to_owned(), cells: Vec::new(), json: Map::new() }
    }

    pub fn times(what: &str, times: &Times) -> Row {
        let mut row = Row::new(what).time("median", times.median()).time("p99", times.quantile(0.99));
        row.json.insert("runs".to_owned(), json!(times.runs()));
        row
    }

    /// In the JSON in microseconds.
    pub fn time(mut self, column: &'static str, time: Duration) -> Row {
        self.json.insert(format!("{}_us", key(column)), json!((time.as_secs_f64() * 1e9).round() / 1e3));
        self.cells.push((column, shown(time)));
        self
    }

    pub fn with(mut self, column: &'static str, value: impl Into<String>) -> Row {
        let value = value.into();
        self.json.insert(key(column), json!(value));
        self.cells.push((column, value));
        self
    }

    /// How many times one is the other.
    pub fn ratio(mut self, column: &'static str, ratio: f64) -> Row {
        self.json.insert(key(column), json!((ratio * 100.0).round() / 100.0));
        self.cells.push((column, format!("{ratio:.1}×")));
        self
    }

    /// What was to be reached, and whether it was.
    pub fn goal(self, bound: &str, is_reached: bool) -> Row {
        self.with(GOAL, bound).with("reached", if is_reached { "yes" } else { "**no**" })
    }
}

/// A column's name in the JSON.
fn key(column: &str) -> String {
    column.to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "_")
}

/// A time for people.
pub fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.001 => format!("{:.2} ms", seconds * 1e3),
        seconds if seconds >= 0.0001 => format!("{:.0} µs", seconds * 1e6),
        seconds => format!("{:.2} µs", seconds * 1e6),
    }
}

struct Section {
    title: String,
    how: String,
    rows: Vec<Row>,
    /// Said below the table: who was left out and why, and what a limit is made of.
    notes: Vec<String>,
}

pub struct Report {
    machine: Vec<(&'static str, String)>,
    sections: Vec<Section>,
}

impl Report {
    pub fn of_this_machine() -> Report {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        let machine = vec![
            ("imsgd", env!("CARGO_PKG_VERSION").to_owned()),
            ("date", jiff::Zoned::now().date().to_string()),
            ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ("processor", format!("{} ({cores} cores)", model.unwrap_or("unknown"))),
            ("compiler", String::from_utf8_lossy(&rustc).trim().to_owned()),
        ];
        Report { machine, sections: Vec::new() }
    }

    pub fn section(&mut self, title: &str, how: &str) {
        self.sections.push(Section {
            title: title.to_owned(),
            how: how.to_owned(),
            rows: Vec::new(),
            notes: Vec::new(),
        });
    }

    pub fn row(&mut self, row: Row) {
        if let Some(section) = self.sections.last_mut() {
            section.rows.push(row);
        }
    }

    /// Below the table of the section.
    pub fn note(&mut self, text: impl Into<String>) {
        if let Some(section) = self.sections.last_mut() {
            section.notes.push(text.into());
        }
    }

    pub fn print(&self) {
        println!("{}", self.markdown());
    }

    /// Writes `docs/benchmarks.md` and `docs/benchmarks.json`.
    pub fn write(&self) -> Result<()> {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let markdown = self.markdown();
        fs::create_dir_all(&docs)?;
        fs::write(docs.join("benchmarks.md"), markdown)?;
        fs::write(docs.join("benchmarks.json"), format!("{:#}\n", self.json()))?;
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut out = "# Benchmarks\n\nWritten by `make bench`. Nothing here is typed by hand.\n\n".to_owned();
        for (name, value) in &self.machine {
            out.push_str(&format!("- {name}: {value}\n"));
        }
        self.in_short(&mut out);
        for section in &self.sections {
            out.push_str(&format!("\n## {}\n\n{}\n\n", section.title, section.how));
            let mut columns: Vec<&str> = Vec::new();
            for (column, _) in section.rows.iter().flat_map(|row| &row.cells) {
                if !columns.contains(column) {
                    columns.push(column);
                }
            }
            out.push_str(&format!("| what | {} |\n|---|{}\n", columns.join(" | "), "---:|".repeat(columns.len())));
            for row in &section.rows {
                let cell =
                    |column: &&str| row.cells.iter().find(|cell| cell.0 == *column).map_or("", |cell| cell.1.as_str());
                let cells: Vec<&str> = columns.iter().map(cell).collect();
                out.push_str(&format!("| {} | {} |\n", row.what, cells.join(" | ")));
            }
            for note in &section.notes {
                out.push_str(&format!("\n{note}\n"));
            }
        }
        out
    }

    /// All that was to be reached, in one table.
    fn in_short(&self, out: &mut String) {
        out.push_str("\n## In short\n\n| part | what | measured | to reach | reached |\n|---|---|---:|---:|---:|\n");
        for section in &self.sections {
            for row in &section.rows {
                let Some(at) = row.cells.iter().position(|cell| cell.0 == GOAL) else { continue };
                let mut measured: Vec<String> = row.cells.first().map(|cell| cell.1.clone()).into_iter().collect();
                for (column, value) in row.cells.iter().skip(1).filter(|cell| cell.0 != GOAL) {
                    match *column {
                        "p99" => measured.push(format!("p99 {value}")),
                        _ if value.ends_with('×') => measured.push(value.clone()),
                        _ => {}
                    }
                }
                let [goal, reached] = [at, at + 1].map(|at| row.cells.get(at).map_or("", |cell| &*cell.1));
                let (title, what, measured) = (&section.title, &row.what, measured.join(", "));
                out.push_str(&format!("| {title} | {what} | {measured} | {goal} | {reached} |\n"));
            }
        }
    }

    fn json(&self) -> Value {
        let machine: Map<String, Value> =
            self.machine.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let sections: Vec<Value> = self.sections.iter().map(Section::json).collect();
        json!({"machine": machine, "sections": sections})
    }
}

impl Section {
    fn json(&self) -> Value {
        let row = |row: &Row| {
            let mut object = row.json.clone();
            object.insert("what".to_owned(), json!(row.what));
            Value::Object(object)
        };
        json!({"title": self.title, "how": self.how, "rows": self.rows.iter().map(row).collect::<Vec<_>>(), "notes": self.notes})
    }
}
