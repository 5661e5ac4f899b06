//! The way of a connection: accepted, read, written, ended.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use mio::Interest;
use mio::net::{TcpListener, TcpStream};

use super::allocation::Dropped;
use super::client::Client;
use super::command::Command;
use super::datagrams::Sender;
use super::five_tuple::FiveTuple;
use super::listener::{Admission, Listener};
use super::{Place, Source, Wing};
use crate::Handle;
use crate::connection::is_out_of_room;
use crate::descriptors::Bound;
use crate::event::CloseReason;

/// Connections accepted, and bytes read of one, before others have their turn.
const ACCEPT_SHARE: usize = 64;
const READ_SHARE: usize = 256 * 1024;

/// A TCP listener's socket.
#[derive(Debug)]
pub(super) struct Accepting {
    socket: TcpListener,
    pub listener: Arc<Listener>,
    next_worker: usize,
    /// Out of descriptors: the next tick tries again.
    pub paused: bool,
}

impl Wing {
    pub(super) fn begin_accepting(&mut self, listener: Arc<Listener>, socket: TcpListener) {
        let handle = listener.handle;
        if self.by_handle.contains_key(&handle) {
            return; // it was inherited
        }
        let accepting = Accepting { socket, listener, next_worker: 0, paused: false };
        let i = self.sources.insert(Source::Accepting(Box::new(accepting)));
        if let Some(Source::Accepting(accepting)) = self.sources.get_mut(i) {
            let token = (self.token)(i);
            if let Err(error) = self.registry.register(&mut accepting.socket, token, Interest::READABLE) {
                self.shared.stderr.cannot_watch(&error);
            }
        }
        self.by_handle.insert(handle, Place::Source(i));
        self.accept(i);
    }

