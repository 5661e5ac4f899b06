//! TCP allocations (RFC 6062) over real sockets.

mod relay;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use headgate_engine::engine::VerbError;
use headgate_engine::event::CloseReason;
use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::verbs::{Allocate, BindRelay, RelayTransport};
use relay::peers::{asked, bound, called, caller, connected, joined, patient, read};
use relay::stream::Listener;
use relay::{Bench, LOCALHOST, PATIENCE, request, usual};

#[test]
fn bytes_move_both_ways_over_a_connection_that_we_made() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut bench = Bench::start();
        let listener = Listener::new(&bench, transport, usual());
        let caller = caller(&mut bench, &listener, 0);
        // On both workers, as connections go to them in turn.
        for _ in 0..3 {
            let (connection, mut data, mut peer) = called(&mut bench, &listener, &caller);
            data.send(b"from the client");
            assert_eq!(read(&mut peer, 15), b"from the client");
            peer.write_all(b"from the peer").expect("sent");
            assert_eq!(data.receive(13), b"from the peer");
            drop(peer);
            assert!(data.ended());
            let (reason, counters) = bench.closed(connection);
            assert_eq!(reason, CloseReason::Peer);
            assert_eq!((counters.bytes_received, counters.bytes_sent), (15, 13));
        }
    }
}

#[test]
fn who_has_a_permission_may_connect_and_nobody_else() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let caller = caller(&mut bench, &listener, 0);
    let stranger =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    stranger.bind(&SocketAddr::new(IpAddr::from([127, 0, 0, 2]), 0).into()).expect("an address");
    stranger.connect(&caller.relayed.into()).expect("listening");
    let mut stranger = patient(stranger.into());
    assert!(!matches!(stranger.read(&mut [0; 1]), Ok(1..)));
    bench.counted(|counters| counters.no_permission == 1);

    let mut peer = patient(TcpStream::connect(caller.relayed).expect("listening"));
    let (connection, from, incoming) = connected(&mut bench, caller.allocation);
    assert_eq!((from, incoming), (peer.local_addr().expect("connected"), true));
    // What it says before anybody listens is not lost.
    peer.write_all(b"early").expect("sent");
    let mut data = joined(&mut bench, &listener, connection);
    assert_eq!(data.receive(5), b"early");
    data.send(b"the last");
    data.socket.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(read(&mut peer, 8), b"the last");
    assert!(!matches!(peer.read(&mut [0; 1]), Ok(1..)));
    assert_eq!(bench.closed(connection).0, CloseReason::Peer);
}

#[test]
fn an_allocation_has_only_so_many_connections() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let caller = caller(&mut bench, &listener, 0);
    let mut peers = Vec::new();
    for _ in 0..256 {
        let peer = TcpStream::connect(caller.relayed).expect("listening");
        let (connection, ..) = connected(&mut bench, caller.allocation);
        peers.push((connection, peer));
    }
    let mut refused = patient(TcpStream::connect(caller.relayed).expect("listening"));
    assert!(!matches!(refused.read(&mut [0; 1]), Ok(1..)));
    bench.counted(|counters| counters.queue_full == 1);
    let (connection, _peer) = peers.pop().expect("there are");
    bench.engine.close(connection);
    assert_eq!(bench.closed(connection).0, CloseReason::Requested);
    let _again = TcpStream::connect(caller.relayed).expect("listening");
    connected(&mut bench, caller.allocation);
}

#[test]
fn more_than_any_queue_arrives_whole_whoever_is_slow() {
    const SIZE: usize = 24 * 1024 * 1024;
    let bytes = |seed: usize| -> Vec<u8> { (0..SIZE).map(|n| (n / 7 + n + seed) as u8).collect() };
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut bench = Bench::start();
        let listener = Listener::new(&bench, transport, usual());
        let caller = caller(&mut bench, &listener, 0);
        let (_, mut data, peer) = called(&mut bench, &listener, &caller);
        let mut speaking = peer.try_clone().expect("a socket");
        let speaker = std::thread::spawn(move || speaking.write_all(&bytes(1)));
        assert!(data.receive(SIZE) == bytes(1));
        speaker.join().expect("no panic").expect("sent");
        let mut peer = peer;
        let hearer = std::thread::spawn(move || read(&mut peer, SIZE));
        data.send(&bytes(2));
        assert!(hearer.join().expect("no panic") == bytes(2));
    }
}

