//! A client that speaks lines of JSON, over a socket or a child's stdio.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ChildStdin;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::DEADLINE;
use super::record::Recorder;

pub struct Client {
    input: Option<Box<dyn Input>>,
    lines: mpsc::Receiver<String>,
    /// The last few lines, to be shown when what is waited for does not come.
    seen: VecDeque<String>,
    answers: Vec<Value>,
    notifications: VecDeque<Value>,
    last_id: i64,
    recorder: Option<Recorder>,
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: i64,
    pub message: String,
    pub data: Value,
}

/// The side on which a client speaks; it can be closed while the other stays open.
pub trait Input: Write + Send {
    fn close(self: Box<Self>);
}

impl Input for ChildStdin {
    fn close(self: Box<Self>) {}
}

impl Input for UnixStream {
    fn close(self: Box<Self>) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Client {
    pub fn new(input: impl Input + 'static, output: impl Read + Send + 'static) -> Client {
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Client {
            input: Some(Box::new(input)),
            lines,
            seen: VecDeque::new(),
            answers: Vec::new(),
            notifications: VecDeque::new(),
            last_id: 0,
            recorder: Recorder::wanted(),
        }
    }

    /// What this client asks is not to be held against the published protocol.
    pub fn unrecorded(&mut self) {
        self.recorder = None;
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("not closed");
        input.write_all(bytes).and_then(|()| input.flush()).expect("imsgd reads");
    }

    pub fn write_line(&mut self, line: &str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.asked(line);
        }
        self.write(format!("{line}\n").as_bytes());
    }

    /// Closes our side.
    pub fn close(&mut self) {
        if let Some(input) = self.input.take() {
            input.close();
        }
    }

    /// The next line, whatever it is; `None` once the other side is closed.
    pub fn line(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => {
                self.seen.push_back(line.chars().take(300).collect());
                if self.seen.len() > 20 {
                    self.seen.pop_front();
                }
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if let Some(recorder) = &mut self.recorder {
                    recorder.said(&line);
                }
                Some(line)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("no line within {} s; the last were {:#?}", DEADLINE.as_secs(), self.seen)
            }
        }
    }

    fn expect_line(&mut self) -> Value {
        self.line().unwrap_or_else(|| panic!("imsgd closed the connection; the last lines were {:#?}", self.seen))
    }

    /// Sends a request without waiting for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> i64 {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.write_line(&request.to_string());
        self.last_id
    }

    pub fn answer(&mut self, id: i64) -> Result<Value, Refusal> {
        let mut answer = loop {
            if let Some(at) = self.answers.iter().position(|answer| answer["id"] == id) {
                break self.answers.remove(at);
            }
            let line = self.expect_line();
            if line.get("method").is_some() {
                self.notifications.push_back(line);
            } else {
                self.answers.push(line);
            }
        };
        match answer.get("error") {
            Some(error) => Err(Refusal {
                code: error["code"].as_i64().expect("a code"),
                message: error["message"].as_str().expect("a message").to_owned(),
                data: error["data"].clone(),
            }),
            None => Ok(answer["result"].take()),
        }
    }

    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Refusal> {
        let id = self.ask(method, params);
        self.answer(id)
    }

    pub fn ok(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params).unwrap_or_else(|refusal| panic!("{method}: {refusal:?}"))
    }

    pub fn refused(&mut self, method: &str, params: Value) -> Refusal {
        match self.call(method, params.clone()) {
            Err(refusal) => refusal,
            Ok(result) => panic!("{method} {params} gave {result}"),
        }
    }

    /// Asks for what anybody may; nothing where the connection is closed instead of an answer.
    pub fn call_or_end(&mut self, method: &str) -> Option<()> {
        let request = json!({"jsonrpc": "2.0", "id": "may", "method": method});
        let _ = self.input.as_mut()?.write_all(format!("{request}\n").as_bytes());
        let line = self.line()?;
        (line["id"] == "may").then_some(())
    }

    /// Sends one line, and gives the next one.
    pub fn exchange(&mut self, line: &str) -> Value {
        self.write_line(line);
        self.expect_line()
    }

    pub fn subscribe(&mut self, params: Value) -> u64 {
        self.ok("watch.subscribe", params)["subscription"].as_u64().expect("a number")
    }

    pub fn notification(&mut self) -> Value {
        if let Some(notification) = self.notifications.pop_front() {
            return notification;
        }
        loop {
            let line = self.expect_line();
            match line.get("method") {
                Some(_) => return line,
                None => self.answers.push(line),
            }
        }
    }

    /// The next delivered message; anything else is wrong.
    pub fn message(&mut self) -> Value {
        let mut notification = self.notification();
        assert_eq!(notification["method"], "message", "{notification}");
        notification["params"]["message"].take()
    }

    /// The next delivered message of somebody else.
    pub fn inbound(&mut self) -> Value {
        loop {
            let message = self.message();
            if message["is_from_me"] == false {
                return message;
            }
        }
    }

    /// The texts of the next messages of others.
    pub fn texts(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| text(&self.inbound()).to_owned()).collect()
    }
}

impl Drop for Client {
    /// The thread that reads has the other end open until imsgd closes its side.
    fn drop(&mut self) {
        self.close();
    }
}

fn text(message: &Value) -> &str {
    message["text"].as_str().expect("a text")
}
