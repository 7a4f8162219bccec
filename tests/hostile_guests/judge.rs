//! Plays an attack, and says what was wrong with how it ended.

use std::sync::Arc;
use std::time::Duration;

use portolan::source::Source;
use portolan::source::memory::Memory;
use portolan::{Body, Component, Grants, Limits, LoadError, Run, RunError};

use crate::attacks::{Attack, By, Must};
use crate::world::{BLOB, World, small};

/// Of the host that attacks are played in.
pub fn limits() -> Limits {
    Limits { guest_cpu: Duration::from_secs(2), component: 8 << 20, response: 4 << 20, ..small() }
}

/// How an attack ended.
enum End {
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

async fn end(world: &World, attack: &Attack) -> End {
    let (run, granted) = match &attack.by {
        By::Told { action, with, granted } => (world.run(action, with), *granted),
        By::Component(bytes) => {
            let frontend = match world.host.load(Component::Bytes(bytes)).await {
                Ok(frontend) => frontend,
                Err(error) => return End::Refused(error),
            };
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
            (Run::new(&frontend), "*")
        }
    };
    let store = Memory::new("oci-layout://out");
    store.insert("application/octet-stream", BLOB);
    let store: Arc<dyn Source> = Arc::new(store);
    let grants = if granted.is_empty() { Grants::new() } else { Grants::new().pull(granted).unwrap() };
    match world.host.run(run.store("out", store).grants(grants)).await {
        Err(error) => End::Ran(error),
        Ok(answer) => End::Answered(match answer.body {
            Body::Text(text) => text,
            Body::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Body::Content { .. } => "content".to_owned(),
        }),
    }
}
