//! What clients are sent: peers' data, and Python's answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::allocation::Dropped;
use super::bursts::To;
use super::client::Client;
use super::command::Command;
use super::five_tuple::{FiveTuple, Transport};
use super::{Place, Source, Wing, channel_data, stun, way_out};
use crate::Handle;

impl Wing {
    /// Pass on a peer's data, in its channel or in a Data indication (RFC 8656 11.4, 12.7).
    pub(super) fn pass_on(
        &mut self,
        i: usize,
        from: SocketAddr,
        channel: Option<u16>,
        data: &[u8],
        now: Instant,
    ) -> Result<(), Dropped> {
        let allocation = &mut self.allocations[i];
        if !allocation.admits(data.len(), now) {
            return Err(Dropped::OverRate);
        }
        if let Some(number) = channel {
            let before = channel_data::header(number, data.len() as u16);
            self.frame(i, [&before, data, &[]])?;
        } else {
            let (before, padding) = stun::data_indication(from, data.len(), self.transaction());
            self.frame(i, [before.as_slice(), data, &stun::PADDING[..padding]])?;
        }
        self.relayed(data.len());
        Ok(())
    }

    /// Of an indication.
    pub(super) fn transaction(&mut self) -> [u8; 12] {
        self.transaction = self.transaction.wrapping_add(1);
        let mut transaction = [0; 12];
        transaction[..4].copy_from_slice(&(self.index as u32).to_be_bytes());
        transaction[4..].copy_from_slice(&self.transaction.to_be_bytes());
        transaction
    }

    /// Send a message to the client of an allocation, where it hears.
    pub(super) fn frame(&mut self, i: usize, parts: [&[u8]; 3]) -> Result<(), Dropped> {
        let ear = *self.allocations[i].ear();
        self.frame_to(i, &ear, parts)
    }

    fn frame_to(&mut self, i: usize, ear: &FiveTuple, parts: [&[u8]; 3]) -> Result<(), Dropped> {
        let allocation = &self.allocations[i];
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if ear.connection != 0 {
            if allocation.waits() {
                return Err(Dropped::QueueFull);
            }
            if ear.worker != self.index {
                return self.send_on(i, ear, &parts, size);
            }
            let (connection, counters) = (ear.connection, Arc::clone(&allocation.counters));
            let sent = match ear.transport {
                Transport::Dtls => self.seal(connection, parts),
                _ => self.queue(connection, |client| client.data(parts)),
            };
            if !sent {
                return Err(Dropped::QueueFull);
            }
            counters.bytes_sent.add(size);
            counters.packets_sent.add(1);
            return Ok(());
        }
        let Some(to) = self.way_to(ear, i) else { return Err(Dropped::QueueFull) };
        allocation.counters.bytes_sent.add(size);
        allocation.counters.packets_sent.add(1);
        let Self { bursts, sources, term, .. } = self;
        bursts.push(to, parts, way_out(sources, term));
        Ok(())
    }

    /// Have something queued for a connection, and written before the turn ends.
    pub(super) fn queue(&mut self, connection: Handle, queue: impl FnOnce(&mut Client) -> bool) -> bool {
        let Some(Place::Source(i)) = self.by_handle.get(&connection).copied() else { return false };
        let Some(Source::Client(client)) = self.sources.get_mut(i) else { return false };
        if !std::mem::replace(&mut client.queued, true) {
            self.queued.push(i);
        }
        queue(client)
    }

    /// How a client hears from us over UDP: from the address that it asked.
    pub(super) fn way_to(&self, five_tuple: &FiveTuple, allocation: usize) -> Option<To> {
        self.way(five_tuple.listener, five_tuple.client, five_tuple.server, allocation)
    }

    pub(super) fn way(
        &self,
        listener: Handle,
        client: SocketAddr,
        server: SocketAddr,
        allocation: usize,
    ) -> Option<To> {
        let Some(Place::Source(source)) = self.by_handle.get(&listener).copied() else {
            return None;
        };
        let Some(Source::Hearing(hearing)) = self.sources.get(source) else { return None };
        let (address, via) = hearing.listener.way_between(client, server);
        Some(To { source, address, via, allocation })
    }

    pub(super) fn answer(&mut self, five_tuple: FiveTuple, message: &[u8], now: Instant) {
        if five_tuple.connection == 0
            && let Some(home) = self.away_of(&five_tuple).map(|away| away.home)
        {
            let answer = Command::Answer(five_tuple, message.to_vec());
            return self.shared.inboxes[home].push(crate::command::Command::Turn(answer));
        }
        let allocation = self.by_five_tuple.get(&five_tuple).copied();
        if five_tuple.connection != 0 {
            return self.answer_stream(&five_tuple, allocation, message, now);
        }
        if let Some(i) = allocation {
            let _ = self.frame_to(i, &five_tuple, [message, &[], &[]]);
        } else if let Some(to) = self.way_to(&five_tuple, usize::MAX) {
            let Self { bursts, sources, term, .. } = self;
            bursts.push(to, [message, &[], &[]], way_out(sources, term));
        }
    }

    fn answer_stream(
        &mut self,
        five_tuple: &FiveTuple,
        allocation: Option<usize>,
        message: &[u8],
        now: Instant,
    ) {
        let mut result = Ok(());
        if five_tuple.transport == Transport::Dtls {
            self.seal(five_tuple.connection, [message, &[], &[]]);
        } else {
            self.queue(five_tuple.connection, |client| {
                result = client.answer(message);
                result.is_ok()
            });
        }
        match (result, self.by_handle.get(&five_tuple.connection).copied()) {
            (Err(reason), Some(Place::Source(i))) => self.end_client(i, reason, now),
            (Ok(()), Some(_)) => {
                let its = allocation.and_then(|i| self.allocations.get(i)).map(|its| &its.counters);
                if let Some(its) = its.or_else(|| self.away_of(five_tuple).map(|away| &away.counters)) {
                    its.bytes_sent.add(message.len());
                    its.packets_sent.add(1);
                }
            }
            _ => {}
        }
    }
}
