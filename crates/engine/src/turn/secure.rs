//! Clients over DTLS: which datagram is of which association, and what goes back.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::allocation::Dropped;
use super::association::{Association, Next};
use super::cookie::{COOKIE, Hello, TOO_OLD};
use super::datagrams::Sender;
use super::five_tuple::{FiveTuple, Transport};
use super::listener::{Admission, Listener};
use super::{Place, Source, Wing, way_out};
use crate::Handle;
use crate::event::CloseReason;

/// The listener's socket, the client, and which of our addresses it reached.
pub(super) type Key = (usize, SocketAddr, IpAddr);

impl Wing {
    /// A datagram that came to a listener's socket `i`.
    pub(super) fn hear_secure(
        &mut self,
        i: usize,
        listener: &Arc<Listener>,
        (client, server): (SocketAddr, SocketAddr),
        datagram: &[u8],
        now: Instant,
    ) {
        let key = (i, client, server.ip());
        let mut known = self.associations.get(&key).copied();
        if let Some(hello) = Hello::parse(datagram) {
            if hello.is_too_old() {
                return self.reply(listener, (client, server), &TOO_OLD, now);
            }
            let shared = Arc::clone(&self.shared);
            let Some(cookies) = shared.turn.cookies(now) else { return };
            let Some(cookie) = cookies.known(client, &hello, now) else {
                let request = cookies.request(client, &hello, now);
                return self.reply(listener, (client, server), &request, now);
            };
            let again =
                |a| matches!(self.sources.get(a), Some(Source::Secure(its)) if its.random == hello.random);
            if !known.is_some_and(again) {
                // RFC 6347 4.2.8: it has begun anew at the same port.
                if let Some(a) = known.take() {
                    self.end_secure(a, CloseReason::Peer, now);
                }
                return self.open(key, listener, server, (&hello, cookie, datagram), now);
            }
        }
        let Some(a) = known else { return self.dropped(Dropped::Malformed, None, 1) };
        let Some(Source::Secure(association)) = self.sources.get_mut(a) else { return };
        let fed = association.feed(datagram, now);
        self.drive(a, fed, now);
    }

    /// Answer a client of which nothing is known, and nothing is kept.
    fn reply(
        &mut self,
        listener: &Listener,
        (client, server): (SocketAddr, SocketAddr),
        message: &[u8],
        now: Instant,
    ) {
        if self.is_ours(client) {
            return self.totals().requests_looped.add(1);
        }
        if !self.shared.turn.admits(client.ip(), listener.requests_per_second_per_address(), now) {
            return self.totals().requests_over_budget.add(1);
        }
        if let Some(to) = self.way(listener.handle, client, server, usize::MAX) {
            let Self { bursts, sources, term, .. } = self;
            bursts.push(to, [message, &[], &[]], way_out(sources, term));
        }
    }

    fn open(
        &mut self,
        key: Key,
        listener: &Arc<Listener>,
        server: SocketAddr,
        (hello, cookie, datagram): (&Hello<'_>, [u8; COOKIE], &[u8]),
        now: Instant,
    ) {
        let Some(identity) = listener.dtls() else { return };
        let (source, client, _) = key;
        // A handshake costs more than any request; and whoever is here may begin one after the other.
        if !self.shared.turn.admits(client.ip(), listener.requests_per_second_per_address(), now) {
            return self.totals().requests_over_budget.add(1);
        }
        let Some(admission) = Admission::of(listener, client.ip()) else {
            self.shared.events.refuse_connection();
            return;
        };
        let five_tuple = FiveTuple {
            transport: Transport::Dtls,
            listener: listener.handle,
            connection: self.shared.handle(self.index),
            client,
            server,
            worker: self.index,
        };
        let mut association = Association::new(five_tuple, source, admission, &identity, hello, now);
        self.scratch.resize(super::SCRATCH, 0);
        let begun = association.begin(hello, cookie, datagram, &mut self.scratch, now);
        let a = self.sources.insert(Source::Secure(Box::new(association)));
        self.by_handle.insert(five_tuple.connection, Place::Source(a));
        self.associations.insert(key, a);
        self.drive(a, begun, now);
    }

    /// Do what an association has for us.
    fn drive(&mut self, a: usize, mut result: Result<(), CloseReason>, now: Instant) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(super::SCRATCH, 0);
        while result.is_ok() {
            let Some(Source::Secure(association)) = self.sources.get_mut(a) else { break };
            let (size, early) = match association.early.pop() {
                Some(early) => (early.len(), Some(early)),
                None => match association.poll(&mut scratch) {
                    Ok(Next::Nothing) => break,
                    Ok(Next::Packet(size)) => {
                        self.send_secure(a, &scratch[..size]);
                        continue;
                    }
                    Ok(Next::Data(size)) => (size, None),
                    Err(reason) => {
                        result = Err(reason);
                        break;
                    }
                },
            };
            association.heard(now);
            let five_tuple = association.five_tuple;
            let sender = Sender {
                five_tuple,
                allocation: self.by_five_tuple.get(&five_tuple).copied(),
                rate: association.admission.listener.requests_per_second_per_address(),
                unanswered: None,
            };
            if let Some(allocation) = sender.allocation.and_then(|i| self.allocations.get(i)) {
                self.shared.table.heard(&allocation.counters, now);
            }
            let message = early.as_deref().unwrap_or(&scratch[..size]);
            if let Err(dropped) = self.client_message(&sender, message, now) {
                self.dropped(dropped, sender.allocation, 1);
            }
        }
        self.scratch = scratch;
        if let Err(reason) = result {
            self.end_secure(a, reason, now);
        }
    }

