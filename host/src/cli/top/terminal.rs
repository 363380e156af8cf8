//! The terminal while it is drawn on: keys come one by one, and all is as it was when this is dropped, also in a panic.

use std::io;
use std::os::fd::AsRawFd;

use console::Term;
use termios::{ECHO, ICANON, ISIG, TCSAFLUSH, Termios, VMIN, VTIME, tcsetattr};

use crate::cli::look;

/// The other screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

pub struct Screen {
    before: Termios,
}

impl Screen {
    pub fn take() -> io::Result<Screen> {
        let stdin = io::stdin().as_raw_fd();
        let before = Termios::from_fd(stdin)?;
        let mut keys = before;
        // Ctrl-C comes as a byte, and Ctrl-Z, which would leave the other screen behind, does nothing.
        keys.c_lflag &= !(ICANON | ECHO | ISIG);
        (keys.c_cc[VMIN], keys.c_cc[VTIME]) = (1, 0);
        tcsetattr(stdin, TCSAFLUSH, &keys)?;
        let screen = Screen { before };
        look::show(ENTER)?;
        Ok(screen)
    }

    /// Writes over what was there, without a moment in which nothing is.
    pub fn draw(&self, frame: &str) -> io::Result<()> {
        let (rows, columns) = Term::stdout().size();
        let mut out = "\x1b[H".to_owned();
        let lines = frame.lines().take(usize::from(rows));
        let lines: Vec<String> =
            lines.map(|line| console::truncate_str(line, usize::from(columns), "").into()).collect();
        out.push_str(&lines.join("\x1b[K\r\n"));
        out.push_str("\x1b[K\x1b[J");
        look::show(&out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = look::show(LEAVE);
        let _ = tcsetattr(io::stdin().as_raw_fd(), TCSAFLUSH, &self.before);
    }
}
