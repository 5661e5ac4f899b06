//! Relayed addresses, allocations, and what they may do.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Handle;
use crate::command::FIRST;
use crate::engine::{Engine, VerbError, value};
use crate::group::Cast;
use crate::turn::addresses::is_here;
use crate::turn::allocation::Peer;
use crate::turn::away::Away;
use crate::turn::channel_data;
use crate::turn::command::{self, Command};
use crate::turn::directory::{Bound, RelaySocket};
use crate::turn::five_tuple::FiveTuple;
use crate::turn::listener::Listener;
use crate::turn::reach::Reach;
use crate::turn::socket;

/// Peers' connections to a TCP allocation that nobody has accepted yet.
const PEER_BACKLOG: i32 = 64;

/// Between us and peers, as REQUESTED-TRANSPORT numbers it (RFC 8656 18.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RelayTransport {
    Tcp = 6,
    Udp = 17,
}

impl RelayTransport {
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Tcp, Self::Udp].into_iter().find(|transport| *transport as u8 == number)
    }
}

#[derive(Debug)]
pub struct BindRelay {
    pub transport: RelayTransport,
    pub address: SocketAddr,
    pub external: Option<IpAddr>,
}

#[derive(Debug)]
pub struct Allocate {
    pub five_tuple: FiveTuple,
    pub relays: Vec<Handle>,
    pub lifetime: Duration,
    pub bytes_per_second: u64,
    pub movable: bool,
}

#[derive(Debug)]
pub struct Permit {
    pub allocation: Handle,
    pub hosts: Vec<IpAddr>,
    pub lifetime: Duration,
    pub relayed_only: bool,
}

#[derive(Debug)]
pub struct BindChannel {
    pub allocation: Handle,
    pub number: u16,
    pub peer: SocketAddr,
    pub lifetime: Duration,
    pub permission_lifetime: Duration,
    pub relayed_only: bool,
}

impl Engine {
    pub fn bind_relay(&self, bind: &BindRelay) -> Result<(Handle, SocketAddr), VerbError> {
        self.running()?;
        let external = match bind.external.unwrap_or(bind.address.ip()).to_canonical() {
            ip if ip.is_unspecified() => return value("a relayed address that peers cannot be told"),
            ip if ip.is_ipv4() != bind.address.is_ipv4() => {
                return value("an external address of another family");
            }
            ip => ip,
        };
        let (socket, local) = match bind.transport {
            RelayTransport::Udp => {
                let (socket, local) = socket::relaying(bind.address)?;
                (RelaySocket::Udp(socket), local)
            }
            RelayTransport::Tcp => {
                let socket = socket::inviting(bind.address)?;
                let local = socket.local_addr()?.as_socket().unwrap_or(bind.address);
                (RelaySocket::Tcp(socket), local)
            }
        };
        let external = SocketAddr::new(external, local.port());
        let handle = self.shared.handle(FIRST);
        let bound = Bound { socket, local, external };
        self.turn().relays.lock().expect("no holder panics").insert(handle, bound);
        Ok((handle, local))
    }

