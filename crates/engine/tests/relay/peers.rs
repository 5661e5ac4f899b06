//! TCP allocations (RFC 6062), their clients and peers.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use headgate_engine::Handle;
use headgate_engine::event::Event;
use headgate_engine::turn::five_tuple::FiveTuple;
use headgate_engine::turn::verbs::{Allocate, BindRelay, RelayTransport};

use super::stream::{Listener, StreamClient};
use super::{Bench, LOCALHOST, PATIENCE, permission, request};

/// A client with a TCP allocation.
pub struct Caller {
    pub control: StreamClient,
    pub allocation: Handle,
    pub relayed: SocketAddr,
}

pub fn asked(client: &mut StreamClient, bench: &mut Bench) -> FiveTuple {
    client.send(&request(*b"a request   "));
    let me = client.socket.local_addr().expect("connected");
    bench.request(|five_tuple| five_tuple.client == me).0
}

pub fn bound(bench: &Bench) -> (Handle, SocketAddr) {
    let bind =
        BindRelay { transport: RelayTransport::Tcp, address: SocketAddr::new(LOCALHOST, 0), external: None };
    bench.engine.bind_relay(&bind).expect("a free port")
}

pub fn caller(bench: &mut Bench, listener: &Listener, bytes_per_second: u64) -> Caller {
    let mut control = listener.connect();
    let five_tuple = asked(&mut control, bench);
    let (relay, relayed) = bound(bench);
    let allocate = Allocate {
        five_tuple,
        relays: vec![relay],
        lifetime: Duration::from_secs(60),
        bytes_per_second,
        movable: false,
    };
    let allocation = bench.engine.allocate(&allocate).expect("free");
    bench.engine.permit(&permission(allocation, LOCALHOST));
    bench.engine.answer(five_tuple, request(*b"the response"));
    assert_eq!(control.receive(20), request(*b"the response"));
    Caller { control, allocation, relayed }
}

/// Whose connection to whom stands, and whether the peer made it.
pub fn connected(bench: &mut Bench, of: Handle) -> (Handle, SocketAddr, bool) {
    bench.event(|event| match event {
        Event::PeerConnected { allocation, connection, peer, incoming } if *allocation == of => {
            Some((*connection, *peer, *incoming))
        }
        _ => None,
    })
}

pub fn joined(bench: &mut Bench, listener: &Listener, connection: Handle) -> StreamClient {
    let mut data = listener.connect();
    let five_tuple = asked(&mut data, bench);
    bench.engine.join(five_tuple, connection, request(*b"it is bound "));
    assert_eq!(data.receive(20), request(*b"it is bound "));
    data
}

pub fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket
}

pub fn read(socket: &mut impl Read, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    socket.read_exact(&mut bytes).expect("bytes");
    bytes
}

/// A peer that is connected to, with the client's connection that carries it.
pub fn called(bench: &mut Bench, listener: &Listener, caller: &Caller) -> (Handle, StreamClient, TcpStream) {
    let peer = TcpListener::bind((LOCALHOST, 0)).expect("a free port");
    let address = peer.local_addr().expect("bound");
    let connection = bench.engine.connect_peer(caller.allocation, address).expect("an address");
    let (accepted, from) = peer.accept().expect("a connection");
    assert_eq!(from, caller.relayed);
    assert_eq!(connected(bench, caller.allocation), (connection, address, false));
    let data = joined(bench, listener, connection);
    (connection, data, patient(accepted))
}
