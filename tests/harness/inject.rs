//! A process of its own that writes into the database, as Messages does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use super::wait_for;

pub struct Injector {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Injector {
    pub fn start(mut command: Command) -> Injector {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("imsgd starts");
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Injector { child, input, output }
    }

    /// Writes one message, and gives its row once it is committed.
    pub fn receive(&mut self, message: &Value) -> Value {
        writeln!(self.input, "{message}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Writes all of them beside whatever the test does; the handle gives their rows, in order.
    pub fn receive_all(self, messages: Vec<Value>) -> JoinHandle<Vec<Value>> {
        let Injector { mut child, mut input, output } = self;
        std::thread::spawn(move || {
            let answers = std::thread::spawn(move || {
                output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
            });
            for message in messages {
                writeln!(input, "{message}").unwrap();
            }
            drop(input);
            assert!(wait_for(&mut child, "the injector").success());
            answers.join().unwrap()
        })
    }
}
