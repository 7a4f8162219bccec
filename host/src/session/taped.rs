//! What a guest imports, with a [`Tape`](super::tape) between it and the [`Session`]: a call is played, or it is asked and
//! recorded. Without a tape the session is asked, and that is all.

use std::future::ready;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::{Descriptor, Digest};
use serde_json::json;
use wasmtime::component::HasData;

use super::tape::{Torn, named};
use super::{Session, budget, checked};
use crate::bindings::{blobs, discovery, fetcher, host, pusher, resolver, types};
use crate::error;
use crate::source::ByteStream;
use crate::text;

/// A session behind its tape.
pub(crate) struct Taped<'a>(pub(crate) &'a mut Session);

impl Taped<'_> {
    /// The content that a frontend answers with; on tape there is what fits into an answer.
    pub(crate) async fn content(
        &mut self,
        repository: &str,
        descriptor: types::Descriptor,
    ) -> wasmtime::Result<error::Result<(Descriptor, ByteStream)>> {
        if self.0.tape.is_none() {
            return Ok(self.0.open(repository, descriptor).await?);
        }
        let with = json!([repository, &descriptor]);
        let once = |bytes: Vec<u8>| stream::once(ready(Ok(bytes.into()))).boxed();
        if let Some(bytes) = self.0.tape.answer("content", &with)? {
            return Ok(checked(descriptor, "read", repository).map(|descriptor| (descriptor, once(bytes))));
        }
        let most = self.0.limits().response;
        if descriptor.size > most {
            let most = budget::bytes(most);
            return Err(Torn(format!("it answered with content of more than {most}, which is not kept on tape")).into());
        }
        let (descriptor, content) = match self.0.open(repository, descriptor).await? {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let add = async |mut all: Vec<u8>, piece: Bytes| {
            all.extend_from_slice(&piece);
            Ok(all)
        };
        match content.try_fold(Vec::new(), add).await {
            Ok(bytes) => {
                self.0.tape.keep("content", with, &bytes)?;
                Ok(Ok((descriptor, once(bytes))))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}

/// For the linker.
pub(crate) struct Tapes;

impl HasData for Tapes {
    type Data<'a> = Taped<'a>;
}

/// The arguments that are told are what has to be the same for a call to be the same; so many calls it counts for, played
/// or not. What the tape takes is none of the guest's time.
macro_rules! taped {
    ($this:ident, $function:literal, $calls:expr, [$($told:expr),*], $ask:expr) => {{
        if $this.0.tape.is_none() {
            return $ask;
        }
        let with = json!([$($told),*]);
        if $this.0.tape.is_played() {
            $this.0.count($calls, 0)?;
        }
        if let Some(answer) = $this.0.tape.answer($function, &with)? {
            $this.0.meter.enter();
            return Ok(answer);
        }
        let answer = $ask?;
        $this.0.meter.leave();
        $this.0.tape.keep($function, with, &answer)?;
        $this.0.meter.enter();
        Ok(answer)
    }};
}

impl types::Host for Taped<'_> {}

impl host::Host for Taped<'_> {
    fn platform(&mut self) -> wasmtime::Result<String> {
        taped!(self, "platform", 1, [], host::Host::platform(self.0))
    }

    fn features(&mut self) -> wasmtime::Result<Vec<String>> {
        taped!(self, "features", 1, [], host::Host::features(self.0))
    }

    fn log(&mut self, level: host::Level, message: String) -> wasmtime::Result<()> {
        host::Host::log(self.0, level, message)
    }
}

impl resolver::Host for Taped<'_> {
    async fn resolve(&mut self, reference: String) -> wasmtime::Result<Result<resolver::Resolved, types::Error>> {
        taped!(self, "resolve", 1, [reference], resolver::Host::resolve(self.0, reference).await)
    }

    async fn resolve_all(
        &mut self,
        references: Vec<String>,
    ) -> wasmtime::Result<Vec<Result<resolver::Resolved, types::Error>>> {
        taped!(
            self,
            "resolve-all",
            references.len().max(1),
            [references],
            resolver::Host::resolve_all(self.0, references).await
        )
    }

    async fn entries(&mut self, repository: String) -> wasmtime::Result<Result<resolver::Resolved, types::Error>> {
        taped!(self, "entries", 1, [repository], resolver::Host::entries(self.0, repository).await)
    }
}

impl fetcher::Host for Taped<'_> {
    async fn fetch(
        &mut self,
        repository: String,
        descriptor: types::Descriptor,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        let played = self.0.tape.is_played().then(|| descriptor.digest.clone());
        let fetched: wasmtime::Result<Result<Vec<u8>, types::Error>> = async {
            taped!(
                self,
                "fetch",
                1,
                [repository, descriptor],
                fetcher::Host::fetch(self.0, repository, descriptor).await
            )
        }
        .await;
        let fetched = fetched?;
        // A recording answers with documents that are what their digests say; that it is the one that was asked for, too, is
        // looked at here.
        if let (Some(digest), Ok(bytes)) = (played, &fetched)
            && Digest::parse(&digest).is_ok_and(|digest| !digest.matches(bytes))
        {
            return Err(
                Torn(format!("the recording has another document in the place of {}", text::line(&digest))).into()
            );
        }
        Ok(fetched)
    }

    async fn prefetch(&mut self, repository: String, descriptors: Vec<types::Descriptor>) -> wasmtime::Result<()> {
        taped!(
            self,
            "prefetch",
            descriptors.len().clamp(1, super::answers::WAITING),
            [repository, descriptors],
            fetcher::Host::prefetch(self.0, repository, descriptors).await
        )
    }
}

impl blobs::Host for Taped<'_> {
    async fn read(
        &mut self,
        repository: String,
        descriptor: types::Descriptor,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        taped!(
            self,
            "read",
            1,
            [repository, descriptor, offset, length],
            blobs::Host::read(self.0, repository, descriptor, offset, length).await
        )
    }
}

impl discovery::Host for Taped<'_> {
    async fn tags(
        &mut self,
        repository: String,
        next: Option<String>,
    ) -> wasmtime::Result<Result<discovery::TagPage, types::Error>> {
        taped!(self, "tags", 1, [repository, next], discovery::Host::tags(self.0, repository, next).await)
    }

    async fn referrers(
        &mut self,
        repository: String,
        digest: String,
        artifact_type: Option<String>,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        taped!(
            self,
            "referrers",
            1,
            [repository, digest, artifact_type],
            discovery::Host::referrers(self.0, repository, digest, artifact_type).await
        )
    }
}

impl pusher::Host for Taped<'_> {
    async fn push(
        &mut self,
        repository: String,
        name: Option<String>,
        descriptor: types::Descriptor,
        content: Vec<u8>,
    ) -> wasmtime::Result<Result<pusher::Pushed, types::Error>> {
        let document = self.0.tape.is_recorded().then(|| content.clone());
        let pushed: wasmtime::Result<Result<pusher::Pushed, types::Error>> = async {
            taped!(
                self,
                "push",
                1,
                [repository, name, descriptor, named(&Digest::sha256(&content))],
                pusher::Host::push(self.0, repository, name, descriptor, content).await
            )
        }
        .await;
        let pushed = pushed?;
        // What was refused is not worth its room.
        if let (Some(document), Ok(_)) = (document, &pushed) {
            self.0.tape.document(&document)?;
        }
        Ok(pushed)
    }

    async fn copy(
        &mut self,
        source: String,
        target: String,
        items: Vec<pusher::Item>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        taped!(
            self,
            "copy",
            items.len().max(1),
            [source, target, items],
            pusher::Host::copy(self.0, source, target, items).await
        )
    }
}
