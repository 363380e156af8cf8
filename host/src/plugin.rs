//! One plugin: a long-lived instance of a component, called with a budget, thrown away and made anew after a trap.

mod bindings;
mod engine;
mod guest;
pub mod limits;
mod load;
pub mod log;
mod panic;
mod times;
mod wasi;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wasmtime::Store;
use wasmtime::component::{Instance, Resource};

use bindings::exports::imsgd::policy::{allowlist, chunking, filter, group, pairing};
use engine::Budget;
pub use engine::PluginEngine;
use guest::{Call, Guest, MessageRep, State};
pub use guest::{Stage, StoreWrites};
pub use load::{ABI_VERSION, COMPONENT_BYTES, Compiled, Refusal, compile, version_of};
use load::{Callee, Exported};
pub use log::{Log, LogLine, Logs};
pub use panic::without_what_is_quoted;
pub use times::Times;

use crate::address::Normalizer;
use crate::policy::{
    Admission, Challenge, Failure, FilterVerdict, GroupDecision, Inbound, Interface, Introduction, Policy,
};

/// How a failure to start begins where `configure` answered with an error.
pub const CONFIGURATION_REFUSED: &str = "configuration: ";

/// A plugin that is configured and ready to judge.
pub struct Plugin {
    name: Arc<str>,
    engine: PluginEngine,
    compiled: Compiled,
    config: String,
    /// `None` after a trap, until the next call makes a fresh one.
    running: Option<Running>,
    normalizer: Arc<Normalizer>,
    /// The durable state while no instance holds it.
    parked: Option<State>,
    log: Log,
    /// What answered calls wrote and nobody has committed yet.
    uncommitted: StoreWrites,
    is_dry: bool,
    /// For tests of policies; else time and chance are the system's.
    stage: Option<Stage>,
    pub stats: Stats,
    pub loaded_at: Timestamp,
}

struct Running {
    store: Store<Guest>,
    instance: Instance,
    exported: Exported,
}

/// How a plugin has done since it was loaded.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub calls: u64,
    pub failures: u64,
    pub time: Duration,
    pub times: Times,
    pub last_failure: Option<String>,
}

/// A request of a stranger that waits for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingRequest {
    pub code: String,
    pub address: String,
    pub requested_at: u64,
    pub expires_at: u64,
}

/// Why a code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingRefusal {
    UnknownCode,
    Expired,
}

/// What a plugin is made of, beside its component.
pub struct Setup {
    pub name: String,
    /// The plugin's own table of the configuration, as JSON.
    pub config: String,
    pub state: BTreeMap<String, Vec<u8>>,
    pub normalizer: Arc<Normalizer>,
}

impl Plugin {
    /// Instantiates and configures. An error is the reason why this plugin must not be used, in words.
    pub fn start(engine: &PluginEngine, compiled: Compiled, setup: Setup) -> Result<Plugin, Failure> {
        let log = Log::new(&setup.name);
        Plugin::start_with(engine, compiled, setup, log, None)
    }

    /// The same, on a stage where there is one; what it says goes to `log`, also where it is refused.
    pub fn start_with(
        engine: &PluginEngine,
        compiled: Compiled,
        setup: Setup,
        log: Log,
        stage: Option<Stage>,
    ) -> Result<Plugin, Failure> {
        let mut plugin = Plugin {
            name: setup.name.into(),
            engine: engine.clone(),
            compiled,
            config: setup.config,
            running: None,
            normalizer: setup.normalizer,
            parked: Some(State::new(setup.state)),
            log,
            uncommitted: StoreWrites::new(),
            is_dry: false,
            stage,
            stats: Stats::default(),
            loaded_at: Timestamp::now(),
        };
        plugin.revive()?;
        Ok(plugin)
    }

    /// The time that the next call is told, on a stage. A message brings its own.
    pub fn set_time(&mut self, now: Timestamp) {
        let running = self.running.as_mut().and_then(|running| running.store.data_mut().stage.as_mut());
        for stage in self.stage.iter_mut().chain(running) {
            stage.now = now;
        }
    }

    fn now(&self) -> Timestamp {
        self.stage.map_or_else(Timestamp::now, |stage| stage.now)
    }

    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub fn config(&self) -> &str {
        &self.config
    }