#[test]
fn a_rate_slows_and_loses_nothing() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let caller = caller(&mut bench, &listener, 200_000);
    let (_, mut data, mut peer) = called(&mut bench, &listener, &caller);
    let began = std::time::Instant::now();
    peer.write_all(&vec![7; 400_000]).expect("sent");
    assert_eq!(data.receive(400_000), vec![7; 400_000]);
    assert!(began.elapsed() >= Duration::from_millis(800));
}

#[test]
fn everything_ends_with_the_allocation() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let caller = caller(&mut bench, &listener, 0);
    let (first, mut data, mut peer) = called(&mut bench, &listener, &caller);
    let _waiting = TcpStream::connect(caller.relayed).expect("listening");
    let (second, ..) = connected(&mut bench, caller.allocation);
    caller.control.socket.shutdown(Shutdown::Both).expect("connected");
    for handle in [first, second, caller.allocation] {
        assert_eq!(bench.closed(handle).0, CloseReason::Peer);
    }
    assert!(data.ended());
    assert!(!matches!(peer.read(&mut [0; 1]), Ok(1..)));
    assert!(TcpStream::connect(caller.relayed).is_err());
}

#[test]
fn what_cannot_be_connected_is_closed() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let caller = caller(&mut bench, &listener, 0);
    let nobody = {
        let gone = TcpListener::bind((LOCALHOST, 0)).expect("a free port");
        gone.local_addr().expect("bound")
    };
    for peer in [nobody, caller.relayed] {
        let connection = bench.engine.connect_peer(caller.allocation, peer).expect("an address");
        assert_eq!(bench.closed(connection).0, CloseReason::Connect);
    }
    let ours = bench.engine.connect_peer(caller.allocation, listener.address);
    assert!(
        matches!(ours, Err(VerbError::Io(error)) if error.kind() == std::io::ErrorKind::PermissionDenied)
    );
    let port_0 = bench.engine.connect_peer(caller.allocation, SocketAddr::new(LOCALHOST, 0));
    assert!(matches!(port_0, Err(VerbError::Value(_))));
    // One over UDP has no connections.
    let other = bench.client();
    let connection = bench.engine.connect_peer(other.allocation, nobody).expect("an address");
    assert_eq!(bench.closed(connection).0, CloseReason::Connect);
    // Nobody to join any more: the client's connection is closed, too.
    let mut data = listener.connect();
    let five_tuple = asked(&mut data, &mut bench);
    bench.engine.join(five_tuple, connection, request(*b"it is bound "));
    assert!(data.ended());
}

#[test]
fn a_port_is_bound_once_and_its_relay_is_alone() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let (relay, address) = bound(&bench);
    let again = BindRelay { transport: RelayTransport::Tcp, address, external: None };
    assert!(matches!(bench.engine.bind_relay(&again), Err(VerbError::Io(_))));
    assert!(TcpStream::connect(address).is_err()); // not before it is allocated
    let (other, _) = bound(&bench);
    let five_tuple = asked(&mut listener.connect(), &mut bench);
    let both = Allocate {
        five_tuple,
        relays: vec![relay, other],
        lifetime: Duration::from_secs(60),
        bytes_per_second: 0,
        movable: false,
    };
    assert!(matches!(bench.engine.allocate(&both), Err(VerbError::Value(_))));
    bench.engine.close(relay);
    // A program that another test starts has all our sockets until it runs.
    let give_up = Instant::now() + PATIENCE;
    while let Err(error) = bench.engine.bind_relay(&again) {
        assert!(Instant::now() < give_up, "not free again: {error:?}");
        std::thread::yield_now();
    }
}
