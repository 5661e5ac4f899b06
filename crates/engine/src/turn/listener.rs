//! What all workers know of one listener.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use rustls::ServerConfig;

use super::channel_data;
use super::five_tuple::{FiveTuple, Transport};
use super::socket::{Via, mapped};
use crate::Handle;

/// The fields are those of `engine.TurnLimits`.
#[derive(Debug, Clone, Copy)]
pub struct TurnLimits {
    pub idle_timeout: Duration,
    pub connection_limit: usize,
    pub connections_per_address: usize,
    pub requests_per_second_per_address: u32,
    pub compatible_channels: bool,
}

#[derive(Debug)]
pub struct Listener {
    pub handle: Handle,
    pub transport: Transport,
    pub bound: SocketAddr,
    tls: RwLock<Option<Arc<ServerConfig>>>,
    limits: RwLock<TurnLimits>,
    /// Two of them again, for what is asked with every packet.
    requests: AtomicU32,
    channels_end: AtomicU32,
    connections: Mutex<Connections>,
    /// UDP: one for each worker.
    sockets: Vec<UdpSocket>,
}

#[derive(Debug, Default)]
struct Connections {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Listener {
    pub fn new(
        handle: Handle,
        transport: Transport,
        bound: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        limits: TurnLimits,
        sockets: Vec<UdpSocket>,
    ) -> Self {
        let listener = Self {
            handle,
            transport,
            bound,
            tls: RwLock::new(tls),
            limits: RwLock::new(limits),
            requests: AtomicU32::new(0),
            channels_end: AtomicU32::new(0),
            connections: Mutex::default(),
            sockets,
        };
        listener.retune(limits, None);
        listener
    }

    /// What stands stays; `tls` is for handshakes from now on.
    pub fn retune(&self, limits: TurnLimits, tls: Option<Arc<ServerConfig>>) {
        let end = if limits.compatible_channels { channel_data::COMPATIBLE_END } else { channel_data::END };
        self.channels_end.store(u32::from(end), Relaxed);
        self.requests.store(limits.requests_per_second_per_address, Relaxed);
        *self.limits.write().expect("no holder panics") = limits;
        if tls.is_some() {
            *self.tls.write().expect("no holder panics") = tls;
        }
    }

    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().expect("no holder panics").clone()
    }

    /// The socket over which a worker hears its clients.
    pub fn socket(&self, worker: usize) -> Option<&UdpSocket> {
        self.sockets.get(worker)
    }

    /// How a client of a UDP listener hears from us: its address as our socket takes it, and, where the
    /// listener is bound to all addresses, the one of ours that it asked.
    pub fn way_to(&self, five_tuple: &FiveTuple) -> (SocketAddr, Option<Via>) {
        let via = Via { ip: five_tuple.server.ip(), v6: self.bound.is_ipv6() };
        let address = match five_tuple.client {
            SocketAddr::V4(client) if via.v6 => {
                SocketAddr::new(mapped((*client.ip()).into()).into(), client.port())
            }
            client => client,
        };
        (address, self.bound.ip().is_unspecified().then_some(via))
    }

    pub fn limits(&self) -> TurnLimits {
        *self.limits.read().expect("no holder panics")
    }

    pub fn requests_per_second_per_address(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    pub fn is_channel(&self, number: u16) -> bool {
        u32::from(number) < self.channels_end.load(Relaxed)
    }
}

/// A place among a listener's connections, given back when dropped.
#[derive(Debug)]
pub struct Admission {
    pub listener: Arc<Listener>,
    address: IpAddr,
}

impl Admission {
    /// `None`: the listener is full, or the address has its share.
    pub fn of(listener: &Arc<Listener>, address: IpAddr) -> Option<Self> {
        let limits = listener.limits();
        let mut connections = listener.connections.lock().expect("no holder panics");
        let has = connections.by_address.get(&address).copied().unwrap_or_default();
        if connections.all >= limits.connection_limit || has >= limits.connections_per_address {
            return None;
        }
        connections.all += 1;
        connections.by_address.insert(address, has + 1);
        drop(connections);
        Some(Self { listener: Arc::clone(listener), address })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut connections = self.listener.connections.lock().expect("no holder panics");
        connections.all -= 1;
        if let Some(has) = connections.by_address.get_mut(&self.address) {
            *has -= 1;
            if *has == 0 {
                connections.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let limits = TurnLimits {
            idle_timeout: Duration::from_secs(1),
            connection_limit: 3,
            connections_per_address: 2,
            requests_per_second_per_address: 0,
            compatible_channels: false,
        };
        let bound = SocketAddr::from(([127, 0, 0, 1], 3478));
        let listener = Arc::new(Listener::new(1, Transport::Tcp, bound, None, limits, Vec::new()));
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = Admission::of(&listener, a).expect("room");
        let _second = Admission::of(&listener, a).expect("room");
        assert!(Admission::of(&listener, a).is_none());
        let _third = Admission::of(&listener, b).expect("room");
        assert!(Admission::of(&listener, b).is_none());
        drop(first);
        assert!(Admission::of(&listener, b).is_some());
        assert!(listener.is_channel(0x4fff) && !listener.is_channel(0x5000));
        listener.retune(TurnLimits { compatible_channels: true, ..limits }, None);
        assert!(listener.is_channel(0x7fff));
    }
}
