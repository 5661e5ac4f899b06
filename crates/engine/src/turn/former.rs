//! Where a client was before it moved (RFC 8016 3.2.2): as long as it has done nothing where it is now, it may
//! not have heard that it is there, and both ways are its own.
//!
//! Data from the former way is taken, and data for the client goes there, until the client sends data by the new
//! one, asks for a permission or a channel there, or has lost the old one. Python's answers go where they belong.

use super::allocation::Allocation;
use super::command::Command;
use super::five_tuple::FiveTuple;
use super::{Place, Wing};
use crate::Handle;

impl Allocation {
    /// Where its client hears.
    pub fn ear(&self) -> &FiveTuple {
        self.former.as_ref().unwrap_or(&self.five_tuple)
    }

    /// The five-tuple that it has now. Returns those that are nobody's any more.
    pub fn take_to(&mut self, five_tuple: FiveTuple) -> impl Iterator<Item = FiveTuple> + use<> {
        let (before, ear) = (self.five_tuple, *self.ear());
        self.former = Some(ear).filter(|ear| !self.waits() && *ear != five_tuple);
        self.five_tuple = five_tuple;
        let kept = [Some(five_tuple), self.former];
        [before, ear].into_iter().filter(move |way| !kept.contains(&Some(*way)))
    }
}

impl Wing {
    /// Its client is where it said, or not where it was any more.
    pub(super) fn settle(&mut self, i: usize) {
        let Some(allocation) = self.allocations.get_mut(i) else { return };
        if let Some(former) = allocation.former.take() {
            let handle = allocation.handle;
            self.forget_way(i, handle, former);
        }
    }

    /// Its client has sent data this way.
    pub(super) fn has_sent(&mut self, i: usize, five_tuple: &FiveTuple) {
        let here = |its: &Allocation| its.former.is_some() && its.five_tuple == *five_tuple;
        if self.allocations.get(i).is_some_and(here) {
            self.settle(i);
        }
    }

    /// Its client has asked for something where it is now.
    pub(super) fn is_there(&mut self, allocation: Handle) {
        if let Some(Place::Allocation(i)) = self.by_handle.get(&allocation).copied() {
            self.settle(i);
        }
    }

    /// Whoever comes this way is another client.
    pub(super) fn forget_way(&mut self, i: usize, allocation: Handle, five_tuple: FiveTuple) {
        if self.by_five_tuple.get(&five_tuple) == Some(&i) {
            self.by_five_tuple.remove(&five_tuple);
        }
        self.forget_detour(allocation, five_tuple);
    }

    /// Whoever comes this way is of this allocation now; another that has moved away hears there no more.
    pub(super) fn vacate(&mut self, five_tuple: FiveTuple, allocation: Handle) {
        let other = self.by_five_tuple.get(&five_tuple).copied();
        let is_other = |i: &usize| self.allocations.get(*i).is_some_and(|its| its.handle != allocation);
        if let Some(other) = other.filter(is_other) {
            self.settle(other);
        }
    }

    /// Those whose way was through this listener or connection of ours have none but the new one.
    pub(super) fn settle_all(&mut self, of: impl Fn(&FiveTuple) -> bool) {
        let those = self.allocations.iter().filter(|(_, its)| its.former.as_ref().is_some_and(&of));
        for i in those.map(|(i, _)| i).collect::<Vec<_>>() {
            self.settle(i);
        }
    }

    /// Whoever hears this client need not pass it on any more.
    pub(super) fn forget_detour(&self, allocation: Handle, five_tuple: FiveTuple) {
        if five_tuple.worker != self.index
            && let Some(inbox) = self.shared.inboxes.get(five_tuple.worker)
        {
            let end = Command::EndDetour { five_tuple, allocation };
            inbox.push(crate::command::Command::Turn(end));
        }
    }
}