    /// All that are kept, the oldest first.
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.log.last(usize::MAX)
    }

    /// Linear memory of the instance, in bytes; none where there is no instance.
    pub fn memory_bytes(&self) -> Option<usize> {
        self.running.as_ref().map(|running| running.store.data().growth.memory_bytes())
    }

    /// Takes what answered calls wrote, to be committed with their verdicts.
    pub fn take_writes(&mut self) -> StoreWrites {
        std::mem::take(&mut self.uncommitted)
    }

    /// Goes back to `state` after a commit failed: the verdicts it belonged to do not stand either.
    pub fn reset_state(&mut self, state: BTreeMap<String, Vec<u8>>) {
        self.uncommitted.clear();
        self.running = None;
        self.parked = Some(State::new(state));
    }

    /// A fresh store and instance, with the state of the one before.
    fn revive(&mut self) -> Result<(), Failure> {
        let state = self.parked.take().unwrap_or_default();
        let guest = Guest {
            growth: limits::Growth::default(),
            budget: Budget::of_a_start(Instant::now()),
            normalizer: self.normalizer.clone(),
            call: Call::new(None, self.now()),
            stage: self.stage,
            state,
            log: self.log.clone(),
        };
        let mut store = Store::new(self.engine.engine(), guest);
        store.limiter(|guest| &mut guest.growth);
        store.epoch_deadline_callback(|mut store| store.data_mut().budget.check());
        let configured = self.engine.timed(&mut store, Budget::of_a_start(Instant::now()), |store| {
            let instance = self.compiled.pre.instantiate(&mut *store)?;
            let policy = self.compiled.policy.load(&mut *store, &instance)?;
            let answer = policy.call_configure(&mut *store, &self.config)?;
            wasmtime::Result::Ok((instance, answer))
        });
        let failure = match configured {
            Ok((instance, Ok(()))) => {
                let writes = std::mem::take(&mut store.data_mut().call.writes);
                self.keep(&mut store, writes);
                self.running = Some(Running { store, instance, exported: Exported::default() });
                return Ok(());
            }
            Ok((_, Err(reason))) => Failure(format!("{CONFIGURATION_REFUSED}{}", shortened(reason))),
            Err(error) => panic::failure(&error, &store.data().call, &[]),
        };
        let guest = store.into_data();
        self.stage = guest.stage;
        self.parked = Some(guest.state);
        Err(failure)
    }

    /// While dry, answers leave no trace: what the plugin writes is forgotten.
    pub fn set_dry(&mut self, is_dry: bool) {
        self.is_dry = is_dry;
    }

    fn keep(&mut self, store: &mut Store<Guest>, writes: StoreWrites) {
        if self.is_dry {
            return;
        }
        store.data_mut().state.apply(&writes);
        self.uncommitted.extend(writes);
    }

    /// One call, about a message or with what is `given`. Whatever goes wrong in it leaves no trace but the failure: its
    /// writes are forgotten and the instance is thrown away.
    fn call<R>(
        &mut self,
        inbound: Option<&Arc<Inbound>>,
        given: &[&str],
        ask: impl FnOnce(&mut Callee<'_>, &mut Store<Guest>) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        let began = Instant::now();
        let answer = self.call_inner(began, inbound, given, ask);
        let took = began.elapsed();
        self.stats.calls += 1;
        self.stats.time += took;
        self.stats.times.add(took);
        if let Err(failure) = &answer {
            self.stats.failures += 1;
            self.stats.last_failure = Some(failure.0.clone());
            let on = inbound.map(|inbound| format!(" on message {}", inbound.message.id.0)).unwrap_or_default();
            self.log.note("error", format!("failed{on}: {}", failure.0));
        }
        answer
    }

    fn call_inner<R>(
        &mut self,
        mut began: Instant,
        inbound: Option<&Arc<Inbound>>,
        given: &[&str],
        ask: impl FnOnce(&mut Callee<'_>, &mut Store<Guest>) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        if self.running.is_none() {
            self.revive()?;
            began = Instant::now();
        }
        let Some(mut running) = self.running.take() else {
            return Err(Failure("the plugin has no instance".to_owned()));
        };
        let now = inbound.map_or_else(|| self.now(), |inbound| inbound.now);
        running.store.data_mut().call = Call::new(inbound.cloned(), now);
        let Running { store, instance, exported } = &mut running;
        let mut callee = Callee { compiled: &self.compiled, instance, exported };
        let answer = self.engine.timed(store, Budget::of_a_call(began), |store| ask(&mut callee, store));
        let guest = running.store.data_mut();
        guest.call.inbound = None;
        match answer {
            Ok(answer) => {
                let writes = std::mem::take(&mut guest.call.writes);
                self.keep(&mut running.store, writes);
                self.running = Some(running);
                Ok(answer)
            }
            Err(error) => {
                // The store of an instance that trapped cannot be entered again.
                let guest = running.store.into_data();
                self.stage = guest.stage;
                let mut call = guest.call;
                call.inbound = inbound.cloned();
                let failure = panic::failure(&error, &call, given);
                self.parked = Some(guest.state);
                Err(failure)
            }
        }
    }

    pub fn split(&mut self, text: &str, is_group: bool, recipient: Option<&str>) -> Result<Vec<String>, Failure> {
        let draft = chunking::Draft { text: text.to_owned(), is_group, recipient: recipient.map(str::to_owned) };
        let given = [text, recipient.unwrap_or_default()];
        self.call(None, &given, |callee, store| {
            let guest = callee.chunking(store)?;
            guest.call_split(store, &draft)
        })
    }

    pub fn pairing_pending(&mut self) -> Result<Vec<PairingRequest>, Failure> {
        self.pairing(&[], |guest, store| {
            let requests = guest.call_pending(store)?;
            Ok(requests
                .into_iter()
                .map(|request| PairingRequest {
                    code: request.code,
                    address: request.address,
                    requested_at: request.requested_at,
                    expires_at: request.expires_at,
                })
                .collect())
        })
    }

    pub fn pairing_approve(&mut self, code: &str) -> Result<Result<String, PairingRefusal>, Failure> {
        self.pairing(&[code], |guest, store| Ok(guest.call_approve(store, code)?.map_err(refusal)))
    }

    pub fn pairing_deny(&mut self, code: &str) -> Result<Result<String, PairingRefusal>, Failure> {
        self.pairing(&[code], |guest, store| Ok(guest.call_deny(store, code)?.map_err(refusal)))
    }

    pub fn pairing_paired(&mut self) -> Result<Vec<String>, Failure> {
        self.pairing(&[], |guest, store| guest.call_paired(store))
    }

    pub fn pairing_unpair(&mut self, address: &str) -> Result<bool, Failure> {
        self.pairing(&[address], |guest, store| guest.call_unpair(store, address))
    }

    fn pairing<R>(
        &mut self,
        given: &[&str],
        ask: impl FnOnce(&pairing::Guest, &mut Store<Guest>) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        self.call(None, given, |callee, store| {
            let guest = callee.pairing(store)?;
            ask(guest, store)
        })
    }
}

