//! Allocations that are taken along to another address (RFC 8016).

mod relay;

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use headgate_engine::Handle;
use headgate_engine::engine::VerbError;
use headgate_engine::event::CloseReason;
use headgate_engine::turn::five_tuple::{FiveTuple, Transport};
use headgate_engine::turn::listener::TurnLimits;
use headgate_engine::turn::verbs::{Allocate, BindChannel, BindRelay, RelayTransport};
use relay::dtls::DtlsClient;
use relay::stream::{Listener, StreamClient};
use relay::{
    Bench, LOCALHOST, PATIENCE, channel, data_indication, receive, request, send_indication, socket, usual,
};

/// Somebody new, and whom the engine takes them for.
fn stranger(bench: &mut Bench) -> (UdpSocket, FiveTuple) {
    let socket = socket(LOCALHOST);
    socket.connect(bench.server).expect("a route");
    socket.send(&request(*b"a refresh   ")).expect("sent");
    let me = socket.local_addr().expect("bound");
    let (five_tuple, ..) = bench.request(|five_tuple| five_tuple.client == me);
    (socket, five_tuple)
}

fn heard(socket: &UdpSocket) -> Vec<u8> {
    receive(socket).0
}

#[test]
fn what_a_client_has_goes_with_it() {
    let mut bench = Bench::start();
    let mut workers = HashSet::new();
    // To and fro until it has been heard by every worker, and by its own again.
    let client = bench.client();
    let peer = socket(LOCALHOST);
    bench.bind_channel(&client, 0x4001, peer.local_addr().expect("bound"));
    bench.barrier(&client);
    let mut before = client.five_tuple;
    for round in 0..40_u8 {
        let (moved, five_tuple) = stranger(&mut bench);
        bench.engine.move_allocation(client.allocation, &before, five_tuple).expect("free");
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(heard(&moved), request(*b"the response"));
        moved.send(&channel(0x4001, &[round; 40])).expect("sent");
        assert_eq!(receive(&peer), (vec![round; 40], client.relayed));
        peer.send_to(&[round; 50], client.relayed).expect("sent");
        assert_eq!(heard(&moved), channel(0x4001, &[round; 50]));
        moved.send(&request(*b"another one ")).expect("sent");
        let (_, allocation, _) = bench.request(|known| *known == five_tuple);
        assert_eq!(allocation, client.allocation);
        workers.insert(five_tuple.worker);
        assert_ne!(before, five_tuple);
        before = five_tuple;
        if workers.len() == 2 && five_tuple.worker == client.five_tuple.worker {
            break;
        }
    }
    assert_eq!(workers.len(), 2);
    // Whoever has its old address has nothing.
    client.send(&channel(0x4001, b"no"));
    bench.counted(|counters| counters.no_allocation == 1);
    bench.engine.close(client.allocation);
    assert_eq!(bench.closed(client.allocation).0, CloseReason::Requested);
}

#[test]
fn an_end_is_known_where_the_client_is_heard() {
    let mut bench = Bench::start();
    for _ in 0..8 {
        let client = bench.client();
        let (moved, five_tuple) = stranger(&mut bench);
        bench.engine.move_allocation(client.allocation, &client.five_tuple, five_tuple).expect("free");
        bench.engine.close(client.allocation);
        bench.closed(client.allocation);
        // It may have another one there.
        moved.send(&request(*b"an allocate ")).expect("sent");
        let (again, allocation, _) = bench.request(|known| *known == five_tuple);
        assert_eq!((again, allocation), (five_tuple, 0));
    }
}

/// Any client of a listener, as tests see it.
enum Any {
    Datagrams(UdpSocket),
    Stream(StreamClient),
    Secure(Box<DtlsClient>),
}

impl Any {
    /// Somebody new.
    fn connect(bench: &Bench, listener: Option<&Listener>) -> Self {
        match listener {
            None => {
                let socket = socket(LOCALHOST);
                socket.connect(bench.server).expect("a route");
                Self::Datagrams(socket)
            }
            Some(listener) if listener.transport == Transport::Dtls => {
                Self::Secure(Box::new(DtlsClient::connect(listener)))
            }
            Some(listener) => Self::Stream(listener.connect()),
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Stream(client) => client.socket.local_addr(),
            Self::Secure(client) => client.socket.local_addr(),
        }
        .expect("bound")
    }

