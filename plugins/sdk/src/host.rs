//! All that a policy may ask of the host besides its [`store`](crate::store): a log, the time, random bytes
//! and the spelling of addresses.

pub use crate::bindings::imports::imsgd::policy::host::Level;
#[cfg(target_arch = "wasm32")]
pub use crate::bindings::imports::imsgd::policy::host::{log, normalize, now, random};
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::{log, normalize, now, random};
