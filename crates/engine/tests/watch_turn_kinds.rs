//! Whatever a worker that stands still has of TURN: each ends once and can begin again, and what others have goes on.

mod bench;
mod relay;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bench::still::{LATE, Seeing, came_back, lose, told, worker_of};
use headgate_engine::Handle;
use headgate_engine::engine::Engine;
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::turn::five_tuple::{FiveTuple, Transport};
use headgate_engine::turn::verbs::{Allocate, BindRelay, RelayTransport};
use relay::dtls::DtlsClient;
use relay::peers::{Caller, asked, called, caller, connected, joined, patient, read};
use relay::stream::{Listener, StreamClient, certificate};
use relay::{
    Bench, Client, LOCALHOST, PATIENCE, channel, data_indication, permission, receive, request,
    send_indication, socket, usual,
};

impl Seeing for Bench {
    fn parts(&mut self) -> (&Engine, &mut VecDeque<Event>) {
        (&self.engine, &mut self.seen)
    }
}

/// A connection of the first worker, which is there as long as its thread.
fn witness(bench: &mut Bench) -> TcpStream {
    let mut client = Listener::new(bench, Transport::Tcp, usual()).connect();
    assert_eq!(asked(&mut client, bench).worker, 0);
    client.socket
}

/// A client over UDP, heard by a worker.
fn client_on(bench: &mut Bench, worker: usize) -> Client {
    loop {
        let client = bench.client();
        if client.five_tuple.worker == worker {
            return client;
        }
    }
}

/// The old thread lets go of everything, one after the other.
fn until(so: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < give_up, "it has kept something");
        std::thread::yield_now();
    }
}

fn is_free(relayed: SocketAddr) -> bool {
    UdpSocket::bind(relayed).is_ok()
}

#[test]
fn clients_over_dtls() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    let gone = witness(&mut bench);
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    let mut others = Vec::new();
    let mut client_on = |bench: &mut Bench, worker: usize| loop {
        let mut client = DtlsClient::connect(&listener);
        let (five_tuple, allocation, relayed) = client.allocate(bench);
        if five_tuple.worker != worker {
            others.push(client);
            continue;
        }
        bench.engine.permit(&permission(allocation, LOCALHOST));
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(client.receive(), request(*b"the response"));
        return (client, allocation, relayed);
    };
    let echo = |client: &mut DtlsClient| {
        client.send(&send_indication(address, b"hello"));
        let (data, relayed) = receive(&peer);
        assert_eq!(data, b"hello");
        peer.send_to(b"again", relayed).expect("sent");
        assert_eq!(data_indication(&client.receive()), (address, b"again".to_vec()));
    };
    let (mut kept, living, _) = client_on(&mut bench, 1);
    let (mut lost, ended, relayed) = client_on(&mut bench, 0);
    echo(&mut kept);
    echo(&mut lost);
    let before = bench.engine.turn_counters().malformed;

    bench.engine.stand_still(0, LATE);
    lose(&mut bench, &[ended], |_| echo(&mut kept));
    // Its keys are unknown to whoever hears it now, until it begins anew.
    lost.send(&send_indication(address, b"hello"));
    bench.counted(|counters| counters.malformed == before + 1);
    let (mut new, again, _) = client_on(&mut bench, 0);
    echo(&mut new);

    came_back(gone);
    until(|| is_free(relayed));
    echo(&mut new);
    echo(&mut kept);
    assert_eq!([ended, living, again].map(|handle| told(&mut bench, handle)), [0; 3]);
    new.close();
    assert_eq!(bench.closed(again).0, CloseReason::Peer);
}

