//! The pure parts of imsgd that read what strangers write.

#![allow(dead_code, reason = "the modules have more than is looked at here")]

#[path = "../../host/src/message.rs"]
pub mod message;

#[path = "../../host/src/decode"]
pub mod decode {
    pub mod body;
    pub mod date;
    pub mod edits;
    pub mod poll;
    pub mod property_list;
    pub mod tapback;
    mod typedstream;

    pub use body::body;
}

#[path = "../../host/src/rpc"]
mod rpc {
    pub mod envelope;
    pub mod error;

    /// Rests on the tables of all methods, and so on all of imsgd. Not looked at here: no line is parsed in that mode.
    mod legacy {
        pub fn relax(_: &mut serde_json::Map<String, serde_json::Value>) {}
    }
}

/// What a connection may do is put into a request after it was read. Not looked at here.
mod config {
    #[derive(Clone, Copy, Debug)]
    pub struct Scopes;

    impl Scopes {
        pub const NONE: Scopes = Scopes;
    }
}

#[path = "../../host/src/transport/line.rs"]
mod line;

#[path = "../../host/src/sim"]
mod sim {
    pub mod plists;
    pub mod typedstream;
}

pub mod seeds;
pub mod targets;
