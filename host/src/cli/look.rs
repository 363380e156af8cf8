//! How what is printed for people looks: coloured where that is wanted, in columns where people read it, and without
//! anything by which a stranger could write elsewhere on the screen.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// Who reads stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// It is a terminal.
    People,
    /// Scripts look for the lines of `imsg`, which have no columns.
    Programs,
}

impl Reader {
    pub fn of_stdout() -> Reader {
        if io::stdout().is_terminal() { Reader::People } else { Reader::Programs }
    }
}

pub const NAME: Style = Style::new().bold();
pub const OWN: Style = AnsiColor::Cyan.on_default().bold();
pub const FAINT: Style = Style::new().dimmed();
pub const NEWS: Style = AnsiColor::Yellow.on_default();
pub const WRONG: Style = AnsiColor::Red.on_default().bold();

pub const CHOICES: [&str; 3] = ["auto", "always", "never"];

/// Takes `--color` from the command line, before it is known whether the rest is right. Else the environment decides:
/// `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE`.
pub fn choose_colors(args: &[OsString]) {
    let options = args.iter().take_while(|arg| *arg != "--");
    let given = options.filter_map(|arg| arg.to_str()).scan(false, |is_next, arg| {
        let value = if *is_next { Some(arg) } else { arg.strip_prefix("--color=") };
        *is_next = arg == "--color";
        Some(value)
    });
    match given.flatten().last() {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => {}
    }
}

pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints lines that may be painted. A reader that is gone is an error of its kind.
pub fn show(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints to stderr what may be painted.
pub fn complain(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Without control characters in what others wrote; line breaks and tabs stay.
pub fn harmless(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) if text.chars().any(is_harmful) => *text = harmless_text(text),
        Value::Array(items) => items.iter_mut().for_each(|item| *item = harmless(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = harmless(field.take())),
        _ => {}
    }
    value
}

pub fn harmless_text(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(|c| if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

/// Adds blanks up to so many columns of a terminal.
pub fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{:missing$}", "")
}

pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_stranger_wrote_moves_no_cursor() {
        let written = json!({"text": "a\u{1b}[2Jb\u{9b}31mc\r\nd\te\u{7}", "list": ["\u{8}", 1, null]});
        let expected = json!({"text": "a\u{fffd}[2Jb\u{fffd}31mc\nd\te\u{fffd}", "list": ["\u{fffd}", 1, null]});
        assert_eq!(harmless(written), expected);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(padded("聊天", 6), "聊天  ");
        assert_eq!(padded("too long", 3), "too long");
    }
}