    fn send(&mut self, message: &[u8]) {
        match self {
            Self::Datagrams(socket) => {
                socket.send(message).expect("sent");
            }
            Self::Stream(client) => client.send(message),
            Self::Secure(client) => client.send(message),
        }
    }

    /// The next message, which has so many bytes.
    fn receive(&mut self, size: usize) -> Vec<u8> {
        match self {
            Self::Datagrams(socket) => heard(socket),
            Self::Stream(client) => client.receive(size),
            Self::Secure(client) => client.receive(),
        }
    }

    fn until_ended(&mut self) {
        match self {
            Self::Datagrams(_) => {}
            Self::Stream(client) => assert!(client.ended()),
            Self::Secure(client) => client.until_ended(),
        }
    }

    fn is_sent_something(&self, within: Duration) -> bool {
        self.give_up_after(within);
        let peeked = match self {
            Self::Datagrams(socket) => socket.peek(&mut [0; 1]),
            Self::Stream(client) => client.socket.peek(&mut [0; 1]),
            Self::Secure(client) => client.socket.peek(&mut [0; 1]),
        };
        self.give_up_after(PATIENCE);
        peeked.is_ok()
    }

    fn give_up_after(&self, timeout: Duration) {
        match self {
            Self::Datagrams(socket) => socket.set_read_timeout(Some(timeout)),
            Self::Stream(client) => client.socket.set_read_timeout(Some(timeout)),
            Self::Secure(client) => client.socket.set_read_timeout(Some(timeout)),
        }
        .expect("a socket");
    }

    /// Data of a peer comes here, if not at once.
    fn until_it_hears(&mut self, peer: &UdpSocket, relayed: SocketAddr) {
        let give_up = Instant::now() + PATIENCE;
        while {
            peer.send_to(&[7; 8], relayed).expect("sent");
            !self.is_sent_something(Duration::from_millis(5))
        } {
            assert!(Instant::now() < give_up, "it hears nothing");
        }
        assert_eq!(self.receive(12), channel(0x4001, &[7; 8]));
    }

    fn asks(&mut self, bench: &mut Bench) -> (FiveTuple, Handle) {
        self.send(&request(*b"a refresh   "));
        let me = self.address();
        let (five_tuple, allocation, _) = bench.request(|five_tuple| five_tuple.client == me);
        (five_tuple, allocation)
    }

    /// Ask, and be given one that moves.
    fn allocate(&mut self, bench: &mut Bench) -> (FiveTuple, Handle, SocketAddr) {
        let (five_tuple, _) = self.asks(bench);
        let bind = BindRelay {
            transport: RelayTransport::Udp,
            address: SocketAddr::new(LOCALHOST, 0),
            external: None,
        };
        let (relay, relayed) = bench.engine.bind_relay(&bind).expect("a free port");
        let lifetime = Duration::from_secs(60);
        let allocate =
            Allocate { five_tuple, relays: vec![relay], lifetime, bytes_per_second: 0, movable: true };
        (five_tuple, bench.engine.allocate(&allocate).expect("free"), relayed)
    }

    /// Data goes both ways, through a channel and through indications.
    fn relays(&mut self, channel_of: &UdpSocket, peer: &UdpSocket, relayed: SocketAddr, round: u8) {
        self.send(&channel(0x4001, &[round; 40]));
        assert_eq!(receive(channel_of), (vec![round; 40], relayed));
        channel_of.send_to(&[round; 52], relayed).expect("sent");
        assert_eq!(self.receive(56), channel(0x4001, &[round; 52]));
        let address = peer.local_addr().expect("bound");
        self.send(&send_indication(address, &[round; 16]));
        assert_eq!(receive(peer), (vec![round; 16], relayed));
        peer.send_to(&[round; 12], relayed).expect("sent");
        assert_eq!(data_indication(&self.receive(48)), (address, vec![round; 12]));
    }
}

