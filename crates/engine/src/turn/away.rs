//! Clients over connections that one worker hears, while another has their allocation (RFC 8016).
//!
//! Neither moves, as both are of sockets that their workers watch. Requests go up from where they are heard,
//! and are answered there; data crosses, in batches of a turn.

use std::sync::Arc;
use std::time::Instant;

use super::allocation::Dropped;
use super::command::Command;
use super::datagrams::Sender;
use super::five_tuple::FiveTuple;
use super::short_cut::{Deliveries, MOST_IN_TRANSIT, PACKET};
use super::{Place, Source, Wing, stun};
use crate::Handle;
use crate::counters::{Counters, Table};
use crate::event::{CloseReason, Unanswered};

/// Where the allocation of a client is that is heard here.
#[derive(Debug)]
pub struct Away {
    pub home: usize,
    pub(super) allocation: Handle,
    pub counters: Arc<Counters>,
    /// Requests that Python has not taken yet. A stream counts its own.
    pub unanswered: Arc<Unanswered>,
}

impl Away {
    pub fn new(home: usize, allocation: Handle, counters: Arc<Counters>) -> Self {
        Self { home, allocation, counters, unanswered: Arc::default() }
    }

    /// A request of its client: what else it sends is counted at home.
    pub fn heard(&self, size: usize, table: &Table, now: Instant) {
        table.heard(&self.counters, now);
        self.counters.bytes_received.add(size);
        self.counters.packets_received.add(1);
    }
}

/// What crosses to another worker at the end of a turn.
#[derive(Debug, Default)]
pub struct Crossing {
    /// To its allocations, from their clients.
    homeward: Deliveries,
    /// To its connections.
    onward: Deliveries,
}

impl Crossing {
    /// What `Directory::reserve` was asked for.
    pub fn size(&self) -> usize {
        self.homeward.size() + self.onward.size()
    }
}

impl Wing {
    pub(super) fn away_of(&self, five_tuple: &FiveTuple) -> Option<&Away> {
        if self.away.is_empty() { None } else { self.away.get(five_tuple) }
    }

    /// Whether a client that is heard here has an allocation, here or elsewhere.
    pub(super) fn is_allocated(&self, five_tuple: &FiveTuple) -> bool {
        self.by_five_tuple.contains_key(five_tuple) || self.away.contains_key(five_tuple)
    }

    /// Data for a client whose connection another worker has.
    pub(super) fn send_on(
        &mut self,
        i: usize,
        to: &FiveTuple,
        parts: &[&[u8]],
        size: usize,
    ) -> Result<(), Dropped> {
        let Self { allocations, crossings, shared, .. } = self;
        let counters = &allocations[i].counters;
        let FiveTuple { worker, connection, client, .. } = *to;
        let crossing = crossings.get_mut(worker).ok_or(Dropped::QueueFull)?;
        if !shared.turn.reserve(worker, size + PACKET, MOST_IN_TRANSIT) {
            return Err(Dropped::QueueFull);
        }
        crossing.onward.push(connection, client, parts);
        counters.bytes_sent.add(size);
        counters.packets_sent.add(1);
        Ok(())
    }

    /// Data of a client whose allocation another worker has. `None`: it is no such client, or it asks for
    /// something.
    pub(super) fn send_home(
        &mut self,
        five_tuple: &FiveTuple,
        message: &[u8],
    ) -> Option<Result<(), Dropped>> {
        let away = self.away_of(five_tuple)?;
        if stun::kind(message) == Some(stun::Kind::Request) {
            return None;
        }
        if !self.shared.turn.reserve(away.home, message.len() + PACKET, MOST_IN_TRANSIT) {
            away.counters.packets_discarded.add(1);
            return Some(Err(Dropped::QueueFull));
        }
        let (home, allocation) = (away.home, away.allocation);
        self.crossings[home].homeward.push(allocation, five_tuple.client, &[message]);
        Some(Ok(()))
    }

