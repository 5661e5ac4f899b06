//! The verbs of TURN.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use socket2::SockRef;

use super::addresses::is_here;
use super::allocation::Peer;
use super::association::Identity;
use super::away::Away;
use super::challenge::Challenge;
use super::command::{self, Command};
use super::directory::{Bound, RelaySocket};
use super::five_tuple::{FiveTuple, Transport};
use super::listener::{Listener, Secret, TurnLimits};
use super::reach::Reach;
use super::socket::{self, Receiver};
use super::totals::TurnCounters;
use super::{channel_data, directory::Directory, stun};
use crate::Handle;
use crate::command::FIRST;
use crate::engine::{Engine, VerbError, tls_config, value};
use crate::group::Cast;

/// Peers' connections to a TCP allocation that nobody has accepted yet.
const PEER_BACKLOG: i32 = 64;

/// A certificate chain and its key, PEM.
pub type Pem = (Vec<u8>, Vec<u8>);

/// The arguments of `Engine::listen_turn`; the fields are those of `engine.ListenTurn`.
#[derive(Debug)]
pub struct ListenTurn {
    pub transport: Transport,
    pub address: SocketAddr,
    pub tls: Option<Pem>,
    pub limits: TurnLimits,
}

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
    fn turn(&self) -> &Directory {
        &self.shared.turn
    }

    fn tell_turn(&self, handle: Handle, command: Command) {
        self.shared.tell(handle, crate::command::Command::Turn(command));
    }

    pub fn listen_turn(&self, listen: &ListenTurn) -> Result<(Handle, SocketAddr), VerbError> {
        self.running()?;
        let tls = match (listen.transport, &listen.tls) {
            (Transport::Udp | Transport::Tcp, None) => None,
            (Transport::Tls | Transport::Dtls, None) => return value("TLS without a certificate"),
            (transport, Some(pem)) => Some(secret(transport, pem)?),
        };
        let handle = self.shared.handle(FIRST);
        let listener = |bound, sockets| {
            Arc::new(Listener::new(handle, listen.transport, bound, tls, listen.limits, sockets))
        };
        // Peers are heard over UDP, however clients come.
        let receiving = match self.turn().receiving.get() {
            Some(receiving) => Arc::clone(receiving),
            None => Arc::clone(self.turn().receiving.get_or_init({
                let new = Receiver::state()?;
                move || new
            })),
        };
        let bound = match listen.transport {
            Transport::Udp | Transport::Dtls => {
                let (sockets, bound) = socket::listening(listen.address, self.shared.inboxes.len())?;
                let listener = listener(bound, sockets);
                self.turn().addresses.listen(handle, bound);
                self.keep(&listener);
                for inbox in &self.shared.inboxes {
                    let hear = Command::Hear(Arc::clone(&listener), Arc::clone(&receiving));
                    inbox.push(crate::command::Command::Turn(hear));
                }
                bound
            }
            Transport::Tcp | Transport::Tls => {
                let (socket, bound) = socket::accepting(listen.address)?;
                let listener = listener(bound, Vec::new());
                self.turn().doors.lock().expect("no holder panics").insert(handle, socket.try_clone()?);
                self.keep(&listener);
                self.tell_turn(handle, Command::Accept(listener, TcpListener::from_std(socket)));
                bound
            }
        };
        Ok((handle, bound))
    }

    /// Before its workers are told: one of them may be a successor, who looks here.
    fn keep(&self, listener: &Arc<Listener>) {
        let mut listeners = self.turn().listeners.lock().expect("no holder panics");
        listeners.insert(listener.handle, Arc::clone(listener));
    }

    /// Whether a listener over `transport` could use them: so that `retune_turn` with the same cannot fail.
    pub fn check_turn_tls(&self, transport: Transport, tls: &Pem) -> Result<(), VerbError> {
        secret(transport, tls).map(drop)
    }

    pub fn retune_turn(
        &self,
        listener: Handle,
        tls: Option<&Pem>,
        limits: TurnLimits,
    ) -> Result<(), VerbError> {
        let known = self.turn().listeners.lock().expect("no holder panics").get(&listener).map(Arc::clone);
        let Some(listener) = known else { return value(format!("{listener} is not a TURN listener")) };
        let tls = match (listener.transport, tls) {
            (_, None) => None,
            (transport, Some(pem)) => Some(secret(transport, pem)?),
        };
        listener.retune(limits, tls);
        Ok(())
    }

    /// How to answer those without an allocation over UDP from now on; `None`: Python does.
    pub fn challenge(&self, challenge: Option<Challenge>) {
        *self.turn().challenge.write().expect("no holder panics") = challenge.map(Arc::new);
    }

    pub fn answer(&self, five_tuple: FiveTuple, message: Vec<u8>) {
        if five_tuple.connection == 0 && self.answer_at_once(&five_tuple, &message) {
            return;
        }
        let inbox = &self.shared.inboxes[five_tuple.worker % self.shared.inboxes.len()];
        inbox.push(crate::command::Command::Turn(Command::Answer(five_tuple, message)));
    }

    /// Answer a client over UDP from another of our listeners, or at another of its ports (RFC 5780 7.2, 7.4,
    /// where `to` says which). It waits for nothing that the verbs did before.
    pub fn answer_from(&self, listener: Handle, to: FiveTuple, message: &[u8]) -> Result<(), VerbError> {
        let listeners = self.turn().listeners.lock().expect("no holder panics");
        let known =
            listeners.get(&listener).map(Arc::clone).filter(|known| !known.bound.ip().is_unspecified());
        drop(listeners);
        let socket = known.as_ref().and_then(|known| known.socket(to.worker));
        let (Some(known), Some(socket)) = (&known, socket) else {
            return value(format!("{listener} is no UDP listener of one address"));
        };
        if known.bound.is_ipv4() != to.client.is_ipv4() {
            return value(format!("{} is not reached from {}", to.client, known.bound));
        }
        let from = FiveTuple { listener, server: known.bound, ..to };
        let (address, via) = known.way_to(&from);
        let _ = socket::send(socket, address, via, message, message.len()); // lost, as in the network
        Ok(())
    }

    /// Spare the worker what it need not know. Whoever has no allocation waits for nothing; and after an
    /// Allocate's success only a request can follow, which finds the allocation in the directory. Every
    /// other answer stays behind what the worker was told before it.
    fn answer_at_once(&self, five_tuple: &FiveTuple, message: &[u8]) -> bool {
        let allocations = self.turn().allocations.lock().expect("no holder panics");
        let counters = allocations.get(five_tuple).map(|(_, counters)| Arc::clone(counters));
        drop(allocations);
        if counters.is_some() && !stun::is_allocated(message) {
            return false;
        }
        let listeners = self.turn().listeners.lock().expect("no holder panics");
        let Some(listener) = listeners.get(&five_tuple.listener).map(Arc::clone) else { return false };
        drop(listeners);
        let Some(socket) = listener.socket(five_tuple.worker) else { return false };
        let (address, via) = listener.way_to(five_tuple);
        let sent = socket::send(socket, address, via, message, message.len());
        if let (Some(counters), Ok(())) = (counters, sent) {
            counters.bytes_sent.add(message.len());
            counters.packets_sent.add(1);
        }
        true
    }

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

    pub fn turn_counters(&self) -> TurnCounters {
        self.turn().counters()
    }

    /// What `close` has to do besides telling the worker that owns the handle.
    pub(crate) fn close_turn(&self, handle: Handle) {
        self.turn().addresses.close(handle);
        self.turn().relays.lock().expect("no holder panics").remove(&handle);
        if let Some(door) = self.turn().doors.lock().expect("no holder panics").remove(&handle) {
            let _ = SockRef::from(&door).shutdown(Shutdown::Both);
        }
        if self.turn().listeners.lock().expect("no holder panics").remove(&handle).is_some() {
            for inbox in &self.shared.inboxes {
                inbox.push(crate::command::Command::Turn(Command::Unhear(handle)));
            }
        }
    }
}

fn secret(transport: Transport, (certificate, key): &Pem) -> Result<Secret, VerbError> {
    match transport {
        Transport::Tls => Ok(Secret::Tls(tls_config(certificate, key)?)),
        Transport::Dtls => {
            tls_config(certificate, key)?; // it also knows whether they belong together
            Ok(Secret::Dtls(Arc::new(Identity::new(certificate, key).or_else(value)?)))
        }
        Transport::Udp | Transport::Tcp => value("a certificate, but no TLS"),
    }
}

/// However long somebody says that is.
fn after(now: Instant, lifetime: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    now + lifetime.min(LONGEST)
}
