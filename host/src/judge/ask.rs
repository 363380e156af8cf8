//! What the judge is handed and asked.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Approval, ByHand, HandError, Handled, PairingError, PairingState, Preview, Settings};
use crate::chain::{Entrant, Install, Installed, PluginReport};
use crate::message::{Arrival, Change, Message, RowId};
use crate::place::ResetKind;
use crate::plugin::PluginEngine;
use crate::policy::Failure;

/// A row of chat.db on its way to a verdict.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub message: Arc<Message>,
    pub arrival: Arrival,
    /// When it was first read.
    pub seen_at: Timestamp,
    /// Set where the row was handed on before, and is another now.
    pub change: Option<Change>,
}

/// What others ask of the judge.
pub enum Request {
    /// Verdicts on rows from before the journal began or that were edited since, without any trace of having been asked.
    Preview(Vec<Arrived>, oneshot::Sender<Vec<Preview>>),
    /// How an outgoing text becomes messages.
    Split {
        text: String,
        is_group: bool,
        recipient: Option<String>,
        reply: oneshot::Sender<Result<Vec<String>, Failure>>,
    },
    PairingList(oneshot::Sender<Result<PairingState, Failure>>),
    Approve(String, oneshot::Sender<Result<Approval, PairingError>>),
    Deny(String, oneshot::Sender<Result<String, PairingError>>),
    Revoke(String, oneshot::Sender<Result<bool, Failure>>),
    /// The owner releases or drops held messages, some at a time.
    ByHand(ByHand, oneshot::Sender<Result<Handled, HandError>>),
    Install(Box<Install>, oneshot::Sender<Installed>),
    /// What an install would refuse, by the plugin's name. Nothing is put in force.
    Rehearse(Box<Install>, oneshot::Sender<Vec<(String, String)>>),
    Plugins(oneshot::Sender<Vec<PluginReport>>),
    /// What judges now, for who wants to judge beside it.
    InForce(oneshot::Sender<InForce>),
    /// Closes chat.db where its files were replaced: nobody can open them anew before.
    LetGo,
}

/// The policies in their order, and what the configuration tells the judge itself.
pub struct InForce {
    /// What their components are compiled for.
    pub engine: PluginEngine,
    pub entrants: Vec<Entrant>,
    pub settings: Settings,
}

/// What the tail hands on, in order.
pub enum FromTail {
    Rows(Vec<Arrived>),
    /// The rows that follow come after this one. The first thing that the tail says, and again when it has lost its place.
    StartAt(StartAt),
}

/// Where the stream begins.
pub struct StartAt {
    pub row: RowId,
    pub guid: String,
    /// Rows have other numbers than before: how, and in words.
    pub reset: Option<(ResetKind, String)>,
}

impl Request {
    /// What only the policies can answer, so that it waits until they are in force.
    pub(super) fn needs_policies(&self) -> bool {
        !matches!(self, Request::Install(..) | Request::Rehearse(..) | Request::Plugins(_) | Request::LetGo)
    }
}
