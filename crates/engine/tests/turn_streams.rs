//! TURN's clients over TCP and TLS.

mod relay;

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use headgate_engine::Handle;
use headgate_engine::event::{CloseReason, Event, Unanswered};
use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::listener::TurnLimits;
use headgate_engine::turn::verbs::BindChannel;
use relay::stream::Listener;
use relay::{
    Bench, LOCALHOST, channel, data_indication, permission, receive, request, send_indication, socket, usual,
};

const BOTH: [Transport; 2] = [Transport::Tcp, Transport::Tls];
const SOON: Duration = Duration::from_millis(300);

fn bind_channel(bench: &Bench, allocation: Handle, number: u16, peer: std::net::SocketAddr) {
    let (lifetime, permission_lifetime) = (Duration::from_secs(600), Duration::from_secs(300));
    let bind = BindChannel { allocation, number, peer, lifetime, permission_lifetime, relayed_only: false };
    bench.engine.bind_channel(&bind).expect("a channel");
}

#[test]
fn data_moves_both_ways_with_padding() {
    for transport in BOTH {
        let mut bench = Bench::start();
        let listener = Listener::new(&bench, transport, usual());
        let mut client = listener.connect();
        let (five_tuple, allocation, relayed) = client.allocate(&mut bench);
        assert_eq!((five_tuple.transport, five_tuple.listener), (transport, listener.handle));
        assert_eq!(five_tuple.server, listener.address);
        assert_ne!(five_tuple.connection, 0);
        let peer = socket(LOCALHOST);
        let address = peer.local_addr().expect("bound");
        bench.engine.permit(&permission(allocation, LOCALHOST));
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(client.receive(20), request(*b"the response"));

        client.send(&send_indication(address, b"hello"));
        assert_eq!(receive(&peer), (b"hello".to_vec(), relayed));
        peer.send_to(b"again", relayed).expect("sent");
        assert_eq!(data_indication(&client.receive(20 + 12 + 12)), (address, b"again".to_vec()));

        bind_channel(&bench, allocation, 0x4001, address);
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(client.receive(20), request(*b"the response"));
        for size in 0..9 {
            let mut message = channel(0x4001, &vec![7; size]);
            message.resize(message.len().next_multiple_of(4), 0);
            client.send(&message);
            assert_eq!(receive(&peer).0, vec![7; size]);
            peer.send_to(&vec![7; size], relayed).expect("sent");
            assert_eq!(client.receive(message.len()), message);
        }
        bench.engine.close(allocation);
        assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
        // The connection is still there, for the answer and another allocation.
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(client.receive(20), request(*b"the response"));
        client.allocate(&mut bench);
    }
}

/// Clients have been seen that take a record for one message, and lose what else is in it.
#[test]
fn each_message_is_a_record() {
    const COUNT: usize = 200;
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tls, usual());
    let mut client = listener.connect();
    let (five_tuple, allocation, relayed) = client.allocate(&mut bench);
    let peer = socket(LOCALHOST);
    bind_channel(&bench, allocation, 0x4001, peer.local_addr().expect("bound"));
    bench.engine.answer(five_tuple, request(*b"the response"));
    assert_eq!(client.receive(20), request(*b"the response"));
    for _ in 0..COUNT {
        peer.send_to(&[7; 100], relayed).expect("sent");
    }
    for _ in 0..COUNT {
        let mut header = [0; 5];
        client.socket.read_exact(&mut header).expect("a record");
        assert_eq!(header[0], 23, "application data");
        let size = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let mut record = vec![0; size];
        client.socket.read_exact(&mut record).expect("a record");
        // The message, its kind and AEAD tag.
        assert_eq!(size, 4 + 100 + 1 + 16);
    }
}

