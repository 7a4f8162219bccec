//! WASI 0.2 that gives nothing: std Rust, Go, JavaScript and Python guests import it even where they never use it.
//!
//! No files, no environment, no arguments, no sockets; stdin is empty, stdout and stderr go to the log; the clock stands
//! still and randomness is the same in every run, so that a run can be repeated. Written by hand: what little must work
//! is below, and every other function of a `wasi:` package answers by its type (an error that says access is denied, an
//! empty list, nothing) or, where its type has no such answer, traps.
//!
//! Only components that import WASI get it linked; the bundled ones import none.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType, Val};
use wasmtime::{Result, StoreContextMut, bail};

use crate::session::Session;

/// As much as one call for random bytes gets.
const RANDOM_BYTES: u64 = 1 << 20;
/// What `check-write` says that the log takes at once.
const WRITE: u64 = 64 << 10;

/// What a run's WASI remembers.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The moment at which the clock stands: when it was first looked at.
    now: Option<Duration>,
    random: u64,
}

impl World {
    /// With its clock at this moment, or wherever it is when somebody looks.
    pub(crate) fn at(moment: Option<Duration>) -> Self {
        World { now: moment, ..World::default() }
    }

    fn now(&mut self) -> Datetime {
        let now = *self.now.get_or_insert_with(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() }
    }

    /// SplitMix64 from a fixed seed: even, and no secret to anyone.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        if count > RANDOM_BYTES {
            bail!("asked for {count} random bytes at once");
        }
        let mut bytes = Vec::with_capacity(count as usize + 8);
        while (bytes.len() as u64) < count {
            bytes.extend_from_slice(&self.random().to_le_bytes());
        }
        bytes.truncate(count as usize);
        Ok(bytes)
    }
}

// Resources: none has anything behind it but its number.
enum Failure {}
enum Pollable {}
enum Input {}
enum Output {}
enum Nothing {}

/// The numbers of the two outputs.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(Resource<Failure>),
    #[component(name = "closed")]
    Closed,
}

type Context<'a> = StoreContextMut<'a, Session>;

/// Whether an import is WASI's.
pub(crate) fn is_wasi(import: &str) -> bool {
    import.starts_with("wasi:")
}

