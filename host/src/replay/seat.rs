//! A policy in a replay: on one side, or on both for as long as that makes no difference.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::times::Times;
use crate::chain::Entrant;
use crate::judge::Settings;
use crate::message::RowId;
use crate::plugin::{Compiled, Plugin, PluginEngine, Setup};
use crate::policy::{Admission, Failure, FilterVerdict, GroupDecision, Inbound, Interface, Introduction, Policy};
use crate::state::Stores;

/// The place of a policy on one side.
pub(super) struct Seat {
    name: String,
    version: String,
    interfaces: Vec<Interface>,
    side: usize,
    calls: u64,
    failures: u64,
    last_failure: Option<String>,
    body: Body,
}

enum Body {
    Playing(Rc<RefCell<Pair>>),
    Broken(String),
}

/// What one policy cost on one side.
#[derive(Clone, Debug)]
pub struct PolicyTimes {
    pub name: String,
    /// Empty where it could not be loaded.
    pub version: String,
    /// How often this side asked it.
    pub calls: u64,
    pub failures: u64,
    pub last_failure: Option<String>,
    /// One instance answered for both sides, and its times are the same.
    pub is_shared: bool,
    pub mean: Duration,
    pub p50: Duration,
    pub p99: Duration,
    pub total: Duration,
}

/// The instances behind the seats of one policy.
struct Pair {
    players: [Player; 2],
    kit: Kit,
}

enum Player {
    Own(Box<Running>),
    /// The other side's instance answers for this one.
    OfOther,
    Absent(String),
}

struct Running {
    plugin: Plugin,
    times: Times,
    memo: Memo,
}

/// What was answered about the message in hand.
#[derive(Default)]
struct Memo {
    row: Option<RowId>,
    admit: Option<Result<Admission, Failure>>,
    screen: Option<Result<Introduction, Failure>>,
    decide: Option<Result<GroupDecision, Failure>>,
    filter: Option<Result<FilterVerdict, Failure>>,
}

/// What another instance can be started with.
#[derive(Clone)]
struct Kit {
    engine: PluginEngine,
    compiled: Compiled,
    name: String,
    config: String,
    state: BTreeMap<String, Vec<u8>>,
    normalizer: Arc<crate::address::Normalizer>,
}

impl Kit {
    fn start(&self) -> Result<Running, Failure> {
        let setup = Setup {
            name: self.name.clone(),
            config: self.config.clone(),
            state: self.state.clone(),
            normalizer: self.normalizer.clone(),
        };
        let mut plugin = Plugin::start(&self.engine, self.compiled.clone(), setup)?;
        // What `configure` wrote, another instance would write too.
        plugin.take_writes();
        Ok(Running { plugin, times: Times::default(), memo: Memo::default() })
    }

    fn is_like(&self, other: &Kit) -> bool {
        self.name == other.name
            && self.compiled.version == other.compiled.version
            && self.config == other.config
            && Arc::ptr_eq(&self.normalizer, &other.normalizer)
    }
}

/// Both sides, with each policy that is the same on both started once.
pub(super) fn seats(engine: &PluginEngine, sides: [(Vec<Entrant>, &Settings); 2], stores: &Stores) -> [Vec<Seat>; 2] {
    let mut first: Vec<Seat> = Vec::new();
    let mut second = Vec::new();
    for (side, (entrants, settings)) in sides.into_iter().enumerate() {
        for Entrant { name, config, component } in entrants {
            let seat = match component {
                Err((interfaces, why)) => Seat::new(side, name, String::new(), interfaces, Body::Broken(why)),
                Ok(compiled) => {
                    let (version, interfaces) = (compiled.version.clone(), compiled.interfaces());
                    let state = stores.get(&name).cloned().unwrap_or_default();
                    let normalizer = settings.normalizer.clone();
                    let kit = Kit { engine: engine.clone(), compiled, name: name.clone(), config, state, normalizer };
                    let shared = first.iter().find_map(|seat| seat.shared_with(&kit)).filter(|_| side == 1);
                    let body = match shared {
                        Some(pair) => {
                            pair.borrow_mut().players[side] = Player::OfOther;
                            Body::Playing(pair)
                        }
                        None => Pair::start(side, kit),
                    };
                    Seat::new(side, name, version, interfaces, body)
                }
            };
            if side == 0 { first.push(seat) } else { second.push(seat) }
        }
    }
    [first, second]
}

impl Pair {
    fn start(side: usize, kit: Kit) -> Body {
        match kit.start() {
            Err(failure) => Body::Broken(failure.0),
            Ok(running) => {
                let mut players = [(); 2].map(|()| Player::Absent("plays on the other side only".to_owned()));
                players[side] = Player::Own(Box::new(running));
                Body::Playing(Rc::new(RefCell::new(Pair { players, kit })))
            }
        }
    }

    fn is_shared(&self) -> bool {
        self.players.iter().any(|player| matches!(player, Player::OfOther))
    }

