//! Asks WASI for all that a policy may not have, and labels messages with what it got.

use imsgd_plugin::{Filter, Message, NoConfig, Policy, Verdict, export_policy};

#[allow(unsafe_code, reason = "generated")]
mod wasi {
    wit_bindgen::generate!({
        path: "wit",
        world: "imsgd:guest/asks",
        generate_all,
    });
}

struct Asks;

impl Policy for Asks {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Filter for Asks {
    fn filter(&self, message: &Message) -> Verdict {
        if message.text().contains("exit") {
            wasi::wasi::cli::exit::exit(Ok(()));
        }
        let stderr = wasi::wasi::cli::stderr::get_stderr();
        let is_written = stderr.blocking_write_and_flush(b"a line for the log\n").is_ok();
        Verdict::Label(vec![
            format!("environment:{}", wasi::wasi::cli::environment::get_environment().len()),
            format!("arguments:{}", wasi::wasi::cli::environment::get_arguments().len()),
            format!("folders:{}", wasi::wasi::filesystem::preopens::get_directories().len()),
            format!("random:{}", wasi::wasi::random::random::get_random_bytes(8).len()),
            format!("clock:{}", wasi::wasi::clocks::wall_clock::now().seconds > 0),
            format!("stderr:{is_written}"),
        ])
    }
}

export_policy!(Asks: Filter);
