//! The way of a packet: from clients and peers, to peers and clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::allocation::{Dropped, Peer};
use super::bursts::To;
use super::command::Command;
use super::five_tuple::{FiveTuple, Transport};
use super::request::Frame;
use super::short_cut::{Deliveries, MOST_IN_TRANSIT, PACKET};
use super::socket::{Fragments, Receiver, fragments};
use super::{Place, Source, Wing, channel_data, stun, way_out};
use crate::Handle;
use crate::event::{Event, Unanswered};

/// Batches received from one socket before others have their turn.
const RECEIVE_SHARE: usize = 4;
/// Datagrams asked for first: a relayed address has few at a time, and asking for more costs.
const FEW: usize = 4;

/// Whom a message is of.
#[derive(Debug)]
pub(super) struct Sender {
    pub five_tuple: FiveTuple,
    pub allocation: Option<usize>,
    pub rate: u32,
    /// Of a connection.
    pub unanswered: Option<Arc<Unanswered>>,
}

impl Sender {
    /// Whether Python is behind with its requests.
    pub fn is_full(&self) -> bool {
        self.unanswered.as_ref().is_some_and(|unanswered| unanswered.is_full())
    }
}

impl Wing {
    // From clients

    pub(super) fn hear_clients(&mut self, i: usize, now: Instant) -> bool {
        let Some(mut receiver) = self.receiver.take() else { return false };
        let mut more = true;
        for _ in 0..RECEIVE_SHARE {
            if !self.term.goes_on() {
                break; // what is left in the socket is a successor's
            }
            let Some(Source::Hearing(hearing)) = self.sources.get(i) else { break };
            let listener = Arc::clone(&hearing.listener);
            let Some(socket) = hearing.socket() else { break };
            // What waits behind an error will not be announced again.
            let Ok(count) = receiver.receive(socket, Receiver::MOST) else { continue };
            for arrived in receiver.arrived(count) {
                let Some(Source::Hearing(hearing)) = self.sources.get(i) else { break };
                if listener.transport == Transport::Dtls {
                    let ends = (arrived.from, hearing.server(arrived.at));
                    for datagram in arrived.datagrams() {
                        self.hear_secure(i, &listener, ends, datagram, now);
                    }
                    continue;
                }
                let five_tuple = FiveTuple {
                    transport: Transport::Udp,
                    listener: listener.handle,
                    connection: 0,
                    client: arrived.from,
                    server: hearing.server(arrived.at),
                    worker: self.index,
                };
                let allocation = self.by_five_tuple.get(&five_tuple).copied();
                if allocation.is_none() && self.pass_home(&five_tuple, arrived) {
                    continue;
                }
                if let Some(allocation) = allocation.and_then(|i| self.allocations.get(i)) {
                    self.shared.table.heard(&allocation.counters, now);
                }
                let rate = listener.requests_per_second_per_address();
                let sender = Sender { five_tuple, allocation, rate, unanswered: None };
                for datagram in arrived.datagrams() {
                    if let Err(dropped) = self.client_message(&sender, datagram, now) {
                        self.dropped(dropped, allocation, 1);
                    }
                }
            }
            more = count == Receiver::MOST;
            if !more {
                break;
            }
        }
        self.receiver = Some(receiver);
        more
    }

    /// One whole message of a client.
    pub(super) fn client_message(
        &mut self,
        sender: &Sender,
        message: &[u8],
        now: Instant,
    ) -> Result<(), Dropped> {
        let allocation = sender.allocation;
        if allocation.is_none()
            && let Some(sent) = self.send_home(&sender.five_tuple, message)
        {
            return sent;
        }
        if let Some(allocation) = allocation.and_then(|i| self.allocations.get(i)) {
            allocation.counters.bytes_received.add(message.len());
            allocation.counters.packets_received.add(1);
        }
        if message.first().is_some_and(|first| channel_data::is_channel_data(*first)) {
            let (number, data) = channel_data::parse(message).ok_or(Dropped::Malformed)?;
            let i = allocation.ok_or(Dropped::NoAllocation)?;
            self.has_sent(i, &sender.five_tuple);
            let peer = self.allocations[i].by_channel(number, data.len(), now)?;
            return self.send_to_peer(i, peer, data, now);
        }
        match stun::kind(message).ok_or(Dropped::Malformed)? {
            stun::Kind::Request => {
                let frame = Frame::read(message, |_, _| ()).ok().filter(|it| it.fingerprint_holds(message));
                self.hand_up(sender, message, &frame.ok_or(Dropped::Malformed)?, now);
                Ok(())
            }
            stun::Kind::SendIndication => {
                let i = allocation.ok_or(Dropped::NoAllocation)?;
                let send = stun::send(message).ok_or(Dropped::Malformed)?;
                self.has_sent(i, &sender.five_tuple);
                let peer = self.allocations[i].by_send(send.peer, send.data.len(), now)?;
                if send.dont_fragment {
                    return self.send_whole(i, peer, send.data, now);
                }
                self.send_to_peer(i, peer, send.data, now)
            }
            stun::Kind::OtherIndication => Ok(()),
            stun::Kind::Response => Err(Dropped::Malformed),
        }
    }

