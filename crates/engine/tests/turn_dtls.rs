//! TURN's clients over DTLS.

mod relay;

use std::net::SocketAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use headgate_engine::engine::VerbError;
use headgate_engine::event::CloseReason;
use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::listener::TurnLimits;
use headgate_engine::turn::verbs::{BindChannel, ListenTurn};
use relay::dtls::DtlsClient;
use relay::stream::{Listener, certificate};
use relay::{
    Bench, LOCALHOST, channel, data_indication, permission, receive, request, send_indication, socket, usual,
};

const SOON: Duration = Duration::from_millis(500);

/// A hello without a cookie, of DTLS 1.2 or of 1.0.
fn hello(version: u8, random: u8) -> Vec<u8> {
    let mut body = vec![0xfe, version];
    body.extend_from_slice(&[random; 32]);
    body.extend_from_slice(&[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let size = body.len() as u8;
    let mut hello = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12 + size];
    hello.extend_from_slice(&[1, 0, 0, size, 0, 0, 0, 0, 0, 0, 0, size]);
    hello.extend_from_slice(&body);
    hello
}

#[test]
fn data_moves_both_ways() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    for _ in 0..4 {
        let mut client = DtlsClient::connect(&listener);
        let (five_tuple, allocation, relayed) = client.allocate(&mut bench);
        assert_eq!((five_tuple.transport, five_tuple.listener), (Transport::Dtls, listener.handle));
        assert_eq!(five_tuple.server, listener.address);
        assert_ne!(five_tuple.connection, 0);
        let peer = socket(LOCALHOST);
        let address = peer.local_addr().expect("bound");
        bench.engine.permit(&permission(allocation, LOCALHOST));
        let (lifetime, permission_lifetime) = (Duration::from_secs(600), Duration::from_secs(300));
        client.send(&send_indication(address, b"hello"));
        assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));
        peer.send_to(b"again", relayed).expect("sent");
        assert_eq!(data_indication(&client.receive()), (address, b"again".to_vec()));
        let bind = BindChannel {
            allocation,
            number: 0x4001,
            peer: address,
            lifetime,
            permission_lifetime,
            relayed_only: false,
        };
        bench.engine.bind_channel(&bind).expect("a channel");
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(client.receive(), request(*b"the response"));
        for size in [0, 1, 2, 3, 4, 160, 1200, 1472, 9000] {
            client.send(&channel(0x4001, &vec![7; size]));
            assert_eq!(receive(&peer).0, vec![7; size]);
            peer.send_to(&vec![7; size], relayed).expect("sent");
            assert_eq!(client.receive(), channel(0x4001, &vec![7; size]));
        }
        client.close();
        assert_eq!(bench.closed(allocation).0, CloseReason::Peer);
    }
}

#[test]
fn clients_reach_each_other_and_themselves() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    for _ in 0..4 {
        let udp = bench.client();
        let mut dtls = DtlsClient::connect(&listener);
        let (five_tuple, allocation, relayed) = dtls.allocate(&mut bench);
        bench.engine.permit(&permission(allocation, LOCALHOST));
        bench.permit(&udp, LOCALHOST);
        bench.barrier(&udp);
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(dtls.receive(), request(*b"the response"));
        dtls.send(&send_indication(udp.relayed, b"from dtls"));
        assert_eq!(data_indication(&udp.receive()), (relayed, b"from dtls".to_vec()));
        udp.send(&send_indication(relayed, b"from udp"));
        assert_eq!(data_indication(&dtls.receive()), (udp.relayed, b"from udp".to_vec()));
        dtls.send(&send_indication(relayed, b"from me"));
        assert_eq!(data_indication(&dtls.receive()), (relayed, b"from me".to_vec()));
    }
}

#[test]
fn it_ends_by_us_with_a_goodbye() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    let mut kicked = DtlsClient::connect(&listener);
    let (five_tuple, allocation, _) = kicked.allocate(&mut bench);
    bench.engine.close(five_tuple.connection);
    assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
    kicked.until_ended();
    let mut other = DtlsClient::connect(&listener);
    let (_, allocation, _) = other.allocate(&mut bench);
    bench.engine.close(listener.handle);
    assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
    other.until_ended();
}

#[test]
fn silence_ends_an_association_without_an_allocation() {
    let mut bench = Bench::start();
    let limits = TurnLimits { idle_timeout: SOON, connection_limit: 2, ..usual() };
    let listener = Listener::new(&bench, Transport::Dtls, limits);
    let mut silent = DtlsClient::connect(&listener);
    let mut allocated = DtlsClient::connect(&listener);
    let (five_tuple, ..) = allocated.allocate(&mut bench);
    silent.until_ended();
    bench.engine.answer(five_tuple, request(*b"still there "));
    assert_eq!(allocated.receive(), request(*b"still there "));
    DtlsClient::connect(&listener); // there is room again
}

