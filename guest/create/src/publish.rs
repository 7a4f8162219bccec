//! From sources to targets: first all content that the document leads to and what refers to it, then manifests that were
//! made anew, then the document under its names. A target that is reached has everything.

use std::collections::BTreeSet;

use portolan_sdk::oci::{Descriptor, Digest, attestation};
use portolan_sdk::traverse::{self, Content};
use portolan_sdk::{Context, Failure, Item, Level};

use crate::combine::Entry;
use crate::document::Made;
use crate::source::Source;
use crate::target::Target;

/// What is carried along where it refers to something that is carried: what imagetools carries.
const CARRIED: [&str; 3] = [
    attestation::ARTIFACT_TYPE,
    "application/vnd.dev.cosign.artifact.sig.v1+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];

/// Writes everything. Names come last, when every target has what they lead to.
///
/// # Errors
/// What the host answers. What was written until then stays, under no name.
pub(crate) fn publish(ctx: &impl Context, targets: &[Target], sources: &[Source], made: &Made) -> Result<(), Failure> {
    let mut reached: Vec<&str> = Vec::new();
    for target in targets {
        if !reached.contains(&target.repository.as_str()) {
            reached.push(&target.repository);
            carry(ctx, &target.repository, sources, made)?;
        }
    }
    for target in targets {
        ctx.push(&target.repository, target.name.as_deref(), &made.root.bare(), &made.bytes)?;
    }
    Ok(())
}

/// Brings to a repository what the document leads to.
fn carry(ctx: &impl Context, repository: &str, sources: &[Source], made: &Made) -> Result<(), Failure> {
    let mut carried: BTreeSet<&str> = BTreeSet::new();
    for source in sources.iter().map(|source| source.root.repository.as_str()) {
        if source == repository || !carried.insert(source) {
            continue;
        }
        let (kept, replaced) = roots(repository, source, sources, made);
        if kept.is_empty() && replaced.is_empty() {
            continue;
        }
        let mut moving = Moving { ctx, source, made, items: Vec::new(), seen: BTreeSet::new(), subjects: Vec::new() };
        moving.take(&traverse::everything(ctx, source, &kept)?, &[]);
        // Of a manifest that was made anew all but itself; an index that is kept may name it as it was, and then it is there.
        moving.take(&traverse::everything(ctx, source, &replaced)?, &replaced);
        moving.referrers(sources)?;
        ctx.copy(source, repository, &moving.items)?;
    }
    for anew in made.rewritten.iter().filter(|anew| anew.new.digest != made.root.digest) {
        ctx.push(repository, None, &anew.new, &anew.bytes)?;
    }
    Ok(())
}

/// What of the document's entries this source brings: what is not in the repository anyway, and no source before has. Those
/// that are kept, and those that others take the place of.
fn roots(repository: &str, source: &str, sources: &[Source], made: &Made) -> (Vec<Descriptor>, Vec<Descriptor>) {
    let brings = |from: &[usize]| {
        let mut of = from.iter().filter_map(|&from| sources.get(from)).map(|it| it.root.repository.as_str());
        of.clone().all(|it| it != repository) && of.next() == Some(source)
    };
    let (mut kept, mut replaced) = (Vec::new(), Vec::new());
    for Entry { descriptor, from } in &made.entries {
        match made.rewritten.iter().find(|anew| anew.new.digest == descriptor.digest) {
            Some(anew) if brings(&[anew.from]) => replaced.push(anew.old.clone()),
            None if brings(from) => kept.push(descriptor.clone()),
            _ => {}
        }
    }
    (kept, replaced)
}

/// What one copy moves.
struct Moving<'a, C> {
    ctx: &'a C,
    source: &'a str,
    made: &'a Made,
    items: Vec<Item>,
    seen: BTreeSet<Digest>,
    /// What may be referred to.
    subjects: Vec<Digest>,
}

impl<C: Context> Moving<'_, C> {
    /// All of it but for these.
    fn take(&mut self, content: &Content, except: &[Descriptor]) {
        for layer in &content.elsewhere {
            let message = format!("the layer {} stays where it is: {}", layer.digest, layer.urls.join(" "));
            self.ctx.log(Level::Warn, &message);
        }
        self.subjects.extend(content.documents.iter().map(|document| document.digest.clone()));
        for descriptor in content.in_order() {
            let excepted = except.iter().any(|it| it.digest == descriptor.digest);
            if !excepted && self.seen.insert(descriptor.digest.clone()) {
                self.items.push(Item::new(descriptor));
            }
        }
    }

    /// What refers to the content, and to that again. What is kept to the byte may be referred to as a whole.
    fn referrers(&mut self, sources: &[Source]) -> Result<(), Failure> {
        let mut subjects = std::mem::take(&mut self.subjects);
        let kept = self.made.kept.and_then(|kept| sources.get(kept));
        if kept.is_some_and(|kept| kept.root.repository == self.source) && !subjects.contains(&self.made.root.digest) {
            subjects.push(self.made.root.digest.clone());
        }
        let mut known: BTreeSet<Digest> = subjects.iter().cloned().collect();
        let mut carried = Vec::new();
        for referrer in traverse::referring(self.ctx, self.source, &subjects)? {
            let kind = referrer.descriptor.artifact_type.as_deref();
            if !kind.is_some_and(|kind| CARRIED.contains(&kind)) || !known.contains(&referrer.subject) {
                continue;
            }
            let replaced = self.made.rewritten.iter().any(|anew| anew.old.digest == referrer.subject);
            if replaced && !self.seen.contains(&referrer.subject) {
                let message = format!(
                    "{} stays behind: it speaks of {}, which is another manifest now",
                    referrer.descriptor.digest, referrer.subject
                );
                self.ctx.log(Level::Warn, &message);
                continue;
            }
            known.insert(referrer.descriptor.digest.clone());
            carried.push(referrer.descriptor);
        }
        if !carried.is_empty() {
            self.take(&traverse::everything(self.ctx, self.source, &carried)?, &[]);
        }
        Ok(())
    }
}
