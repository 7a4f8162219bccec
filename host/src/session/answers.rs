//! What sources answered in one run: each question is asked once, those asked together run side by side, and nothing
//! outlives the run.
//!
//! There are no tasks: the questions under way are futures that are polled whenever the guest waits for one of them. While
//! it computes, which takes microseconds, sockets fill by themselves. Dropping the run drops them all.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use portolan_oci::{Descriptor, Digest};

use super::budget;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::{Source, Target};

/// Questions under way at once. A registry's host gets at most as many.
const SIDE_BY_SIDE: usize = 16;
/// Prefetches waiting for their turn; a prefetch is a hint, and the rest is asked for when it is wanted.
pub(crate) const WAITING: usize = 1_024;

/// A question to one repository or store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) repository: Arc<str>,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Tag(String),
    Root(Digest),
    Entries,
    Document { media_type: String, digest: Digest, size: u64 },
    Referrers { digest: Digest, artifact_type: Option<String> },
}

/// The answer: a root has a descriptor, a document bytes, a store's entries both.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) descriptor: Option<Descriptor>,
    pub(crate) bytes: Bytes,
}

type Answer = Result<Found>;

#[derive(Default)]
pub(crate) struct Answers {
    known: HashMap<Question, Answer>,
    flying: FuturesUnordered<BoxFuture<'static, (Question, Answer)>>,
    under_way: HashSet<Question>,
    waiting: VecDeque<(Question, Arc<dyn Source>)>,
    /// Bytes of documents that arrived.
    documents: u64,
    limits: Arc<Limits>,
}

impl Answers {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Answers { limits, ..Answers::default() }
    }

    /// Bytes of documents that arrived so far.
    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    /// Counts bytes that came another way (a range of a blob, a page of tags).
    pub(crate) fn count(&mut self, bytes: u64, repository: &str) -> Result<()> {
        let documents = self.documents.saturating_add(bytes);
        if documents > self.limits.run_documents {
            return Err(self.exhausted(repository));
        }
        self.documents = documents;
        Ok(())
    }

    /// Bytes of a document that came with another answer, and were counted there.
    pub(crate) fn learn(&mut self, question: Question, bytes: Bytes) {
        self.known.entry(question).or_insert(Ok(Found { descriptor: None, bytes }));
    }

    /// What was said of a repository's names before it was written to counts no more; documents stay what they are.
    pub(crate) fn forget_names(&mut self, repository: &str) {
        self.known.retain(|question, _| {
            let names = matches!(question.what, What::Tag(_) | What::Entries | What::Referrers { .. });
            !(names && &*question.repository == repository)
        });
    }

    /// Asks, or says what was answered before; a question under way is joined.
    pub(crate) async fn get(&mut self, question: Question, source: &Arc<dyn Source>) -> Answer {
        if let Some(answer) = self.known.get(&question) {
            return answer.clone();
        }
        if !self.under_way.contains(&question) {
            self.launch(question.clone(), source);
        }
        while let Some((answered, answer)) = self.flying.next().await {
            let mine = answered == question;
            let answer = self.settle(answered, answer);
            if mine {
                return answer;
            }
        }
        // Not reached: what is under way is flying.
        Err(Error::new(Code::Other, "ask", question.repository.to_string(), "the question was lost"))
    }

    /// Asks all of them side by side; answers in the order asked.
    pub(crate) async fn get_all(&mut self, questions: Vec<Result<(Question, Arc<dyn Source>)>>) -> Vec<Answer> {
        for (question, source) in questions.iter().flatten() {
            self.enqueue(question.clone(), source);
        }
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            answers.push(match question {
                Ok((question, source)) => self.get(question, &source).await,
                Err(error) => Err(error),
            });
        }
        answers
    }

    /// Starts on them, as far as there is room, without waiting for any.
    pub(crate) async fn prefetch(&mut self, questions: impl IntoIterator<Item = (Question, Arc<dyn Source>)>) {
        for (question, source) in questions {
            if self.waiting.len() < WAITING {
                self.enqueue(question, &source);
            }
        }
        // One poll sends the requests.
        poll_fn(|context| {
            while let Poll::Ready(Some((question, answer))) = self.flying.poll_next_unpin(context) {
                let _ = self.settle(question, answer);
            }
            Poll::Ready(())
        })
        .await;
    }

    fn enqueue(&mut self, question: Question, source: &Arc<dyn Source>) {
        if self.known.contains_key(&question) || self.under_way.contains(&question) {
            return;
        }
        match self.flying.len() < SIDE_BY_SIDE {
            true => self.launch(question, source),
            false => self.waiting.push_back((question, Arc::clone(source))),
        }
    }

    fn launch(&mut self, question: Question, source: &Arc<dyn Source>) {
        // What cannot fit any more is not asked for: nobody would get to see it.
        if let What::Document { size, .. } = question.what
            && self.documents.saturating_add(size) > self.limits.run_documents
        {
            let error = self.exhausted(&question.repository);
            self.under_way.insert(question.clone());
            self.flying.push(Box::pin(std::future::ready((question, Err(error)))));
            return;
        }
        self.under_way.insert(question.clone());
        let (source, limits) = (Arc::clone(source), Arc::clone(&self.limits));
        self.flying.push(Box::pin(async move {
            let answer = ask(&*source, &question.what, &limits).await;
            (question, answer)
        }));
    }

    fn settle(&mut self, question: Question, answer: Answer) -> Answer {
        self.under_way.remove(&question);
        let answer = answer.and_then(|found| {
            self.count(found.bytes.len() as u64, &question.repository)?;
            Ok(found)
        });
        self.known.insert(question, answer.clone());
        while self.flying.len() < SIDE_BY_SIDE
            && let Some((next, source)) = self.waiting.pop_front()
        {
            if !self.known.contains_key(&next) && !self.under_way.contains(&next) {
                self.launch(next, &source);
            }
        }
        answer
    }

    fn exhausted(&self, repository: &str) -> Error {
        let most = budget::bytes(self.limits.run_documents);
        Error::new(
            Code::Budget,
            "read from",
            repository,
            format!("the run used up the {most} of documents that it may read"),
        )
        .with_hint("ask about less at once, or let it have more: `documents` in portolan.toml, or Limits::run_documents in a host of your own")
    }
}

