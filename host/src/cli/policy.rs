//! `imsgd policy`: what policies would do before they do it.

mod replay;
mod report;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;

#[derive(Args)]
pub struct Policy {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Replay(replay::Replay),
}

impl Policy {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Replay(replay) => replay.run(global),
        }
    }
}