fn bind(bench: &Bench, allocation: Handle, peer: SocketAddr) {
    let bind = BindChannel {
        allocation,
        number: 0x4001,
        peer,
        lifetime: Duration::from_secs(600),
        permission_lifetime: Duration::from_secs(300),
        relayed_only: false,
    };
    bench.engine.bind_channel(&bind).expect("a channel");
}

/// From every transport to every other, and to and fro between workers.
#[test]
fn over_every_transport_to_every_other() {
    let mut bench = Bench::start();
    let listeners = [Transport::Tcp, Transport::Tls, Transport::Dtls]
        .map(|transport| Listener::new(&bench, transport, usual()));
    let ways: Vec<_> = [None].into_iter().chain(listeners.iter().map(Some)).collect();
    let (first, second) = (socket(LOCALHOST), socket(LOCALHOST));
    let mut workers = HashSet::new();
    for from in &ways {
        let mut client = Any::connect(&bench, *from);
        let (home, allocation, relayed) = client.allocate(&mut bench);
        bind(&bench, allocation, first.local_addr().expect("bound"));
        bench.engine.answer(home, request(*b"the response"));
        assert_eq!(client.receive(20), request(*b"the response"));
        client.relays(&first, &second, relayed, 1);
        let mut here = home;
        for round in 2..7 {
            for to in &ways {
                let mut moved = Any::connect(&bench, *to);
                let (five_tuple, none) = moved.asks(&mut bench);
                assert_eq!(none, 0);
                // What comes before the answer is not obeyed; what is for the client still goes to the other.
                first.send_to(&[round; 8], relayed).expect("sent");
                assert_eq!(client.receive(12), channel(0x4001, &[round; 8]));
                bench.engine.move_allocation(allocation, &here, five_tuple).expect("free");
                bench.engine.answer(five_tuple, request(*b"the response"));
                assert_eq!(moved.receive(20), request(*b"the response"));
                // Until it has sent something from there it may not know, and both are its own (3.2.2).
                first.send_to(&[round; 8], relayed).expect("sent");
                assert_eq!(client.receive(12), channel(0x4001, &[round; 8]));
                client.send(&channel(0x4001, &[round; 12]));
                assert_eq!(receive(&first), (vec![round; 12], relayed));
                moved.relays(&first, &second, relayed, round);
                assert_eq!(moved.asks(&mut bench), (five_tuple, allocation));
                // The old five-tuple has nothing any more.
                let before = bench.engine.turn_counters().no_allocation;
                client.send(&channel(0x4001, b"no!!"));
                bench.counted(|counters| counters.no_allocation == before + 1);
                assert_eq!(client.asks(&mut bench).1, 0);
                workers.insert((home.worker, five_tuple.worker, five_tuple.transport as u8));
                (client, here) = (moved, five_tuple);
            }
        }
        bench.engine.close(allocation);
        assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
        assert_eq!(client.asks(&mut bench).1, 0);
    }
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls] {
        let of = |(home, worker, over): &&(usize, usize, u8)| home != worker && *over == transport as u8;
        assert!(workers.iter().any(|moved| of(&moved)), "{transport:?} {workers:?}");
    }
    assert_eq!(bench.engine.turn_counters().queue_full, 0);
}

/// It has moved, and has not sent anything since. The allocation comes with where it is.
fn on_its_way(
    bench: &mut Bench,
    way: Option<&Listener>,
    peer: &UdpSocket,
) -> (Any, Any, (Handle, FiveTuple), SocketAddr) {
    let mut client = Any::connect(bench, way);
    let (home, allocation, relayed) = client.allocate(bench);
    bind(bench, allocation, peer.local_addr().expect("bound"));
    bench.engine.answer(home, request(*b"the response"));
    client.receive(20);
    let mut moved = Any::connect(bench, way);
    let (five_tuple, _) = moved.asks(bench);
    bench.engine.move_allocation(allocation, &home, five_tuple).expect("free");
    bench.engine.answer(five_tuple, request(*b"the response"));
    moved.receive(20);
    (client, moved, (allocation, five_tuple), relayed)
}