impl Policy for Plugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.compiled.version
    }

    fn offers(&self, interface: Interface) -> bool {
        self.compiled.offers(interface)
    }

    fn admit(&mut self, inbound: &Arc<Inbound>) -> Result<Admission, Failure> {
        self.call(Some(inbound), &[], |callee, store| {
            let guest = callee.allowlist(store)?;
            Ok(match guest.call_admit(store, Resource::<MessageRep>::new_borrow(0))? {
                allowlist::Admission::Admit(route) => Admission::Admit(route.map(word).transpose()?),
                allowlist::Admission::Reject(reason) => Admission::Reject(word(reason)?),
                allowlist::Admission::Abstain => Admission::Abstain,
            })
        })
    }

    fn screen(&mut self, inbound: &Arc<Inbound>) -> Result<Introduction, Failure> {
        self.call(Some(inbound), &[], |callee, store| {
            let guest = callee.pairing(store)?;
            Ok(match guest.call_screen(store, Resource::<MessageRep>::new_borrow(0))? {
                pairing::Outcome::Paired(route) => Introduction::Paired(route.map(word).transpose()?),
                pairing::Outcome::Challenge(challenge) => Introduction::Challenge(Challenge {
                    code: word(challenge.code)?,
                    reply: challenge.reply,
                    expires_at: challenge.expires_at,
                }),
                pairing::Outcome::Waiting => Introduction::Waiting,
                pairing::Outcome::Reject(reason) => Introduction::Reject(word(reason)?),
            })
        })
    }

    fn decide(&mut self, inbound: &Arc<Inbound>) -> Result<GroupDecision, Failure> {
        self.call(Some(inbound), &[], |callee, store| {
            let guest = callee.group(store)?;
            Ok(match guest.call_decide(store, Resource::<MessageRep>::new_borrow(0))? {
                group::Decision::Deliver(route) => GroupDecision::Deliver(route.map(word).transpose()?),
                group::Decision::Observe => GroupDecision::Observe,
                group::Decision::Reject(reason) => GroupDecision::Reject(word(reason)?),
                group::Decision::Abstain => GroupDecision::Abstain,
            })
        })
    }

    fn filter(&mut self, inbound: &Arc<Inbound>) -> Result<FilterVerdict, Failure> {
        self.call(Some(inbound), &[], |callee, store| {
            let guest = callee.filter(store)?;
            Ok(match guest.call_filter(store, Resource::<MessageRep>::new_borrow(0))? {
                filter::Verdict::Pass => FilterVerdict::Pass,
                filter::Verdict::Drop(reason) => FilterVerdict::Drop(word(reason)?),
                filter::Verdict::Route(route) => FilterVerdict::Route(word(route)?),
                filter::Verdict::Label(labels) => FilterVerdict::Label(words(labels)?),
            })
        })
    }
}

fn refusal(refusal: pairing::Refusal) -> PairingRefusal {
    match refusal {
        pairing::Refusal::UnknownCode => PairingRefusal::UnknownCode,
        pairing::Refusal::Expired => PairingRefusal::Expired,
    }
}

/// A reason, route or label: one line, not empty, not long.
fn word(text: String) -> wasmtime::Result<String> {
    if text.len() > limits::WORD_BYTES {
        wasmtime::bail!(
            "output limit: a reason, route or label of {} bytes, may be {}",
            text.len(),
            limits::WORD_BYTES
        );
    }
    if text.is_empty() || text.contains(char::is_control) {
        wasmtime::bail!("a reason, route or label must be one line and not empty");
    }
    Ok(text)
}

fn words(labels: Vec<String>) -> wasmtime::Result<Vec<String>> {
    if labels.len() > limits::LABELS {
        wasmtime::bail!("output limit: {} labels, may be {}", labels.len(), limits::LABELS);
    }
    labels.into_iter().map(word).collect()
}

fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(limits::LOG_LINE_BYTES));
    text
}
