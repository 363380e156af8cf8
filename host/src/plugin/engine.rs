//! The wasmtime engine that all plugins share, and the clock that cuts a plugin off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Config, Engine, EngineWeak, Store, UpdateDeadline};

use super::guest::Guest;
use super::limits;

/// How often a running call is looked at: a loop is cut off at most this long after its budget.
const TICK: Duration = Duration::from_millis(5);

/// What counts at most of the processor time between two looks at a call. A virtual machine that stands still meanwhile
/// counts that as time of whoever runs; a loop is looked at with every tick.
const MOST_A_LOOK: Duration = Duration::from_millis(20);

/// Ticks without a call after which the clock stops, so that an idle daemon does not wake up.
const IDLE_TICKS: u32 = 20;

/// Compiles and runs plugins. Cheap to clone.
#[derive(Clone)]
pub struct PluginEngine {
    engine: Engine,
    clock: Arc<Clock>,
}

struct Clock {
    thread: Thread,
    state: Arc<ClockState>,
}

#[derive(Default)]
struct ClockState {
    /// Calls that are running now.
    running: AtomicUsize,
    parked: AtomicBool,
}

impl PluginEngine {
    pub fn new() -> wasmtime::Result<PluginEngine> {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .epoch_interruption(true)
            .max_wasm_stack(limits::STACK_BYTES)
            .memory_reservation(limits::MEMORY_BYTES as u64)
            // A failure is told in the policy's own words; where in the code it was, nobody is shown.
            .wasm_backtrace_max_frames(None)
            .generate_address_map(false);
        let engine = Engine::new(&config)?;
        let clock = Arc::new(Clock::start(engine.weak())?);
        Ok(PluginEngine { engine, clock })
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs one call of a plugin within `budget`.
    pub fn timed<R>(&self, store: &mut Store<Guest>, budget: Budget, call: impl FnOnce(&mut Store<Guest>) -> R) -> R {
        store.data_mut().budget = budget;
        store.set_hostcall_fuel(limits::OUTPUT_BYTES);
        store.set_epoch_deadline(1);
        let _running = self.clock.run();
        call(store)
    }
}

impl Clock {
    fn start(engine: EngineWeak) -> std::io::Result<Clock> {
        let state = Arc::new(ClockState::default());
        let seen = state.clone();
        let handle =
            thread::Builder::new().name("plugin-clock".into()).spawn(move || tick_while_alive(&engine, &seen))?;
        Ok(Clock { thread: handle.thread().clone(), state })
    }

    /// Makes sure that the clock ticks until the result is dropped.
    fn run(&self) -> Running<'_> {
        self.state.running.fetch_add(1, Ordering::SeqCst);
        if self.state.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.state)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // A parked thread would not notice that its engine is gone.
        self.thread.unpark();
    }
}

struct Running<'a>(&'a ClockState);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick_while_alive(engine: &EngineWeak, state: &ClockState) {
    let mut idle = 0;
    loop {
        thread::sleep(TICK);
        let Some(alive) = engine.upgrade() else { return };
        alive.increment_epoch();
        drop(alive);
        idle = if state.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE_TICKS {
            continue;
        }
        state.parked.store(true, Ordering::SeqCst);
        // A call that began before `parked` could be seen did not wake us: look once more before sleeping.
        if state.running.load(Ordering::SeqCst) == 0 {
            thread::park();
        }
        state.parked.store(false, Ordering::SeqCst);
        idle = 0;
    }
}

/// What one call has used, and when it must end.
#[derive(Clone, Copy)]
pub struct Budget {
    most_cpu: Duration,
    most_wall: Duration,
    began: Instant,
    /// Processor time of this thread at the last tick in the call: nearly every call ends before one, and need not ask
    /// the system for it.
    cpu_at_last_tick: Option<Duration>,
    used: Duration,
}

impl Budget {
    pub fn of_a_call(began: Instant) -> Budget {
        Budget::new(limits::CALL_CPU, limits::CALL_WALL, began)
    }

    pub fn of_a_start(began: Instant) -> Budget {
        Budget::new(limits::START_CPU, limits::START_WALL, began)
    }

    fn new(most_cpu: Duration, most_wall: Duration, began: Instant) -> Budget {
        Budget { most_cpu, most_wall, began, cpu_at_last_tick: None, used: Duration::ZERO }
    }

    /// Called at each tick that falls into a call: goes on, or ends it.
    pub fn check(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = thread_cpu();
        let last = self.cpu_at_last_tick.replace(now).unwrap_or(now);
        self.used += now.saturating_sub(last).min(MOST_A_LOOK);
        let wall = self.began.elapsed();
        if self.used >= self.most_cpu {
            wasmtime::bail!("time limit: ran for over {} ms", self.most_cpu.as_millis());
        }
        if wall >= self.most_wall {
            wasmtime::bail!("time limit: took over {} ms", self.most_wall.as_millis());
        }
        Ok(UpdateDeadline::Continue(1))
    }
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let until = thread_cpu() + time;
        while thread_cpu() < until {}
    }

    #[test]
    fn a_loop_is_cut_off_and_a_machine_that_stood_still_is_not_held_against_a_policy() {
        let budget = || Budget::new(Duration::from_millis(50), Duration::from_secs(600), Instant::now());
        let mut still = budget();
        assert!(still.check().is_ok());
        burn(Duration::from_millis(60));
        assert!(still.check().is_ok());
        let mut looping = budget();
        let mut looks = 0;
        while looking(&mut looping) {
            looks += 1;
        }
        assert!((1..=11).contains(&looks), "{looks}");
    }

    fn looking(budget: &mut Budget) -> bool {
        let goes_on = budget.check().is_ok();
        burn(TICK);
        goes_on
    }
}
