//! How large the program is as it is shipped.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::report::{Report, Row};
use crate::server::IMSGD;

pub fn run(report: &mut Report) -> Result<()> {
    report.section(
        "Binary",
        "The release build for this machine, one file: SQLite, wasmtime with its compiler and four policies are in it.",
    );
    report.row(size("as built, with names of functions", Path::new(IMSGD))?);
    let folder = tempfile::tempdir()?;
    let stripped = folder.path().join("imsgd");
    match strip(&stripped) {
        Ok(()) => report.row(size("as shipped, stripped", &stripped)?),
        Err(error) => report.note(format!("Left out: as shipped, stripped: {error:#}.")),
    }
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist");
    let bytes = ["allowlist", "pairing", "group", "chunking"].iter().try_fold(0, |sum, name| {
        Ok::<_, std::io::Error>(sum + fs::metadata(policies.join(format!("{name}.wasm")))?.len())
    })?;
    report.row(row("of it the four policies", bytes));
    Ok(())
}

fn strip(to: &Path) -> Result<()> {
    let status = Command::new("strip").arg("-o").arg(to).arg(IMSGD).status()?;
    ensure!(status.success(), "strip: {status}");
    Ok(())
}

fn size(what: &str, file: &Path) -> Result<Row> {
    Ok(row(what, fs::metadata(file)?.len()))
}

fn row(what: &str, bytes: u64) -> Row {
    Row::new(what).with("size", format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)))
}
