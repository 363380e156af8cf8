//! The objects of `pairing.*`.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;

/// Strangers who wait, and who was let in.
#[derive(Serialize, JsonSchema)]
pub struct Pairings<'a> {
    pub pending: Vec<PairingRequest<'a>>,
    /// Addresses that were let in with a code.
    pub paired: &'a [String],
}

/// A stranger who was given a code.
#[derive(Serialize, JsonSchema)]
pub struct PairingRequest<'a> {
    pub code: &'a str,
    pub address: &'a str,
    pub requested_at: Date,
    pub expires_at: Date,
}

/// A stranger was let in.
#[derive(Serialize, JsonSchema)]
pub struct Approved<'a> {
    pub ok: bool,
    pub address: &'a str,
    /// How many messages that waited were judged again.
    pub released: usize,
}

/// A request was turned down.
#[derive(Serialize, JsonSchema)]
pub struct Denied<'a> {
    pub ok: bool,
    pub address: &'a str,
}

/// An approval was taken back.
#[derive(Serialize, JsonSchema)]
pub struct Revoked {
    pub ok: bool,
    pub was_paired: bool,
}