#[test]
fn clients_over_tcp_and_tls_who_are_shown_the_newest_certificate() {
    let mut bench = Bench::start();
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    let client_on = |bench: &mut Bench, listener: &Listener, worker: usize| loop {
        let mut client = listener.connect();
        let (five_tuple, allocation, relayed) = client.allocate(bench);
        if five_tuple.worker == worker {
            bench.engine.permit(&permission(allocation, LOCALHOST));
            bench.engine.answer(five_tuple, request(*b"the response"));
            assert_eq!(client.receive(20), request(*b"the response"));
            return (client, allocation, relayed);
        }
    };
    let echo = |client: &mut StreamClient| {
        client.send(&send_indication(address, b"hello"));
        let (data, relayed) = receive(&peer);
        assert_eq!(data, b"hello");
        peer.send_to(b"again", relayed).expect("sent");
        assert_eq!(data_indication(&client.receive(20 + 12 + 12)), (address, b"again".to_vec()));
    };
    let mut listeners = [Transport::Tcp, Transport::Tls].map(|over| Listener::new(&bench, over, usual()));
    let mut kept = listeners.each_ref().map(|listener| client_on(&mut bench, listener, 1));
    let mut lost = listeners.each_ref().map(|listener| client_on(&mut bench, listener, 0));
    for (client, ..) in &mut lost {
        echo(client);
    }
    let ended = lost.each_ref().map(|(_, allocation, _)| *allocation);

    bench.engine.stand_still(0, LATE);
    let renewed = certificate("ec");
    bench.engine.retune_turn(listeners[1].handle, Some(&renewed), usual()).expect("an open listener");
    listeners[1].certificate = Some(renewed);
    lose(&mut bench, &ended, |_| kept.iter_mut().for_each(|(client, ..)| echo(client)));
    for listener in &listeners {
        for worker in [0, 1] {
            echo(&mut client_on(&mut bench, listener, worker).0);
        }
    }
    for (client, _, relayed) in lost {
        came_back(client.socket);
        until(|| is_free(relayed));
    }
    for (client, ..) in &mut kept {
        echo(client);
    }
    assert_eq!(ended.map(|handle| told(&mut bench, handle)), [0; 2], "told again");
}

fn caller_on(bench: &mut Bench, listener: &Listener, worker: u64) -> Caller {
    loop {
        let caller = caller(bench, listener, 0);
        if worker_of(caller.allocation) == worker {
            return caller;
        }
    }
}

/// A client's connection that a worker has and nothing was decided of.
fn data_on(bench: &mut Bench, listener: &Listener, worker: usize) -> (StreamClient, FiveTuple) {
    loop {
        let mut data = listener.connect();
        let five_tuple = asked(&mut data, bench);
        if five_tuple.worker == worker {
            return (data, five_tuple);
        }
    }
}

/// Somebody who has connected to an allocation, and waits for its client.
fn visitor(bench: &mut Bench, caller: &Caller) -> (TcpStream, Handle) {
    let peer = patient(TcpStream::connect(caller.relayed).expect("listening"));
    let (connection, _, incoming) = connected(bench, caller.allocation);
    assert!(incoming);
    (peer, connection)
}

/// Where a connection neither stands nor fails: who is there takes nobody more.
struct Deaf {
    address: SocketAddr,
    _socket: socket2::Socket,
    _others: Vec<socket2::Socket>,
}

impl Deaf {
    fn new() -> Self {
        let open = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = open().expect("a socket");
        socket.bind(&SocketAddr::new(LOCALHOST, 0).into()).expect("a free port");
        socket.listen(0).expect("a backlog of one");
        let address = socket.local_addr().expect("bound");
        let others = (0..4).map(|_| {
            let other = open().expect("a socket");
            other.set_nonblocking(true).expect("a socket");
            let _ = other.connect(&address);
            other
        });
        let others = others.collect();
        Self { address: address.as_socket().expect("IPv4"), _socket: socket, _others: others }
    }
}

fn echo((_, data, peer): &mut (Handle, StreamClient, TcpStream)) {
    data.send(b"hello");
    assert_eq!(read(peer, 5), b"hello");
    peer.write_all(b"again").expect("sent");
    assert_eq!(data.receive(5), b"again");
}