    pub fn allocate(&self, allocate: &Allocate) -> Result<Handle, VerbError> {
        self.running()?;
        let five_tuple = allocate.five_tuple;
        let mut allocations = self.turn().allocations.lock().expect("no holder panics");
        if allocations.contains_key(&five_tuple) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST).into());
        }
        let mut bound = self.turn().relays.lock().expect("no holder panics");
        let mut families = Vec::new();
        for relay in &allocate.relays {
            match bound.get(relay) {
                Some(Bound { socket: RelaySocket::Tcp(socket), .. }) if allocate.relays.len() == 1 => {
                    socket.listen(PEER_BACKLOG)?;
                    families.push(false);
                }
                Some(Bound { socket: RelaySocket::Tcp(_), .. }) => {
                    return value("a relay over TCP is alone (RFC 6062 5.1)");
                }
                Some(bound) => families.push(bound.local.is_ipv6()),
                None => return value(format!("{relay} is not a relay that is bound and free")),
            }
        }
        if !matches!(families[..], [_] | [false, true] | [true, false]) {
            return value("one relay, or two of different families");
        }
        let relays: Vec<Bound> = allocate.relays.iter().filter_map(|relay| bound.remove(relay)).collect();
        drop(bound);
        let handle = self.shared.handle(five_tuple.worker);
        let now = Instant::now();
        let counters = self.shared.table.add(handle, now);
        allocations.insert(five_tuple, (handle, Arc::clone(&counters)));
        drop(allocations);
        let over_udp = |relay: &&Bound| matches!(relay.socket, RelaySocket::Udp(_));
        for relay in relays.iter().filter(over_udp) {
            self.turn().addresses.relay(relay.external, handle);
            if !relay.local.ip().is_unspecified() {
                self.turn().addresses.relay(relay.local, handle);
            }
        }
        let allocate = command::Allocate {
            handle,
            five_tuple,
            relays,
            counters,
            bytes_per_second: allocate.bytes_per_second,
            movable: allocate.movable,
            expires: after(now, allocate.lifetime),
        };
        // Nothing moves before a permission, and the client's next request finds it in the directory.
        let inbox = &self.shared.inboxes[self.shared.worker_of(handle)];
        inbox.push_quietly(crate::command::Command::Turn(Command::Allocate(Box::new(allocate))));
        Ok(handle)
    }

    pub fn refresh_allocation(&self, allocation: Handle, lifetime: Duration) {
        self.tell_turn(allocation, Command::Refresh { allocation, expires: after(Instant::now(), lifetime) });
    }

    /// Hosts to which nothing can be sent are passed over.
    pub fn permit(&self, permit: &Permit) {
        let Permit { allocation, ref hosts, lifetime, relayed_only } = *permit;
        let hosts = hosts.iter().map(IpAddr::to_canonical).filter(|host| Cast::Unicast.takes(*host));
        let hosts = hosts.map(|host| (host, Reach::of(host, relayed_only))).collect();
        self.tell_turn(
            allocation,
            Command::Permit { allocation, hosts, expires: after(Instant::now(), lifetime) },
        );
    }

    /// Of an allocation's two relayed addresses let one go: that of this host's family.
    pub fn release_relay(&self, allocation: Handle, host: IpAddr) {
        self.tell_turn(allocation, Command::ReleaseRelay { allocation, host });
    }

    pub fn bind_channel(&self, bind: &BindChannel) -> Result<(), VerbError> {
        let BindChannel { allocation, number, .. } = *bind;
        if !(channel_data::START..channel_data::COMPATIBLE_END).contains(&number) {
            return value(format!("{number:#x} is not a channel"));
        }
        let address = SocketAddr::new(bind.peer.ip().to_canonical(), bind.peer.port());
        if address.port() == 0 || !Cast::Unicast.takes(address.ip()) {
            return value(format!("nothing can be sent to {address}"));
        }
        let now = Instant::now();
        let bind = Command::BindChannel {
            allocation,
            number,
            peer: Peer { address, reach: Reach::of(address.ip(), bind.relayed_only) },
            expires: after(now, bind.lifetime),
            permission_expires: after(now, bind.permission_lifetime),
        };
        self.tell_turn(allocation, bind);
        Ok(())
    }

    /// Let an allocation of one five-tuple be of another (RFC 8016), over whatever. Nothing happens where it is gone.
    pub fn move_allocation(
        &self,
        allocation: Handle,
        before: &FiveTuple,
        five_tuple: FiveTuple,
    ) -> Result<(), VerbError> {
        self.running()?;
        let mut allocations = self.turn().allocations.lock().expect("no holder panics");
        if allocations.contains_key(&five_tuple) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST).into());
        }
        if allocations.get(before).is_none_or(|(handle, _)| *handle != allocation) {
            return Ok(());
        }
        let Some(its) = allocations.remove(before) else { return Ok(()) };
        let counters = Arc::clone(&its.1);
        allocations.insert(five_tuple, its);
        drop(allocations);
        let home = self.shared.worker_of(allocation);
        if let Some(inbox) = self.shared.inboxes.get(five_tuple.worker) {
            let away = Away::new(home, allocation, counters);
            let detour = Command::Detour { five_tuple, away };
            inbox.push(crate::command::Command::Turn(detour));
        }
        self.tell_turn(allocation, Command::Move { allocation, five_tuple });
        Ok(())
    }

    /// Connect from a TCP allocation to a peer (RFC 6062 5.2): `PeerConnected`, or `Closed`, says how it went.
    pub fn connect_peer(&self, allocation: Handle, peer: SocketAddr) -> Result<Handle, VerbError> {
        self.running()?;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if peer.port() == 0 || !Cast::Unicast.takes(peer.ip()) {
            return value(format!("nothing can be sent to {peer}"));
        }
        let is_ours = |listener: &Arc<Listener>| {
            let bound = SocketAddr::new(listener.bound.ip().to_canonical(), listener.bound.port());
            bound == peer || bound.port() == peer.port() && bound.ip().is_unspecified() && is_here(peer.ip())
        };
        let listeners = self.turn().listeners.lock().expect("no holder panics");
        // A client of a client of a client: nobody would ever end that.
        if listeners.values().any(|listener| listener.transport.is_stream() && is_ours(listener)) {
            return Err(io::Error::from_raw_os_error(libc::EACCES).into());
        }
        drop(listeners);
        let socket = socket::of_tcp_relay(peer)?;
        let connection = self.shared.handle(self.shared.worker_of(allocation));
        let counters = self.shared.table.add(connection, Instant::now());
        self.tell_turn(allocation, Command::Call { connection, allocation, peer, socket, counters });
        Ok(connection)
    }

    /// Let a client's connection carry a peer's, and tell the client so (RFC 6062 5.4).
    pub fn join(&self, five_tuple: FiveTuple, connection: Handle, answer: Vec<u8>) {
        let inbox = &self.shared.inboxes[five_tuple.worker % self.shared.inboxes.len()];
        let join = Command::HandOver { five_tuple, pipe: connection, answer };
        inbox.push(crate::command::Command::Turn(join));
    }
}

/// However long somebody says that is.
fn after(now: Instant, lifetime: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    now + lifetime.min(LONGEST)
}
