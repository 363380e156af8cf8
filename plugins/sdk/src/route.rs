//! Routes of direct messages, by which subscribers pick.

use serde::Deserialize;

use crate::Message;

/// The key `dm_scope`: whether direct messages share a route.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DmScope {
    /// All direct messages go by the host's default route, which is `main` unless its owner says otherwise.
    #[default]
    Main,
    /// A route for each sender: `dm:+15551234567`.
    Peer,
}

impl DmScope {
    /// For [`Admission::Admit`](crate::Admission::Admit) and [`Outcome::Paired`](crate::Outcome::Paired).
    pub fn route(self, message: &Message) -> Option<String> {
        match self {
            Self::Main => None,
            Self::Peer => Some(format!("dm:{}", message.sender().address())),
        }
    }
}