    fn hand_up(&mut self, sender: &Sender, message: &[u8], frame: &Frame, now: Instant) {
        let five_tuple = &sender.five_tuple;
        let is_known = sender.allocation.is_some_and(|i| self.allocations.contains(i));
        if !is_known && self.away_of(five_tuple).is_none() && self.turn_away(sender, message, frame, now) {
            return;
        }
        let allocation = sender.allocation.and_then(|i| self.allocations.get(i));
        let away = allocation.map_or_else(|| self.away_of(five_tuple), |_| None);
        if let Some(away) = away {
            away.heard(message.len(), &self.shared.table, now);
        }
        let its = allocation.map(|allocation| &allocation.unanswered);
        let its = its.or_else(|| away.map(|away| &away.unanswered));
        let totals = self.totals();
        if sender.unanswered.is_none() && its.is_some_and(|its| its.is_full()) {
            return totals.queue_full.add(1);
        }
        let events = &self.shared.events;
        let no_room = if its.is_some() { events.is_full() } else { events.is_crowded() };
        if !five_tuple.transport.is_stream() && no_room {
            return totals.queue_full.add(1);
        }
        totals.requests.add(1);
        let unanswered = sender.unanswered.clone().or_else(|| its.map(Arc::clone));
        if let Some(unanswered) = &unanswered {
            unanswered.push();
        }
        self.shared.events.tell(
            &self.term,
            Event::StunReceived {
                five_tuple: *five_tuple,
                allocation: allocation
                    .map_or_else(|| self.shared.turn.allocation(five_tuple), |allocation| allocation.handle),
                message: message.to_vec(),
                unanswered,
            },
        );
    }

    /// Whether a request of someone without an allocation is nothing for Python.
    fn turn_away(&mut self, sender: &Sender, message: &[u8], frame: &Frame, now: Instant) -> bool {
        let Sender { five_tuple, rate, .. } = sender;
        if five_tuple.transport == Transport::Udp && self.is_ours(five_tuple.client) {
            // Answered, they would answer.
            self.totals().requests_looped.add(1);
            return true;
        }
        if !self.shared.turn.admits(five_tuple.client.ip(), *rate, now) {
            self.totals().requests_over_budget.add(1);
            return true;
        }
        self.challenge(five_tuple, (message, frame), now)
    }

    pub(super) fn is_ours(&self, client: SocketAddr) -> bool {
        let ours = &self.known.ours;
        ours.relayed(client).is_some() || ours.listens(client)
    }

    // To peers

    fn send_to_peer(&mut self, i: usize, peer: Peer, data: &[u8], now: Instant) -> Result<(), Dropped> {
        let Some(relay) = self.allocations[i].relay(peer.address.ip()) else { return Err(Dropped::Denied) };
        let ours = &self.known.ours;
        if let Some(target) = ours.relayed(peer.address) {
            return self.short_cut(target, relay.external, data, now);
        }
        if !peer.reach.takes(peer.address, ours) {
            return Err(Dropped::Denied);
        }
        let to = To { source: relay.source, address: peer.address, via: None, allocation: i };
        let Self { bursts, sources, term, .. } = self;
        bursts.push(to, [data, &[], &[]], way_out(sources, term));
        self.relayed(data.len());
        Ok(())
    }

    /// As `send_to_peer`, in a datagram that must not be cut (RFC 8656 11.3).
    fn send_whole(&mut self, i: usize, peer: Peer, data: &[u8], now: Instant) -> Result<(), Dropped> {
        let Some(relay) = self.allocations[i].relay(peer.address.ip()) else { return Err(Dropped::Denied) };
        self.flush(now); // what is before it may be cut
        if let Some(socket) = self.sources.get(relay.source).and_then(Source::udp) {
            let _ = fragments(socket, relay.local, Fragments::Forbidden);
        }
        let result = self.send_to_peer(i, peer, data, now);
        self.flush(now);
        if let Some(socket) = self.sources.get(relay.source).and_then(Source::udp) {
            let _ = fragments(socket, relay.local, Fragments::AllowedAgain);
        }
        result
    }

    // Between our own

