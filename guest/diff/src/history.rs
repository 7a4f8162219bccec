//! The steps of two images' making, matched: a step that was done again at another time is the same step.

use crate::pairs::{Pair, Pairs};
use crate::said::{canonical, owned, without};
use portolan_oci::go::Value;

/// The key of a pair that says the same.
const EQUAL: usize = 0;

/// Two histories, matched.
#[derive(Debug)]
pub struct History {
    /// The one's steps as stored, lowest first.
    pub a: Vec<Value<'static>>,
    /// The other's.
    pub b: Vec<Value<'static>>,
    /// Which is which.
    pub pairs: Pairs,
}

impl History {
    /// Matches them; a config without a history has no steps.
    pub fn compare(a: Option<&Value<'_>>, b: Option<&Value<'_>>) -> History {
        let (a, b) = (steps(a), steps(b));
        let timeless = |step: &Value<'static>| Some(canonical(&without(step.clone(), &["created"])));
        let pairs = Pairs::of(&a, &b, &[&|step| Some(canonical(step)), &timeless]);
        History { a, b, pairs }
    }

    /// Whether they say the same.
    pub fn same(&self) -> bool {
        let Pairs { only_a, only_b, .. } = &self.pairs;
        only_a.is_empty() && only_b.is_empty() && self.pairs.in_order() && self.retimed().next().is_none()
    }

    /// How many steps are the same in both.
    pub fn shared(&self) -> usize {
        self.pairs.both.iter().filter(|pair| pair.by == EQUAL).count()
    }

    /// The steps of which only the time differs.
    pub fn retimed(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.both.iter().filter(|pair| pair.by != EQUAL)
    }
}

fn steps(history: Option<&Value<'_>>) -> Vec<Value<'static>> {
    match history {
        Some(Value::List(steps)) => steps.iter().map(owned).collect(),
        _ => Vec::new(),
    }
}
