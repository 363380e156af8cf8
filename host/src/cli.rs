//! The command line. Each command is a thin thing: it serves, or it asks the daemon and prints the answer.

mod account;
mod attachments;
mod bridge;
mod client;
mod completions;
mod config;
mod consumers;
mod content;
mod doctor;
mod examples;
mod export;
mod failure;
mod held;
mod help;
mod install;
mod journal;
mod lines;
mod live;
mod look;
mod outbox;
mod pairing;
mod plugin;
mod policy;
mod react;
mod read;
pub mod ready;
mod send;
mod serve;
mod session;
mod ssh;
mod status;
mod top;
mod usage;
mod values;
mod waiting;
mod watch;
mod why;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Config, Overrides, choice};
use crate::log::Bounded;
use crate::{demo, sim};

/// Holds the permissions for Messages, and lets policies decide what leaves it.
#[derive(Parser)]
#[command(name = "imsgd", version, about, long_about = None)]
#[command(arg_required_else_help = true, args_override_self = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Use this configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the configuration, state and daemon of this account
    #[arg(long, global = true, value_name = "NAME", value_parser = choice::account_name)]
    account: Option<String>,
    /// Print JSON lines on stdout
    #[arg(long, short = 'j', global = true, visible_alias = "json-output", alias = "jsonOutput")]
    json: bool,
    /// Colour what people read: auto is on terminals only, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = look::CHOICES)]
    color: String,
    /// Say more on stderr; twice for everything
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say at least this on stderr: error, warn, info, debug or trace
    #[arg(long, global = true, alias = "logLevel", value_name = "LEVEL")]
    log_level: Option<String>,
}

/// Which database and which daemon.
#[derive(Args, Clone, Debug, Default)]
struct Where {
    /// Use this Messages database
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Listen or connect here
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Follow Messages and serve clients on a Unix socket
    Serve(serve::Serve),
    /// Serve one client on stdin and stdout, through the running daemon where there is one
    Rpc(serve::Rpc),
    SshCommand(ssh::SshCommand),
    /// Show what the daemon does, or what it could do
    Status(status::Status),
    Doctor(doctor::Doctor),
    Top(top::Top),
    /// Tell what became of a message, who decided, and why
    Why(why::Why),
    #[command(flatten)]
    Read(read::Read),
    Export(export::Export),
    /// Fetch the files of messages
    Attachments(attachments::Attachments),
    Watch(watch::Watch),
    Send(send::Send),
    React(react::React),
    /// See what was sent, and stop all sending
    Outbox(outbox::Outbox),
    /// Let strangers in, or not
    Pairing(pairing::Pairing),
    /// See whose place in the stream is kept
    Consumers(consumers::Consumers),
    /// See what is held, and let it through or not
    Held(held::Held),
    Journal(journal::Journal),
    /// Make, check, see and reload plugins
    Plugin(plugin::Plugin),
    /// Try policies before they are in force
    Policy(policy::Policy),
    /// Check, show and change the configuration
    Config(config::ConfigCommand),
    /// Simulate Messages: a database, what arrives in it, and an osascript
    Sim(sim::Args),
    /// Show all of it at work in a temporary folder
    Demo(demo::Args),
    #[command(flatten)]
    Local(account::Local),
    Install(install::Install),
    Uninstall(install::Uninstall),
    Completions(completions::Completions),
    #[command(hide = true)]
    Man(completions::Man),
    #[command(flatten)]
    Bridge(bridge::Bridge),
}

/// Runs the command that `args` name, the program's name first. Whatever fails ends with status 1.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    look::choose_colors(&args);
    let cli = match usage::parse(&args) {
        Ok(cli) => cli,
        Err(instead) => return instead.tell(),
    };
    let json = cli.global.json;
    let program = args.into_iter().next().unwrap_or_default();
    cli.run(&program).unwrap_or_else(|error| {
        failure::print(&error, json);
        ExitCode::FAILURE
    })
}

/// As `--version` prints it. Whoever packages `imsg` may say another one.
fn version() -> String {
    let said = std::env::var("IMSG_VERSION").ok().filter(|version| !version.is_empty());
    said.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

impl Cli {
    fn run(self, program: &OsString) -> anyhow::Result<ExitCode> {
        let Cli { global, command } = self;
        match command {
            Command::Serve(serve) => serve.run(&global),
            Command::Rpc(rpc) => rpc.run(&global),
            Command::SshCommand(ssh) => ssh.run(&global),
            Command::Status(status) => status.run(&global),
            Command::Doctor(doctor) => doctor.run(&global),
            Command::Top(top) => top.run(&global),
            Command::Why(why) => why.run(&global),
            Command::Read(read) => read.run(&global),
            Command::Export(export) => export.run(&global),
            Command::Attachments(attachments) => attachments.run(&global),
            Command::Watch(watch) => watch.run(&global),
            Command::Send(send) => send.run(&global),
            Command::React(react) => react.run(&global),
            Command::Outbox(outbox) => outbox.run(&global),
            Command::Pairing(pairing) => pairing.run(&global),
            Command::Consumers(consumers) => consumers.run(&global),
            Command::Held(held) => held.run(&global),
            Command::Journal(journal) => journal.run(&global),
            Command::Plugin(plugin) => plugin.run(&global),
            Command::Policy(policy) => policy.run(&global),
            Command::Config(config) => config.run(&global),
            Command::Sim(args) => sim::run(args),
            Command::Demo(args) => demo::run(args),
            Command::Local(local) => local.run(&global),
            Command::Install(install) => install.run(&global),
            Command::Uninstall(uninstall) => uninstall.run(&global),
            Command::Completions(completions) => Ok(completions.run(program)),
            Command::Man(man) => man.run(),
            Command::Bridge(bridge) => bridge.run(&global),
        }
    }
}

impl Global {
    fn overrides(&self, at: &Where) -> Overrides {
        let (config, account) = (self.config.clone(), self.account.clone());
        Overrides { config, account, db: at.db.clone(), socket: at.socket.clone() }
    }

    /// Of the configuration file, which may be wrong.
    fn path(&self) -> anyhow::Result<PathBuf> {
        Ok(Config::path(&self.overrides(&Where::default()))?)
    }

    fn load(&self, at: &Where) -> anyhow::Result<Config> {
        Ok(Config::load(&self.overrides(at))?)
    }

    /// Sends what the program says of itself to stderr. Handles and message texts are never said at these levels.
    fn start_log(&self, usual: &str) {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        self.start_log_on(std::io::stderr(), is_terminal, usual);
    }

    fn start_log_on(&self, output: impl Write + Send + 'static, is_terminal: bool, usual: &str) {
        let level = self.log_level.clone().unwrap_or_else(|| match self.verbose {
            0 => usual.to_owned(),
            1 => "debug".to_owned(),
            _ => "trace".to_owned(),
        });
        let directives = std::env::var("IMSGD_LOG").unwrap_or_else(|_| format!("imsgd={level}"));
        let filter = tracing_subscriber::EnvFilter::try_new(&directives)
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("imsgd=info"));
        let is_wanted = filter.max_level_hint().is_none_or(|level| level > LevelFilter::INFO);
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_target(false);
        // A second one in the same process would be a test's.
        let _ = match is_wanted {
            // Whoever looks for something wants all of it.
            true => log.with_writer(std::sync::Mutex::new(output)).try_init(),
            false => log.with_writer(Bounded::new(output)).try_init(),
        };
    }
}

/// Says what is going on, on stderr.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints to stdout; a reader that is gone is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
