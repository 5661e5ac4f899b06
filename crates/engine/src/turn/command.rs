//! What the verbs and other workers tell a worker's wing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::net::{TcpListener, TcpStream};
use quinn_udp::UdpSocketState;

use super::allocation::Peer;
use super::directory::Bound;
use super::five_tuple::FiveTuple;
use super::listener::{Admission, Listener};
use super::reach::Reach;
use super::short_cut::Deliveries;
use crate::Handle;
use crate::counters::Counters;

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
    pub expires: Instant,
}
