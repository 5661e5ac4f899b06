//! TCP allocations (RFC 6062): connections to and from peers, and clients that take them up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::Interest;
use mio::net::{TcpListener, TcpStream};
use socket2::Socket;

use super::allocation::Dropped;
use super::client::Client;
use super::command::Command;
use super::five_tuple::FiveTuple;
use super::pipe::{Moved, Pipe, Stage};
use super::socket::calling;
use super::{Place, Source, Wing};
use crate::Handle;
use crate::connection::is_out_of_room;
use crate::counters::Counters;
use crate::descriptors::Bound;
use crate::event::{CloseReason, Event};

/// Connections accepted before others have their turn.
const ACCEPT_SHARE: usize = 16;
/// Connections of one allocation, whether taken up or not.
const MOST_CONNECTIONS: usize = 256;

/// The relayed address of a TCP allocation.
#[derive(Debug)]
pub(super) struct Inviting {
    socket: TcpListener,
    allocation: usize,
    pub local: SocketAddr,
    pub external: SocketAddr,
    /// Out of descriptors: the next tick tries again.
    pub paused: bool,
}

impl Inviting {
    pub fn allocation(&self) -> usize {
        self.allocation
    }
}

impl Wing {
    /// Let peers connect to an allocation.
    pub(super) fn invite(
        &mut self,
        allocation: usize,
        mut socket: TcpListener,
        local: SocketAddr,
        external: SocketAddr,
    ) {
        let entry = self.sources.vacant_entry();
        let i = entry.key();
        if let Err(error) = self.registry.register(&mut socket, (self.token)(i), Interest::READABLE) {
            self.shared.stderr.cannot_watch(&error);
        }
        let inviting = Inviting { socket, allocation, local, external, paused: false };
        entry.insert(Source::Inviting(Box::new(inviting)));
        self.allocations[allocation].inviting = Some(i);
    }