#[test]
fn what_the_old_network_does_not_take_the_new_one_does() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    for transport in [Transport::Tcp, Transport::Tls, Transport::Dtls] {
        let listener = Listener::new(&bench, transport, usual());
        for _ in 0..4 {
            let (client, mut moved, (allocation, _), relayed) =
                on_its_way(&mut bench, Some(&listener), &peer);
            match client {
                Any::Secure(mut client) => client.close(),
                other => drop(other),
            }
            moved.until_it_hears(&peer, relayed);
            bench.engine.close(allocation);
            bench.closed(allocation);
        }
    }
}

/// RFC 8016 3.2.2 names both, a Send indication and `ChannelData`.
#[test]
fn sending_an_indication_from_there_is_being_there() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    for way in [None, Some(&listener), None, Some(&listener)] {
        let (_client, mut moved, _, relayed) = on_its_way(&mut bench, way, &peer);
        moved.send(&send_indication(peer.local_addr().expect("bound"), b"here"));
        assert_eq!(receive(&peer), (b"here".to_vec(), relayed));
        peer.send_to(&[7; 8], relayed).expect("sent");
        assert_eq!(moved.receive(12), channel(0x4001, &[7; 8]));
    }
}

#[test]
fn asking_for_a_channel_there_is_being_there() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    for _ in 0..4 {
        let (_client, mut moved, (allocation, _), relayed) = on_its_way(&mut bench, None, &peer);
        bind(&bench, allocation, peer.local_addr().expect("bound"));
        moved.until_it_hears(&peer, relayed);
    }
}

/// It never sends anything from where it says that it is, and moves on.
#[test]
fn to_and_fro_without_a_word() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    for _ in 0..4 {
        let (mut client, mut second, (allocation, here), relayed) = on_its_way(&mut bench, None, &peer);
        let mut third = Any::connect(&bench, None);
        let (there, _) = third.asks(&mut bench);
        bench.engine.move_allocation(allocation, &here, there).expect("free");
        bench.engine.answer(there, request(*b"the response"));
        third.receive(20);
        peer.send_to(&[1; 8], relayed).expect("sent");
        assert_eq!(client.receive(12), channel(0x4001, &[1; 8]));
        assert_eq!(second.asks(&mut bench).1, 0);
        // Back where it is heard: there is one way again.
        let (first, _) = client.asks(&mut bench);
        bench.engine.move_allocation(allocation, &there, first).expect("free");
        bench.engine.answer(first, request(*b"the response"));
        client.receive(20);
        client.relays(&peer, &socket(LOCALHOST), relayed, 2);
        assert_eq!(third.asks(&mut bench).1, 0);
        bench.engine.close(allocation);
        bench.closed(allocation);
        assert_eq!(client.asks(&mut bench).1, 0);
    }
}

/// Behind a NAT the old address may be somebody else's at once.
#[test]
fn nobody_else_hears_what_was_for_the_old_address() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    for round in 0..8 {
        let (mut old, mut moved, _, relayed) = on_its_way(&mut bench, None, &peer);
        if round % 2 == 0 {
            old.allocate(&mut bench);
        } else {
            let (its, another, _) = Any::connect(&bench, None).allocate(&mut bench);
            let (five_tuple, _) = old.asks(&mut bench);
            bench.engine.move_allocation(another, &its, five_tuple).expect("free");
        }
        moved.until_it_hears(&peer, relayed);
        while old.is_sent_something(Duration::from_millis(1)) {
            old.receive(12);
        }
        for _ in 0..10 {
            moved.until_it_hears(&peer, relayed);
        }
        assert!(!old.is_sent_something(Duration::from_millis(1)));
    }
}

