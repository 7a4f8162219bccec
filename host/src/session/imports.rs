//! The interfaces that a guest imports, on a [`Session`]. Each function counts the call, does its one thing, and hands the
//! answer back; nothing in here judges.

use std::sync::Arc;

use super::answers::{Question, What};
use super::called::{Asked, Part};
use super::{Place, Session, budget, checked, digest, document, log};
use crate::bindings::{blobs, discovery, fetcher, host, pusher, resolver, types};
use crate::error::{Code, Error, Result};
use crate::source::sink::Pushed;

/// What a string or a record costs in a list, besides its bytes.
const ITEM: usize = 16;

impl types::Host for Session {}

impl host::Host for Session {
    fn platform(&mut self) -> wasmtime::Result<String> {
        self.call(Asked::of("platform", ""), 1, 0)?;
        let platform = self.setup.platform.to_string();
        self.back(platform)
    }

    fn features(&mut self) -> wasmtime::Result<Vec<String>> {
        self.call(Asked::of("features", ""), 1, 0)?;
        self.back(Vec::<String>::new())
    }

    fn log(&mut self, level: host::Level, message: String) -> wasmtime::Result<()> {
        self.call(
            Asked { part: Part { bytes: message.len() as u64, ..Part::default() }, ..Asked::of("log", "") },
            1,
            message.len(),
        )?;
        let level = match level {
            host::Level::Debug => log::Level::Debug,
            host::Level::Info => log::Level::Info,
            host::Level::Warn => log::Level::Warn,
            host::Level::Error => log::Level::Error,
        };
        self.log.say(level, &message);
        self.back(())
    }
}

impl resolver::Host for Session {
    async fn resolve(&mut self, reference: String) -> wasmtime::Result<Result<resolver::Resolved, types::Error>> {
        self.call(Asked::of("resolve", &reference), 1, reference.len())?;
        let answer = match self.root(&reference) {
            Ok((question, place)) => self.resolved(question, &place).await,
            Err(error) => Err(error),
        };
        self.answer(answer)
    }

    async fn resolve_all(
        &mut self,
        references: Vec<String>,
    ) -> wasmtime::Result<Vec<Result<resolver::Resolved, types::Error>>> {
        self.call(Asked::of("resolve-all", ""), references.len().max(1), size(&references))?;
        let mut repositories = Vec::with_capacity(references.len());
        let mut questions = Vec::with_capacity(references.len());
        for reference in &references {
            let root = self.root(reference);
            repositories.push(root.as_ref().map(|(question, _)| Arc::clone(&question.repository)).ok());
            questions.push(root.map(|(question, place)| (question, place.source)));
        }
        self.parts(|all| references.iter().map(|reference| all.part(Part::default()).at(reference)).collect());
        let answers = self.answers.get_all(questions).await.into_iter().zip(repositories);
        let answers: Vec<Result<_>> = answers
            .map(|(answer, repository)| {
                answer.and_then(|found| resolved(repository.as_deref().unwrap_or_default(), found.descriptor))
            })
            .collect();
        self.each(answers.iter().map(Result::as_ref))?;
        let told = answers.into_iter().map(|answer| answer.map_err(|error| self.tell(error))).collect();
        self.back(told)
    }

    async fn entries(&mut self, repository: String) -> wasmtime::Result<Result<resolver::Resolved, types::Error>> {
        self.call(Asked::of("entries", &repository), 1, repository.len())?;
        let answer = match self.place(&repository, "list the entries of") {
            Ok(place) => {
                let question = Question { repository: Arc::clone(&place.repository), what: What::Entries };
                self.listed(question, &place).await
            }
            Err(error) => Err(error),
        };
        self.answer(answer)
    }
}

