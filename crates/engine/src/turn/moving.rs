//! Allocations that their clients take along to another address (RFC 8016).
//!
//! An allocation stays with its worker, as its relayed addresses do. If another worker hears the
//! client at its new address, that one passes on what it hears. Over UDP answers and data go out from
//! home; a connection stays where it is, too (`away`).

use std::time::Instant;

use super::Wing;
use super::allocation::Dropped;
use super::away::Away;
use super::command::Command;
use super::datagrams::Sender;
use super::five_tuple::FiveTuple;
use super::short_cut::MOST_IN_TRANSIT;
use super::socket::Arrived;
use crate::Handle;
use crate::event::CloseReason;

/// Datagrams of one client, one behind the other.
#[derive(Debug)]
pub struct Heard {
    five_tuple: FiveTuple,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Heard {
    /// What `Directory::reserve` was asked for.
    fn size(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
    }
}

impl Wing {
    /// From here on this client is another worker's, or our own again.
    pub(super) fn detour(&mut self, five_tuple: FiveTuple, away: Away) {
        let allocation = away.allocation;
        self.vacate(five_tuple, allocation);
        let before = if away.home == self.index {
            self.away.remove(&five_tuple)
        } else if five_tuple.connection != 0 && !self.by_handle.contains_key(&five_tuple.connection) {
            return self.say_left(&away, five_tuple, CloseReason::Peer);
        } else {
            self.away.insert(five_tuple, away)
        };
        if let Some(other) = before.filter(|before| before.allocation != allocation) {
            self.say_left(&other, five_tuple, CloseReason::Peer);
        }
    }

    pub(super) fn end_detour(&mut self, five_tuple: FiveTuple, allocation: Handle) {
        if self.away.get(&five_tuple).is_some_and(|away| away.allocation == allocation) {
            self.away.remove(&five_tuple);
        }
    }

    pub(super) fn move_to(&mut self, allocation: Handle, five_tuple: FiveTuple) {
        let Some(super::Place::Allocation(i)) = self.by_handle.get(&allocation).copied() else {
            // It has ended meanwhile, under the five-tuple that it had before.
            let mut allocations = self.shared.turn.allocations.lock().expect("no holder panics");
            if allocations.get(&five_tuple).is_some_and(|(handle, _)| *handle == allocation) {
                allocations.remove(&five_tuple);
            }
            drop(allocations);
            return self.forget_detour(allocation, five_tuple);
        };
        let nobodys = self.allocations[i].take_to(five_tuple);
        self.vacate(five_tuple, allocation);
        self.by_five_tuple.insert(five_tuple, i);
        for way in nobodys {
            self.forget_way(i, allocation, way);
        }
        let FiveTuple { worker, connection, .. } = five_tuple;
        if worker == self.index && connection != 0 && !self.by_handle.contains_key(&connection) {
            self.allocations[i].left = connection;
        }
    }

    /// Whether what arrived is for another worker, which has it then.
    pub(super) fn pass_home(&mut self, five_tuple: &FiveTuple, arrived: Arrived<'_>) -> bool {
        let Some(home) = self.away_of(five_tuple).map(|away| away.home) else { return false };
        let mut heard = Heard { five_tuple: *five_tuple, bytes: Vec::new(), ends: Vec::new() };
        for datagram in arrived.datagrams() {
            heard.bytes.extend_from_slice(datagram);
            heard.ends.push(heard.bytes.len());
        }
        if self.shared.turn.reserve(home, heard.size(), MOST_IN_TRANSIT) {
            self.shared.inboxes[home].push(crate::command::Command::Turn(Command::Heard(heard)));
        } else {
            self.dropped(Dropped::QueueFull, None, heard.ends.len());
        }
        true
    }

    /// What another worker heard.
    pub(super) fn hear_moved(&mut self, heard: &Heard, now: Instant) {
        self.shared.turn.release(self.index, heard.size());
        let five_tuple = heard.five_tuple;
        let allocation = self.by_five_tuple.get(&five_tuple).copied();
        if let Some(allocation) = allocation.and_then(|i| self.allocations.get(i)) {
            self.shared.table.heard(&allocation.counters, now);
        }
        // Nobody without an allocation is passed on, unless it has ended just now.
        let sender = Sender { five_tuple, allocation, rate: 1, unanswered: None };
        let mut start = 0;
        for end in &heard.ends {
            let datagram = heard.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            if let Err(dropped) = self.client_message(&sender, datagram, now) {
                self.dropped(dropped, allocation, 1);
            }
        }
    }
}
