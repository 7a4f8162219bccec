//! Plays an attack, and says what was wrong with how it ended.

use std::sync::Arc;
use std::time::Duration;

use portolan::source::Source;
use portolan::source::memory::Memory;
use portolan::{Answer, Body, Bundled, Component, Frontend, Grants, Host, Limits, LoadError, Run, RunError};

use crate::attacks::{Attack, By, Must};
use crate::raw;
use crate::world::{BLOB, World, images, small};

/// Of the host that attacks are played in.
pub fn limits() -> Limits {
    Limits { guest_cpu: Duration::from_secs(2), component: 8 << 20, response: 4 << 20, ..small() }
}

/// How an attack ended.
pub enum End {
    Answered(String),
    Ran(RunError),
    Refused(LoadError),
}

/// What was wrong; afterwards the host has served a good run.
pub async fn play(world: &World, attack: &Attack) -> Vec<String> {
    let mut faults = Vec::new();
    let ended = end(world, attack).await;
    let (said, status) = match &ended {
        End::Answered(text) => (text.clone(), 0),
        End::Ran(error) => (error.to_string(), error.status()),
        End::Refused(error) => (portolan::text::block(&error.to_string()).into_owned(), error.status()),
    };
    let right = match (&ended, &attack.must) {
        (End::Ran(RunError::Limit { crossed, .. }), Must::Stop(limit)) => crossed.limit == *limit && status == 3,
        (End::Ran(RunError::Trapped { .. }), Must::Trap(why)) => said.contains(why) && status == 3,
        (End::Ran(RunError::Broken { .. }), Must::Break(why)) => said.contains(why) && status == 1,
        (End::Ran(RunError::Failed { .. } | RunError::Content { .. }), Must::Fail(wanted, why)) => {
            said.contains(why) && status == *wanted
        }
        (End::Refused(_), Must::Refuse(why)) => said.contains(why) && status == 1,
        (End::Answered(text), Must::Answer(wanted)) => text == wanted,
        _ => false,
    };
    // Whose fault it was is told as well. Between the two nobody can say.
    let culprits = match attack.by {
        By::Judged { .. } => &["the strategy"][..],
        By::Strategy(_) => &["the strategy", "the frontend or its strategy"],
        By::Told { .. } | By::Component(_) => &["the frontend"],
    };
    let told = |who: &&str| said.contains(&format!("{who} trapped")) || said.contains(&format!("{who} was stopped"));
    if matches!(ended, End::Ran(RunError::Limit { .. } | RunError::Trapped { .. })) && !culprits.iter().any(told) {
        faults.push(format!("it must say that {culprits:?} did it: {}", portolan::text::at_most(&said, 300)));
    }
    if !right {
        faults.push(format!(
            "it must {:?} and ended with {status}: {}",
            attack.must,
            portolan::text::at_most(&said, 300)
        ));
    }
    if matches!(ended, End::Ran(_) | End::Refused(_)) && said.chars().any(|char| char.is_control() && char != '\n') {
        faults.push(format!("what it says steers the terminal: {said:?}"));
    }
    if said.len() > 70_000 {
        faults.push(format!("it says {} bytes", said.len()));
    }
    world.serves().await;
    faults
}

/// A run of `frontend` that judges an image with the hostile strategy.
pub async fn judging(world: &World, frontend: Bundled, action: &str) -> Run {
    let frontend = world.judged.load(Component::Bundled(frontend)).await.unwrap();
    let run = Run::new(&frontend).argument("ref", format!("oci-layout://out:{action}"));
    run.argument("platform", "linux/amd64").store("out", Arc::new(images()))
}

async fn end(world: &World, attack: &Attack) -> End {
    match &attack.by {
        By::Judged { frontend, action } => answered(world.judged.run(judging(world, *frontend, action).await).await),
        By::Strategy(bytes) => {
            let builder = Host::builder().limits(world.limits.clone()).platform("linux/amd64");
            let host = match builder.strategy(Component::Bytes(bytes)).build() {
                Ok(host) => host,
                Err(error) => return End::Refused(error),
            };
            match host.load(Component::Bytes(raw::asking())).await {
                Ok(frontend) => answered(host.run(Run::new(&frontend)).await),
                Err(error) => End::Refused(error),
            }
        }
        By::Told { .. } | By::Component(_) => match load(world, attack).await {
            Ok(frontend) => run(world, attack, &frontend).await,
            Err(error) => End::Refused(error),
        },
    }
}

/// The frontend that attacks.
pub async fn load(world: &World, attack: &Attack) -> Result<Frontend, LoadError> {
    match &attack.by {
        By::Judged { .. } | By::Strategy(_) => unreachable!("a strategy is no frontend"),
        By::Told { .. } => Ok(world.hostile.clone()),
        By::Component(bytes) => world.host.load(Component::Bytes(bytes)).await,
    }
}

/// Has it attack.
pub async fn run(world: &World, attack: &Attack, frontend: &Frontend) -> End {
    let (run, granted) = match &attack.by {
        By::Judged { .. } | By::Strategy(_) => unreachable!("a strategy is no frontend"),
        By::Told { action, with, granted } => (world.run(action, with), *granted),
        By::Component(_) => {
            match frontend.describe().await {
                Err(RunError::Load(error)) => return End::Refused(error),
                Err(error) => return End::Ran(error),
                Ok(info) => {
                    let told = [&info.name, &info.version, &info.summary];
                    assert!(
                        told.iter().all(|text| portolan::text::line(text) == text.as_str()),
                        "{}: {told:?}",
                        attack.name
                    );
                }
            }
            (Run::new(frontend), "*")
        }
    };
    let store = Memory::new("oci-layout://out");
    store.insert("application/octet-stream", BLOB);
    let store: Arc<dyn Source> = Arc::new(store);
    let grants = if granted.is_empty() { Grants::new() } else { Grants::new().pull(granted).unwrap() };
    answered(world.host.run(run.store("out", store).grants(grants)).await)
}

fn answered(answer: Result<Answer, RunError>) -> End {
    match answer {
        Err(error) => End::Ran(error),
        Ok(answer) => End::Answered(match answer.body {
            Body::Text(text) => text,
            Body::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Body::Content { .. } => "content".to_owned(),
        }),
    }
}
