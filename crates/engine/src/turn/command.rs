//! What the verbs and other workers tell a worker's wing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use mio::net::{TcpListener, TcpStream};
use quinn_udp::UdpSocketState;
use socket2::Socket;

use super::allocation::Peer;
use super::away::Away;
use super::client::Client;
use super::directory::Bound;
use super::five_tuple::FiveTuple;
use super::listener::{Admission, Listener};
use super::moving::Heard;
use super::reach::Reach;
use super::short_cut::Deliveries;
use crate::Handle;
use crate::counters::Counters;
use crate::event::CloseReason;

#[derive(Debug)]
pub enum Command {
    Hear(Arc<Listener>, Arc<UdpSocketState>),
    Accept(Arc<Listener>, TcpListener),
    /// A connection that the first worker accepted.
    Adopt(FiveTuple, TcpStream, Admission),
    /// The listener is closed.
    Unhear(Handle),
    Answer(FiveTuple, Vec<u8>),
    Allocate(Box<Allocate>),
    /// To the worker that hears a client whose allocation another has: pass it on.
    Detour {
        five_tuple: FiveTuple,
        away: Away,
    },
    /// No more; unless the client has another allocation by now.
    EndDetour {
        five_tuple: FiveTuple,
        allocation: Handle,
    },
    Heard(Heard),
    /// The allocation is of this five-tuple now (RFC 8016).
    Move {
        allocation: Handle,
        five_tuple: FiveTuple,
    },
    /// To the allocation's worker: what clients sent over connections that others hear.
    Homeward(Deliveries),
    /// To the worker of clients' connections: what they are sent.
    Onward(Deliveries),
    /// To the allocation's worker: its client's connection has ended.
    Left {
        allocation: Handle,
        five_tuple: FiveTuple,
        reason: CloseReason,
    },
    /// Connect to a peer (RFC 6062).
    Call {
        connection: Handle,
        allocation: Handle,
        peer: SocketAddr,
        /// Not bound yet.
        socket: Socket,
        counters: Arc<Counters>,
    },
    /// To the worker of a client's connection: it is to carry this peer's, and be told so.
    HandOver {
        five_tuple: FiveTuple,
        pipe: Handle,
        answer: Vec<u8>,
    },
    /// To the worker of the peer's.
    Join {
        client: Box<Client>,
        pipe: Handle,
        answer: Vec<u8>,
    },
    Refresh {
        allocation: Handle,
        expires: Instant,
    },
    Permit {
        allocation: Handle,
        hosts: Vec<(IpAddr, Reach)>,
        expires: Instant,
    },
    BindChannel {
        allocation: Handle,
        number: u16,
        peer: Peer,
        expires: Instant,
        permission_expires: Instant,
    },
    /// Of two relayed addresses let one go: that of this host's family.
    ReleaseRelay {
        allocation: Handle,
        host: IpAddr,
    },
    Deliver(Deliveries),
}

#[derive(Debug)]
pub struct Allocate {
    pub handle: Handle,
    pub five_tuple: FiveTuple,
    pub relays: Vec<Bound>,
    pub counters: Arc<Counters>,
    pub bytes_per_second: u64,
    pub movable: bool,
    pub expires: Instant,
}