    fn running(&mut self, side: usize) -> Result<&mut Running, Failure> {
        let at = if matches!(self.players[side], Player::OfOther) { 1 - side } else { side };
        match &mut self.players[at] {
            Player::Own(running) => Ok(running),
            Player::OfOther => Err(Failure("the policy has no instance".to_owned())),
            Player::Absent(why) => Err(Failure(why.clone())),
        }
    }

    fn ask<R: Clone>(
        &mut self,
        side: usize,
        row: RowId,
        answered: impl Fn(&mut Memo) -> &mut Option<Result<R, Failure>>,
        ask: impl FnOnce(&mut Plugin) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let is_shared = self.is_shared();
        let running = self.running(side)?;
        if is_shared && running.memo.row != Some(row) {
            running.memo = Memo { row: Some(row), ..Memo::default() };
        }
        if is_shared && let Some(answer) = answered(&mut running.memo) {
            return answer.clone();
        }
        let before = running.plugin.stats.time;
        let answer = ask(&mut running.plugin);
        running.times.note(running.plugin.stats.time.saturating_sub(before));
        let has_written = !running.plugin.take_writes().is_empty();
        if is_shared && has_written {
            self.part(side);
        } else if is_shared {
            *answered(&mut running.memo) = Some(answer.clone());
        }
        answer
    }

    /// The instance has kept something for `side`, which the other side may not have it keep. Until now it has kept
    /// nothing, and an instance may be replaced by a fresh one at any time: so the other side goes on with one.
    fn part(&mut self, side: usize) {
        let fresh = match self.kit.start() {
            Ok(fresh) => fresh,
            Err(failure) => {
                self.players[1 - side] = Player::Absent(failure.0);
                return;
            }
        };
        if matches!(self.players[side], Player::OfOther) {
            self.players.swap(0, 1);
        }
        let times = self.running(side).map(|running| running.times.clone()).unwrap_or_default();
        self.players[1 - side] = Player::Own(Box::new(Running { times, ..fresh }));
    }
}

impl Seat {
    fn new(side: usize, name: String, version: String, interfaces: Vec<Interface>, body: Body) -> Seat {
        Seat { name, version, interfaces, side, calls: 0, failures: 0, last_failure: None, body }
    }

    fn shared_with(&self, kit: &Kit) -> Option<Rc<RefCell<Pair>>> {
        match &self.body {
            Body::Playing(pair) if pair.borrow().kit.is_like(kit) => Some(pair.clone()),
            _ => None,
        }
    }

    /// Why it cannot judge at all.
    pub fn refusal(&self) -> Option<String> {
        match &self.body {
            Body::Broken(why) => Some(format!("{}: {why}", self.name)),
            Body::Playing(_) => None,
        }
    }

    pub fn times(&self) -> PolicyTimes {
        let (times, is_shared) = match &self.body {
            Body::Playing(pair) if self.calls > 0 => {
                let mut pair = pair.borrow_mut();
                let is_shared = pair.is_shared();
                (pair.running(self.side).map(|running| running.times.clone()).unwrap_or_default(), is_shared)
            }
            Body::Playing(_) | Body::Broken(_) => (Times::default(), false),
        };
        PolicyTimes {
            name: self.name.clone(),
            version: self.version.clone(),
            calls: self.calls,
            failures: self.failures,
            last_failure: self.last_failure.clone(),
            is_shared,
            mean: times.mean(),
            p50: times.quantile(0.5),
            p99: times.quantile(0.99),
            total: times.total(),
        }
    }

    fn ask<R: Clone>(
        &mut self,
        inbound: &Arc<Inbound>,
        answered: impl Fn(&mut Memo) -> &mut Option<Result<R, Failure>>,
        ask: impl FnOnce(&mut Plugin) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let answer = match &self.body {
            Body::Playing(pair) => pair.borrow_mut().ask(self.side, inbound.message.id, answered, ask),
            Body::Broken(why) => Err(Failure(why.clone())),
        };
        self.calls += 1;
        if let Err(failure) = &answer {
            self.failures += 1;
            self.last_failure = Some(failure.0.clone());
        }
        answer
    }
}

impl Policy for Seat {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn offers(&self, interface: Interface) -> bool {
        self.interfaces.contains(&interface)
    }

    fn admit(&mut self, inbound: &Arc<Inbound>) -> Result<Admission, Failure> {
        self.ask(inbound, |memo| &mut memo.admit, |plugin| plugin.admit(inbound))
    }

    fn screen(&mut self, inbound: &Arc<Inbound>) -> Result<Introduction, Failure> {
        self.ask(inbound, |memo| &mut memo.screen, |plugin| plugin.screen(inbound))
    }

    fn decide(&mut self, inbound: &Arc<Inbound>) -> Result<GroupDecision, Failure> {
        self.ask(inbound, |memo| &mut memo.decide, |plugin| plugin.decide(inbound))
    }

    fn filter(&mut self, inbound: &Arc<Inbound>) -> Result<FilterVerdict, Failure> {
        self.ask(inbound, |memo| &mut memo.filter, |plugin| plugin.filter(inbound))
    }
}
