//! The policy chain: who is asked about an inbound message, in which order, and what a failure means. Pure: what a
//! policy is made of stands behind a trait.

use std::sync::Arc;

use jiff::Timestamp;

use crate::message::{Arrival, Message};

/// The interfaces of `wit/policy.wit` that a component may export beside `policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    Allowlist,
    Pairing,
    Group,
    Filter,
    Chunking,
}

impl Interface {
    pub const ALL: [Interface; 5] =
        [Interface::Allowlist, Interface::Pairing, Interface::Group, Interface::Filter, Interface::Chunking];

    pub fn name(self) -> &'static str {
        match self {
            Interface::Allowlist => "allowlist",
            Interface::Pairing => "pairing",
            Interface::Group => "group",
            Interface::Filter => "filter",
            Interface::Chunking => "chunking",
        }
    }

    pub fn from_name(name: &str) -> Option<Interface> {
        Interface::ALL.into_iter().find(|interface| interface.name() == name)
    }
}

/// One inbound message as the chain sees it.
#[derive(Clone, Debug)]
pub struct Inbound {
    pub message: Arc<Message>,
    pub arrival: Arrival,
    /// Judged by `group` policies: a group chat, or one that the configuration lists under groups.
    pub as_group: bool,
    /// E.164 or lower-case e-mail address of the sender, or its own spelling where it is neither.
    pub sender: String,
    /// Where a direct message goes that no policy gave a route, e.g. `main`.
    pub direct_route: String,
    /// The time that `host.now` tells during the whole chain.
    pub now: Timestamp,
}

/// What an `allowlist` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    Admit(Option<String>),
    Reject(String),
    Abstain,
}

/// What a `pairing` answers about a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introduction {
    Paired(Option<String>),
    Challenge(Challenge),
    Waiting,
    Reject(String),
}

/// A new request that the owner may approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub code: String,
    /// What to answer the stranger, if anything.
    pub reply: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub expires_at: u64,
}

/// What a `group` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupDecision {
    Deliver(Option<String>),
    Observe,
    Reject(String),
    Abstain,
}

/// What a `filter` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterVerdict {
    Pass,
    Drop(String),
    Route(String),
    Label(Vec<String>),
}

/// A policy that did not answer: it trapped, ran out of time or memory, answered too much, or could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// What the chain asks of a plugin. A method is called only where `offers` said yes to its interface.
pub trait Policy {
    fn name(&self) -> &str;
    /// Tells one build of the plugin from another.
    fn version(&self) -> &str;
    fn offers(&self, interface: Interface) -> bool;
    fn admit(&mut self, inbound: &Arc<Inbound>) -> Result<Admission, Failure>;
    fn screen(&mut self, inbound: &Arc<Inbound>) -> Result<Introduction, Failure>;
    fn decide(&mut self, inbound: &Arc<Inbound>) -> Result<GroupDecision, Failure>;
    fn filter(&mut self, inbound: &Arc<Inbound>) -> Result<FilterVerdict, Failure>;
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Deliver {
        route: String,
        labels: Vec<String>,
    },
    /// Kept as context for the next message of its chat that is delivered.
    Observe,
    /// Kept until a policy can judge it, or its sender is approved.
    Hold(Hold),
    /// The sender or the chat may not write to us.
    Reject {
        reason: String,
    },
    /// Admitted, but a filter did not want this one.
    Drop {
        reason: String,
    },
}

/// Why a message is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A stranger who asked to be let in, and has not been.
    Introduction(Option<Challenge>),
    Failure(Failure),
}

impl Verdict {
    /// The word in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Deliver { .. } => "delivered",
            Verdict::Observe => "observed",
            Verdict::Hold(_) => "held",
            Verdict::Reject { .. } => "rejected",
            Verdict::Drop { .. } => "dropped",
        }
    }

    /// A stable code for rejections and drops, a sentence for failures.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Deliver { .. } | Verdict::Observe => None,
            Verdict::Hold(Hold::Introduction(Some(_))) => Some("introduction"),
            Verdict::Hold(Hold::Introduction(None)) => Some("introduction_waiting"),
            Verdict::Hold(Hold::Failure(failure)) => Some(&failure.0),
            Verdict::Reject { reason } | Verdict::Drop { reason } => Some(reason),
        }
    }
}

/// A verdict and who came to it: the plugin's name and version, or nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    pub decided_by: Option<(String, String)>,
}

/// The route of an admitted message and who admitted it, or what becomes of it instead.
pub type Admitted = Result<(String, Option<(String, String)>), Box<Decision>>;

impl Decision {
    fn is_of_a_stranger(&self) -> bool {
        match &self.verdict {
            Verdict::Hold(Hold::Introduction(_)) => true,
            Verdict::Reject { reason } => self.decided_by.is_none() && reason == NOBODY_DECIDED,
            _ => false,
        }
    }
}

/// Nobody had an opinion, so the message stays out.
pub const NOBODY_DECIDED: &str = "nobody_decided";

/// Stands for the owner of the Mac where a policy's name would.
pub const OWNER: &str = "owner";

/// Runs one message through the chain.
pub fn judge<P: Policy>(chain: &mut [P], inbound: &Arc<Inbound>) -> Decision {
    match admit(chain, inbound) {
        Ok((route, decided_by)) => filter(chain, inbound, route, decided_by),
        Err(decision) => *decision,
    }
}

