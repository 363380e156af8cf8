//! What a plugin may use up before it is cut off. Each number with its reason; each has a hostile guest that hits it.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Processor time of one call. A policy needs microseconds; 50 ms is a loop, and still no delay that a person feels.
pub const CALL_CPU: Duration = Duration::from_millis(50);

/// Wall time of one call, however little of it the plugin was given to run. No call waits for anything, so that one
/// which is not over its processor time only waits for the machine, and that is no reason to hold a message: all else
/// waits for it, too. This ends what should not be possible.
pub const CALL_WALL: Duration = Duration::from_secs(10);

/// The same for instantiating and configuring: it happens once and not for each message, touches memory for the first
/// time, and on a loaded machine is charged for that. Short enough to be repeated after each trap.
pub const START_CPU: Duration = Duration::from_millis(250);
pub const START_WALL: Duration = Duration::from_secs(20);

/// All linear memories of one plugin together: a Rust policy needs two MiB, one with an interpreter inside (JavaScript,
/// Python) needs tens.
pub const MEMORY_BYTES: usize = 64 << 20;

/// Elements of all tables of one plugin: function pointers, of which interpreters have some thousands.
pub const TABLE_ELEMENTS: usize = 100_000;

/// What may be copied out of a plugin in one call, arguments of host calls and results together. wasmtime counts each
/// string as often as a list repeats it, so a small memory cannot be blown up into a large answer.
pub const OUTPUT_BYTES: usize = 4 << 20;

/// A reason code, a route, a label: they end in the journal and in every notification.
pub const WORD_BYTES: usize = 512;

/// Labels of one answer.
pub const LABELS: usize = 32;

/// One value in the store.
pub const STORE_VALUE_BYTES: usize = 64 << 10;

/// One key in the store.
pub const STORE_KEY_BYTES: usize = 256;

/// All keys and values of one plugin: they are held in memory, so that the store never waits for a disk.
pub const STORE_TOTAL_BYTES: usize = 4 << 20;

/// Random bytes of one request.
pub const RANDOM_BYTES: u32 = 4096;

/// Log lines kept per plugin, and how long one may be.
pub const LOG_LINES: usize = 100;
pub const LOG_LINE_BYTES: usize = 1024;

/// wasm stack of one call. Far below the 2 MiB of the thread that runs it.
pub const STACK_BYTES: usize = 512 << 10;

/// Counts what a plugin's instance grows, and refuses with words: an error from here reaches the journal, where a
/// refused growth would end as an `unreachable` in the guest's allocator.
#[derive(Default)]
pub struct Growth {
    memory_bytes: usize,
    table_elements: usize,
}

impl Growth {
    /// What all linear memories of the instance have grown to.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if all > MEMORY_BYTES {
            wasmtime::bail!("memory limit: wanted {all} bytes, may have {MEMORY_BYTES}");
        }
        self.memory_bytes = all;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.table_elements.saturating_add(desired.saturating_sub(current));
        if all > TABLE_ELEMENTS {
            wasmtime::bail!("table limit: wanted {all} elements, may have {TABLE_ELEMENTS}");
        }
        self.table_elements = all;
        Ok(true)
    }
}
