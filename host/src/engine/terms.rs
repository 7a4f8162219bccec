//! What a run may use and who is told of it, whatever it is asked: the same for [`Run`](super::Run) and
//! [`ImageQuery`](super::ImageQuery).

use std::sync::Arc;
use std::time::Duration;

use portolan_oci::Location;

use crate::audit::Audit;
use crate::limits::Limits;
use crate::progress::Progress;
use crate::session::Bound;
use crate::session::grants::Grants;
use crate::session::tape::Tape;
use crate::source::{Registries, Source};

#[derive(Clone, Default)]
pub(super) struct Terms {
    pub(super) stores: Vec<Bound>,
    pub(super) grants: Grants,
    /// `None` where nothing is said, `Some(None)` for without end.
    pub(super) wall_clock: Option<Option<Duration>>,
    pub(super) limits: Option<Arc<Limits>>,
    pub(super) progress: Progress,
    pub(super) registries: Option<Arc<dyn Registries>>,
    pub(super) audit: Audit,
    pub(super) tape: Tape,
}

impl Terms {
    /// A store under a name, to be asked for by its own scheme where it says one.
    pub(super) fn store(&mut self, name: String, source: Arc<dyn Source>) {
        let scheme = match Location::parse(&source.repository()) {
            Ok(Location::Store(store)) => Some(store.scheme),
            _ => None,
        };
        self.stores.push(Bound { name, scheme, source });
    }
}