async fn ask(source: &dyn Source, what: &What, limits: &Limits) -> Answer {
    match what {
        What::Tag(tag) => root(source.resolve(Target::Tag(tag), limits).await?),
        What::Root(digest) => root(source.resolve(Target::Digest(digest), limits).await?),
        What::Entries => {
            let (descriptor, bytes) = source.entries(limits).await?;
            Ok(Found { descriptor: Some(descriptor), bytes })
        }
        What::Document { media_type, digest, size } => {
            let descriptor = Descriptor::new(media_type.clone(), digest.clone(), *size);
            Ok(Found { bytes: source.fetch(&descriptor, limits).await?, descriptor: None })
        }
        What::Referrers { digest, artifact_type } => {
            let bytes = source.referrers(digest, artifact_type.as_deref(), limits).await?;
            Ok(Found { bytes, descriptor: None })
        }
    }
}

fn root(descriptor: Descriptor) -> Answer {
    Ok(Found { descriptor: Some(descriptor), bytes: Bytes::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_mean_is_forgotten_where_it_was_written_to() {
        let digest = || Digest::sha256(b"");
        let document = What::Document { media_type: "a/b".into(), digest: digest(), size: 0 };
        let mut answers = Answers::new(Arc::default());
        let all = [
            (What::Tag("1".into()), true),
            (What::Entries, true),
            (What::Referrers { digest: digest(), artifact_type: None }, true),
            (What::Root(digest()), false),
            (document, false),
        ];
        let question = |repository: &str, what: &What| Question { repository: repository.into(), what: what.clone() };
        for repository in ["r.example/here", "r.example/there"] {
            for (what, _) in &all {
                answers.learn(question(repository, what), Bytes::new());
            }
        }
        answers.forget_names("r.example/here");
        for (what, is_name) in &all {
            assert_eq!(answers.known.contains_key(&question("r.example/here", what)), !is_name, "{what:?}");
            assert!(answers.known.contains_key(&question("r.example/there", what)), "{what:?}");
        }
    }

    #[test]
    fn documents_are_counted_to_the_edge() {
        let mut answers = Answers::new(Arc::new(Limits { run_documents: 10, ..Limits::default() }));
        for (bytes, fits) in [(4, true), (7, false), (6, true), (1, false), (u64::MAX, false), (0, true)] {
            assert_eq!(answers.count(bytes, "r.example/a").is_ok(), fits, "{bytes}");
        }
        assert_eq!(answers.documents(), 10);
    }

    #[test]
    fn what_was_answered_once_stays() {
        let mut answers = Answers::new(Arc::default());
        let question = Question { repository: "r.example/a".into(), what: What::Entries };
        for bytes in ["first", "second"] {
            answers.learn(question.clone(), Bytes::from_static(bytes.as_bytes()));
        }
        assert_eq!(answers.known[&question].as_ref().unwrap().bytes, "first");
    }
}
