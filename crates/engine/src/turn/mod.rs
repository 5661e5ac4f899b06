//! TURN (RFC 8656): the part of a worker that hears its clients and moves their data.
//!
//! Python decides every request. Here is what it decided: allocations with their permissions
//! and channels (`allocation`, without sockets), and what moves between a client and its peers
//! meanwhile. `datagrams` is the way of a packet, `answers` what clients are
//! sent, `ending` how allocations end.

pub mod address_budget;
mod addresses;
mod allocation;
mod answers;
pub mod association;
mod away;
mod bucket;
mod budget;
mod bursts;
pub mod challenge;
pub mod channel_data;
mod channels;
mod client;
mod command;
pub mod cookie;
mod datagrams;
pub(crate) mod directory;
mod ending;
mod fingerprint;
pub mod five_tuple;
mod former;
pub mod framing;
mod icmp;
pub mod integrity;
pub mod listener;
mod moving;
pub mod nonces;
mod peers;
mod permissions;
mod pipe;
mod reach;
pub mod request;
pub mod response;
mod secure;
mod short_cut;
mod socket;
mod streams;
pub mod stun;
mod succession;
pub mod totals;
pub mod verbs;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use quinn_udp::UdpSocketState;
use slab::Slab;

use self::addresses::Known;
use self::allocation::{Allocation, Relay};
use self::association::Association;
use self::away::{Away, Crossing};
use self::bursts::Bursts;
use self::client::Client;
pub(crate) use self::command::Command;
use self::directory::RelaySocket;
use self::five_tuple::FiveTuple;
use self::listener::Listener;
use self::peers::Inviting;
use self::pipe::Pipe;
use self::short_cut::Deliveries;
use self::socket::Receiver;
use self::streams::Accepting;
use self::totals::Totals;
use crate::Handle;
use crate::command::Shared;
use crate::event::CloseReason;
use crate::term::Term;

/// Bytes read of a connection at a time.
const SCRATCH: usize = 64 * 1024;

/// A UDP listener's socket of this worker.
#[derive(Debug)]
struct Hearing {
    listener: Arc<Listener>,
    worker: usize,
}

impl Hearing {
    fn socket(&self) -> Option<&UdpSocket> {
        self.listener.socket(self.worker)
    }

    /// The address that clients reached, of a datagram that was sent `at` one.
    fn server(&self, at: Option<IpAddr>) -> SocketAddr {
        let bound = self.listener.bound;
        SocketAddr::new(at.unwrap_or(bound.ip()).to_canonical(), bound.port())
    }
}

/// The socket that something goes out by. A worker whose term is over sends nothing more.
fn way_out<'s>(sources: &'s Slab<Source>, term: &'s Term) -> impl Fn(usize) -> Option<&'s UdpSocket> {
    |i| sources.get(i).filter(|_| !term.is_over())?.udp()
}

/// Something with a descriptor.
#[derive(Debug)]
enum Source {
    Hearing(Box<Hearing>),
    Relaying {
        socket: UdpSocket,
        allocation: usize,
    },
    Accepting(Box<Accepting>),
    Client(Box<Client>),
    /// A TCP allocation's relayed address.
    Inviting(Box<Inviting>),
    Pipe(Box<Pipe>),
    /// A client over DTLS.
    Secure(Box<Association>),
    /// The client's end of a pipe.
    Joined(usize),
}

