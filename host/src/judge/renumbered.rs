//! A database whose rows have other numbers: what was noted of messages follows them.

use std::collections::HashMap;

use super::Judge;
use crate::journal;

/// Guids that are looked up at a time.
const LOOK_UP: usize = 1000;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Journal(#[from] rusqlite::Error),
    #[error(transparent)]
    State(#[from] crate::state::Error),
    #[error(transparent)]
    Database(#[from] crate::chatdb::Error),
}

impl Judge {
    pub(super) fn follow_renumbered(&mut self) {
        self.waiting.clear();
        match self.renumber() {
            Ok((found, all)) => tracing::info!(found, of = all, "messages of the journal were looked up again"),
            Err(error) => tracing::error!(%error, "the journal has the numbers of another database"),
        }
    }

    fn renumber(&mut self) -> Result<(usize, usize), Error> {
        let before = journal::places(self.state.connection())?;
        let mut now = HashMap::new();
        for known in before.chunks(LOOK_UP) {
            let guids: Vec<String> = known.iter().map(|(guid, _)| guid.clone()).collect();
            now.extend(self.with_chatdb(|chatdb| chatdb.places(&guids))?);
        }
        self.state.renumber_journal(&before, &now)?;
        Ok((now.len(), before.len()))
    }
}