#[test]
fn an_address_has_only_so_many_associations() {
    let bench = Bench::start();
    let limits = TurnLimits { connections_per_address: 1, ..usual() };
    let listener = Listener::new(&bench, Transport::Dtls, limits);
    let mut first = DtlsClient::connect(&listener);
    let refused = || bench.engine.events().refused_connections.load(SeqCst);
    let second = std::thread::scope(|scope| {
        let second = scope.spawn(|| DtlsClient::connect(&listener));
        while refused() == 0 {
            std::thread::yield_now();
        }
        first.close();
        second.join().expect("no panic")
    });
    drop(second); // it was patient
}

#[test]
fn a_client_that_begins_anew_at_its_port_is_another() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    let mut before = DtlsClient::connect(&listener);
    let (_, allocation, _) = before.allocate(&mut bench);
    let mut after = DtlsClient::new(&listener);
    after.socket = before.socket.try_clone().expect("a socket");
    std::thread::scope(|scope| {
        let closed = scope.spawn(|| bench.closed(allocation).0);
        after.handshake();
        assert_eq!(closed.join().expect("no panic"), CloseReason::Peer);
    });
    after.allocate(&mut bench);
}

#[test]
fn what_is_too_old_is_told_so_and_what_is_nothing_is_not_answered() {
    let bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Dtls, usual());
    let client = socket(LOCALHOST);
    client.send_to(&hello(0xff, 1), listener.address).expect("sent");
    assert_eq!(receive(&client).0, [21, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 70]);
    let whole = hello(0xfd, 1);
    for size in 0..whole.len() {
        client.send_to(&whole[..size], listener.address).expect("sent");
    }
    client.send_to(&request(*b"an allocate "), listener.address).expect("sent");
    bench.counted(|counters| counters.malformed == whole.len() as u64 + 1);
    client.send_to(&whole, listener.address).expect("sent");
    let (answer, _) = receive(&client);
    assert_eq!((answer[0], answer[13]), (22, 3)); // HelloVerifyRequest
    assert!(answer.len() < whole.len());
    // Every byte of it wrong, with its cookie: it is refused, or asked again, or fails alone.
    let mut second = hello(0xfd, 1);
    let cookie = &answer[answer.len() - 32..];
    second.splice(60..61, [&[32], cookie].concat());
    for (at, by) in [(12, 32), (16, 32), (24, 32)] {
        second[at] += by;
    }
    for at in 0..second.len() {
        let mut changed = second.clone();
        changed[at] ^= 0x41;
        client.send_to(&changed, listener.address).expect("sent");
    }
    DtlsClient::connect(&listener);
}

#[test]
fn rsa_is_refused() {
    let bench = Bench::start();
    let listen = ListenTurn {
        transport: Transport::Dtls,
        address: SocketAddr::new(LOCALHOST, 0),
        tls: Some(certificate("rsa")),
        limits: usual(),
    };
    assert!(
        matches!(bench.engine.listen_turn(&listen), Err(VerbError::Value(text)) if text.contains("ECDSA"))
    );
    let none = ListenTurn { tls: None, ..listen };
    assert!(matches!(bench.engine.listen_turn(&none), Err(VerbError::Value(_))));
}

#[test]
fn an_address_has_only_so_many_handshakes() {
    let bench = Bench::start();
    let limits = TurnLimits { requests_per_second_per_address: 1, ..usual() };
    let listener = Listener::new(&bench, Transport::Dtls, limits);
    // Five at once are within it: two of each handshake, which the third client waits for.
    for _ in 0..3 {
        DtlsClient::connect(&listener);
    }
    bench.counted(|counters| counters.requests_over_budget > 0);
}

/// S-04: hellos whose senders never show where they are leave nothing behind.
#[test]
fn fifteen_thousand_strangers_leave_nothing() {
    let bench = Bench::start();
    let limits = TurnLimits { connection_limit: 1, ..usual() };
    let listener = Listener::new(&bench, Transport::Dtls, limits);
    let sockets: Vec<_> = (0..50).map(|_| socket(LOCALHOST)).collect();
    let strange = |n: usize| {
        let from = &sockets[n % sockets.len()];
        from.send_to(&hello(0xfd, n as u8), listener.address).expect("sent");
        let (answer, _) = receive(from);
        assert_eq!(answer.len(), 60);
    };
    (0..1000).for_each(strange);
    (1000..16_000).for_each(strange);
    assert_eq!(bench.engine.events().refused_connections.load(SeqCst), 0);
    assert!(bench.engine.drain(1).is_empty());
    // The one place that there is is still free.
    DtlsClient::connect(&listener);
}
