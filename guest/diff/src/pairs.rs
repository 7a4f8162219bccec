//! Which of one list is which of another: layers, steps of a history, images.
//!
//! Not the shortest edit, which takes quadratic time: each key is looked up once, so that ten thousand layers are as good as
//! ten. And it does not matter which of the two lists is called the first.

use std::collections::{BTreeMap, VecDeque};

/// Two lists, matched by position.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// What is in both, in the order of the first list.
    pub both: Vec<Pair>,
    /// What is in the first alone.
    pub only_a: Vec<usize>,
    /// What is in the second alone.
    pub only_b: Vec<usize>,
}

/// A position in each list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// In the first.
    pub a: usize,
    /// In the second.
    pub b: usize,
    /// The first of the keys that is the same.
    pub by: usize,
}

impl Pairs {
    /// Pairs what has the same first key, of the rest what has the same second, and so on. Where several have one key, they
    /// go together in their order. What has no key is alone.
    pub fn of<'t, T, K: Ord>(a: &'t [T], b: &'t [T], keys: &[&dyn Fn(&'t T) -> Option<K>]) -> Pairs {
        let mut pairs = Pairs { both: Vec::new(), only_a: (0..a.len()).collect(), only_b: (0..b.len()).collect() };
        for (by, key) in keys.iter().enumerate() {
            // A tree and no hash table: on wasm those hash without a secret, and the keys are strangers'.
            let mut waiting: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
            for &position in &pairs.only_b {
                if let Some(key) = b.get(position).and_then(key) {
                    waiting.entry(key).or_default().push_back(position);
                }
            }
            let mut taken = vec![false; b.len()];
            pairs.only_a.retain(|&position| {
                let key = a.get(position).and_then(key);
                let other = key.and_then(|key| waiting.get_mut(&key)).and_then(VecDeque::pop_front);
                if let Some(other) = other {
                    pairs.both.push(Pair { a: position, b: other, by });
                    if let Some(taken) = taken.get_mut(other) {
                        *taken = true;
                    }
                }
                other.is_none()
            });
            pairs.only_b.retain(|&position| !taken.get(position).copied().unwrap_or_default());
        }
        pairs.both.sort_unstable();
        pairs
    }

    /// Whether what is in both stands in the same order in both.
    pub fn in_order(&self) -> bool {
        self.both.is_sorted_by_key(|pair| pair.b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matched = (Vec<(usize, usize, usize)>, Vec<usize>, Vec<usize>, bool);

    fn pairs(a: &[&str], b: &[&str]) -> Matched {
        let whole = |word: &&str| Some(word.to_string());
        let first = |word: &&str| word.get(..1).map(str::to_owned);
        let pairs = Pairs::of(a, b, &[&whole, &first]);
        let in_order = pairs.in_order();
        (pairs.both.iter().map(|pair| (pair.a, pair.b, pair.by)).collect(), pairs.only_a, pairs.only_b, in_order)
    }

    #[test]
    fn what_is_the_same_is_found_wherever_it_stands() {
        for (a, b, both, only_a, only_b, in_order) in [
            (&[][..], &[][..], &[][..], &[][..], &[][..], true),
            (&["a1"], &["a1"], &[(0, 0, 0)], &[], &[], true),
            (&["a1"], &["a2"], &[(0, 0, 1)], &[], &[], true),
            (&["a1"], &["b1"], &[], &[0], &[0], true),
            (&["a1", "b1"], &["b1", "a1"], &[(0, 1, 0), (1, 0, 0)], &[], &[], false),
            // A better match is not lost to a worse one that comes first.
            (&["a1", "a2"], &["a2", "b1"], &[(1, 0, 0)], &[0], &[1], true),
            (&["a1", "a1", "a1"], &["a1", "a1"], &[(0, 0, 0), (1, 1, 0)], &[2], &[], true),
            (&["a1", "x", ""], &["", "a2"], &[(0, 1, 1), (2, 0, 0)], &[1], &[], false),
        ] {
            let expected = (both.to_vec(), only_a.to_vec(), only_b.to_vec(), in_order);
            assert_eq!(pairs(a, b), expected, "{a:?} {b:?}");
            let mut mirrored: Vec<_> = both.iter().map(|&(a, b, by)| (b, a, by)).collect();
            mirrored.sort_unstable();
            let (both, only_b, only_a, _) = pairs(b, a);
            assert_eq!((both, only_a, only_b), (mirrored, expected.1, expected.2), "{b:?} {a:?}");
        }
    }
}
