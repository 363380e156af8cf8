//! What the program says of itself, on stderr, and a bound on how much of it there is: a peer that can provoke a line
//! must not fill the disk with them.

mod rotating;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

pub use rotating::{FILES, Rotating, shorten_stderr};

/// Lines in each span of time. A start with many plugins says some dozens.
pub const LINES: u32 = 300;
pub const SPAN: Duration = Duration::from_secs(60);

/// Lets so many lines through in each span, and says how many it left out.
pub struct Bounded<W> {
    inner: Mutex<Inner<W>>,
}

struct Inner<W> {
    output: W,
    began: Instant,
    said: u32,
    left_out: u64,
}

impl<W: Write> Bounded<W> {
    pub fn new(output: W) -> Bounded<W> {
        Bounded { inner: Mutex::new(Inner { output, began: Instant::now(), said: 0, left_out: 0 }) }
    }
}

impl<W: Write> Inner<W> {
    fn line(&mut self, line: &[u8], now: Instant) -> io::Result<()> {
        if now.duration_since(self.began) >= SPAN {
            self.began = now;
            self.said = 0;
            let left_out = std::mem::take(&mut self.left_out);
            if left_out > 0 {
                writeln!(self.output, "{left_out} lines were left out of this log")?;
            }
        }
        if self.said < LINES {
            self.said += 1;
            return self.output.write_all(line);
        }
        if self.left_out == 0 {
            let seconds = SPAN.as_secs();
            writeln!(
                self.output,
                "more than {LINES} lines in {seconds} s: what follows is left out until these are over"
            )?;
        }
        self.left_out += 1;
        Ok(())
    }
}

/// One event, which is written in one piece.
pub struct Event<'a, W>(&'a Mutex<Inner<W>>);

impl<W: Write> Write for Event<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().line(line, Instant::now())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().output.flush()
    }
}

impl<'a, W: Write + 'a> MakeWriter<'a> for Bounded<W> {
    type Writer = Event<'a, W>;

    fn make_writer(&'a self) -> Event<'a, W> {
        Event(&self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted_and_the_next_span_begins_anew() {
        let began = Instant::now();
        let mut log = Inner { output: Vec::new(), began, said: 0, left_out: 0 };
        for _ in 0..5000 {
            log.line(b"again\n", began).unwrap();
        }
        log.line(b"later\n", began + SPAN).unwrap();
        let said = String::from_utf8(log.output).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), LINES as usize + 3);
        assert!(lines[LINES as usize].contains("what follows is left out"), "{said}");
        assert_eq!(lines[LINES as usize + 1..], ["4700 lines were left out of this log", "later"]);
    }
}