/// Links what `component` imports of WASI.
pub(crate) fn add_to_linker(linker: &mut Linker<Session>, component: &Component) -> Result<()> {
    let engine = linker.engine().clone();
    // Each function is first denied; those that there are follow.
    linker.allow_shadowing(true);
    for (name, import) in component.component_type().imports(&engine).filter(|(name, _)| is_wasi(name)) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let mut link = linker.instance(name)?;
        for (item, export) in instance.exports(&engine) {
            match export.ty {
                ComponentItem::Resource(_) => {
                    link.resource(item, resource(item), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => deny(&mut link, name, item)?,
                _ => {}
            }
        }
        let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
        link_interface(&mut link, interface)?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

/// A resource is known by its name: interfaces that share one each export it.
fn resource(name: &str) -> ResourceType {
    match name {
        "error" => ResourceType::host::<Failure>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

fn deny(link: &mut LinkerInstance<'_, Session>, interface: &str, function: &str) -> Result<()> {
    let name: Arc<str> = format!("{interface}#{function}").into();
    link.func_new_async(function, move |mut context, ty, parameters, results| {
        let name = Arc::clone(&name);
        Box::new(async move {
            // What was lent or given ends here.
            for parameter in parameters {
                if let Val::Resource(resource) = parameter {
                    resource.resource_drop_async(&mut context).await?;
                }
            }
            for (result, slot) in ty.results().zip(results) {
                match denial(&result) {
                    Some(value) => *slot = value,
                    None => bail!("called {name}, which the sandbox does not have"),
                }
            }
            Ok(())
        })
    })
}

/// What a function of this type says to someone who may nothing.
fn denial(ty: &Type) -> Option<Val> {
    match ty {
        Type::List(_) => Some(Val::List(Vec::new())),
        Type::Option(_) => Some(Val::Option(None)),
        Type::Result(result) => match result.err() {
            None => Some(Val::Result(Err(None))),
            Some(Type::Enum(codes)) => {
                let denied = |code: &&str| matches!(*code, "access-denied" | "access" | "not-permitted");
                let code = codes.names().find(denied)?.to_owned();
                Some(Val::Result(Err(Some(Box::new(Val::Enum(code))))))
            }
            Some(_) => None,
        },
        _ => None,
    }
}

fn link_interface(link: &mut LinkerInstance<'_, Session>, interface: &str) -> Result<()> {
    match interface {
        "wasi:cli/environment" => {
            link.func_wrap("get-environment", |_: Context<'_>, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
            link.func_wrap("get-arguments", |_: Context<'_>, (): ()| Ok((Vec::<String>::new(),)))?;
            link.func_wrap("initial-cwd", |_: Context<'_>, (): ()| Ok((None::<String>,)))
        }
        "wasi:cli/exit" => {
            link.func_wrap("exit", |_: Context<'_>, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
                bail!("called exit({}) instead of answering", u8::from(status.is_err()))
            })
        }
        "wasi:cli/stdin" => link.func_wrap("get-stdin", |_: Context<'_>, (): ()| Ok((Resource::<Input>::new_own(0),))),
        "wasi:cli/stdout" => {
            link.func_wrap("get-stdout", |_: Context<'_>, (): ()| Ok((Resource::<Output>::new_own(STDOUT),)))
        }
        "wasi:cli/stderr" => {
            link.func_wrap("get-stderr", |_: Context<'_>, (): ()| Ok((Resource::<Output>::new_own(STDERR),)))
        }
        "wasi:clocks/wall-clock" => {
            link.func_wrap("now", |mut cx: Context<'_>, (): ()| Ok((cx.data_mut().wasi.now(),)))?;
            link.func_wrap("resolution", |_: Context<'_>, (): ()| Ok((Datetime { seconds: 1, nanoseconds: 0 },)))
        }
        "wasi:clocks/monotonic-clock" => {
            // Not at zero: Go's runtime takes that for a clock that is broken, and ends.
            link.func_wrap("now", |_: Context<'_>, (): ()| Ok((1_u64,)))?;
            link.func_wrap("resolution", |_: Context<'_>, (): ()| Ok((1_u64,)))?;
            // A clock that stands still would never get there: who waits is told that it did.
            link.func_wrap("subscribe-instant", |_: Context<'_>, (_,): (u64,)| {
                Ok((Resource::<Pollable>::new_own(0),))
            })?;
            link.func_wrap("subscribe-duration", |_: Context<'_>, (_,): (u64,)| Ok((Resource::<Pollable>::new_own(0),)))
        }
        "wasi:random/random" => {
            link.func_wrap("get-random-bytes", |mut cx: Context<'_>, (count,): (u64,)| {
                Ok((cx.data_mut().wasi.bytes(count)?,))
            })?;
            link.func_wrap("get-random-u64", |mut cx: Context<'_>, (): ()| Ok((cx.data_mut().wasi.random(),)))
        }
        "wasi:random/insecure" => {
            link.func_wrap("get-insecure-random-bytes", |mut cx: Context<'_>, (count,): (u64,)| {
                Ok((cx.data_mut().wasi.bytes(count)?,))
            })?;
            link.func_wrap("get-insecure-random-u64", |mut cx: Context<'_>, (): ()| Ok((cx.data_mut().wasi.random(),)))
        }
        "wasi:random/insecure-seed" => link.func_wrap("insecure-seed", |mut cx: Context<'_>, (): ()| {
            let world = &mut cx.data_mut().wasi;
            Ok(((world.random(), world.random()),))
        }),
        // A handle that opens nothing: what takes it is denied.
        "wasi:sockets/instance-network" => {
            link.func_wrap("instance-network", |_: Context<'_>, (): ()| Ok((Resource::<Nothing>::new_own(0),)))
        }
        "wasi:io/error" => link
            .func_wrap("[method]error.to-debug-string", |_: Context<'_>, (_,): (Resource<Failure>,)| {
                Ok(("denied".to_owned(),))
            }),
        "wasi:io/poll" => {
            link.func_wrap("poll", |_: Context<'_>, (all,): (Vec<Resource<Pollable>>,)| {
                Ok(((0..all.len() as u32).collect::<Vec<_>>(),))
            })?;
            link.func_wrap("[method]pollable.ready", |_: Context<'_>, (_,): (Resource<Pollable>,)| Ok((true,)))?;
            link.func_wrap("[method]pollable.block", |_: Context<'_>, (_,): (Resource<Pollable>,)| Ok(()))
        }
        "wasi:io/streams" => {
            inputs(link)?;
            outputs(link)
        }
        _ => Ok(()),
    }
}

type Streamed<T> = std::result::Result<T, StreamError>;

/// stdin, which is at its end.
fn inputs(link: &mut LinkerInstance<'_, Session>) -> Result<()> {
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        link.func_wrap(name, |_: Context<'_>, _: (Resource<Input>, u64)| -> Result<(Streamed<Vec<u8>>,)> {
            Ok((Err(StreamError::Closed),))
        })?;
    }
    for name in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        link.func_wrap(name, |_: Context<'_>, _: (Resource<Input>, u64)| -> Result<(Streamed<u64>,)> {
            Ok((Err(StreamError::Closed),))
        })?;
    }
    link.func_wrap("[method]input-stream.subscribe", |_: Context<'_>, _: (Resource<Input>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })
}

/// stdout and stderr, which take everything.
fn outputs(link: &mut LinkerInstance<'_, Session>) -> Result<()> {
    link.func_wrap(
        "[method]output-stream.check-write",
        |_: Context<'_>, _: (Resource<Output>,)| -> Result<(Streamed<u64>,)> { Ok((Ok(WRITE),)) },
    )?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        link.func_wrap(
            name,
            |mut cx: Context<'_>, (stream, bytes): (Resource<Output>, Vec<u8>)| -> Result<(Streamed<()>,)> {
                let session = cx.data_mut();
                session.count_call(bytes.len())?;
                match stream.rep() {
                    STDOUT => session.log.stdout(&bytes),
                    _ => session.log.stderr(&bytes),
                }
                Ok((Ok(()),))
            },
        )?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        link.func_wrap(name, |_: Context<'_>, _: (Resource<Output>,)| -> Result<(Streamed<()>,)> { Ok((Ok(()),)) })?;
    }
    for name in ["[method]output-stream.write-zeroes", "[method]output-stream.blocking-write-zeroes-and-flush"] {
        link.func_wrap(name, |_: Context<'_>, _: (Resource<Output>, u64)| -> Result<(Streamed<()>,)> {
            Ok((Ok(()),))
        })?;
    }
    for name in ["[method]output-stream.splice", "[method]output-stream.blocking-splice"] {
        link.func_wrap(
            name,
            |_: Context<'_>, _: (Resource<Output>, Resource<Input>, u64)| -> Result<(Streamed<u64>,)> {
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    link.func_wrap("[method]output-stream.subscribe", |_: Context<'_>, _: (Resource<Output>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_repeats_and_the_clock_stands() {
        let (mut one, mut other) = (World::default(), World::default());
        assert_eq!(one.bytes(19).unwrap(), other.bytes(19).unwrap());
        assert_ne!(one.random(), one.random());
        assert!(one.bytes(RANDOM_BYTES).is_ok() && one.bytes(RANDOM_BYTES + 1).is_err());
        let (first, second) = (one.now(), one.now());
        assert_eq!((first.seconds, first.nanoseconds), (second.seconds, second.nanoseconds));
    }
}
