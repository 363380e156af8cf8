//! What the owner asks of the pairing policy.

use super::Judge;
use crate::plugin::{PairingRefusal, PairingRequest};
use crate::policy::Failure;

/// Who waits and who is in.
pub struct PairingState {
    pub pending: Vec<PairingRequest>,
    pub paired: Vec<String>,
}

/// An approved stranger, and how many of the messages that waited were delivered.
pub struct Approval {
    pub address: String,
    pub released: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    #[error("no pending request has this code; `pairing list` shows those that do")]
    UnknownCode,
    #[error("this code has expired; the sender gets a new one with the next message")]
    Expired,
    #[error("the pairing policy failed: {0}")]
    Failed(#[from] Failure),
}

impl Judge {
    pub(super) fn pairing_state(&mut self) -> Result<PairingState, Failure> {
        let pairing = self.chain.pairing()?;
        let state = PairingState { pending: pairing.pairing_pending()?, paired: pairing.pairing_paired()? };
        let _ = self.commit(self.round());
        Ok(state)
    }

    pub(super) fn approve(&mut self, code: &str) -> Result<Approval, PairingError> {
        let address = self.chain.pairing()?.pairing_approve(code)?.map_err(PairingError::from)?;
        self.keep_answer()?;
        let released = if self.settings.release_held { self.release_of(&address) } else { 0 };
        Ok(Approval { address, released })
    }

    pub(super) fn deny(&mut self, code: &str) -> Result<String, PairingError> {
        let address = self.chain.pairing()?.pairing_deny(code)?.map_err(PairingError::from)?;
        self.keep_answer()?;
        Ok(address)
    }

    pub(super) fn revoke(&mut self, address: &str) -> Result<bool, Failure> {
        let address = self.settings.normalizer.comparable(address);
        let was_paired = self.chain.pairing()?.pairing_unpair(&address)?;
        self.keep_answer()?;
        Ok(was_paired)
    }
}

impl From<PairingRefusal> for PairingError {
    fn from(refusal: PairingRefusal) -> PairingError {
        match refusal {
            PairingRefusal::UnknownCode => PairingError::UnknownCode,
            PairingRefusal::Expired => PairingError::Expired,
        }
    }
}