    /// Whether there may be more.
    pub(super) fn welcome(&mut self, i: usize, now: Instant) -> bool {
        let bound = Bound::of_relays();
        for _ in 0..ACCEPT_SHARE {
            if !self.term.goes_on() {
                return false;
            }
            let Some(Source::Inviting(inviting)) = self.sources.get_mut(i) else { return false };
            inviting.paused = false;
            let (socket, peer) = match inviting.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if is_out_of_room(&error) => {
                    self.shared.events.refuse_connection();
                    inviting.paused = true;
                    return false;
                }
                Err(_) => continue, // the peer was gone before it was accepted
            };
            if !bound.admits(&socket) {
                self.shared.events.refuse_connection();
                continue; // the socket is dropped, and so closed
            }
            let allocation = inviting.allocation;
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            // RFC 6062 5.3: who has no permission is closed at once, which dropping the socket does.
            if let Err(dropped) = self.admit_peer(allocation, peer, now) {
                self.dropped(dropped, None, 1);
                continue;
            }
            let handle = self.shared.handle(self.index);
            let counters = self.shared.table.add(handle, now);
            self.begin(Pipe::new(handle, allocation, peer, socket, Stage::Waiting, counters, now));
            self.tell_connected(allocation, handle, peer, true);
        }
        true
    }

    fn admit_peer(&self, allocation: usize, peer: SocketAddr, now: Instant) -> Result<(), Dropped> {
        let its = &self.allocations[allocation];
        its.permitted(peer, now)?; // how much of its host is a peer Python decides
        if its.pipes.len() >= MOST_CONNECTIONS || self.shared.events.is_full() {
            return Err(Dropped::QueueFull);
        }
        Ok(())
    }

    /// Begin a connection from the relayed address (RFC 6062 5.2). How it went is an event.
    pub(super) fn call(
        &mut self,
        handle: Handle,
        allocation: Handle,
        (peer, socket): (SocketAddr, Socket),
        counters: Arc<Counters>,
        now: Instant,
    ) {
        let socket = match self.by_handle.get(&allocation).copied() {
            Some(Place::Allocation(i)) => self.dial(i, peer, socket).map(|socket| (i, socket)),
            _ => None,
        };
        match socket {
            Some((i, socket)) => {
                self.begin(Pipe::new(handle, i, peer, socket, Stage::Connecting, counters, now));
            }
            None => self.shared.closed(&self.term, handle, CloseReason::Connect, now),
        }
    }

    fn dial(&self, i: usize, peer: SocketAddr, socket: Socket) -> Option<TcpStream> {
        let allocation = self.allocations.get(i)?;
        let Source::Inviting(inviting) = self.sources.get(allocation.inviting?)? else { return None };
        // To itself a relayed address would be connected without anybody's having accepted it.
        let itself = peer == inviting.local || peer == inviting.external;
        if itself || allocation.pipes.len() >= MOST_CONNECTIONS {
            return None;
        }
        calling(socket, inviting.local, peer).ok()
    }

    fn begin(&mut self, mut pipe: Pipe) {
        let entry = self.sources.vacant_entry();
        let (i, both) = (entry.key(), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.registry.register(&mut pipe.socket, (self.token)(i), both) {
            self.shared.stderr.cannot_watch(&error);
        }
        self.by_handle.insert(pipe.handle, Place::Source(i));
        self.allocations[pipe.allocation].pipes.push(i);
        entry.insert(Source::Pipe(Box::new(pipe)));
    }

    /// Give a client's connection to the worker that has the peer's.
    pub(super) fn hand_over(&mut self, five_tuple: FiveTuple, pipe: Handle, answer: Vec<u8>) {
        let Some(Place::Source(i)) = self.by_handle.get(&five_tuple.connection).copied() else { return };
        let is_client = matches!(self.sources.get(i), Some(Source::Client(_)));
        if !is_client || self.is_allocated(&five_tuple) {
            return;
        }
        if let Source::Client(mut client) = self.sources.remove(i) {
            let _ = self.registry.deregister(&mut client.socket);
            self.by_handle.remove(&five_tuple.connection);
            self.shared.tell(pipe, crate::command::Command::Turn(Command::Join { client, pipe, answer }));
        }
    }

    /// Let a client's connection carry a peer's (RFC 6062 5.4).
    pub(super) fn join(&mut self, mut client: Box<Client>, pipe: Handle, answer: &[u8], now: Instant) {
        let place = match self.by_handle.get(&pipe).copied() {
            Some(Place::Source(i)) => Some(i),
            _ => None,
        };
        let waiting = place.filter(|i| {
            matches!(self.sources.get(*i), Some(Source::Pipe(pipe)) if matches!(pipe.stage, Stage::Waiting))
        });
        let Some(i) = waiting else { return client.say_goodbye() }; // the peer has gone meanwhile
        let source = self.sources.insert(Source::Joined(i));
        let both = Interest::READABLE | Interest::WRITABLE;
        // What is there already is told of at once, so that nothing need be moved here.
        if let Err(error) = self.registry.register(&mut client.socket, (self.token)(source), both) {
            self.shared.stderr.cannot_watch(&error);
        }
        if let Some(Source::Pipe(pipe)) = self.sources.get_mut(i)
            && let Err(reason) = pipe.join(client, source, answer)
        {
            self.sources.remove(source);
            self.end_pipe(i, reason, now);
        }
    }

    /// What became ready at either end of a connection. Whether there may be more.
    pub(super) fn carry(&mut self, i: usize, now: Instant) -> bool {
        if !self.term.goes_on() {
            return false;
        }
        let i = if let Some(Source::Joined(pipe)) = self.sources.get(i) { *pipe } else { i };
        let Self { sources, allocations, scratch, .. } = self;
        let Some(Source::Pipe(pipe)) = sources.get_mut(i) else { return false };
        let Some(allocation) = allocations.get_mut(pipe.allocation) else { return false };
        scratch.resize(super::SCRATCH, 0);
        let mut moved = Moved::default();
        let result = match pipe.establish(now) {
            Ok(true) => {
                let (allocation, handle, peer) = (pipe.allocation, pipe.handle, pipe.peer);
                self.tell_connected(allocation, handle, peer, false);
                return false;
            }
            Ok(false) => pipe.pump(scratch, allocation.allowance(now), &mut moved, now),
            Err(reason) => Err(reason),
        };
        if moved.total() > 0 {
            let _ = allocation.admits(moved.total(), now);
            for counters in [&allocation.counters, &pipe.counters] {
                counters.bytes_received.add(moved.from_client);
                counters.bytes_sent.add(moved.to_client);
                self.shared.table.heard(counters, now);
            }
            self.shared.turn.totals[self.index].bytes_relayed.add(moved.total());
        }
        if let Err(reason) = result {
            self.end_pipe(i, reason, now);
            return false;
        }
        moved.more
    }

    fn tell_connected(&self, allocation: usize, connection: Handle, peer: SocketAddr, incoming: bool) {
        let allocation = self.allocations[allocation].handle;
        let event = Event::PeerConnected { allocation, connection, peer, incoming };
        self.shared.events.tell(&self.term, event);
    }

    /// End a connection with a peer, and the client's that carries it.
    pub(super) fn end_pipe(&mut self, i: usize, reason: CloseReason, now: Instant) {
        if !matches!(self.sources.get(i), Some(Source::Pipe(_))) || !self.term.goes_on() {
            return;
        }
        let Source::Pipe(mut pipe) = self.sources.remove(i) else { return };
        let _ = self.registry.deregister(&mut pipe.socket);
        if let Stage::Joined { client, source } = &mut pipe.stage {
            client.say_goodbye();
            let _ = self.registry.deregister(&mut client.socket);
            self.sources.try_remove(*source);
        }
        let handle = pipe.handle;
        self.by_handle.remove(&handle);
        if let Some(allocation) = self.allocations.get_mut(pipe.allocation) {
            allocation.pipes.retain(|other| *other != i);
        }
        drop(pipe); // whoever hears `Closed` may use the addresses at once
        self.shared.closed(&self.term, handle, reason, now);
    }

    /// Look after connections that nobody takes up, and those that a limit held.
    pub(super) fn tick_pipes(&mut self, now: Instant) {
        let (mut overdue, mut paused, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (i, source) in &self.sources {
            match source {
                Source::Pipe(pipe) => match pipe.overdue(now) {
                    Some(reason) => overdue.push((i, reason)),
                    None if pipe.paused => paused.push(i),
                    None => {}
                },
                Source::Inviting(inviting) if inviting.paused => refused.push(i),
                _ => {}
            }
        }
        for (i, reason) in overdue {
            self.end_pipe(i, reason, now);
        }
        for i in paused {
            self.carry(i, now);
        }
        for i in refused {
            self.welcome(i, now);
        }
    }
}
