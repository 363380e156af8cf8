//! kill -9 at random moments, with messages coming in, sends going out and acknowledgements under way.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Counts, rounds};
use crate::harness::{DEADLINE, FRIEND, FRIENDS, TestDaemon};

/// A connection that may break off at any moment, also within a line.
struct Wire {
    input: UnixStream,
    output: BufReader<UnixStream>,
    last_id: i64,
}

/// The other side is gone.
struct Gone;

impl Wire {
    /// Once somebody listens.
    fn connect(socket: &Path) -> Wire {
        let began = Instant::now();
        loop {
            if let Ok(input) = UnixStream::connect(socket) {
                input.set_read_timeout(Some(DEADLINE)).unwrap();
                let output = BufReader::new(input.try_clone().unwrap());
                return Wire { input, output, last_id: 0 };
            }
            assert!(began.elapsed() < DEADLINE, "nobody listens");
            std::thread::yield_now();
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<i64, Gone> {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        writeln!(self.input, "{request}").map_err(|_| Gone)?;
        Ok(self.last_id)
    }

    fn line(&mut self) -> Result<Value, Gone> {
        let mut line = Vec::new();
        match self.output.read_until(b'\n', &mut line) {
            Ok(_) if line.last() == Some(&b'\n') => Ok(serde_json::from_slice(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("imsgd says nothing any more"),
            _ => Err(Gone),
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value, Gone> {
        let id = self.ask(method, params)?;
        loop {
            let line = self.line()?;
            if line["id"] == id {
                return Ok(line);
            }
        }
    }
}

/// What the gateway was told over all connections.
#[derive(Default)]
struct Heard {
    told: Vec<String>,
    acked: HashSet<String>,
    /// Told again after it was acknowledged.
    after_ack: Vec<String>,
}

/// The text of the last message. Each has its own.
const THE_END: &str = "the end";

/// Subscribes again and again, and acknowledges what it hears, until that is all.
fn gateway(socket: PathBuf, moments: mpsc::Sender<()>) -> Heard {
    let mut heard = Heard::default();
    while !heard.acked.contains(THE_END) {
        let _ = listen(&mut Wire::connect(&socket), &mut heard, &moments);
    }
    heard
}

fn listen(wire: &mut Wire, heard: &mut Heard, moments: &mpsc::Sender<()>) -> Result<(), Gone> {
    let answer = wire.call("watch.subscribe", &json!({"consumer": "gateway", "ack": true, "buffer_limit": 64}))?;
    // Right after a kill, the connection before may still have the name, or the database not be found.
    let Some(number) = answer["result"]["subscription"].as_u64() else { return Err(Gone) };
    let mut waiting: Vec<(i64, Vec<String>)> = Vec::new();
    let mut since_ack = Vec::new();
    while !heard.acked.contains(THE_END) {
        let line = wire.line()?;
        let _ = moments.send(());
        if let Some(id) = line["id"].as_i64() {
            assert_eq!(line["result"]["ok"], true, "{line}");
            let at = waiting.iter().position(|(asked, _)| *asked == id).unwrap();
            heard.acked.extend(waiting.remove(at).1);
            continue;
        }
        assert_eq!(line["method"], "message", "{line}");
        let message = &line["params"]["message"];
        let text = message["text"].as_str().unwrap().to_owned();
        if heard.acked.contains(&text) {
            heard.after_ack.push(text.clone());
        }
        if message["is_from_me"] == false {
            heard.told.push(text.clone());
        }
        since_ack.push(text);
        // Not each one, so that there is always something that was not acknowledged.
        if since_ack.len() == 3 || since_ack.last().is_some_and(|text| text == THE_END) {
            let id = wire.ask("watch.ack", &json!({"subscription": number, "cursor": line["params"]["cursor"]}))?;
            waiting.push((id, std::mem::take(&mut since_ack)));
        }
    }
    Ok(())
}

/// How sends ended.
#[derive(Default)]
struct Sends {
    keys: usize,
    succeeded: usize,
    /// Their outcome is not known, and never will be.
    unknown: usize,
}

/// Sends one text after the other, each under its key until there is an answer that says that it is over.
fn sender(socket: PathBuf, is_over: Arc<AtomicBool>, moments: mpsc::Sender<()>) -> Sends {
    let mut sends = Sends::default();
    let mut wire = Wire::connect(&socket);
    while !is_over.load(Ordering::Relaxed) {
        let text = format!("send {}", sends.keys);
        let params = json!({"to": FRIEND, "text": text, "idempotency_key": text});
        loop {
            let answered = wire.call("send", &params);
            let _ = moments.send(());
            match answered {
                Ok(answer) if answer["result"]["ok"] == true => sends.succeeded += 1,
                Ok(answer) if answer["error"]["code"] == -32001 => sends.unknown += 1,
                // Surely not sent.
                Ok(answer) => {
                    let data = &answer["error"]["data"];
                    assert!(data["retry_safe"] == true || answer["error"]["code"] == -32000, "{answer}");
                    continue;
                }
                Err(Gone) => {
                    wire = Wire::connect(&socket);
                    continue;
                }
            }
            break;
        }
        sends.keys += 1;
    }
    sends
}

/// Random enough, and the same again for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Writes until told to stop; gives the texts.
fn traffic(daemon: &TestDaemon, is_over: Arc<AtomicBool>) -> JoinHandle<Vec<String>> {
    let mut injector = daemon.injector();
    std::thread::spawn(move || {
        let mut texts = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let text = format!("message {}", texts.len());
            injector.receive(&json!({"from": FRIEND, "text": text, "after_ms": 15}));
            texts.push(text);
        }
        texts
    })
}

#[test]
fn nothing_is_lost_or_sent_twice_and_only_what_was_not_acknowledged_comes_again() {
    let kills = rounds(6, 200);
    let config = format!("send.per_minute = 0\nsend.per_chat_per_minute = 0\n{FRIENDS}");
    let mut daemon = TestDaemon::new(&config);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let seed = std::env::var("IMSGD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now as u64 | 1);
    eprintln!("IMSGD_SEED={seed}");
    let mut dice = Dice(seed);
    let is_over = Arc::new(AtomicBool::new(false));
    let (moment, moments) = mpsc::channel();
    let writing = traffic(&daemon, is_over.clone());
    let (socket, is_sending_over, moment_sent) = (daemon.socket(), is_over.clone(), moment.clone());
    let sending = std::thread::spawn(move || sender(socket, is_sending_over, moment_sent));
    let socket = daemon.socket();
    let hearing = std::thread::spawn(move || gateway(socket, moment));
    for _ in 0..kills {
        // Some moment in the life of a daemon: from before it has its place to well within the traffic.
        for _ in 0..dice.below(12) {
            moments.recv_timeout(DEADLINE).expect("something happens");
        }
        while moments.try_recv().is_ok() {}
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
        daemon.kill();
        daemon.start_again_without_waiting();
    }
    is_over.store(true, Ordering::Relaxed);
    let written = writing.join().unwrap();
    let sends = sending.join().unwrap();
    daemon.receive_from(FRIEND, THE_END);
    let heard = hearing.join().unwrap();
    let text = |call: &Value| call["text"].as_str().unwrap().to_owned();
    let handed: Vec<String> = daemon.sent().iter().map(text).collect();
    let counts = Counts::new(&written, &heard.told, &handed);
    counts.print(&format!("kill -9, {kills} times"));
    let Sends { keys, succeeded, unknown } = sends;
    eprintln!(
        "  written {}, sends {keys}: {succeeded} known to have left, {unknown} not known; told again after an \
         acknowledgement: {}",
        written.len() + 1,
        heard.after_ack.len()
    );
    assert_eq!(heard.after_ack, [""; 0]);
    assert_eq!((counts.lost, counts.sent_twice), (0, 0));
    assert!(succeeded <= counts.sent && counts.sent <= keys);
}
