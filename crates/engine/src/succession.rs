//! A worker that is given up: what it had is lost, and said to be, at once.
//!
//! Its memory and its sockets stay its own: it may come back, and then lets go of them. What others
//! need of it is taken away here, so that whoever hears `Closed` can use the addresses again.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::Handle;
use crate::command::{Command, Shared};
use crate::event::{CloseReason, Event};
use crate::term::Term;

impl Shared {
    /// End everything that a worker has, each with its `Closed`. Returns how many.
    pub fn abandon(&self, index: usize, term: &Term) -> usize {
        let is_its = |handle| self.worker_of(handle) == index;
        let mut lost = self.events.end(term, || self.table.end_all(is_its));
        lost.sort_unstable_by_key(|(handle, _)| Reverse(*handle)); // flows before their connections
        let handles: Arc<HashSet<Handle>> = Arc::new(lost.iter().map(|(handle, _)| *handle).collect());
        for port in self.ports.lock().expect("no holder panics").values() {
            port.release_all(&handles);
        }
        self.turn.lose(&handles);
        for (other, inbox) in self.inboxes.iter().enumerate() {
            if other != index {
                inbox.push(Command::Bereave { worker: index, lost: Arc::clone(&handles) });
            }
        }
        let now = Instant::now();
        for (handle, counters) in &lost {
            let counters = self.table.read(counters, now);
            self.events.push(Event::Closed { handle: *handle, reason: CloseReason::Fault, counters });
        }
        lost.len()
    }

    /// Say that a handle's own is gone, unless that was said before.
    pub fn closed(&self, term: &Term, handle: Handle, reason: CloseReason, now: Instant) {
        self.events.tell_with(term, || {
            let counters = self.table.read(&*self.table.end(handle)?, now);
            Some(Event::Closed { handle, reason, counters })
        });
    }
}