#[test]
fn connections_with_peers() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let (lost, kept) = (caller_on(&mut bench, &listener, 0), caller_on(&mut bench, &listener, 1));
    let deaf = Deaf::new();
    // Connections come to the workers in turn: of each, one that another has accepted.
    let mut lost_ones = [(); 2].map(|()| called(&mut bench, &listener, &lost));
    let mut kept_ones = [(); 2].map(|()| called(&mut bench, &listener, &kept));
    lost_ones.iter_mut().for_each(echo);
    let (_visitor, waiting) = visitor(&mut bench, &lost);
    let connecting = bench.engine.connect_peer(lost.allocation, deaf.address).expect("an address");
    let (mut guest, kept_waiting) = visitor(&mut bench, &kept);
    let (data, five_tuple) = data_on(&mut bench, &listener, 0);

    bench.engine.stand_still(0, LATE);
    // Nobody can know these any more.
    let unheard = bench.engine.connect_peer(lost.allocation, deaf.address).expect("an address");
    bench.engine.join(five_tuple, kept_waiting, request(*b"never comes "));
    let (mut left, other) = data_on(&mut bench, &listener, 1);
    bench.engine.join(other, waiting, request(*b"never comes "));
    let ended = [lost_ones[0].0, lost_ones[1].0, waiting, connecting, unheard, lost.allocation];
    lose(&mut bench, &ended, |_| kept_ones.iter_mut().for_each(echo));
    assert!(left.ended(), "it has nobody to carry");
    // Whom nobody has taken up yet is taken up by another.
    let mut data_again = joined(&mut bench, &listener, kept_waiting);
    guest.write_all(b"still there").expect("sent");
    assert_eq!(data_again.receive(11), b"still there");
    let new = caller_on(&mut bench, &listener, 0);
    let mut new_ones = [(); 2].map(|()| called(&mut bench, &listener, &new));
    new_ones.iter_mut().for_each(echo);

    for (_, data, mut peer) in lost_ones {
        came_back(data.socket);
        assert!(!matches!(peer.read(&mut [0; 1]), Ok(1..)));
    }
    came_back(data.socket);
    came_back(lost.control.socket);
    until(|| TcpStream::connect(lost.relayed).is_err());
    kept_ones.iter_mut().chain(&mut new_ones).for_each(echo);
    assert_eq!(ended.map(|handle| told(&mut bench, handle)), [0; 6], "told again");
    kept.control.socket.shutdown(Shutdown::Both).expect("connected");
    assert_eq!(bench.closed(kept_ones[0].0).0, CloseReason::Peer);
}

/// Take an allocation along to where a worker hears its client.
fn moved(bench: &mut Bench, client: &Client, worker: usize) -> (UdpSocket, FiveTuple) {
    loop {
        let socket = socket(LOCALHOST);
        socket.connect(bench.server).expect("a route");
        socket.send(&request(*b"a refresh   ")).expect("sent");
        let me = socket.local_addr().expect("bound");
        let (five_tuple, ..) = bench.request(|five_tuple| five_tuple.client == me);
        if five_tuple.worker == worker {
            bench.engine.move_allocation(client.allocation, &client.five_tuple, five_tuple).expect("free");
            bench.engine.answer(five_tuple, request(*b"the response"));
            assert_eq!(receive(&socket).0, request(*b"the response"));
            return (socket, five_tuple);
        }
    }
}

#[test]
fn allocations_that_moved() {
    let mut bench = Bench::start();
    let gone = witness(&mut bench);
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    let (lost, kept) = (client_on(&mut bench, 0), client_on(&mut bench, 1));
    bench.bind_channel(&kept, 0x4001, address);
    let (of_lost, five_tuple) = moved(&mut bench, &lost, 1);
    let (of_kept, _) = moved(&mut bench, &kept, 0);
    of_kept.send(&channel(0x4001, b"here")).expect("sent");
    assert_eq!(receive(&peer), (b"here".to_vec(), kept.relayed));

    bench.engine.stand_still(0, LATE);
    of_kept.send(&channel(0x4001, b"waits")).expect("sent"); // until somebody hears it
    lose(&mut bench, &[lost.allocation], |_| {
        peer.send_to(b"from a peer", kept.relayed).expect("sent");
        assert_eq!(receive(&of_kept).0, channel(0x4001, b"from a peer"));
    });
    assert_eq!(receive(&peer), (b"waits".to_vec(), kept.relayed));
    let me = of_kept.local_addr().expect("bound");
    of_kept.send(&request(*b"again       ")).expect("sent");
    let (answered, allocation, _) = bench.request(|five_tuple| five_tuple.client == me);
    assert_eq!(allocation, kept.allocation);
    bench.engine.answer(answered, request(*b"the response"));
    assert_eq!(receive(&of_kept).0, request(*b"the response"));

    // Whoever had moved away from it has nothing, and may have all anew.
    of_lost.send(&request(*b"an allocate ")).expect("sent");
    let (_, allocation, _) = bench.request(|known| *known == five_tuple);
    assert_eq!(allocation, 0);
    let bind = BindRelay { transport: RelayTransport::Udp, address: (LOCALHOST, 0).into(), external: None };
    let (relay, relayed) = bench.engine.bind_relay(&bind).expect("a free port");
    let lifetime = Duration::from_secs(60);
    let allocate =
        Allocate { five_tuple, relays: vec![relay], lifetime, bytes_per_second: 0, movable: false };
    let again = bench.engine.allocate(&allocate).expect("the five-tuple is free");
    bench.engine.permit(&permission(again, LOCALHOST));
    bench.engine.answer(five_tuple, request(*b"the response"));
    assert_eq!(receive(&of_lost).0, request(*b"the response"));

    came_back(gone);
    until(|| is_free(lost.relayed));
    of_lost.send(&send_indication(address, b"hello")).expect("sent");
    assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));
    of_kept.send(&channel(0x4001, b"goes on")).expect("sent");
    assert_eq!(receive(&peer), (b"goes on".to_vec(), kept.relayed));
    let all = [lost.allocation, kept.allocation, again];
    assert_eq!(all.map(|handle| told(&mut bench, handle)), [0; 3]);
}