    /// Send a client what is encrypted already.
    fn send_secure(&mut self, a: usize, packet: &[u8]) {
        let Some(Source::Secure(association)) = self.sources.get(a) else { return };
        let five_tuple = association.five_tuple;
        let allocation = self.by_five_tuple.get(&five_tuple).copied().unwrap_or(usize::MAX);
        if let Some(to) = self.way(five_tuple.listener, five_tuple.client, five_tuple.server, allocation) {
            let Self { bursts, sources, term, .. } = self;
            bursts.push(to, [packet, &[], &[]], way_out(sources, term));
        }
    }

    /// Encrypt a message for a client, and send it. `false`: there is no such client.
    pub(super) fn seal(&mut self, connection: Handle, parts: [&[u8]; 3]) -> bool {
        let Some(Place::Source(a)) = self.by_handle.get(&connection).copied() else { return false };
        let [mut plain, mut packet] = std::mem::take(&mut self.sealing);
        plain.clear();
        for part in parts {
            plain.extend_from_slice(part);
        }
        packet.resize(super::SCRATCH, 0);
        let mut sent = false;
        if let Some(Source::Secure(association)) = self.sources.get_mut(a) {
            // What fails now fails again when the client is heard, or its time is up.
            sent = association.send(&plain).is_ok();
        }
        self.send_pending(a, &mut packet);
        self.sealing = [plain, packet];
        sent
    }

    fn send_pending(&mut self, a: usize, packet: &mut [u8]) {
        loop {
            let Some(Source::Secure(association)) = self.sources.get_mut(a) else { return };
            match association.poll(packet) {
                Ok(Next::Packet(size)) => self.send_secure(a, &packet[..size]),
                // A client that sends to itself: what it sent next is looked at after this.
                Ok(Next::Data(size)) => association.early.insert(0, packet[..size].to_vec()),
                Ok(Next::Nothing) | Err(_) => return,
            }
        }
    }

    /// End a client's association, and its allocation with it, unless that moves.
    pub(super) fn end_secure(&mut self, a: usize, reason: CloseReason, now: Instant) {
        if !self.term.goes_on() {
            return;
        }
        let Some(Source::Secure(association)) = self.sources.get_mut(a) else { return };
        association.say_goodbye();
        let five_tuple = association.five_tuple;
        let [plain, mut packet] = std::mem::take(&mut self.sealing);
        packet.resize(super::SCRATCH, 0);
        self.send_pending(a, &mut packet);
        self.sealing = [plain, packet];
        let Source::Secure(association) = self.sources.remove(a) else { return };
        let key = (association.source, five_tuple.client, five_tuple.server.ip());
        if self.associations.get(&key) == Some(&a) {
            self.associations.remove(&key);
        }
        self.by_handle.remove(&five_tuple.connection);
        self.lose_client(five_tuple, reason, now);
    }

    /// Look after associations whose time has come.
    pub(super) fn tick_secure(&mut self, now: Instant) {
        let (mut overdue, mut due) = (Vec::new(), Vec::new());
        for a in self.associations.values() {
            let Some(Source::Secure(association)) = self.sources.get(*a) else { continue };
            let has_allocation = self.is_allocated(&association.five_tuple);
            match association.overdue(has_allocation, now) {
                Some(reason) => overdue.push((*a, reason)),
                None if association.deadline <= now => due.push(*a),
                None => {}
            }
        }
        for (a, reason) in overdue {
            self.end_secure(a, reason, now);
        }
        for a in due {
            self.term.beat();
            if let Some(Source::Secure(association)) = self.sources.get_mut(a) {
                let woken = association.wake(now);
                self.drive(a, woken, now);
            }
        }
        self.flush(now);
    }
}