#[test]
fn peers_are_heard_where_no_client_comes_over_udp() {
    let mut bench = Bench::without_listener();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let mut client = listener.connect();
    let (five_tuple, allocation, relayed) = client.allocate(&mut bench);
    let peer = socket(LOCALHOST);
    bind_channel(&bench, allocation, 0x4001, peer.local_addr().expect("bound"));
    bench.engine.answer(five_tuple, request(*b"the response"));
    assert_eq!(client.receive(20), request(*b"the response"));
    client.send(&channel(0x4001, b"to and fro"));
    // Padded, over TCP.
    client.send(&[0, 0]);
    assert_eq!(receive(&peer).0, b"to and fro");
    peer.send_to(b"back", relayed).expect("sent");
    assert_eq!(client.receive(8), channel(0x4001, b"back"));
}

#[test]
fn an_allocation_ends_with_its_connection() {
    for transport in BOTH {
        let mut bench = Bench::start();
        let listener = Listener::new(&bench, transport, usual());
        let mut leaving = listener.connect();
        let (_, allocation, _) = leaving.allocate(&mut bench);
        leaving.socket.shutdown(Shutdown::Both).expect("connected");
        assert_eq!(bench.closed(allocation).0, CloseReason::Peer);
        let mut kicked = listener.connect();
        let (five_tuple, allocation, _) = kicked.allocate(&mut bench);
        bench.engine.answer(five_tuple, request(*b"the last one"));
        bench.engine.close(five_tuple.connection);
        assert_eq!(bench.closed(allocation).0, CloseReason::Requested);
        assert_eq!(kicked.receive(20), request(*b"the last one"));
        assert!(kicked.ended());
    }
}

#[test]
fn between_a_client_over_tcp_and_one_over_udp() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    for _ in 0..6 {
        let udp = bench.client();
        let mut tcp = listener.connect();
        let (five_tuple, allocation, relayed) = tcp.allocate(&mut bench);
        bind_channel(&bench, allocation, 0x4001, udp.relayed);
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(tcp.receive(20), request(*b"the response"));
        bench.bind_channel(&udp, 0x4002, relayed);
        bench.barrier(&udp);
        tcp.send(&channel(0x4001, b"from tcp"));
        assert_eq!(udp.receive(), channel(0x4002, b"from tcp"));
        udp.send(&channel(0x4002, b"from udp"));
        assert_eq!(tcp.receive(12), channel(0x4001, b"from udp"));
    }
    assert_eq!(bench.engine.turn_counters().packets_short_cut, 12);
}

#[test]
fn connections_that_say_nothing_or_half_of_it_are_closed() {
    let mut bench = Bench::start();
    let limits = TurnLimits { idle_timeout: SOON, ..usual() };
    let (tcp, tls) =
        (Listener::new(&bench, Transport::Tcp, limits), Listener::new(&bench, Transport::Tls, limits));
    let mut silent = tcp.connect();
    let mut half = tcp.connect();
    half.send(&request(*b"abcdefghijkl")[..10]);
    let handshake = std::net::TcpStream::connect(tls.address).expect("listening");
    let mut allocated = tcp.connect();
    let (five_tuple, ..) = allocated.allocate(&mut bench);
    assert!(silent.ended() && half.ended());
    handshake.set_read_timeout(Some(relay::PATIENCE)).expect("a socket");
    assert!(std::io::Read::read_to_end(&mut &handshake, &mut Vec::new()).is_ok());
    // One with an allocation may be silent; but not in the middle of a message.
    bench.engine.answer(five_tuple, request(*b"still there "));
    assert_eq!(allocated.receive(20), request(*b"still there "));
    allocated.send(&request(*b"abcdefghijkl")[..10]);
    assert!(allocated.ended());
}

#[test]
fn what_is_no_turn_is_closed_at_once() {
    let bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"\r\n\r\n\0", b"\x80", b"\x00\x03\x00\x03"] {
        let mut client = listener.connect();
        client.send(bytes);
        assert!(client.ended());
    }
    bench.counted(|counters| counters.malformed == 4);
}

