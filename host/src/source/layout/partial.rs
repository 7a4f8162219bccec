//! A blob on its way into a layout, which goes on where an earlier copy was cut: what came of a large one is kept under a
//! hidden name that tells which blob it is, and whoever copies that blob next takes it up.
//!
//! Nothing that lies there is believed. It is hashed again, and the verdict is on all bytes; where that is no, the blob is
//! fetched anew from its beginning.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::Descriptor;
use rustix::io::Errno;

use super::super::ByteStream;
use super::super::folder::{Folder, TEMPORARY, Temporary};
use super::super::sink::Content;
use super::super::verify::Verifier;
use super::super::write::{blocking, failed, pour};
use crate::error::{Code, Error, Result};

/// Smaller blobs are sent anew: what could be saved is not worth a file that stays.
const WORTH: u64 = 1 << 20;
/// What is hashed at a time.
const PIECE: usize = 256 << 10;

/// A hidden file in `blobs` for a blob, perhaps with its beginning.
pub(super) fn file(blobs: &Folder, descriptor: &Descriptor) -> Result<Temporary, Errno> {
    if descriptor.size >= WORTH {
        let digest = &descriptor.digest;
        let name = format!("{TEMPORARY}{}-{}", digest.algorithm_name(), digest.hex());
        if let Some(unfinished) = blobs.unfinished(&name)? {
            return Ok(unfinished);
        }
    }
    blobs.temporary(TEMPORARY)
}

/// Fills it with what is still to come. What came stays there, unless there is something wrong with that or with the disk.
pub(super) async fn fill(
    temporary: &Temporary,
    descriptor: &Descriptor,
    content: &dyn Content,
    store: &str,
) -> Result<()> {
    let filled = filled(temporary, descriptor, content, store).await;
    if filled.as_ref().is_err_and(is_spoilt) {
        temporary.empty().map_err(|failure| failed(store, descriptor.digest.as_str(), &failure))?;
    }
    filled
}

fn is_spoilt(error: &Error) -> bool {
    matches!(error.code(), Code::DigestMismatch | Code::Malformed | Code::TooLarge | Code::Other)
}

async fn filled(temporary: &Temporary, descriptor: &Descriptor, content: &dyn Content, store: &str) -> Result<()> {
    let fail = |failure: io::Error| failed(store, descriptor.digest.as_str(), &failure);
    let at = temporary.file().metadata().map_err(fail)?.len();
    if at > 0 && at <= descriptor.size {
        let begun = Verifier::new(store, descriptor)?;
        let file = Arc::clone(temporary.file());
        let verifier = blocking({
            let (store, what) = (store.to_owned(), descriptor.digest.clone());
            move || hashed(&file, at, begun).map_err(|failure| failed(&store, what.as_str(), &failure))
        })
        .await?;
        tracing::debug!(digest = %descriptor.digest, at, "a blob that was cut goes on");
        let rest = verified(content.open_at(at).await?, verifier);
        match pour(rest, descriptor.size - at, temporary.file(), at, &fail).await {
            // Either what lay there or what came after it: from the beginning there is no doubt.
            Err(error) if error.code() == Code::DigestMismatch => {
                tracing::debug!(digest = %descriptor.digest, %error, "what was kept of a blob is dropped");
            }
            done => return done,
        }
    }
    temporary.empty().map_err(fail)?;
    pour(content.open().await?, descriptor.size, temporary.file(), 0, &fail).await
}

/// Has a verifier see the first `length` bytes of a file.
fn hashed(file: &File, length: u64, mut verifier: Verifier) -> io::Result<Verifier> {
    let (mut at, mut buffer) = (0, vec![0; PIECE]);
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(piece, at)?;
        verifier.update(piece).map_err(io::Error::other)?;
        at += wanted as u64;
    }
    Ok(verifier)
}

/// Content whose end is the verdict of a verifier that has seen what came before.
fn verified(content: ByteStream, verifier: Verifier) -> ByteStream {
    let pieces = stream::try_unfold(Some((content, verifier)), async |state| {
        let Some((mut content, mut verifier)) = state else { return Ok(None) };
        match content.try_next().await? {
            Some(piece) => {
                verifier.update(&piece)?;
                Ok(Some((piece, Some((content, verifier)))))
            }
            None => verifier.finish().map(|()| None),
        }
    });
    pieces.boxed()
}