    fn short_cut(
        &mut self,
        target: Handle,
        from: SocketAddr,
        data: &[u8],
        now: Instant,
    ) -> Result<(), Dropped> {
        let worker = self.shared.worker_of(target);
        if worker == self.index {
            return self.deliver(target, from, data, now);
        }
        if !self.shared.turn.reserve(worker, data.len() + PACKET, MOST_IN_TRANSIT) {
            return Err(Dropped::QueueFull);
        }
        self.deliveries[worker].push(target, from, &[data]);
        Ok(())
    }

    pub(super) fn deliver_all(&mut self, deliveries: &Deliveries, now: Instant) {
        self.shared.turn.release(self.index, deliveries.size());
        for (target, from, data) in deliveries.packets() {
            if let Err(dropped) = self.deliver(target, from, data, now) {
                self.dropped(dropped, None, 1);
            }
        }
    }

    /// As if it had come from a peer at the relayed address `from`.
    fn deliver(
        &mut self,
        target: Handle,
        from: SocketAddr,
        data: &[u8],
        now: Instant,
    ) -> Result<(), Dropped> {
        // An allocation that has just ended is a peer that has gone.
        let Some(Place::Allocation(i)) = self.by_handle.get(&target).copied() else { return Ok(()) };
        let channel = self.allocations[i].inward(from, &self.known.ours, now)?;
        self.totals().packets_short_cut.add(1);
        self.pass_on(i, from, channel, data, now)
    }

    // From peers

    pub(super) fn hear_peers(&mut self, i: usize, now: Instant) -> bool {
        let Some(mut receiver) = self.receiver.take() else { return false };
        let mut asked = FEW;
        let mut more = true;
        for _ in 0..RECEIVE_SHARE {
            if !self.term.goes_on() {
                break;
            }
            let Some(Source::Relaying { socket, allocation }) = self.sources.get(i) else { break };
            let allocation = *allocation;
            let Ok(count) = receiver.receive(socket, asked) else {
                self.hear_errors(i, None, now);
                continue;
            };
            for arrived in receiver.arrived(count) {
                let Some(its) = self.allocations.get(allocation) else { break };
                match its.inward(arrived.from, &self.known.ours, now) {
                    Ok(channel) => {
                        for data in arrived.datagrams() {
                            if let Err(dropped) = self.pass_on(allocation, arrived.from, channel, data, now) {
                                self.dropped(dropped, Some(allocation), 1);
                            }
                        }
                    }
                    Err(dropped) => self.dropped(dropped, None, arrived.datagrams().count()),
                }
            }
            more = count == asked;
            if !more {
                break;
            }
            asked = Receiver::MOST;
        }
        self.receiver = Some(receiver);
        more
    }

    // The end of a turn

    /// Send what was collected, and what ICMP said meanwhile.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.term.is_over() {
            return;
        }
        self.send_collected(now);
        if !self.bursts.troubled.is_empty() {
            for (source, to) in std::mem::take(&mut self.bursts.troubled) {
                self.hear_errors(source, Some(to), now);
            }
            self.send_collected(now);
        }
    }

    fn send_collected(&mut self, now: Instant) {
        while let Some(i) = self.queued.pop() {
            self.write_client(i, now);
        }
        if !self.bursts.is_empty() {
            let Self { bursts, sources, term, .. } = self;
            bursts.flush(way_out(sources, term));
        }
        if !self.bursts.lost.is_empty() {
            for (allocation, packets) in std::mem::take(&mut self.bursts.lost) {
                self.dropped(Dropped::QueueFull, Some(allocation), packets);
            }
        }
        self.cross();
        for (worker, deliveries) in self.deliveries.iter_mut().enumerate() {
            if !deliveries.is_empty() {
                let deliver = Command::Deliver(std::mem::take(deliveries));
                self.shared.inboxes[worker].push(crate::command::Command::Turn(deliver));
            }
        }
    }

    pub(super) fn relayed(&self, size: usize) {
        let totals = self.totals();
        totals.packets_relayed.add(1);
        totals.bytes_relayed.add(size);
    }

    pub(super) fn dropped(&self, dropped: Dropped, allocation: Option<usize>, packets: usize) {
        let totals = self.totals();
        let total = match dropped {
            Dropped::Malformed => &totals.malformed,
            Dropped::NoAllocation => &totals.no_allocation,
            Dropped::NoChannel => &totals.no_channel,
            Dropped::NoPermission => &totals.no_permission,
            Dropped::Denied => &totals.denied,
            Dropped::OverRate => &totals.over_rate,
            Dropped::QueueFull => &totals.queue_full,
        };
        total.add(packets);
        if let Some(allocation) = allocation.and_then(|i| self.allocations.get(i)) {
            match dropped {
                Dropped::Malformed => allocation.counters.packets_in_error.add(packets),
                Dropped::OverRate | Dropped::QueueFull => allocation.counters.packets_discarded.add(packets),
                _ => {}
            }
        }
    }
}