impl fetcher::Host for Session {
    async fn fetch(
        &mut self,
        repository: String,
        descriptor: types::Descriptor,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        let arguments = repository.len() + descriptor.media_type.len() + descriptor.digest.len();
        self.call(Asked::content("fetch", &repository, &descriptor), 1, arguments)?;
        let answer = match self.place(&repository, "fetch from") {
            Ok(place) => match document(&place, descriptor) {
                Ok(question) => self.answers.get(question, &place.source).await.map(|found| found.bytes.to_vec()),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        self.answer(answer)
    }

    async fn prefetch(&mut self, repository: String, mut descriptors: Vec<types::Descriptor>) -> wasmtime::Result<()> {
        let arguments: usize =
            descriptors.iter().map(|descriptor| descriptor.media_type.len() + descriptor.digest.len() + ITEM).sum();
        // Looking at a descriptor is work, so each counts; those beyond what may wait are not looked at.
        descriptors.truncate(super::answers::WAITING);
        self.call(Asked::of("prefetch", &repository), descriptors.len().max(1), arguments + repository.len())?;
        let place = match self.place(&repository, "fetch from") {
            Ok(place) => place,
            // A hint: what is wrong with it is told by `fetch`, and by the audit.
            Err(error) => {
                self.each(std::iter::repeat(Err::<&(), _>(&error)))?;
                return self.back(());
            }
        };
        self.parts(|all| descriptors.iter().map(|descriptor| all.part(Part::of(descriptor))).collect());
        let questions: Vec<_> = descriptors.into_iter().map(|descriptor| document(&place, descriptor)).collect();
        self.each(questions.iter().map(|question| question.as_ref().map(|_| &())))?;
        let questions = questions.into_iter().flatten().map(|question| (question, Arc::clone(&place.source)));
        self.answers.prefetch(questions).await;
        self.back(())
    }
}

impl blobs::Host for Session {
    async fn read(
        &mut self,
        repository: String,
        descriptor: types::Descriptor,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        let arguments = repository.len() + descriptor.media_type.len() + descriptor.digest.len();
        self.call(Asked::content("read", &repository, &descriptor), 1, arguments)?;
        let answer = self.range(&repository, descriptor, offset, length).await;
        self.answer(answer)
    }
}

impl discovery::Host for Session {
    async fn tags(
        &mut self,
        repository: String,
        next: Option<String>,
    ) -> wasmtime::Result<Result<discovery::TagPage, types::Error>> {
        self.call(Asked::of("tags", &repository), 1, repository.len() + next.as_ref().map_or(0, String::len))?;
        let answer = self.tag_page(&repository, next.as_deref()).await;
        self.answer(answer)
    }

    async fn referrers(
        &mut self,
        repository: String,
        digest: String,
        artifact_type: Option<String>,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Error>> {
        let part = Part { digest: Some(&digest), ..Part::default() };
        let asked = Asked { part, ..Asked::of("referrers", &repository) };
        self.call(asked, 1, repository.len() + digest.len() + artifact_type.as_ref().map_or(0, String::len))?;
        let answer = self.referring(&repository, &digest, artifact_type).await;
        self.answer(answer)
    }
}

impl pusher::Host for Session {
    async fn push(
        &mut self,
        repository: String,
        name: Option<String>,
        descriptor: types::Descriptor,
        content: Vec<u8>,
    ) -> wasmtime::Result<Result<pusher::Pushed, types::Error>> {
        let named = name.as_ref().map_or(0, String::len) + descriptor.media_type.len() + descriptor.digest.len();
        let part = Part { name: name.as_deref(), bytes: content.len() as u64, ..Part::of(&descriptor) };
        let asked = Asked { part, ..Asked::of("push", &repository) };
        self.call(asked, 1, repository.len() + named + content.len())?;
        let pushed = self.pushed(&repository, name, descriptor, content).await;
        let pushed = pushed.map(|Pushed { created, subject_processed }| pusher::Pushed { created, subject_processed });
        self.answer(pushed)
    }

    async fn copy(
        &mut self,
        source: String,
        target: String,
        items: Vec<pusher::Item>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let listed: usize = items
            .iter()
            .map(|item| {
                let name = item.name.as_ref().map_or(0, String::len);
                item.descriptor.media_type.len() + item.descriptor.digest.len() + name + ITEM
            })
            .sum();
        // Each item is a question or more to the registry.
        let asked = Asked { from: Some(&source), ..Asked::of("copy", &target) };
        self.call(asked, items.len().max(1), source.len() + target.len() + listed)?;
        // Of a copy that is refused there is one thing to tell.
        if self.writable(&target).is_ok() && self.place(&source, "copy from").is_ok() {
            self.parts(|all| {
                let part = |item: &pusher::Item| {
                    let part = Part { name: item.name.as_deref(), ..Part::of(&item.descriptor) };
                    all.part(Part { bytes: item.descriptor.size, ..part })
                };
                items.iter().map(part).collect()
            });
        }
        let copied = self.copied(&source, &target, items).await;
        self.answer(copied)
    }
}

impl Session {
    async fn resolved(&mut self, question: Question, place: &Place) -> Result<resolver::Resolved> {
        let found = self.answers.get(question, &place.source).await?;
        resolved(&place.repository, found.descriptor)
    }

    /// A store's entries; their bytes are kept, for the `fetch` that follows.
    async fn listed(&mut self, question: Question, place: &Place) -> Result<resolver::Resolved> {
        let found = self.answers.get(question, &place.source).await?;
        if let Some(descriptor) = &found.descriptor {
            let what = What::Document {
                media_type: descriptor.media_type.clone(),
                digest: descriptor.digest.clone(),
                size: descriptor.size,
            };
            self.answers.learn(Question { repository: Arc::clone(&place.repository), what }, found.bytes.clone());
        }
        resolved(&place.repository, found.descriptor)
    }

    async fn range(
        &mut self,
        repository: &str,
        descriptor: types::Descriptor,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>> {
        let place = self.place(repository, "read from")?;
        let descriptor = checked(descriptor, "read from", &place.repository)?;
        let most = self.setup.limits.attestation;
        if u64::from(length) > most {
            let detail = format!("one read is of at most {}", budget::bytes(most));
            return Err(Error::new(Code::TooLarge, "read from", place.repository.to_string(), detail));
        }
        let length = u32::try_from(descriptor.size.saturating_sub(offset)).unwrap_or(u32::MAX).min(length);
        if length == 0 {
            return Ok(Vec::new());
        }
        let bytes = place.source.read(&descriptor, offset, length).await?;
        self.answers.count(bytes.len() as u64, &place.repository)?;
        Ok(bytes.to_vec())
    }

    async fn tag_page(&mut self, repository: &str, next: Option<&str>) -> Result<discovery::TagPage> {
        let place = self.place(repository, "list the tags of")?;
        let page = place.source.tags(next).await?;
        self.answers.count(size(&page.tags) as u64, &place.repository)?;
        Ok(discovery::TagPage { tags: page.tags, next: page.next })
    }

    async fn referring(&mut self, repository: &str, text: &str, artifact_type: Option<String>) -> Result<Vec<u8>> {
        let operation = "list the referrers in";
        let place = self.place(repository, operation)?;
        let digest = digest(text, operation, &place.repository)?;
        if let Some(artifact_type) = &artifact_type
            && !portolan_oci::media_type::valid(artifact_type)
        {
            let detail = format!("the artifact type {} is no media type", super::shown(artifact_type));
            return Err(Error::new(Code::Malformed, operation, place.repository.to_string(), detail));
        }
        let what = What::Referrers { digest, artifact_type };
        let question = Question { repository: Arc::clone(&place.repository), what };
        Ok(self.answers.get(question, &place.source).await?.bytes.to_vec())
    }
}

fn resolved(repository: &str, descriptor: Option<portolan_oci::Descriptor>) -> Result<resolver::Resolved> {
    let Some(descriptor) = descriptor else {
        return Err(Error::new(Code::Other, "resolve", repository, "the source told no descriptor"));
    };
    Ok(resolver::Resolved { repository: repository.to_owned(), descriptor: passed(&descriptor) })
}

/// A descriptor as it crosses the boundary.
pub(crate) fn passed(descriptor: &portolan_oci::Descriptor) -> types::Descriptor {
    types::Descriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.to_string(),
        size: descriptor.size,
    }
}

fn size(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + ITEM).sum()
}
