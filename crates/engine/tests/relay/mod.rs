//! What the TURN tests share: a running engine, its clients, and what Python would decide.
#![allow(dead_code, reason = "no test file needs all of it")]

pub mod dtls;
pub mod peers;
pub mod stream;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use headgate_engine::Handle;
use headgate_engine::counters::Snapshot;
use headgate_engine::engine::Engine;
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::turn::five_tuple::{FiveTuple, Transport};
use headgate_engine::turn::listener::TurnLimits;
use headgate_engine::turn::totals::TurnCounters;
use headgate_engine::turn::verbs::{Allocate, BindChannel, BindRelay, ListenTurn, Permit, RelayTransport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

pub struct Bench {
    pub engine: Engine,
    pub listener: Handle,
    pub server: SocketAddr,
    pub seen: VecDeque<Event>,
    /// So that no other client gets the port of one whose allocation still stands.
    ports: Vec<UdpSocket>,
}

pub struct Client {
    socket: UdpSocket,
    pub five_tuple: FiveTuple,
    pub allocation: Handle,
    pub relayed: SocketAddr,
}

pub fn usual() -> TurnLimits {
    TurnLimits {
        idle_timeout: PATIENCE,
        connection_limit: 100,
        connections_per_address: 100,
        requests_per_second_per_address: 0,
        compatible_channels: false,
    }
}

pub fn listen(address: SocketAddr, limits: TurnLimits) -> ListenTurn {
    ListenTurn { transport: Transport::Udp, address, tls: None, limits }
}

impl Bench {
    pub fn start() -> Self {
        Self::at(LOCALHOST, usual())
    }

    pub fn at(host: IpAddr, limits: TurnLimits) -> Self {
        let engine = Engine::start(2, 256).expect("two workers");
        let (listener, server) =
            engine.listen_turn(&listen(SocketAddr::new(host, 0), limits)).expect("a free port");
        Self { engine, listener, server, seen: VecDeque::new(), ports: Vec::new() }
    }

    /// Clients come otherwise than over UDP.
    pub fn without_listener() -> Self {
        let engine = Engine::start(2, 256).expect("two workers");
        let server = SocketAddr::new(LOCALHOST, 0);
        Self { engine, listener: 0, server, seen: VecDeque::new(), ports: Vec::new() }
    }

    pub fn event<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            self.seen.extend(self.engine.drain(100));
            if let Some((i, found)) =
                self.seen.iter().enumerate().find_map(|(i, event)| Some((i, wanted(event)?)))
            {
                self.seen.remove(i);
                return found;
            }
            assert!(Instant::now() < until, "it never came; there is {:?}", self.seen);
            // SAFETY: the engine and its descriptor live as long as the bench.
            #[expect(unsafe_code)]
            let fd = unsafe { BorrowedFd::borrow_raw(self.engine.events().fd()) };
            let timeout = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout));
        }
    }

    pub fn closed(&mut self, wanted: Handle) -> (CloseReason, Snapshot) {
        self.event(|event| match event {
            Event::Closed { handle, reason, counters } if *handle == wanted => {
                Some((*reason, counters.clone()))
            }
            _ => None,
        })
    }

    /// The next request that comes up from a five-tuple.
    pub fn request(&mut self, of: impl Fn(&FiveTuple) -> bool) -> (FiveTuple, Handle, Vec<u8>) {
        self.event(|event| match event {
            Event::StunReceived { five_tuple, allocation, message, .. } if of(five_tuple) => {
                Some((*five_tuple, *allocation, message.clone()))
            }
            _ => None,
        })
    }

    pub fn client(&mut self) -> Client {
        self.client_with(&[LOCALHOST], Duration::from_secs(60), 0)
    }

    pub fn client_with(&mut self, hosts: &[IpAddr], lifetime: Duration, bytes_per_second: u64) -> Client {
        let binds: Vec<BindRelay> = hosts
            .iter()
            .map(|host| BindRelay {
                transport: RelayTransport::Udp,
                address: SocketAddr::new(*host, 0),
                external: None,
            })
            .collect();
        self.allocated(&binds, lifetime, bytes_per_second)
    }

    pub fn client_behind(&mut self, external: IpAddr) -> Client {
        let bind = BindRelay {
            transport: RelayTransport::Udp,
            address: SocketAddr::new(LOCALHOST, 0),
            external: Some(external),
        };
        self.allocated(&[bind], Duration::from_secs(60), 0)
    }

    /// An allocation whose relayed address is known to peers as `address`, if its port is free here.
    pub fn client_known_as(&mut self, address: SocketAddr) -> Option<Handle> {
        UdpSocket::bind((LOCALHOST, address.port())).ok()?;
        let bind = BindRelay {
            transport: RelayTransport::Udp,
            address: SocketAddr::new(LOCALHOST, address.port()),
            external: Some(address.ip()),
        };
        Some(self.allocated(&[bind], Duration::from_secs(60), 0).allocation)
    }

    fn allocated(&mut self, binds: &[BindRelay], lifetime: Duration, bytes_per_second: u64) -> Client {
        let socket = socket(LOCALHOST);
        socket.connect(self.server).expect("a route");
        socket.send(&request(*b"an allocate ")).expect("sent");
        let me = socket.local_addr().expect("bound");
        let (five_tuple, ..) = self.request(|five_tuple| five_tuple.client == me);
        let bound: Vec<_> =
            binds.iter().map(|bind| self.engine.bind_relay(bind).expect("a free port")).collect();
        let relays = bound.iter().map(|(handle, _)| *handle).collect();
        let allocate = Allocate { five_tuple, relays, lifetime, bytes_per_second, movable: false };
        let allocation = self.engine.allocate(&allocate).expect("free");
        self.ports.push(socket.try_clone().expect("a socket"));
        Client { socket, five_tuple, allocation, relayed: bound[0].1 }
    }

    pub fn permit(&self, client: &Client, host: IpAddr) {
        self.engine.permit(&permission(client.allocation, host));
    }

    /// As `permit`, where nothing but our own relayed addresses may be reached.
    pub fn permit_relayed_only(&self, client: &Client, host: IpAddr) {
        self.engine.permit(&Permit { relayed_only: true, ..permission(client.allocation, host) });
    }

    /// A channel, with its permission.
    pub fn bind_channel(&self, client: &Client, number: u16, peer: SocketAddr) {
        self.engine.bind_channel(&binding(client.allocation, number, peer)).expect("a channel");
    }

    /// As `bind_channel`, where nothing but our own relayed addresses may be reached.
    pub fn bind_channel_relayed_only(&self, client: &Client, number: u16, peer: SocketAddr) {
        let bind = BindChannel { relayed_only: true, ..binding(client.allocation, number, peer) };
        self.engine.bind_channel(&bind).expect("a channel");
    }

    /// Give the client at this address, which has just asked, an allocation.
    pub fn give(&mut self, client: SocketAddr) -> (FiveTuple, Handle, SocketAddr) {
        let (five_tuple, ..) = self.request(|five_tuple| five_tuple.client == client);
        let bind = BindRelay {
            transport: RelayTransport::Udp,
            address: SocketAddr::new(LOCALHOST, 0),
            external: None,
        };
        let (relay, relayed) = self.engine.bind_relay(&bind).expect("a free port");
        let allocate = Allocate {
            five_tuple,
            relays: vec![relay],
            lifetime: PATIENCE,
            bytes_per_second: 0,
            movable: false,
        };
        (five_tuple, self.engine.allocate(&allocate).expect("free"), relayed)
    }

    /// The engine has done all it was told, and all the client sent: as after an answer.
    pub fn barrier(&mut self, client: &Client) {
        client.send(&request(*b"a barrier   "));
        let (five_tuple, allocation, _) = self.request(|five_tuple| *five_tuple == client.five_tuple);
        assert_eq!(allocation, client.allocation);
        self.engine.answer(five_tuple, b"barrier".to_vec());
        assert_eq!(client.receive(), b"barrier");
    }

    /// Wait for the totals to be so.
    pub fn counted(&self, so: impl Fn(&TurnCounters) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(&self.engine.turn_counters()) {
            assert!(Instant::now() < until, "{:?}", self.engine.turn_counters());
            std::thread::yield_now();
        }
    }
}

