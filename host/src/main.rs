//! The program: reads the command line, runs one command, and turns an error into words and an exit code.

use std::process::ExitCode;

use clap::Parser;
use imsgd::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            imsgd::cli::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
