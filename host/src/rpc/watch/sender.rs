//! The notifications of one subscription.

use std::sync::Arc;

use crate::attachments::Files;
use crate::consumers::Kept;
use crate::contacts::Contacts;
use crate::place::{Place, ResetKind};
use crate::rpc::error::RpcError;
use crate::rpc::wire;
use crate::rpc::wire::watch::{Overflow, StreamError, StreamFailure, StreamReset};
use crate::subscription::Published;
use crate::transport::{Line, Mark, Output};

pub(super) struct Sender {
    output: Output,
    number: u64,
    prefix: Arc<str>,
    attachments: bool,
    /// Where attachments are to be converted.
    files: Option<Arc<Files>>,
    contacts: Arc<Contacts>,
    /// Who is to know what was written.
    kept: Option<Arc<Kept>>,
}

/// Converts for all who ask for it. Only they wait.
async fn converted(files: &Files, published: &Published, contacts: &Contacts) -> Arc<str> {
    if let Some(json) = published.json_converted() {
        return json;
    }
    let converted = files.converted(&[&published.message.attachments]).await;
    published.convert(converted.first().map_or(&[], Vec::as_slice), contacts)
}

fn prefix(number: u64) -> Arc<str> {
    format!(r#"{{"jsonrpc":"2.0","method":"message","params":{{"subscription":{number},"message":"#).into()
}

impl Sender {
    pub fn new(
        output: Output,
        number: u64,
        attachments: bool,
        files: Option<Arc<Files>>,
        contacts: Arc<Contacts>,
        kept: Option<Arc<Kept>>,
    ) -> Sender {
        Sender { output, number, prefix: prefix(number), attachments, files, contacts, kept }
    }

    /// False when the client is gone.
    pub async fn message(&self, published: &Published) -> bool {
        if let Some(kept) = &self.kept {
            kept.sent(&published.place);
        }
        let json = match &self.files {
            Some(files) if Files::may_convert(&published.message.attachments) => {
                converted(files, published, &self.contacts).await
            }
            _ => published.json(self.attachments, &self.contacts),
        };
        let is_named = self.kept.as_ref().is_some_and(|kept| kept.name.is_some());
        let cursor = is_named.then(|| published.cursor());
        let line = match published.change {
            None => Line::Message {
                prefix: self.prefix.clone(),
                json,
                cursor,
                mark: Mark { kept: self.kept.clone(), place: published.place.clone(), seen_at: published.seen_at },
            },
            Some(change) => {
                let cursor = cursor.map(|cursor| format!(r#","cursor":{cursor}"#)).unwrap_or_default();
                Line::Whole(format!(
                    r#"{{"jsonrpc":"2.0","method":"message.updated","params":{{"subscription":{},"message":{json},"change":"{}"{cursor}}}}}"#,
                    self.number,
                    change.name()
                ))
            }
        };
        self.output.send(line).await
    }

    pub async fn overflow(&self, accepted: &Place) {
        let params = Overflow {
            subscription: self.number,
            resume_after_rowid: accepted.row.0,
            reason: "buffer_limit_exceeded",
            terminal: true,
        };
        self.notify("watch.overflow", &params).await;
    }

    pub async fn reset(&self, kind: ResetKind, detail: &str, place: &Place) {
        let params = StreamReset {
            subscription: self.number,
            reason: kind.name(),
            detail,
            resume_after_rowid: place.row.0,
            terminal: false,
        };
        self.notify("watch.reset", &params).await;
    }

    pub async fn error(&self, error: &RpcError) {
        let text = error.data.as_str().map_or_else(|| error.data.to_string(), str::to_owned);
        let failure = StreamFailure { message: text, code: error.code };
        let params = StreamError { subscription: self.number, error: failure, terminal: true };
        self.notify("error", &params).await;
    }

    async fn notify(&self, method: &str, params: &impl serde::Serialize) {
        let params = wire::to_json(params);
        let line = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        self.output.send(Line::Whole(line)).await;
    }
}
