//! What a client is told from now on, of a stream that waits for nobody: verdicts, and lines of logs.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::wire;
use crate::transport::{Line, Output};

/// A subscription that has its place, but has not said anything.
pub struct Feed<T> {
    items: Receiver<Arc<T>>,
    said: Box<Said<T>>,
    missed: Box<dyn Fn(u64) -> String + Send>,
}

/// The notification of an item; none where the client does not want it.
type Said<T> = dyn Fn(&T) -> Option<String> + Send;

impl<T: Send + Sync + 'static> Feed<T> {
    /// `said` turns what the client wants into a notification, `missed` tells how much it missed.
    pub fn new(
        items: Receiver<Arc<T>>,
        said: impl Fn(&T) -> Option<String> + Send + 'static,
        missed: impl Fn(u64) -> String + Send + 'static,
    ) -> Feed<T> {
        Feed { items, said: Box::new(said), missed: Box::new(missed) }
    }

    /// Tells until the client is gone. Who reads too slowly is told how many it missed; who has something to say never
    /// waits.
    pub async fn run(mut self, output: Output) {
        loop {
            let line = match self.items.recv().await {
                Ok(item) => match (self.said)(&item) {
                    Some(line) => line,
                    None => continue,
                },
                Err(RecvError::Lagged(missed)) => (self.missed)(missed),
                Err(RecvError::Closed) => return,
            };
            if !output.send(Line::Whole(line)).await {
                return;
            }
        }
    }
}

pub fn notification(method: &str, params: &impl serde::Serialize) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{}}}"#, wire::to_json(params))
}
