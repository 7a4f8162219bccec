//! `docker-credential-NAME get`: credentials that a program keeps (<https://github.com/docker/docker-credential-helpers>).
//!
//! The name comes from a file and becomes a program's, so it is checked; the program is not ours, so it has a time and a
//! size to keep to.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Credential, Secret};
use crate::source::registry::text;

/// A user, a secret, and some JSON around them.
const OUTPUT: u64 = 64 << 10;

/// What helpers write as the user of an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// What the helper `name` has for `server`; `None` where it has nothing. It is looked for in `folder`, then in `$PATH`.
pub(super) async fn get(
    name: &str,
    server: &str,
    folder: Option<&Path>,
    patience: Duration,
) -> Result<Option<Credential>, String> {
    if !is_name(name) {
        return Err(format!("{name:?} is no name of a credential helper"));
    }
    let program = format!("docker-credential-{name}");
    let found = folder.map(|folder| folder.join(&program)).filter(|path| path.is_file());
    let command = Command::new(found.as_deref().unwrap_or(Path::new(&program)));
    match tokio::time::timeout(patience, run(command, server)).await {
        // Dropping the run has killed the helper.
        Err(_) => Err(format!("the credential helper {program} did not answer within {patience:?}")),
        Ok(Err(error)) => Err(format!("the credential helper {program}: {error}")),
        Ok(Ok((true, output))) => answer(&output).map_err(|error| format!("the credential helper {program} {error}")),
        Ok(Ok((false, output))) if is_absence(&output) => Ok(None),
        Ok(Ok((false, output))) => Err(format!("the credential helper {program} failed: {}", complaint(&output))),
    }
}

/// Letters, digits and what a program's name has between them; no path.
fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= 128 && name.bytes().all(inner) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

async fn run(mut command: Command, server: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = command
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read what it is asked about may still answer.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(OUTPUT + 1).read_to_end(&mut output).await?;
    }
    if output.len() as u64 > OUTPUT {
        return Err(std::io::Error::other("it prints more than credentials are"));
    }
    Ok((child.wait().await?.success(), output))
}

fn answer(output: &[u8]) -> Result<Option<Credential>, String> {
    // serde's message could quote the secret.
    let answer: Answer =
        serde_json::from_slice(output).map_err(|_| "printed something that is no credentials".to_owned())?;
    Ok(match answer {
        Answer { username, secret } if username.is_empty() && secret.is_empty() => None,
        Answer { username, secret } if username == TOKEN_USER => {
            Some(Credential::Identity { user: String::new(), token: Secret::new(secret) })
        }
        Answer { username, secret } => Some(Credential::Password { user: username, password: Secret::new(secret) }),
    })
}

/// Helpers say on stdout that they have nothing, in these words of docker-credential-helpers.
fn is_absence(output: &[u8]) -> bool {
    let output = String::from_utf8_lossy(output);
    ["credentials not found", "no credentials server URL", "no credentials username"]
        .iter()
        .any(|absence| output.contains(absence))
}

/// What a failed helper printed, unless it is an answer after all, which nobody is to read.
fn complaint(output: &[u8]) -> String {
    if serde_json::from_slice::<serde_json::Value>(output).is_ok_and(|value| value.is_object()) {
        return "it printed credentials all the same, which are not used".to_owned();
    }
    text::body(output, &[])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn shown(script: &str, patience: Duration) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        // Written by another process: a file that this one had open for writing cannot be executed while a test beside
        // this one forks.
        let mut write = Command::new("sh");
        write.arg("-c").arg("printf '%s' \"$1\" > \"$2\"").arg("sh").arg(format!("#!/bin/sh\n{script}\n")).arg(&path);
        assert!(write.status().await.unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        match get("test", "r.example", Some(folder.path()), patience).await {
            Ok(Some(Credential::Password { user, password })) => format!("{user}:{}", password.reveal()),
            Ok(Some(Credential::Identity { user, token })) => format!("identity {user}{}", token.reveal()),
            Ok(other) => format!("{other:?}"),
            Err(message) => message,
        }
    }

    #[tokio::test]
    async fn helpers() {
        const FAILED: &str = "the credential helper docker-credential-test failed: ";
        let long = Duration::from_secs(60);
        for (script, expected) in [
            (r#"read s; echo "{\"ServerURL\":\"$s\",\"Username\":\"$1\",\"Secret\":\"$s\"}""#, "get:r.example"),
            (r#"echo '{"Username":"<token>","Secret":"t"}'"#, "identity t"),
            (r#"echo '{"Username":"","Secret":""}'"#, "None"),
            ("echo credentials not found in native keychain; exit 1", "None"),
            (
                "printf 'the keychain is \\033[31mlocked'; exit 1",
                &format!("{FAILED}the keychain is \\u{{1b}}[31mlocked"),
            ),
            (
                r#"echo '{"Username":"u","Secret":"hunter2"}'; exit 1"#,
                &format!("{FAILED}it printed credentials all the same, which are not used"),
            ),
            ("echo hunter2", "the credential helper docker-credential-test printed something that is no credentials"),
            ("exec yes", "the credential helper docker-credential-test: it prints more than credentials are"),
        ] {
            assert_eq!(shown(script, long).await, expected, "{script}");
        }
    }

    #[tokio::test]
    async fn a_helper_that_hangs_is_ended() {
        let message = shown("exec sleep 600", Duration::from_millis(50)).await;
        assert_eq!(message, "the credential helper docker-credential-test did not answer within 50ms");
    }

    #[tokio::test]
    async fn names() {
        for name in ["", "../x", "a/b", ".hidden", "-rf", "a b", "a\0", "ä"] {
            let message = get(name, "r.example", None, Duration::from_secs(1)).await.unwrap_err();
            assert!(message.ends_with("is no name of a credential helper"), "{message}");
        }
        let absent = get("portolan-test-absent", "r.example", None, Duration::from_secs(1)).await.unwrap_err();
        assert!(absent.starts_with("the credential helper docker-credential-portolan-test-absent: "), "{absent}");
    }
}