impl Client {
    pub fn address(&self) -> SocketAddr {
        self.five_tuple.client
    }

    pub fn send(&self, message: &[u8]) {
        self.socket.send(message).expect("sent");
    }

    pub fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0; 65_536];
        let size = self.socket.recv(&mut buffer).expect("a message");
        buffer.truncate(size);
        buffer
    }
}

pub fn permission(allocation: Handle, host: IpAddr) -> Permit {
    Permit { allocation, hosts: vec![host], lifetime: Duration::from_secs(300), relayed_only: false }
}

fn binding(allocation: Handle, number: u16, peer: SocketAddr) -> BindChannel {
    BindChannel {
        allocation,
        number,
        peer,
        lifetime: Duration::from_secs(600),
        permission_lifetime: Duration::from_secs(300),
        relayed_only: false,
    }
}

pub fn socket(host: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((host, 0)).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket
}

pub fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (size, from) = socket.recv_from(&mut buffer).expect("a datagram");
    buffer.truncate(size);
    (buffer, from)
}

pub fn message(kind: u16, transaction: [u8; 12], attributes: &[u8]) -> Vec<u8> {
    let size = attributes.len() as u16;
    [&kind.to_be_bytes()[..], &size.to_be_bytes(), &COOKIE, &transaction, attributes].concat()
}

/// An Allocate without attributes: what comes up is what counts.
pub fn request(transaction: [u8; 12]) -> Vec<u8> {
    message(0x0003, transaction, &[])
}

pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut attribute = [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat();
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// RFC 8489 14.2.
pub fn xor(address: SocketAddr, transaction: [u8; 12]) -> Vec<u8> {
    let mask = [&COOKIE[..], &transaction].concat();
    let (family, octets) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = (address.port() ^ 0x2112).to_be_bytes();
    let octets = octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask);
    [0, family].into_iter().chain(port).chain(octets).collect()
}

pub fn send_indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let transaction = *b"an indicatio";
    let attributes = [attribute(0x0012, &xor(peer, transaction)), attribute(0x0013, data)].concat();
    message(0x0016, transaction, &attributes)
}

pub fn channel(number: u16, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// The peer and the data of a Data indication.
pub fn data_indication(message: &[u8]) -> (SocketAddr, Vec<u8>) {
    assert_eq!(message[..2], [0x00, 0x17]);
    assert_eq!(usize::from(u16::from_be_bytes([message[2], message[3]])), message.len() - 20);
    let mask: Vec<u8> = message[4..20].to_vec();
    let size = usize::from(u16::from_be_bytes([message[22], message[23]]));
    assert_eq!(message[20..22], [0x00, 0x12]);
    let value = &message[24..24 + size];
    let port = u16::from_be_bytes([value[2], value[3]]) ^ 0x2112;
    let octets: Vec<u8> = value[4..].iter().zip(mask).map(|(octet, mask)| octet ^ mask).collect();
    let ip = match octets[..] {
        [a, b, c, d] => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(<[u8; 16]>::try_from(octets).expect("an address")),
    };
    let rest = &message[24 + size..];
    assert_eq!(rest[..2], [0x00, 0x13]);
    let size = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
    (SocketAddr::new(ip, port), rest[4..4 + size].to_vec())
}
