//! WASI for components whose tools insist on it: the clock, random bytes and stderr lines answer, there are no
//! arguments, no environment and no folders, and everything else cuts the call off. Nothing here reaches outside.

use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val, types::ComponentItem};
use wasmtime::{Result, StoreContextMut, bail};

use super::guest::Guest;
use super::limits;

/// All of WASI's resources are this one: none of them holds anything.
struct WasiRep;

/// Is this import one of WASI's, in the version that components are made for today?
pub fn offers(name: &str) -> bool {
    name.starts_with("wasi:") && name.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2."))
}

/// Defines every WASI import that `component` has.
pub fn add_to_linker(linker: &mut Linker<Guest>, component: &Component) -> Result<()> {
    let engine = linker.engine().clone();
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        if !offers(name) {
            continue;
        }
        let short = name.split_once('@').map_or(name, |(short, _)| short);
        let mut instance = linker.instance(name)?;
        for (item_name, item) in interface.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    instance.resource(item_name, ResourceType::host::<WasiRep>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => define(&mut instance, short, item_name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn define(instance: &mut LinkerInstance<'_, Guest>, interface: &str, function: &str) -> Result<()> {
    let full = format!("{interface}.{function}");
    instance.func_new(function, move |mut store, _, arguments, results| {
        let answer = answer(&mut store, &full, arguments)?;
        if let (Some(result), Some(value)) = (results.first_mut(), answer) {
            *result = value;
        }
        // A borrowed handle must be given back before the call returns, and an owned one is ours to drop.
        for argument in arguments {
            if let Val::Resource(handle) = argument {
                handle.resource_drop(&mut store)?;
            }
        }
        Ok(())
    })
}

fn answer(store: &mut StoreContextMut<'_, Guest>, function: &str, arguments: &[Val]) -> Result<Option<Val>> {
    let nothing = || Val::List(Vec::new());
    let done = || Val::Result(Ok(None));
    Ok(Some(match function {
        "wasi:cli/environment.get-environment"
        | "wasi:cli/environment.get-arguments"
        | "wasi:filesystem/preopens.get-directories" => nothing(),
        "wasi:cli/environment.initial-cwd"
        | "wasi:cli/terminal-stdin.get-terminal-stdin"
        | "wasi:cli/terminal-stdout.get-terminal-stdout"
        | "wasi:cli/terminal-stderr.get-terminal-stderr" => Val::Option(None),
        "wasi:cli/stdin.get-stdin" | "wasi:cli/stdout.get-stdout" | "wasi:cli/stderr.get-stderr" => {
            Val::Resource(Resource::<WasiRep>::new_own(0).try_into_resource_any(&mut *store)?)
        }
        "wasi:io/streams.[method]output-stream.check-write" => {
            Val::Result(Ok(Some(Box::new(Val::U64(limits::LOG_LINE_BYTES as u64)))))
        }
        "wasi:io/streams.[method]output-stream.write"
        | "wasi:io/streams.[method]output-stream.blocking-write-and-flush" => {
            log_lines(store.data_mut(), arguments);
            done()
        }
        "wasi:io/streams.[method]output-stream.flush" | "wasi:io/streams.[method]output-stream.blocking-flush" => {
            done()
        }
        "wasi:clocks/monotonic-clock.now" => Val::U64(store.data().call.now.as_nanosecond().try_into()?),
        "wasi:clocks/monotonic-clock.resolution" => Val::U64(1_000_000),
        "wasi:clocks/wall-clock.now" => datetime(store.data().call.now.as_millisecond()),
        "wasi:clocks/wall-clock.resolution" => datetime(1),
        "wasi:random/random.get-random-u64" | "wasi:random/insecure.get-insecure-random-u64" => {
            Val::U64(random_u64(store)?)
        }
        "wasi:random/random.get-random-bytes" | "wasi:random/insecure.get-insecure-random-bytes" => {
            random_bytes(store, arguments)?
        }
        "wasi:random/insecure-seed.insecure-seed" => {
            Val::Tuple(vec![Val::U64(random_u64(store)?), Val::U64(random_u64(store)?)])
        }
        "wasi:cli/exit.exit" => bail!("the policy ended itself"),
        _ => bail!("`{function}` is not there for a policy"),
    }))
}

/// What is written to stdout or stderr ends in the plugin's log.
fn log_lines(guest: &mut Guest, arguments: &[Val]) {
    let Some(Val::List(bytes)) = arguments.get(1) else { return };
    let bytes: Vec<u8> =
        bytes.iter().filter_map(|byte| if let Val::U8(byte) = byte { Some(*byte) } else { None }).collect();
    for line in String::from_utf8_lossy(&bytes).lines().filter(|line| !line.trim().is_empty()) {
        guest.say("info", line.to_owned());
    }
}

fn datetime(millis: i64) -> Val {
    let millis = millis.unsigned_abs();
    let nanoseconds = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    Val::Record(vec![("seconds".into(), Val::U64(millis / 1000)), ("nanoseconds".into(), Val::U32(nanoseconds))])
}

fn random_u64(store: &mut StoreContextMut<'_, Guest>) -> Result<u64> {
    let mut bytes = [0; 8];
    store.data_mut().fill_with_chance(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

fn random_bytes(store: &mut StoreContextMut<'_, Guest>, arguments: &[Val]) -> Result<Val> {
    let Some(Val::U64(len)) = arguments.first() else { bail!("random bytes without a length") };
    if *len > u64::from(limits::RANDOM_BYTES) {
        bail!("random limit: wanted {len} bytes, may have {}", limits::RANDOM_BYTES);
    }
    let mut bytes = vec![0; usize::try_from(*len)?];
    store.data_mut().fill_with_chance(&mut bytes)?;
    Ok(Val::List(bytes.into_iter().map(Val::U8).collect()))
}
