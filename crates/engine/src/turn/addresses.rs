//! Our own addresses: where we listen, and which relayed address is whose.
//!
//! Workers ask with every packet, so they keep the list and look only whether it has changed; the
//! ports of a host are a table of atomics.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, OnceLock, RwLock};

use crate::Handle;

const PAGE: usize = 256;
type Page = Box<[AtomicU64]>;

/// The allocation of each port of one host. Pages are made when they are first needed.
#[derive(Debug)]
struct Ports(Box<[OnceLock<Page>]>);

impl Ports {
    fn new() -> Self {
        Self((0..PAGE).map(|_| OnceLock::new()).collect())
    }

    fn get(&self, port: u16) -> Option<Handle> {
        let page = self.0.get(usize::from(port) / PAGE)?.get()?;
        let handle = page.get(usize::from(port) % PAGE)?.load(Acquire);
        (handle != 0).then_some(handle)
    }

    fn entry(&self, port: u16) -> &AtomicU64 {
        let page =
            self.0[usize::from(port) / PAGE].get_or_init(|| (0..PAGE).map(|_| AtomicU64::new(0)).collect());
        &page[usize::from(port) % PAGE]
    }
}

#[derive(Debug, Default, Clone)]
pub struct Ours {
    hosts: Vec<(IpAddr, Arc<Ports>)>,
    /// UDP sockets that answer whoever asks.
    listeners: Vec<(Handle, SocketAddr)>,
}

impl Ours {
    /// The allocation that has a relayed address.
    pub fn relayed(&self, address: SocketAddr) -> Option<Handle> {
        let (_, ports) = self.hosts.iter().find(|(host, _)| *host == address.ip())?;
        ports.get(address.port())
    }

    /// Whether we listen at an address of this machine.
    pub fn listens(&self, address: SocketAddr) -> bool {
        self.listeners.iter().any(|(_, listener)| {
            listener.port() == address.port()
                && (listener.ip() == address.ip() || listener.ip().is_unspecified())
        })
    }
}

#[derive(Debug, Default)]
pub struct Addresses {
    current: RwLock<Arc<Ours>>,
    generation: AtomicU64,
}

impl Addresses {
    fn change(&self, change: impl FnOnce(&mut Ours)) {
        let mut current = self.current.write().expect("no holder panics");
        change(Arc::make_mut(&mut current));
        self.generation.fetch_add(1, Release);
    }

    pub fn listen(&self, handle: Handle, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.change(|ours| ours.listeners.push((handle, address)));
    }

    pub fn close(&self, handle: Handle) {
        let current = Arc::clone(&self.current.read().expect("no holder panics"));
        if current.listeners.iter().any(|(listener, _)| *listener == handle) {
            self.change(|ours| ours.listeners.retain(|(listener, _)| *listener != handle));
        }
    }

    /// Let an allocation be found by its relayed address.
    pub fn relay(&self, address: SocketAddr, allocation: Handle) {
        let ports = self.ports(address.ip()).unwrap_or_else(|| {
            let ports = Arc::new(Ports::new());
            // Two may come here at once: the first wins, as its table may be in use already.
            self.change(|ours| {
                if !ours.hosts.iter().any(|(host, _)| *host == address.ip()) {
                    ours.hosts.push((address.ip(), Arc::clone(&ports)));
                }
            });
            self.ports(address.ip()).unwrap_or(ports)
        });
        ports.entry(address.port()).store(allocation, Release);
    }

    /// Forget it, unless the port has another by now.
    pub fn unrelay(&self, address: SocketAddr, allocation: Handle) {
        if let Some(ports) = self.ports(address.ip()) {
            let _ = ports.entry(address.port()).compare_exchange(allocation, 0, Release, Relaxed);
        }
    }

    /// Forget these allocations wherever they are.
    pub fn lose(&self, lost: &HashSet<Handle>) {
        let current = Arc::clone(&self.current.read().expect("no holder panics"));
        let pages = current.hosts.iter().flat_map(|(_, ports)| ports.0.iter().filter_map(OnceLock::get));
        for entry in pages.flatten() {
            let handle = entry.load(Acquire);
            if handle != 0 && lost.contains(&handle) {
                let _ = entry.compare_exchange(handle, 0, Release, Relaxed);
            }
        }
    }

    fn ports(&self, host: IpAddr) -> Option<Arc<Ports>> {
        let current = self.current.read().expect("no holder panics");
        current.hosts.iter().find(|(known, _)| *known == host).map(|(_, ports)| Arc::clone(ports))
    }
}

/// One worker's copy of the list.
#[derive(Debug, Default)]
pub struct Known {
    generation: u64,
    pub ours: Arc<Ours>,
}

impl Known {
    /// Once for each time the worker wakes up.
    pub fn refresh(&mut self, addresses: &Addresses) {
        let generation = addresses.generation.load(Acquire);
        if generation != self.generation {
            self.ours = Arc::clone(&addresses.current.read().expect("no holder panics"));
            self.generation = generation;
        }
    }
}

/// Whether an address is of this machine: then a socket can be bound to it.
pub fn is_here(host: IpAddr) -> bool {
    host.is_loopback() || UdpSocket::bind((host, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_until_forgotten_and_by_the_last_who_has_it() {
        let (addresses, mut known) = (Addresses::default(), Known::default());
        let address = SocketAddr::from(([192, 0, 2, 1], 50_000));
        addresses.relay(address, 7);
        known.refresh(&addresses);
        assert_eq!(known.ours.relayed(address), Some(7));
        assert_eq!(known.ours.relayed(SocketAddr::from(([192, 0, 2, 1], 50_001))), None);
        assert_eq!(known.ours.relayed(SocketAddr::from(([192, 0, 2, 2], 50_000))), None);
        addresses.relay(address, 8);
        addresses.unrelay(address, 7);
        assert_eq!(known.ours.relayed(address), Some(8));
        addresses.lose(&HashSet::from([7, 9]));
        assert_eq!(known.ours.relayed(address), Some(8));
        addresses.lose(&HashSet::from([8]));
        assert_eq!(known.ours.relayed(address), None);
    }

    #[test]
    fn listeners_are_known_by_port_where_they_take_all_addresses() {
        let (addresses, mut known) = (Addresses::default(), Known::default());
        addresses.listen(1, SocketAddr::from(([0, 0, 0, 0], 3478)));
        addresses.listen(2, SocketAddr::from(([127, 0, 0, 1], 3479)));
        known.refresh(&addresses);
        assert!(known.ours.listens(SocketAddr::from(([127, 0, 0, 9], 3478))));
        assert!(known.ours.listens(SocketAddr::from(([127, 0, 0, 1], 3479))));
        assert!(!known.ours.listens(SocketAddr::from(([127, 0, 0, 9], 3479))));
        addresses.close(1);
        known.refresh(&addresses);
        assert!(!known.ours.listens(SocketAddr::from(([127, 0, 0, 9], 3478))));
    }

    #[test]
    fn here_is_what_can_be_bound() {
        assert!(is_here(IpAddr::from([127, 0, 0, 9])));
        assert!(!is_here(IpAddr::from([192, 0, 2, 1])));
    }
}