#[test]
fn a_listener_and_an_address_have_only_so_many_connections() {
    let mut bench = Bench::start();
    let limits = TurnLimits { connection_limit: 3, connections_per_address: 2, ..usual() };
    let listener = Listener::new(&bench, Transport::Tcp, limits);
    let mut first = listener.connect();
    first.allocate(&mut bench);
    let mut second = listener.connect();
    second.allocate(&mut bench);
    assert!(listener.connect().ended());
    assert_eq!(bench.engine.events().refused_connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    bench
        .engine
        .retune_turn(listener.handle, None, TurnLimits { connections_per_address: 3, ..limits })
        .expect("a listener");
    listener.connect().allocate(&mut bench);
}

#[test]
fn a_client_that_asks_and_asks_is_read_no_faster_than_python_answers() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let mut client = listener.connect();
    let number = |n: u32| {
        let mut transaction = [0; 12];
        transaction[..4].copy_from_slice(&n.to_be_bytes());
        request(transaction)
    };
    let requests: Vec<u8> = (0..1000).flat_map(number).collect();
    client.send(&requests);
    bench.counted(|counters| counters.requests >= u64::from(Unanswered::MOST));
    std::thread::sleep(Duration::from_millis(50)); // more would have come
    assert_eq!(bench.engine.turn_counters().requests, u64::from(Unanswered::MOST));
    for n in 0..1000 {
        let wanted = number(n);
        bench.event(|event| {
            matches!(event, Event::StunReceived { message, .. } if *message == wanted).then_some(())
        });
    }
}

#[test]
fn a_client_that_does_not_take_its_data_loses_it_and_nobody_else_does() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let mut slow = listener.connect();
    let (five_tuple, allocation, relayed) = slow.allocate(&mut bench);
    let other = bench.client();
    let peer = socket(LOCALHOST);
    bind_channel(&bench, allocation, 0x4001, peer.local_addr().expect("bound"));
    bench.permit(&other, LOCALHOST);
    bench.barrier(&other);
    bench.engine.answer(five_tuple, request(*b"the response"));
    assert_eq!(slow.receive(20).len(), 20);
    let began = Instant::now();
    while bench.engine.counters(&[allocation])[0]
        .as_ref()
        .is_some_and(|counters| counters.packets_discarded < 1000)
    {
        for _ in 0..16 {
            peer.send_to(&[0; 1200], relayed).expect("sent");
        }
        peer.send_to(b"quick", other.relayed).expect("sent");
        assert_eq!(data_indication(&other.receive()).1, b"quick");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    // What it takes at last is whole messages.
    for _ in 0..50 {
        assert_eq!(slow.receive(1204), channel(0x4001, &[0; 1200]));
    }
}

#[test]
fn a_client_that_leaves_a_mebibyte_of_answers_is_closed() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let mut client = listener.connect();
    let (five_tuple, allocation, _) = client.allocate(&mut bench);
    for _ in 0..20_000 {
        bench.engine.answer(five_tuple, vec![0; 1024]);
    }
    assert_eq!(bench.closed(allocation).0, CloseReason::Overflow);
}

#[test]
fn a_closed_listener_leaves_its_connections_alone() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let mut client = listener.connect();
    let (five_tuple, ..) = client.allocate(&mut bench);
    bench.engine.close(listener.handle);
    bench.engine.answer(five_tuple, request(*b"still there "));
    assert_eq!(client.receive(20), request(*b"still there "));
    let gone = |address| std::net::TcpStream::connect(address).is_err();
    let until = Instant::now() + relay::PATIENCE;
    while !gone(listener.address) {
        assert!(Instant::now() < until, "it still listens");
    }
}

#[test]
fn a_certificate_is_changed_under_what_stands() {
    let mut bench = Bench::start();
    let mut listener = Listener::new(&bench, Transport::Tls, usual());
    let mut before = listener.connect();
    before.allocate(&mut bench);
    let other = Listener::new(&bench, Transport::Tls, usual());
    bench.engine.retune_turn(listener.handle, other.certificate.as_ref(), usual()).expect("a certificate");
    listener.certificate = other.certificate; // and no other is believed
    let mut after = listener.connect();
    after.allocate(&mut bench);
    before.send(&request(*b"still there "));
    let me = before.socket.local_addr().expect("connected");
    bench.request(|five_tuple| five_tuple.client == me);
}
