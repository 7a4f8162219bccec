//! A deployer that watches a tag: it asks what a name means every so often, says when that changed, and is patient with a
//! registry that is not.
//!
//! `cargo run --example watch-tag -- ghcr.io/acme/app:stable 30 10`

use std::error::Error;
use std::time::Duration;

use portolan::source::registry::Registry;
use portolan::{Bundled, Component, Grants, Host, Run};
use portolan_oci::Location;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds, times] = &*words else {
        return Err("usage: watch-tag NAME SECONDS TIMES".into());
    };
    let (every, times) = (Duration::try_from_secs_f64(seconds.parse()?)?, times.parse::<u32>()?);
    let host = Host::builder().registry(Registry::builder().build()?).build()?;
    let resolve = host.load(Component::Bundled(Bundled::Resolve)).await?;
    let grants = Grants::new().pull_reference(&Location::parse(name)?);

    let mut last = None;
    for _ in 0..times {
        // Each run asks anew: what one learned of names, no other believes.
        let run = Run::new(&resolve).argument("ref", name).argument("digest", "true").grants(grants.clone());
        let mut wait = every;
        match host.run(run.wall_clock(Some(Duration::from_secs(60)))).await {
            Ok(answer) => {
                let digest = answer.metadata.into_iter().find(|(key, _)| key == "image.digest").map(|(_, value)| value);
                if digest != last {
                    println!("{name} {}", digest.as_deref().unwrap_or("nothing"));
                    last = digest;
                }
            }
            // It may pass: the registry says for how long to leave it alone.
            Err(error) if error.is_retryable() => {
                wait = error.retry_after().map_or(every, |seconds| Duration::from_secs(seconds.into()).max(every));
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(wait).await;
    }
    Ok(())
}
