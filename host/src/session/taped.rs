//! What a guest imports, with a [`Tape`](super::tape) between it and the [`Session`]: a call is played, or it is asked and
//! recorded. Without a tape the session is asked, and that is all.

use std::future::ready;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::Descriptor;
use serde_json::json;
use wasmtime::component::HasData;

use super::tape::Torn;
use super::{Session, budget, checked};
use crate::bindings::{blobs, discovery, fetcher, host, pusher, resolver, types};
use crate::error;
use crate::source::ByteStream;

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

/// The arguments that are told are what has to be the same for a call to be the same.
macro_rules! taped {
    ($this:ident, $function:literal, [$($told:expr),*], $ask:expr) => {{
        if $this.0.tape.is_none() {
            return $ask;
        }
        let with = json!([$($told),*]);
        if let Some(answer) = $this.0.tape.answer($function, &with)? {
            $this.0.count_call(0)?;
            return Ok(answer);
        }
        let answer = $ask?;
        $this.0.tape.keep($function, with, &answer)?;
        Ok(answer)
    }};
}

impl types::Host for Taped<'_> {}

impl host::Host for Taped<'_> {
    fn platform(&mut self) -> wasmtime::Result<String> {
        taped!(self, "platform", [], host::Host::platform(self.0))
    }

    fn features(&mut self) -> wasmtime::Result<Vec<String>> {
        taped!(self, "features", [], host::Host::features(self.0))
    }

    fn log(&mut self, level: host::Level, message: String) -> wasmtime::Result<()> {
        host::Host::log(self.0, level, message)
    }
}

impl resolver::Host for Taped<'_> {
    async fn resolve(&mut self, reference: String) -> wasmtime::Result<Result<resolver::Resolved, types::Error>> {
        taped!(self, "resolve", [reference], resolver::Host::resolve(self.0, reference).await)
    }

    async fn resolve_all(
        &mut self,
        references: Vec<String>,
    ) -> wasmtime::Result<Vec<Result<resolver::Resolved, types::Error>>> {
        taped!(self, "resolve-all", [references], resolver::Host::resolve_all(self.0, references).await)
    }

    async fn entries(&mut self, repository: String) -> wasmtime::Result<Result<resolver::Resolved, types::Error>> {
        taped!(self, "entries", [repository], resolver::Host::entries(self.0, repository).await)
    }
}

impl fetcher::Host for Taped<'_> {
    async fn fetch(
        &mut self,
        repository: String,
        descriptor: types::Descriptor,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        taped!(self, "fetch", [repository, descriptor], fetcher::Host::fetch(self.0, repository, descriptor).await)
    }

    async fn prefetch(&mut self, repository: String, descriptors: Vec<types::Descriptor>) -> wasmtime::Result<()> {
        taped!(
            self,
            "prefetch",
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
        taped!(self, "tags", [repository, next], discovery::Host::tags(self.0, repository, next).await)
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
        taped!(
            self,
            "push",
            [repository, name, descriptor, self.0.tape.document(&content)?],
            pusher::Host::push(self.0, repository, name, descriptor, content).await
        )
    }

    async fn copy(
        &mut self,
        source: String,
        target: String,
        items: Vec<pusher::Item>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        taped!(self, "copy", [source, target, items], pusher::Host::copy(self.0, source, target, items).await)
    }
}