impl Source {
    fn udp(&self) -> Option<&UdpSocket> {
        match self {
            Self::Hearing(hearing) => hearing.socket(),
            Self::Relaying { socket, .. } => Some(socket),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Source(usize),
    Allocation(usize),
}

pub(crate) struct Wing {
    index: usize,
    shared: Arc<Shared>,
    term: Arc<Term>,
    registry: Registry,
    /// The token of one of our sources.
    token: fn(usize) -> Token,
    sources: Slab<Source>,
    allocations: Slab<Allocation>,
    by_handle: HashMap<Handle, Place>,
    by_five_tuple: HashMap<FiveTuple, usize>,
    /// When to look at an allocation: it may have been refreshed meanwhile.
    deadlines: BinaryHeap<Reverse<(Instant, Handle)>>,
    /// Made with the first listener of datagrams, or the first relayed address: its buffers are 2 MiB.
    receiver: Option<Box<Receiver>>,
    /// Clients whose allocation another worker has (RFC 8016).
    away: HashMap<FiveTuple, Away>,
    /// For each worker, of such clients.
    crossings: Vec<Crossing>,
    /// Clients over DTLS, by where they are.
    associations: HashMap<secure::Key, usize>,
    /// What is to be encrypted, and what was.
    sealing: [Vec<u8>; 2],
    /// What one read of a connection fits in.
    scratch: Vec<u8>,
    bursts: Bursts,
    /// Connections with something queued in this turn.
    queued: Vec<usize>,
    /// For each worker.
    deliveries: Vec<Deliveries>,
    known: Known,
    /// Of Data indications: nobody answers them, so that they need only differ.
    transaction: u64,
}

impl Wing {
    pub fn new(
        index: usize,
        shared: Arc<Shared>,
        term: Arc<Term>,
        registry: Registry,
        token: fn(usize) -> Token,
    ) -> Self {
        let deliveries = shared.inboxes.iter().map(|_| Deliveries::default()).collect();
        let crossings = shared.inboxes.iter().map(|_| Crossing::default()).collect();
        Self {
            index,
            shared,
            term,
            registry,
            token,
            sources: Slab::new(),
            allocations: Slab::new(),
            by_handle: HashMap::new(),
            by_five_tuple: HashMap::new(),
            deadlines: BinaryHeap::new(),
            receiver: None,
            away: HashMap::new(),
            crossings,
            associations: HashMap::new(),
            sealing: [Vec::new(), Vec::new()],
            scratch: Vec::new(),
            bursts: Bursts::default(),
            queued: Vec::new(),
            deliveries,
            known: Known::default(),
            transaction: 0,
        }
    }

    fn totals(&self) -> &Totals {
        &self.shared.turn.totals[self.index]
    }

    pub fn obey(&mut self, command: Command, now: Instant) {
        self.known.refresh(&self.shared.turn.addresses);
        match command {
            Command::Hear(listener, state) => self.hear(listener, &state),
            Command::Accept(listener, socket) => self.begin_accepting(listener, socket),
            Command::Adopt(five_tuple, socket, admission) => self.adopt(five_tuple, socket, admission, now),
            Command::Unhear(listener) => self.close(listener, CloseReason::Requested, now),
            Command::Answer(five_tuple, message) => self.answer(five_tuple, &message, now),
            Command::Allocate(allocate) => self.allocate(*allocate, now),
            Command::Detour { five_tuple, away } => self.detour(five_tuple, away),
            Command::EndDetour { five_tuple, allocation } => self.end_detour(five_tuple, allocation),
            Command::Move { allocation, five_tuple } => self.move_to(allocation, five_tuple),
            Command::Heard(heard) => self.hear_moved(&heard, now),
            Command::Homeward(messages) => self.take_home(&messages, now),
            Command::Onward(messages) => self.hand_on(&messages),
            Command::Left { allocation, five_tuple, reason } => {
                self.left(allocation, five_tuple, reason, now);
            }
            Command::Call { connection, allocation, peer, socket, counters } => {
                self.call(connection, allocation, (peer, socket), counters, now);
            }
            Command::HandOver { five_tuple, pipe, answer } => self.hand_over(five_tuple, pipe, answer),
            Command::Join { client, pipe, answer } => self.join(client, pipe, &answer, now),
            Command::Refresh { allocation, expires } => self.refresh(allocation, expires),
            Command::Permit { allocation, hosts, expires } => {
                self.prepare(allocation);
                self.is_there(allocation);
                if let Some(allocation) = self.allocation(allocation) {
                    for (host, reach) in hosts {
                        allocation.permit(host, reach, expires, now);
                    }
                }
            }
            Command::BindChannel { allocation, number, peer, expires, permission_expires } => {
                self.prepare(allocation);
                self.is_there(allocation);
                if let Some(allocation) = self.allocation(allocation) {
                    allocation.permit(peer.address.ip(), peer.reach, permission_expires, now);
                    allocation.bind_channel(number, peer, expires, now);
                }
            }
            Command::ReleaseRelay { allocation, host } => self.release_relay(allocation, host, now),
            Command::Deliver(deliveries) => self.deliver_all(&deliveries, now),
        }
        self.flush(now);
    }

    fn allocation(&mut self, handle: Handle) -> Option<&mut Allocation> {
        match self.by_handle.get(&handle) {
            Some(Place::Allocation(i)) => self.allocations.get_mut(*i),
            _ => None,
        }
    }

    /// Before an allocation's first peer.
    fn prepare(&mut self, handle: Handle) {
        let Some(allocation) = self.allocation(handle) else { return };
        if std::mem::replace(&mut allocation.is_prepared, true) {
            return;
        }
        for relay in allocation.relays.into_iter().flatten() {
            if let Some(socket) = self.sources.get(relay.source).and_then(Source::udp) {
                socket::prepare(socket, relay.local);
            }
        }
    }

    fn watch(&mut self, source: Source) -> usize {
        let fd = source.udp().map(AsRawFd::as_raw_fd);
        let i = self.sources.insert(source);
        if let Some(fd) = fd {
            let result = self.registry.register(&mut SourceFd(&fd), (self.token)(i), Interest::READABLE);
            if let Err(error) = result {
                // Only when the kernel is out of memory or watches: it is then never ready, and expires.
                self.shared.stderr.cannot_watch(&error);
            }
        }
        i
    }

    /// Nothing happens where the listener was inherited.
    fn hear(&mut self, listener: Arc<Listener>, state: &Arc<UdpSocketState>) {
        if self.by_handle.contains_key(&listener.handle) {
            return;
        }
        self.receiver.get_or_insert_with(|| Box::new(Receiver::new(Arc::clone(state))));
        let handle = listener.handle;
        let i = self.watch(Source::Hearing(Box::new(Hearing { listener, worker: self.index })));
        self.by_handle.insert(handle, Place::Source(i));
    }

    fn allocate(&mut self, allocate: command::Allocate, now: Instant) {
        let command::Allocate { handle, five_tuple, relays, counters, bytes_per_second, movable, expires } =
            allocate;
        if counters.is_ended() {
            // With a predecessor of this worker, to which nothing of it was known.
            let addresses = relays.iter().flat_map(|relay| [relay.external, relay.local]);
            return self.unlist(handle, &five_tuple, addresses);
        }
        let mut new = Allocation::new(handle, five_tuple, counters, bytes_per_second, expires, now);
        new.movable = movable;
        let i = self.allocations.insert(new);
        for relay in relays {
            let socket = match relay.socket {
                RelaySocket::Udp(socket) => socket,
                RelaySocket::Tcp(socket) => {
                    let socket = TcpListener::from_std(socket.into());
                    self.invite(i, socket, relay.local, relay.external);
                    continue;
                }
            };
            if let Some(state) = self.shared.turn.receiving.get() {
                self.receiver.get_or_insert_with(|| Box::new(Receiver::new(Arc::clone(state))));
            }
            let source = self.watch(Source::Relaying { socket, allocation: i });
            let family = usize::from(relay.local.is_ipv6());
            self.allocations[i].relays[family] =
                Some(Relay { source, local: relay.local, external: relay.external });
        }
        self.by_handle.insert(handle, Place::Allocation(i));
        self.vacate(five_tuple, handle);
        self.by_five_tuple.insert(five_tuple, i);
        if let Some(away) = self.away.remove(&five_tuple) {
            self.say_left(&away, five_tuple, CloseReason::Peer);
        }
        self.deadlines.push(Reverse((expires, handle)));
        if !self.by_handle.contains_key(&self.allocations[i].client()) {
            self.end(i, CloseReason::Peer, now); // its client's connection is gone, or its listener
        }
    }

    fn refresh(&mut self, handle: Handle, expires: Instant) {
        let Some(allocation) = self.allocation(handle) else { return };
        allocation.expires = expires;
        // A later one is found when the old deadline comes.
        if expires < allocation.deadline {
            allocation.deadline = expires;
            self.deadlines.push(Reverse((expires, handle)));
        }
    }

    /// What became readable. Whether there may be more: then come back after the others.
    pub fn input(&mut self, i: usize, now: Instant) -> bool {
        self.known.refresh(&self.shared.turn.addresses);
        let more = match self.sources.get(i) {
            Some(Source::Hearing(_)) => self.hear_clients(i, now),
            Some(Source::Relaying { .. }) => self.hear_peers(i, now),
            Some(Source::Accepting(_)) => self.accept(i),
            Some(Source::Client(_)) => self.serve(i, now),
            Some(Source::Inviting(_)) => self.welcome(i, now),
            Some(Source::Pipe(_) | Source::Joined(_)) => self.carry(i, now),
            // It has no socket of its own.
            Some(Source::Secure(_)) | None => false,
        };
        self.flush(now);
        more
    }

    pub fn tick(&mut self, now: Instant) {
        self.tick_streams(now);
        self.tick_pipes(now);
        self.tick_secure(now);
        while let Some(Reverse((deadline, handle))) = self.deadlines.peek().copied()
            && deadline <= now
        {
            self.deadlines.pop();
            let Some(Place::Allocation(i)) = self.by_handle.get(&handle).copied() else { continue };
            let allocation = &mut self.allocations[i];
            if allocation.expires <= now {
                self.end(i, CloseReason::Expired, now);
            } else if allocation.deadline == deadline {
                allocation.deadline = allocation.expires;
                self.deadlines.push(Reverse((allocation.deadline, handle)));
            }
        }
    }
}
