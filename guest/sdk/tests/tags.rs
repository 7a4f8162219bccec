//! All tags of a repository, page by page, with an end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::cell::Cell;

use portolan_sdk::oci::Descriptor;
use portolan_sdk::traverse;
use portolan_sdk::{Error, Host, Level, Machine, Resolved, TagPage};

/// A registry with so many pages, each with a tag of its own and one that all of them have.
struct Pages {
    all: usize,
    asked: Cell<usize>,
}

impl Machine for Pages {
    fn platform_text(&self) -> String {
        "linux/amd64".to_owned()
    }

    fn features(&self) -> Vec<String> {
        Vec::new()
    }

    fn log(&self, _: Level, _: &str) {}
}

impl Host for Pages {
    fn resolve(&self, _: &str) -> Result<Resolved, Error> {
        panic!("nothing is resolved")
    }

    fn resolve_all(&self, _: &[String]) -> Vec<Result<Resolved, Error>> {
        panic!("nothing is resolved")
    }

    fn entries(&self, _: &str) -> Result<Resolved, Error> {
        panic!("no entries are asked for")
    }

    fn fetch(&self, _: &str, _: &Descriptor) -> Result<Vec<u8>, Error> {
        panic!("nothing is fetched")
    }

    fn prefetch(&self, _: &str, _: &[Descriptor]) {
        panic!("nothing is fetched")
    }

    fn read_blob(&self, _: &str, _: &Descriptor, _: u64, _: u32) -> Result<Vec<u8>, Error> {
        panic!("nothing is read")
    }

    fn tags(&self, _: &str, next: Option<&str>) -> Result<TagPage, Error> {
        let page: usize = next.map_or(0, |next| next.parse().unwrap());
        assert_eq!(page, self.asked.replace(page + 1), "a page is asked for by what the one before it said");
        let next = (page + 1 < self.all).then(|| (page + 1).to_string());
        Ok(TagPage { tags: vec![format!("t{page}"), "latest".to_owned()], next })
    }

    fn referrers(&self, _: &str, _: &str, _: Option<&str>) -> Result<Vec<u8>, Error> {
        panic!("no referrers are asked for")
    }
}

fn pages(all: usize) -> Pages {
    Pages { all, asked: Cell::new(0) }
}

#[test]
fn pages_are_put_together() {
    assert_eq!(traverse::tags(&pages(3), "r.example/a").unwrap(), ["t0", "latest", "t1", "t2"]);
}

#[test]
fn a_list_without_end_is_given_up() {
    assert_eq!(traverse::tags(&pages(1000), "r.example/a").unwrap().len(), 1001);
    let failure = traverse::tags(&pages(usize::MAX), "r.example/a").unwrap_err();
    assert_eq!(failure.cause.unwrap().code, "too-large");
}
