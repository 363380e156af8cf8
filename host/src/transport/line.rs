//! Reading lines that may not be longer than a limit: what is longer is read past, and the rest goes on.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// Without its line break, and not blank.
    Line(&'a [u8]),
    /// A line over the limit, which was thrown away.
    TooLong,
    End,
}

/// How much is read at a time.
const CHUNK: usize = 8 << 10;

/// A buffer that grew beyond this is given back once its line was taken.
const KEPT: usize = 64 << 10;

pub struct Lines<R> {
    input: R,
    limit: usize,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were handed out already.
    taken: usize,
    /// Bytes of `buffer` that are known to have no line break.
    searched: usize,
    is_skipping: bool,
    is_at_end: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(input: R, limit: usize) -> Lines<R> {
        Lines { input, limit, buffer: Vec::new(), taken: 0, searched: 0, is_skipping: false, is_at_end: false }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The next line. May be dropped while it waits: nothing that was read is lost. A last line without a line break
    /// counts.
    pub async fn next(&mut self) -> io::Result<Input<'_>> {
        loop {
            self.discard_taken();
            if let Some(length) = self.find_break() {
                let was_skipping = std::mem::take(&mut self.is_skipping);
                self.taken = length + 1;
                self.searched = 0;
                if was_skipping || length > self.limit {
                    return Ok(Input::TooLong);
                }
                if is_blank(&self.buffer[..length]) {
                    continue;
                }
                return Ok(Input::Line(&self.buffer[..length]));
            }
            if self.buffer.len() > self.limit {
                self.is_skipping = true;
                self.buffer.clear();
                self.searched = 0;
            }
            if self.is_at_end {
                return Ok(self.last());
            }
            self.buffer.reserve(CHUNK);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                self.is_at_end = true;
            }
        }
    }

    fn last(&mut self) -> Input<'_> {
        self.searched = 0;
        if std::mem::take(&mut self.is_skipping) {
            self.buffer.clear();
            return Input::TooLong;
        }
        self.taken = self.buffer.len();
        if is_blank(&self.buffer) { Input::End } else { Input::Line(&self.buffer) }
    }

    fn find_break(&mut self) -> Option<usize> {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let at = found.map(|at| self.searched + at);
        self.searched = self.buffer.len();
        at
    }

    fn discard_taken(&mut self) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
                self.buffer = Vec::new();
            }
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8], limit: usize) -> Vec<String> {
        let mut lines = Lines::new(input, limit);
        let mut seen = Vec::new();
        loop {
            match lines.next().await.unwrap() {
                Input::Line(line) => seen.push(String::from_utf8_lossy(line).into_owned()),
                Input::TooLong => seen.push("too long".to_owned()),
                Input::End => return seen,
            }
        }
    }

    #[tokio::test]
    async fn blank_lines_are_passed_over_and_the_last_needs_no_break() {
        assert_eq!(all(b"a\n\r\n \nb\r\nc", 10).await, ["a", "b\r", "c"]);
        assert_eq!(all(b"", 10).await, [""; 0]);
    }

    #[tokio::test]
    async fn a_long_line_is_thrown_away_and_the_next_one_is_read() {
        let long = "x".repeat(100_000);
        let input = format!("a\n{long}\nb\n{long}");
        assert_eq!(all(input.as_bytes(), 100).await, ["a", "too long", "b", "too long"]);
    }

    #[tokio::test]
    async fn a_long_line_that_ends_with_the_input_is_followed_by_its_end() {
        // In chunks, so that some of the line is in the buffer when the input ends.
        for length in 1..30 {
            let input = "x".repeat(length);
            let (mut client, server) = tokio::io::duplex(7);
            let writer = tokio::spawn(async move {
                use tokio::io::AsyncWriteExt;
                client.write_all(input.as_bytes()).await.unwrap();
            });
            let mut lines = Lines::new(server, 3);
            let is_line = matches!(lines.next().await.unwrap(), Input::Line(_));
            assert_eq!((is_line, lines.next().await.unwrap()), (length <= 3, Input::End));
            writer.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_line_of_just_the_limit_is_a_line() {
        assert_eq!(all(b"12345\n123456\n", 5).await, ["12345", "too long"]);
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_are_cut() {
        let (mut client, server) = tokio::io::duplex(3);
        let writer = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            client.write_all("hällo\nwörld\n".as_bytes()).await.unwrap();
        });
        let mut lines = Lines::new(server, 100);
        assert_eq!(lines.next().await.unwrap(), Input::Line("hällo".as_bytes()));
        assert_eq!(lines.next().await.unwrap(), Input::Line("wörld".as_bytes()));
        assert_eq!(lines.next().await.unwrap(), Input::End);
        writer.await.unwrap();
    }
}
