//! `pairing.list`, `pairing.approve`, `pairing.deny`, `pairing.revoke`: strangers who wait, and who was let in.

use jiff::Timestamp;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::Date;
use super::wire::pairing::{Approved, Denied, PairingRequest, Pairings, Revoked};
use super::{Answer, Service, answer};
use crate::judge::{PairingError, Request};
use crate::policy::Failure;

pub const CODE: &[Param] = &[Param::text("code").required().about("The code that the stranger was given.")];
pub const REVOKE: &[Param] = &[Param::text("address").required().about("Who was let in, as `pairing.list` has it.")];

pub async fn list(service: &Service) -> Answer {
    let state = service.ask(Request::PairingList).await?.map_err(failed)?;
    let pending = state.pending.iter().map(|request| PairingRequest {
        code: &request.code,
        address: &request.address,
        requested_at: date(request.requested_at),
        expires_at: date(request.expires_at),
    });
    answer(&Pairings { pending: pending.collect(), paired: &state.paired })
}

/// `{code}` → `{ok, address, released}`: how many messages that waited were judged anew.
pub async fn approve(service: &Service, params: &Params) -> Answer {
    let code = params.required_text("code")?;
    let approval = service.ask(|reply| Request::Approve(code, reply)).await?.map_err(refused)?;
    answer(&Approved { ok: true, address: &approval.address, released: approval.released })
}

pub async fn deny(service: &Service, params: &Params) -> Answer {
    let code = params.required_text("code")?;
    let address = service.ask(|reply| Request::Deny(code, reply)).await?.map_err(refused)?;
    answer(&Denied { ok: true, address: &address })
}

/// `{address}` → `{ok, was_paired}`.
pub async fn revoke(service: &Service, params: &Params) -> Answer {
    let address = params.required_text("address")?;
    let was_paired = service.ask(|reply| Request::Revoke(address, reply)).await?.map_err(failed)?;
    answer(&Revoked { ok: true, was_paired })
}

fn refused(error: PairingError) -> RpcError {
    match error {
        PairingError::UnknownCode | PairingError::Expired => RpcError::params(error.to_string()),
        PairingError::Failed(failure) => failed(failure),
    }
}

fn failed(failure: Failure) -> RpcError {
    RpcError::internal(format!("pairing: {failure}"))
}

fn date(millis: u64) -> Date {
    let at = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    Date(at.unwrap_or(Timestamp::MAX))
}
