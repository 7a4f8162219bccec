//! What an answer of a registry says, where that is more than a status.

use portolan_oci::{Descriptor, Digest, media_type, text};
use serde::Deserialize;

use crate::http::Answer;

/// Of a body, an error shows at most this many bytes.
const SHOWN: usize = 1 << 10;

/// The descriptor, if the head of an answer tells all of it; an error where it contradicts what was asked for.
pub(crate) fn of_head(answer: &Answer, asked: Option<&Digest>, manifest: bool) -> Option<Result<Descriptor, String>> {
    let said = Digest::parse(answer.header("docker-content-digest").trim()).ok();
    let digest = match (asked, said) {
        (Some(asked), Some(said)) if said.algorithm() == asked.algorithm() && said != *asked => {
            return Some(Err(format!("its head says {said}")));
        }
        (Some(asked), _) => asked.clone(),
        (None, said) => said?,
    };
    let size: u64 = answer.header("content-length").trim().parse().ok()?;
    i64::try_from(size).ok()?;
    let said = media_type::essence(answer.header("content-type"));
    let media_type = match manifest {
        true => media_type::ROOTS.contains(&said.as_str()).then_some(said)?,
        false if media_type::valid(&said) => said,
        false => "application/octet-stream".to_owned(),
    };
    Some(Ok(Descriptor::new(media_type, digest, size)))
}

/// Reads a token; the message never quotes it.
pub(crate) fn token(body: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        access_token: Option<String>,
    }
    let said: Said = serde_json::from_slice(body).map_err(|_| "what the token server sent is no token")?;
    let token = [said.token, said.access_token].into_iter().flatten().find(|token| !token.is_empty());
    let token = token.ok_or("the token server sent no token")?;
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token),
        false => Err("the token server sent a token with characters that no token has".into()),
    }
}

/// What an error's body says: the registry's own errors, else its first line; in one line that steers nothing.
pub(crate) fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let said = match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) => {
            let said = |entry: &Entry| format!("{}: {}", entry.code, entry.message);
            errors.iter().take(3).map(said).collect::<Vec<_>>().join("; ")
        }
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
        }
    };
    text::line(text::at_most(&said, SHOWN)).into_owned()
}