/// May its sender write, or its chat be heard? The first half of [`judge`].
pub fn admit<P: Policy>(chain: &mut [P], inbound: &Arc<Inbound>) -> Admitted {
    if inbound.as_group { admit_group(chain, inbound) } else { admit_direct(chain, inbound) }
}

/// The second half, for a message that the owner releases by hand: where only nobody knows its sender, the owner's word
/// is the admission.
pub fn judge_released<P: Policy>(chain: &mut [P], inbound: &Arc<Inbound>, admitted: Admitted) -> Decision {
    match admitted {
        Ok((route, decided_by)) => filter(chain, inbound, route, decided_by),
        Err(decision) if !inbound.as_group && decision.is_of_a_stranger() => {
            filter(chain, inbound, inbound.direct_route.clone(), Some((OWNER.to_owned(), String::new())))
        }
        Err(decision) => *decision,
    }
}

/// Runs a message through the chain that was delivered to `route` and says something else now. Who was heard because of
/// a mention needs no second one; who may not write any more is not heard, and the filters see the new text.
pub fn judge_again<P: Policy>(chain: &mut [P], inbound: &Arc<Inbound>, route: &str) -> Decision {
    match admit(chain, inbound) {
        Ok((route, decided_by)) => filter(chain, inbound, route, decided_by),
        Err(decision) if decision.verdict == Verdict::Observe => {
            filter(chain, inbound, route.to_owned(), decision.decided_by)
        }
        Err(decision) => *decision,
    }
}

fn admit_direct<P: Policy>(chain: &mut [P], inbound: &Arc<Inbound>) -> Admitted {
    let default_route = || inbound.direct_route.clone();
    for policy in chain.iter_mut().filter(|policy| policy.offers(Interface::Allowlist)) {
        match policy.admit(inbound) {
            Ok(Admission::Abstain) => {}
            Ok(Admission::Admit(route)) => return Ok((route.unwrap_or_else(default_route), Some(identity(policy)))),
            Ok(Admission::Reject(reason)) => return Err(by(policy, Verdict::Reject { reason })),
            Err(failure) => return Err(by(policy, Verdict::Hold(Hold::Failure(failure)))),
        }
    }
    let Some(policy) = chain.iter_mut().find(|policy| policy.offers(Interface::Pairing)) else {
        return Err(nobody());
    };
    let verdict = match policy.screen(inbound) {
        Ok(Introduction::Paired(route)) => return Ok((route.unwrap_or_else(default_route), Some(identity(policy)))),
        Ok(Introduction::Challenge(challenge)) => Verdict::Hold(Hold::Introduction(Some(challenge))),
        Ok(Introduction::Waiting) => Verdict::Hold(Hold::Introduction(None)),
        Ok(Introduction::Reject(reason)) => Verdict::Reject { reason },
        Err(failure) => Verdict::Hold(Hold::Failure(failure)),
    };
    Err(by(policy, verdict))
}

fn admit_group<P: Policy>(chain: &mut [P], inbound: &Arc<Inbound>) -> Admitted {
    for policy in chain.iter_mut().filter(|policy| policy.offers(Interface::Group)) {
        let verdict = match policy.decide(inbound) {
            Ok(GroupDecision::Abstain) => continue,
            Ok(GroupDecision::Deliver(route)) => {
                let route = route.unwrap_or_else(|| group_route(&inbound.message));
                return Ok((route, Some(identity(policy))));
            }
            Ok(GroupDecision::Observe) => Verdict::Observe,
            Ok(GroupDecision::Reject(reason)) => Verdict::Reject { reason },
            Err(failure) => Verdict::Hold(Hold::Failure(failure)),
        };
        return Err(by(policy, verdict));
    }
    Err(nobody())
}

fn filter<P: Policy>(
    chain: &mut [P],
    inbound: &Arc<Inbound>,
    mut route: String,
    mut decided_by: Option<(String, String)>,
) -> Decision {
    let mut labels: Vec<String> = Vec::new();
    for policy in chain.iter_mut().filter(|policy| policy.offers(Interface::Filter)) {
        match policy.filter(inbound) {
            Ok(FilterVerdict::Pass) => {}
            Ok(FilterVerdict::Route(to)) => {
                route = to;
                decided_by = Some(identity(policy));
            }
            Ok(FilterVerdict::Label(new)) => {
                for label in new {
                    if !labels.contains(&label) {
                        labels.push(label);
                    }
                }
            }
            Ok(FilterVerdict::Drop(reason)) => return *by(policy, Verdict::Drop { reason }),
            Err(failure) => return *by(policy, Verdict::Hold(Hold::Failure(failure))),
        }
    }
    Decision { verdict: Verdict::Deliver { route, labels }, decided_by }
}

fn group_route(message: &Message) -> String {
    format!("group:{}", message.chat.as_ref().map_or(0, |chat| chat.id.0))
}

fn identity<P: Policy>(policy: &P) -> (String, String) {
    (policy.name().to_owned(), policy.version().to_owned())
}

fn by<P: Policy>(policy: &P, verdict: Verdict) -> Box<Decision> {
    Box::new(Decision { verdict, decided_by: Some(identity(policy)) })
}

fn nobody() -> Box<Decision> {
    Box::new(Decision { verdict: Verdict::Reject { reason: NOBODY_DECIDED.to_owned() }, decided_by: None })
}

#[cfg(test)]
pub(crate) mod tests;
