//! A sign on stderr that something goes on which takes longer than a second. Only people see it.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// What is done sooner needs no sign.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// Goes on until it is dropped.
pub struct Waiting {
    done: Option<Sender<()>>,
    sign: Option<JoinHandle<()>>,
}

impl Waiting {
    /// `what` is done, as "searching".
    pub fn begin(what: &'static str) -> Waiting {
        if !io::stderr().is_terminal() {
            return Waiting { done: None, sign: None };
        }
        let (done, is_done) = mpsc::channel();
        let sign = thread::Builder::new().name("waiting".to_owned()).spawn(move || {
            if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let bar = ProgressBar::new_spinner().with_message(what).with_elapsed(PATIENCE);
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(TICK);
                // Dropped, which is all that is ever sent.
                let _ = is_done.recv();
                bar.finish_and_clear();
            }
        });
        Waiting { done: Some(done), sign: sign.ok() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(sign) = self.sign.take() {
            // The sign is gone before anything else is printed.
            let _ = sign.join();
        }
    }
}
