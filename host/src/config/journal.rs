//! The table `[journal]`: how long it is remembered what became of messages.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::journal::Bounds;

/// How long it is remembered what became of messages. The oldest is forgotten first, what is held last.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Days. What is held is kept beyond them.
    pub keep_days: u32,
    /// Size of state.db, in MB of 1,048,576 bytes.
    pub max_mb: u32,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal { keep_days: 90, max_mb: 256 }
    }
}

impl Journal {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Journal { keep_days: 0, .. } => Err("journal.keep_days: must be at least 1".to_owned()),
            Journal { max_mb: 0, .. } => Err("journal.max_mb: must be at least 1".to_owned()),
            _ => Ok(()),
        }
    }

    pub fn bounds(&self) -> Bounds {
        let keep = SignedDuration::from_hours(i64::from(self.keep_days) * 24);
        Bounds { keep, max_bytes: u64::from(self.max_mb) << 20 }
    }
}