/// A network goes, and its connection with it; the client comes back from another one, much later.
#[test]
fn a_connection_s_end_ends_nothing_that_moves() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    for transport in [Transport::Tcp, Transport::Tls, Transport::Dtls] {
        let listener = Listener::new(&bench, transport, usual());
        for _ in 0..4 {
            let mut client = Any::connect(&bench, Some(&listener));
            let (mut here, allocation, relayed) = client.allocate(&mut bench);
            bind(&bench, allocation, peer.local_addr().expect("bound"));
            bench.engine.answer(here, request(*b"the response"));
            client.receive(20);
            for round in 0..3_u8 {
                match client {
                    Any::Secure(mut client) => client.close(),
                    Any::Stream(client) => drop(client),
                    Any::Datagrams(_) => {}
                }
                // While nobody is there its data is dropped.
                let before = bench.engine.turn_counters().queue_full;
                while bench.engine.turn_counters().queue_full == before {
                    peer.send_to(b"anybody?", relayed).expect("sent");
                }
                client = Any::connect(&bench, Some(&listener));
                let (five_tuple, none) = client.asks(&mut bench);
                assert_eq!(none, 0);
                bench.engine.move_allocation(allocation, &here, five_tuple).expect("free");
                here = five_tuple;
                bench.engine.answer(five_tuple, request(*b"the response"));
                while client.receive(20)[..2] != [0, 3] {}
                client.send(&channel(0x4001, &[round; 40]));
                assert_eq!(receive(&peer), (vec![round; 40], relayed));
            }
            bench.engine.close(allocation);
            assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
        }
    }
}

#[test]
fn who_does_not_come_back_is_forgotten_at_its_time() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    for moves in [false, true, true, true] {
        let mut client = Any::connect(&bench, Some(&listener));
        let (home, allocation, _) = client.allocate(&mut bench);
        bench.engine.answer(home, request(*b"the response"));
        client.receive(20); // before it has its ticket it would not come back
        if moves {
            let mut moved = Any::connect(&bench, Some(&listener));
            let (five_tuple, _) = moved.asks(&mut bench);
            bench.engine.move_allocation(allocation, &home, five_tuple).expect("free");
            client = moved;
        }
        drop(client);
        bench.engine.refresh_allocation(allocation, Duration::from_millis(100));
        assert_eq!(bench.closed(allocation).0, CloseReason::Expired);
    }
}

/// What it has left is idle, what it has come to is not, whichever worker has it.
#[test]
fn the_old_connection_ends_by_itself_and_the_new_one_does_not() {
    let mut bench = Bench::start();
    let limits = TurnLimits { idle_timeout: Duration::from_millis(500), ..usual() };
    for transport in [Transport::Tcp, Transport::Dtls] {
        let listener = Listener::new(&bench, transport, limits);
        for _ in 0..2 {
            let mut client = Any::connect(&bench, Some(&listener));
            let (home, allocation, _) = client.allocate(&mut bench);
            bench.engine.answer(home, request(*b"the response"));
            client.receive(20);
            let mut moved = Any::connect(&bench, Some(&listener));
            let (five_tuple, _) = moved.asks(&mut bench);
            bench.engine.move_allocation(allocation, &home, five_tuple).expect("free");
            bench.engine.answer(five_tuple, request(*b"the response"));
            moved.receive(20);
            bind(&bench, allocation, "192.0.2.1:1".parse().expect("an address")); // it is there
            client.until_ended(); // nobody has said anything for so long
            bench.engine.answer(five_tuple, request(*b"still there "));
            assert_eq!(moved.receive(20), request(*b"still there "));
            bench.engine.close(allocation);
            assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
            moved.until_ended();
        }
    }
}