/// An allocation that moves, for whoever has asked.
fn allocate(bench: &mut Bench, five_tuple: FiveTuple) -> (Handle, SocketAddr) {
    let bind = BindRelay { transport: RelayTransport::Udp, address: (LOCALHOST, 0).into(), external: None };
    let (relay, relayed) = bench.engine.bind_relay(&bind).expect("a free port");
    let lifetime = Duration::from_secs(60);
    let allocate = Allocate { five_tuple, relays: vec![relay], lifetime, bytes_per_second: 0, movable: true };
    let allocation = bench.engine.allocate(&allocate).expect("the five-tuple is free");
    bench.engine.permit(&permission(allocation, LOCALHOST));
    (allocation, relayed)
}

fn answered(bench: &Bench, client: &mut StreamClient, five_tuple: FiveTuple) {
    bench.engine.answer(five_tuple, request(*b"the response"));
    assert_eq!(client.receive(20), request(*b"the response"));
}

#[test]
fn allocations_that_moved_to_connections() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    // One whose home is lost, and one whose client's connection is.
    let moved = |bench: &mut Bench, home: usize, to: usize| {
        let (mut client, home) = data_on(bench, &listener, home);
        let (allocation, relayed) = allocate(bench, home);
        answered(bench, &mut client, home);
        let (mut moved, five_tuple) = data_on(bench, &listener, to);
        bench.engine.move_allocation(allocation, &home, five_tuple).expect("free");
        answered(bench, &mut moved, five_tuple);
        (client, moved, five_tuple, allocation, relayed)
    };
    let (gone, mut of_lost, five_tuple, lost, _) = moved(&mut bench, 0, 1);
    let (_, of_kept, there, kept, relayed) = moved(&mut bench, 1, 0);

    bench.engine.stand_still(0, LATE);
    lose(&mut bench, &[lost], |_| {
        let _ = peer.send_to(b"anybody?", relayed);
    });
    // Its connection stands, and may have another.
    let me = of_lost.socket.local_addr().expect("connected");
    of_lost.send(&request(*b"an allocate "));
    let (_, allocation, _) = bench.request(|five_tuple| five_tuple.client == me);
    assert_eq!(allocation, 0);
    let (again, new) = allocate(&mut bench, five_tuple);
    answered(&bench, &mut of_lost, five_tuple);
    of_lost.send(&send_indication(address, b"hello"));
    assert_eq!(receive(&peer), (b"hello".to_vec(), new));
    // It waits for its client, who comes back.
    let (mut back, five_tuple) = data_on(&mut bench, &listener, 0);
    bench.engine.move_allocation(kept, &there, five_tuple).expect("free");
    answered(&bench, &mut back, five_tuple);
    back.send(&send_indication(address, b"hello"));
    assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));

    came_back(gone.socket);
    came_back(of_kept.socket);
    back.send(&send_indication(address, b"hello"));
    assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));
    assert_eq!([lost, kept, again].map(|handle| told(&mut bench, handle)), [0; 3]);
}
