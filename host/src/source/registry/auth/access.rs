//! What a grant has to open: reading a repository, or one piece of writing to it.
//!
//! Pure.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is wanted of a registry, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(in crate::source::registry) struct Access {
    /// Which piece of writing this is; 0 for reading. What opens a repository to be read is shared by everybody with the
    /// same credentials, what lets it be written is not.
    writer: u64,
    /// Scopes beside those that a challenge asks for.
    scopes: Vec<String>,
}

/// What everybody who reads has in common.
pub(in crate::source::registry) static READ: Access = Access { writer: 0, scopes: Vec::new() };

impl Access {
    /// The access of a new piece of writing to the repository at `path`.
    pub(in crate::source::registry) fn write(path: &str) -> Access {
        static WRITERS: AtomicU64 = AtomicU64::new(1);
        let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
        Access { writer, scopes: vec![format!("repository:{path}:pull,push")] }
    }

    /// The same, and reading what is at `path`: a mount asks for both.
    pub(in crate::source::registry) fn and_pull(&self, path: &str) -> Access {
        let mut access = self.clone();
        access.scopes.push(format!("repository:{path}:pull"));
        access
    }

    /// Whose it is.
    pub(super) fn writer(&self) -> u64 {
        self.writer
    }

    /// The scopes to ask a token for where a challenge for the repository at `path` asks for `asked`. Asking for all of
    /// them at once keeps a push from asking twice: registries want less for its first question than for its second.
    pub(super) fn scopes(&self, path: &str, asked: Vec<String>) -> Vec<String> {
        let mut scopes = asked;
        for own in &self.scopes {
            let (resource, actions) = split(own);
            match scopes.iter_mut().find(|scope| split(scope).0 == resource) {
                Some(scope) => {
                    for action in actions.split(',') {
                        if !split(scope).1.split(',').any(|known| known == action || known == "*") {
                            scope.push(',');
                            scope.push_str(action);
                        }
                    }
                }
                None => scopes.push(own.clone()),
            }
        }
        if scopes.is_empty() {
            scopes.push(format!("repository:{path}:pull"));
        }
        scopes
    }
}

/// `TYPE:NAME` and the actions of a scope; a name may have colons of its own.
fn split(scope: &str) -> (&str, &str) {
    scope.rsplit_once(':').unwrap_or((scope, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let push = Access::write("a/b");
        let mount = push.and_pull("c");
        for (access, asked, expected) in [
            (&READ, &[][..], &["repository:a/b:pull"][..]),
            (&READ, &["repository:a/b:pull"], &["repository:a/b:pull"]),
            (&READ, &["repository:x:pull,push"], &["repository:x:pull,push"]),
            (&push, &[], &["repository:a/b:pull,push"]),
            (&push, &["repository:a/b:pull"], &["repository:a/b:pull,push"]),
            (&push, &["repository:a/b:push,pull"], &["repository:a/b:push,pull"]),
            (&push, &["repository:a/b:*"], &["repository:a/b:*"]),
            (&push, &["repository:a/b"], &["repository:a/b", "repository:a/b:pull,push"]),
            (&push, &["registry:catalog:*"], &["registry:catalog:*", "repository:a/b:pull,push"]),
            (&push, &["aws"], &["aws", "repository:a/b:pull,push"]),
            (&mount, &[], &["repository:a/b:pull,push", "repository:c:pull"]),
            (&mount, &["repository:c:pull", "repository:a/b:pull"], &["repository:c:pull", "repository:a/b:pull,push"]),
        ] {
            let asked = asked.iter().map(|scope| (*scope).to_owned()).collect();
            assert_eq!(access.scopes("a/b", asked), expected);
        }
    }

    #[test]
    fn no_two_writers_are_the_same() {
        assert_ne!(Access::write("a"), Access::write("a"));
        let one = Access::write("a");
        assert_eq!(one.and_pull("b").writer(), one.writer());
    }
}