    /// Whether there may be more.
    pub(super) fn accept(&mut self, i: usize) -> bool {
        let Some(Source::Accepting(accepting)) = self.sources.get_mut(i) else { return false };
        accepting.paused = false;
        let bound = Bound::of_relays();
        for _ in 0..ACCEPT_SHARE {
            let (socket, client) = match accepting.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if is_out_of_room(&error) => {
                    self.shared.events.refuse_connection();
                    accepting.paused = true;
                    return false;
                }
                Err(_) => continue, // the client was gone before it was accepted
            };
            let Ok(server) = socket.local_addr() else { continue };
            let client = std::net::SocketAddr::new(client.ip().to_canonical(), client.port());
            let listener = &accepting.listener;
            let Some(admission) = Admission::of(listener, client.ip()).filter(|_| bound.admits(&socket))
            else {
                self.shared.events.refuse_connection();
                continue; // the socket is dropped, and so closed
            };
            let worker = accepting.next_worker;
            accepting.next_worker = (worker + 1) % self.shared.inboxes.len();
            let five_tuple = FiveTuple {
                transport: listener.transport,
                listener: listener.handle,
                connection: self.shared.handle(worker),
                client,
                server: std::net::SocketAddr::new(server.ip().to_canonical(), server.port()),
                worker,
            };
            let adopt = Command::Adopt(five_tuple, socket, admission);
            self.shared.tell(five_tuple.connection, crate::command::Command::Turn(adopt));
        }
        true
    }

    pub(super) fn adopt(
        &mut self,
        five_tuple: FiveTuple,
        socket: TcpStream,
        admission: Admission,
        now: Instant,
    ) {
        let Ok(mut client) = Client::new(five_tuple, socket, admission, now) else { return };
        let entry = self.sources.vacant_entry();
        let (i, both) = (entry.key(), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.registry.register(&mut client.socket, (self.token)(i), both) {
            self.shared.stderr.cannot_watch(&error);
            return;
        }
        entry.insert(Source::Client(Box::new(client)));
        self.by_handle.insert(five_tuple.connection, Place::Source(i));
    }

    /// What a client's connection brought, and what it takes. Whether there may be more to read.
    pub(super) fn serve(&mut self, i: usize, now: Instant) -> bool {
        let Some(Source::Client(client)) = self.sources.get_mut(i) else { return false };
        let mut result = client.write();
        let sender = Sender {
            five_tuple: client.five_tuple,
            allocation: self.by_five_tuple.get(&client.five_tuple).copied(),
            rate: client.admission.listener.requests_per_second_per_address(),
            unanswered: Some(Arc::clone(&client.unanswered)),
        };
        let mut framing = std::mem::take(&mut client.framing);
        let mut held = std::mem::take(&mut client.held);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(super::SCRATCH, 0);
        let (mut share, mut whole, mut stopped) = (READ_SHARE, false, false);
        while result.is_ok() && share > 0 && !sender.is_full() {
            let Some(Source::Client(client)) = self.sources.get_mut(i) else { break };
            // What was left when Python was behind comes first.
            let read = if held { Ok(None) } else { client.read(&mut scratch) };
            let size = match read {
                _ if std::mem::take(&mut held) => 0,
                Ok(Some(0)) => {
                    result = Err(CloseReason::Peer);
                    break;
                }
                Ok(Some(size)) => size,
                Ok(None) => break,
                Err(reason) => {
                    result = Err(reason);
                    break;
                }
            };
            share = share.saturating_sub(size);
            let fed = framing.feed(&scratch[..size], &mut |message| {
                whole = true;
                if let Err(dropped) = self.client_message(&sender, message, now) {
                    self.dropped(dropped, sender.allocation, 1);
                }
                stopped = sender.is_full();
                !stopped
            });
            if fed.is_err() {
                self.dropped(Dropped::Malformed, sender.allocation, 1);
                result = Err(CloseReason::Peer);
            }
        }
        self.scratch = scratch;
        if whole && let Some(allocation) = sender.allocation.and_then(|i| self.allocations.get(i)) {
            self.shared.table.heard(&allocation.counters, now);
        }
        let Some(Source::Client(client)) = self.sources.get_mut(i) else { return false };
        client.framing = framing;
        client.held = held || stopped; // Python may have caught up since: it says so once
        client.heard(whole, now);
        if let Err(reason) = result {
            self.end_client(i, reason, now);
            return false;
        }
        share == 0
    }

    /// Python has taken requests of a connection that was not read because of them.
    pub fn resume(&self, handle: Handle) -> Option<usize> {
        match self.by_handle.get(&handle) {
            Some(Place::Source(i)) => Some(*i),
            _ => None,
        }
    }

    pub(super) fn write_client(&mut self, i: usize, now: Instant) {
        let Some(Source::Client(client)) = self.sources.get_mut(i) else { return };
        client.queued = false;
        if let Err(reason) = client.write() {
            self.end_client(i, reason, now);
        }
    }

    /// End a client's connection, and its allocation with it, unless that moves.
    pub(super) fn end_client(&mut self, i: usize, reason: CloseReason, now: Instant) {
        if !matches!(self.sources.get(i), Some(Source::Client(_))) || !self.term.goes_on() {
            return;
        }
        let Source::Client(mut client) = self.sources.remove(i) else { return };
        client.say_goodbye();
        let _ = self.registry.deregister(&mut client.socket);
        self.by_handle.remove(&client.five_tuple.connection);
        self.lose_client(client.five_tuple, reason, now);
    }

    /// Look after connections that say nothing, and listeners that could not accept.
    pub(super) fn tick_streams(&mut self, now: Instant) {
        let mut overdue = Vec::new();
        let mut paused = Vec::new();
        for (i, source) in &self.sources {
            match source {
                Source::Client(client) => {
                    let has_allocation = self.is_allocated(&client.five_tuple);
                    overdue.extend(client.overdue(has_allocation, now).map(|reason| (i, reason)));
                }
                Source::Accepting(accepting) if accepting.paused => paused.push(i),
                _ => {}
            }
        }
        for (i, reason) in overdue {
            self.end_client(i, reason, now);
        }
        for i in paused {
            self.accept(i);
        }
    }
}