    /// At the end of a turn.
    pub(super) fn cross(&mut self) {
        for (crossing, inbox) in self.crossings.iter_mut().zip(&self.shared.inboxes) {
            if !crossing.homeward.is_empty() {
                let command = Command::Homeward(std::mem::take(&mut crossing.homeward));
                inbox.push(crate::command::Command::Turn(command));
            }
            if !crossing.onward.is_empty() {
                let command = Command::Onward(std::mem::take(&mut crossing.onward));
                inbox.push(crate::command::Command::Turn(command));
            }
        }
    }

    /// What clients of ours sent over connections of others.
    pub(super) fn take_home(&mut self, messages: &Deliveries, now: Instant) {
        self.shared.turn.release(self.index, messages.size());
        for (allocation, client, message) in messages.packets() {
            let Some(Place::Allocation(i)) = self.by_handle.get(&allocation).copied() else { continue };
            let its = &self.allocations[i];
            let ways = [Some(its.five_tuple), its.former];
            let Some(five_tuple) = ways.into_iter().flatten().find(|way| way.client == client) else {
                self.dropped(Dropped::NoAllocation, None, 1); // it has moved on meanwhile
                continue;
            };
            self.shared.table.heard(&its.counters, now);
            let sender = Sender { five_tuple, allocation: Some(i), rate: 1, unanswered: None };
            if let Err(dropped) = self.client_message(&sender, message, now) {
                self.dropped(dropped, Some(i), 1);
            }
        }
    }

    /// What allocations of others have for connections of ours.
    pub(super) fn hand_on(&mut self, messages: &Deliveries) {
        self.shared.turn.release(self.index, messages.size());
        for (connection, _, message) in messages.packets() {
            let source = match self.by_handle.get(&connection) {
                Some(Place::Source(i)) => self.sources.get(*i),
                _ => None,
            };
            let parts = [message, &[], &[]];
            let taken = match source {
                Some(Source::Client(_)) => self.queue(connection, |client| client.data(parts)),
                Some(Source::Secure(_)) => self.seal(connection, parts),
                _ => false,
            };
            if !taken {
                self.dropped(Dropped::QueueFull, None, 1);
            }
        }
    }

    // The end of a connection

    /// A client's connection has ended: so does its allocation, unless the client may come back for it.
    pub(super) fn lose_client(&mut self, five_tuple: FiveTuple, reason: CloseReason, now: Instant) {
        if let Some(away) = self.away.remove(&five_tuple) {
            self.say_left(&away, five_tuple, reason);
        } else if let Some(i) = self.by_five_tuple.get(&five_tuple).copied() {
            self.leave(i, five_tuple, reason, now);
        }
    }

    pub(super) fn say_left(&self, away: &Away, five_tuple: FiveTuple, reason: CloseReason) {
        let left = Command::Left { allocation: away.allocation, five_tuple, reason };
        if let Some(inbox) = self.shared.inboxes.get(away.home) {
            inbox.push(crate::command::Command::Turn(left));
        }
    }

    /// Another worker says so, perhaps before we are told that the allocation is of this connection.
    pub(super) fn left(
        &mut self,
        allocation: Handle,
        five_tuple: FiveTuple,
        reason: CloseReason,
        now: Instant,
    ) {
        if let Some(Place::Allocation(i)) = self.by_handle.get(&allocation).copied() {
            self.leave(i, five_tuple, reason, now);
        }
    }

    pub(super) fn leave(&mut self, i: usize, five_tuple: FiveTuple, reason: CloseReason, now: Instant) {
        let its = &mut self.allocations[i];
        // What we end ends. What the network or the client ends waits, until it expires.
        let is_ours = matches!(reason, CloseReason::Requested | CloseReason::Shutdown);
        if its.five_tuple == five_tuple && (is_ours || !its.movable) {
            return self.end(i, reason, now);
        }
        if its.former == Some(five_tuple) {
            return self.settle(i);
        }
        if its.left == 0 || its.left != its.five_tuple.connection {
            its.left = five_tuple.connection;
        }
    }
}