/// Python is behind: the worker that hears the client keeps as little for it as its home would.
#[test]
fn requests_of_a_client_that_moved_are_bounded() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    let mut places = HashSet::new();
    // Until it was heard by its own worker, and by the other.
    for _ in 0..40 {
        if places.len() == 2 {
            break;
        }
        let mut client = Any::connect(&bench, None);
        let (home, allocation, _) = client.allocate(&mut bench);
        let mut moved = Any::connect(&bench, Some(&listener));
        let (five_tuple, _) = moved.asks(&mut bench);
        bench.engine.move_allocation(allocation, &home, five_tuple).expect("free");
        bench.engine.answer(five_tuple, request(*b"the response"));
        moved.receive(20);
        places.insert(home.worker == five_tuple.worker);
        let before = bench.engine.turn_counters();
        for _ in 0..100 {
            moved.send(&request(*b"a request   "));
        }
        bench.counted(|now| now.requests + now.queue_full == before.requests + before.queue_full + 100);
        assert!(bench.engine.turn_counters().requests - before.requests <= 32);
        bench.engine.drain(1000);
        // Once they were taken there is room again.
        assert_eq!(moved.asks(&mut bench), (five_tuple, allocation));
    }
    assert_eq!(places.len(), 2);
}

#[test]
fn a_connection_that_has_gone_is_no_client() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let peer = socket(LOCALHOST);
    for _ in 0..8 {
        let mut client = Any::connect(&bench, None);
        let (home, allocation, relayed) = client.allocate(&mut bench);
        bind(&bench, allocation, peer.local_addr().expect("bound"));
        let mut moved = Any::connect(&bench, Some(&listener));
        let (here, _) = moved.asks(&mut bench);
        // It goes just before, or just after.
        drop(moved);
        bench.engine.move_allocation(allocation, &home, here).expect("free");
        let (again, five_tuple) = stranger(&mut bench);
        bench.engine.move_allocation(allocation, &here, five_tuple).expect("free");
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(heard(&again), request(*b"the response"));
        again.send(&channel(0x4001, b"here")).expect("sent");
        assert_eq!(receive(&peer), (b"here".to_vec(), relayed));
        peer.send_to(b"here", relayed).expect("sent");
        assert_eq!(heard(&again), channel(0x4001, b"here"));
        bench.engine.close(allocation);
        bench.closed(allocation);
    }
}

#[test]
fn an_interface_that_is_closed_ends_its_clients_over_dtls() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    let mut allocations = Vec::new();
    for _ in 0..4 {
        let mut client = Any::connect(&bench, None);
        let (home, allocation, _) = client.allocate(&mut bench);
        let mut moved = Any::connect(&bench, Some(&listener));
        let (five_tuple, _) = moved.asks(&mut bench);
        bench.engine.move_allocation(allocation, &home, five_tuple).expect("free");
        bench.engine.answer(five_tuple, request(*b"the response"));
        moved.receive(20);
        allocations.push((allocation, moved));
    }
    bench.engine.close(listener.handle);
    for (allocation, _) in allocations {
        assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
    }
}

#[test]
fn not_onto_another_one() {
    let mut bench = Bench::start();
    let (client, other) = (bench.client(), bench.client());
    let taken = bench.engine.move_allocation(client.allocation, &client.five_tuple, other.five_tuple);
    assert!(matches!(taken, Err(VerbError::Io(_))));
    // One that is gone, or another's, moves nowhere, and nothing happens: its five-tuple is free.
    let (socket, five_tuple) = stranger(&mut bench);
    bench.engine.move_allocation(client.allocation, &other.five_tuple, five_tuple).expect("nothing");
    bench.engine.move_allocation(client.allocation, &five_tuple, five_tuple).expect("nothing");
    bench.barrier(&client);
    bench.barrier(&other);
    bench.engine.close(client.allocation);
    bench
        .engine
        .move_allocation(client.allocation, &client.five_tuple, five_tuple)
        .expect("nothing, or an end");
    bench.closed(client.allocation);
    bench.barrier(&other);
    let bind =
        BindRelay { transport: RelayTransport::Udp, address: SocketAddr::new(LOCALHOST, 0), external: None };
    let (relay, _) = bench.engine.bind_relay(&bind).expect("a free port");
    let lifetime = Duration::from_secs(60);
    let allocate =
        Allocate { five_tuple, relays: vec![relay], lifetime, bytes_per_second: 0, movable: false };
    let until = Instant::now() + PATIENCE;
    while bench.engine.allocate(&allocate).is_err() {
        assert!(Instant::now() < until, "{five_tuple:?} is taken for good");
    }
    drop(socket);
}
