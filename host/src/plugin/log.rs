//! What plugins say, and what befell them, by name: the last lines of each, and every line as it comes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::limits;

/// Lines that wait for those who follow; who is further behind misses some.
pub const LINES_WAITING: usize = 256;

/// One line of a plugin's log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Counts the lines of all plugins together.
    pub number: u64,
    pub at: Timestamp,
    pub level: &'static str,
    pub text: String,
    /// Not the plugin wrote it, but the host about the plugin.
    pub by_host: bool,
}

/// A line on its way to those who follow.
#[derive(Clone, Debug)]
pub struct Said {
    pub plugin: Arc<str>,
    pub line: LogLine,
}

/// The log of one plugin. It outlives the plugin's instances and versions; clones are the same log.
#[derive(Clone)]
pub struct Log {
    plugin: Arc<str>,
    kept: Arc<Mutex<VecDeque<LogLine>>>,
    out: Outlet,
}

/// Where the lines of all plugins come together.
#[derive(Clone)]
struct Outlet {
    last: Arc<AtomicU64>,
    followers: broadcast::Sender<Arc<Said>>,
}

impl Outlet {
    fn new(waiting: usize) -> Outlet {
        Outlet { last: Arc::default(), followers: broadcast::channel(waiting).0 }
    }
}

impl Log {
    /// One that nobody follows.
    pub fn new(plugin: &str) -> Log {
        Log::with_outlet(plugin, Outlet::new(1))
    }

    fn with_outlet(plugin: &str, out: Outlet) -> Log {
        Log { plugin: plugin.into(), kept: Arc::default(), out }
    }

    /// Of the plugin's own.
    pub fn write(&self, level: &'static str, text: String) {
        self.keep(level, text, false);
    }

    /// About the plugin.
    pub fn note(&self, level: &'static str, text: String) {
        self.keep(level, text, true);
    }

    fn keep(&self, level: &'static str, mut text: String, by_host: bool) {
        if text.len() > limits::LOG_LINE_BYTES {
            text.truncate(text.floor_char_boundary(limits::LOG_LINE_BYTES));
            text.push('…');
        }
        // Plugins may log what they read, and what they read is private: not at the default level.
        tracing::debug!(plugin = &*self.plugin, level, "{text}");
        let mut kept = self.kept.lock();
        let number = self.out.last.fetch_add(1, Ordering::Relaxed) + 1;
        let line = LogLine { number, at: Timestamp::now(), level, text, by_host };
        if self.out.followers.receiver_count() > 0 {
            // In the order of the numbers, so before the lock is let go.
            let _ = self.out.followers.send(Arc::new(Said { plugin: self.plugin.clone(), line: line.clone() }));
        }
        if kept.len() == limits::LOG_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    /// The last lines, the oldest first: so many, or as many as are kept.
    pub fn last(&self, count: usize) -> Vec<LogLine> {
        let kept = self.kept.lock();
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }
}

/// The logs of all plugins. Shared by who judges and who answers clients.
pub struct Logs {
    by_name: Mutex<BTreeMap<String, Log>>,
    out: Outlet,
}

impl Default for Logs {
    fn default() -> Logs {
        Logs { by_name: Mutex::default(), out: Outlet::new(LINES_WAITING) }
    }
}

impl Logs {
    /// The log of this name, which is begun where there is none.
    pub fn of(&self, plugin: &str) -> Log {
        let begin = || Log::with_outlet(plugin, self.out.clone());
        self.by_name.lock().entry(plugin.to_owned()).or_insert_with(begin).clone()
    }

    /// The log of this name, if any plugin has or had it.
    pub fn find(&self, plugin: &str) -> Option<Log> {
        self.by_name.lock().get(plugin).cloned()
    }

    pub fn names(&self) -> Vec<String> {
        self.by_name.lock().keys().cloned().collect()
    }

    /// Forgets the logs of plugins that are not among these.
    pub fn keep_only(&self, is_there: impl Fn(&str) -> bool) {
        self.by_name.lock().retain(|name, _| is_there(name));
    }

    /// Every line of every plugin from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Said>> {
        self.out.followers.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_each_is_told_as_it_comes() {
        let logs = Logs::default();
        let log = logs.of("a");
        log.write("info", "before".to_owned());
        let mut followed = logs.follow();
        for number in 0..limits::LOG_LINES {
            log.note("warn", format!("line {number}"));
        }
        logs.of("b").write("info", "of another".to_owned());
        let kept = logs.of("a").last(usize::MAX);
        assert_eq!((kept.len(), kept[0].number, kept[0].text.as_str()), (limits::LOG_LINES, 2, "line 0"));
        assert_eq!(log.last(1)[0].text, format!("line {}", limits::LOG_LINES - 1));
        let told = followed.try_recv().unwrap();
        assert_eq!((&*told.plugin, told.line.number, told.line.by_host), ("a", 2, true));
        assert_eq!(logs.names(), ["a", "b"]);
        logs.keep_only(|name| name == "b");
        assert!(logs.find("a").is_none() && logs.find("b").is_some());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let log = Log::new("a");
        log.write("info", "ä".repeat(limits::LOG_LINE_BYTES));
        let line = &log.last(1)[0].text;
        assert!(line.ends_with("ä…") && line.len() <= limits::LOG_LINE_BYTES + "…".len());
    }
}
