//! One replay at a time: each takes a processor for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// Who has the turn.
#[derive(Default)]
pub struct Replays {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    stop: Option<Arc<AtomicBool>>,
    is_closed: bool,
}

/// A turn, which ends when it is dropped.
pub struct Turn {
    replays: Arc<Replays>,
    stop: Arc<AtomicBool>,
}

/// Tells the replay of a turn to stop when it is dropped.
pub struct Ending(Arc<AtomicBool>);

impl Replays {
    /// None while another one has it.
    pub fn begin(self: &Arc<Replays>) -> Option<Turn> {
        let mut running = self.running.lock();
        if running.stop.is_some() || running.is_closed {
            return None;
        }
        let stop = Arc::new(AtomicBool::new(false));
        running.stop = Some(stop.clone());
        Some(Turn { replays: self.clone(), stop })
    }

    /// Tells the one that runs to stop. False where there is none.
    pub fn end(&self) -> bool {
        let running = self.running.lock();
        running.stop.as_ref().inspect(|stop| stop.store(true, Ordering::Relaxed)).is_some()
    }

    /// The same, and there will be none any more.
    pub fn close(&self) {
        self.running.lock().is_closed = true;
        self.end();
    }
}

impl Turn {
    /// Becomes true when it has to stop.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// For who waits for it.
    pub fn ending(&self) -> Ending {
        Ending(self.stop())
    }
}

impl Ending {
    pub fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.replays.running.lock().stop = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_each_can_be_told_to_stop() {
        let replays = Arc::new(Replays::default());
        assert!(!replays.end());
        let turn = replays.begin().unwrap();
        assert!(replays.begin().is_none());
        assert!(replays.end() && turn.stop().load(Ordering::Relaxed));
        drop(turn);
        let turn = replays.begin().unwrap();
        assert!(!turn.stop().load(Ordering::Relaxed));
        replays.close();
        assert!(turn.stop().load(Ordering::Relaxed));
        drop(turn);
        assert!(replays.begin().is_none());
    }
}
