//! What the verbs and the workers share.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Instant;

use quinn_udp::UdpSocketState;
use socket2::Socket;

use super::addresses::Addresses;
use super::budget::Budget;
use super::challenge::Challenge;
use super::cookie::Cookies;
use super::five_tuple::FiveTuple;
use super::listener::Listener;
use super::totals::{Totals, TurnCounters};
use crate::Handle;
use crate::counters::Counters;

#[derive(Debug)]
pub enum RelaySocket {
    Udp(UdpSocket),
    /// Bound, and listening once it is allocated.
    Tcp(Socket),
}

/// A relayed address that is bound and not allocated.
#[derive(Debug)]
pub struct Bound {
    pub socket: RelaySocket,
    pub local: SocketAddr,
    pub external: SocketAddr,
}

#[derive(Debug, Default)]
pub struct Directory {
    pub addresses: Addresses,
    /// One for each worker.
    pub totals: Vec<Totals>,
    /// Bytes that are on their way to each worker.
    pub in_transit: Vec<AtomicUsize>,
    /// Made with the first listener: it is half a megabyte.
    pub budget: OnceLock<Budget>,
    pub cookies: OnceLock<Option<Cookies>>,
    pub challenge: RwLock<Option<Arc<Challenge>>>,
    pub receiving: OnceLock<Arc<UdpSocketState>>,
    pub listeners: Mutex<HashMap<Handle, Arc<Listener>>>,
    /// Second descriptors of what accepts connections, for a worker's successor.
    pub doors: Mutex<HashMap<Handle, TcpListener>>,
    pub relays: Mutex<HashMap<Handle, Bound>>,
    /// So that a second allocation of a five-tuple is refused at once.
    pub allocations: Mutex<HashMap<FiveTuple, (Handle, Arc<Counters>)>>,
}

impl Directory {
    pub fn new(workers: usize) -> Self {
        Self {
            totals: (0..workers).map(|_| Totals::default()).collect(),
            in_transit: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            ..Self::default()
        }
    }

    pub fn admits(&self, address: IpAddr, rate: u32, now: Instant) -> bool {
        self.budget.get_or_init(|| Budget::new(now)).admits(address, rate, now)
    }

    /// `None`: the system has no randomness, and so nobody is believed to be where he says.
    pub fn cookies(&self, now: Instant) -> Option<&Cookies> {
        self.cookies.get_or_init(|| Cookies::new(now)).as_ref()
    }

    /// The allocation of a five-tuple, also one that its worker has not made yet.
    pub fn allocation(&self, five_tuple: &FiveTuple) -> Handle {
        let allocations = self.allocations.lock().expect("no holder panics");
        allocations.get(five_tuple).map_or(0, |(handle, _)| *handle)
    }

    pub fn challenge(&self) -> Option<Arc<Challenge>> {
        self.challenge.read().expect("no holder panics").clone()
    }

    pub fn counters(&self) -> TurnCounters {
        let mut sum = TurnCounters::default();
        for totals in &self.totals {
            sum.add(totals);
        }
        sum
    }

    /// Let go of every socket: nobody is left to watch them.
    pub fn clear(&self) {
        self.listeners.lock().expect("no holder panics").clear();
        self.doors.lock().expect("no holder panics").clear();
        self.relays.lock().expect("no holder panics").clear();
    }

    /// Reserve room on the way to a worker. `false`: it is behind.
    pub fn reserve(&self, worker: usize, bytes: usize, most: usize) -> bool {
        let Some(in_transit) = self.in_transit.get(worker) else { return false };
        let reserved = in_transit.fetch_update(Relaxed, Relaxed, |now| {
            let then = now + bytes;
            (then <= most).then_some(then)
        });
        reserved.is_ok()
    }

    pub fn release(&self, worker: usize, bytes: usize) {
        if let Some(in_transit) = self.in_transit.get(worker) {
            in_transit.fetch_sub(bytes, Relaxed);
        }
    }
}
