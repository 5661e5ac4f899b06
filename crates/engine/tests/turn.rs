//! TURN over real sockets: what Python decides is given here by hand.

mod relay;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use headgate_engine::engine::VerbError;
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::turn::totals::TurnCounters;
use headgate_engine::turn::verbs::{Allocate, BindChannel, BindRelay, Permit, RelayTransport};
use relay::{
    Bench, LOCALHOST, channel, data_indication, listen, message, permission, receive, request,
    send_indication, socket, usual,
};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn data_moves_both_ways_in_channels_and_in_indications() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.permit(&client, address.ip());
    bench.barrier(&client);

    client.send(&send_indication(address, b"by indication"));
    let (data, from) = receive(&peer);
    assert_eq!((&data[..], from), (&b"by indication"[..], client.relayed));
    peer.send_to(b"back", from).expect("sent");
    assert_eq!(data_indication(&client.receive()), (address, b"back".to_vec()));

    bench.bind_channel(&client, 0x4001, address);
    bench.barrier(&client);
    client.send(&channel(0x4001, b"by channel"));
    assert_eq!(receive(&peer), (b"by channel".to_vec(), client.relayed));
    peer.send_to(b"back", from).expect("sent");
    assert_eq!(client.receive(), channel(0x4001, b"back"));

    // A Send indication to a peer that has a channel is as good; its answer comes in the channel.
    client.send(&send_indication(address, b""));
    assert_eq!(receive(&peer), (Vec::new(), client.relayed));
    peer.send_to(b"", from).expect("sent");
    assert_eq!(client.receive(), channel(0x4001, b""));
    let counters = bench.engine.turn_counters();
    assert_eq!((counters.packets_relayed, counters.bytes_relayed), (6, 13 + 4 + 10 + 4));
}

#[test]
fn every_size_of_data_and_of_padding() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.permit(&client, address.ip());
    bench.barrier(&client);
    for size in (0..20).chain([1472, 9000, 65_000]) {
        let data = vec![0xa5; size];
        client.send(&send_indication(address, &data));
        let (received, from) = receive(&peer);
        assert_eq!(received, data);
        peer.send_to(&data, from).expect("sent");
        let message = client.receive();
        assert_eq!(message.len() % 4, 0);
        assert!(message[message.len() - (message.len() - 36 - size)..].iter().all(|byte| *byte == 0));
        assert_eq!(data_indication(&message), (address, data));
    }
}

#[test]
fn a_burst_keeps_its_order_and_its_sizes() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.bind_channel(&client, 0x4001, address);
    bench.barrier(&client);
    for round in 0..20_u8 {
        let burst: Vec<Vec<u8>> =
            (0..30_u8).map(|n| vec![n; if n % 7 == round % 7 { 90 } else { 160 }]).collect();
        for data in &burst {
            client.send(&channel(0x4001, data));
        }
        for data in &burst {
            assert_eq!(receive(&peer).0, *data);
        }
        for data in &burst {
            peer.send_to(data, client.relayed).expect("sent");
        }
        for data in &burst {
            assert_eq!(client.receive(), channel(0x4001, data));
        }
    }
}

#[test]
fn who_has_no_permission_gets_and_gives_nothing() {
    let mut bench = Bench::start();
    let client = bench.client();
    let permitted = socket(LOCALHOST);
    let stranger = socket(IpAddr::from([127, 0, 0, 2]));
    let address = stranger.local_addr().expect("bound");
    bench.permit(&client, LOCALHOST);
    bench.barrier(&client);
    client.send(&send_indication(address, b"no"));
    client.send(&channel(0x4001, b"no"));
    stranger.send_to(b"no", client.relayed).expect("sent");
    bench.counted(|counters| counters.no_permission == 2 && counters.no_channel == 1);
    permitted.send_to(b"yes", client.relayed).expect("sent");
    assert_eq!(data_indication(&client.receive()).1, b"yes");
    nothing(&stranger);
}

#[test]
fn two_of_our_own_allocations_talk_without_leaving_the_engine() {
    let mut bench = Bench::start();
    // Some pairs are heard by one worker, and some by two.
    for _ in 0..8 {
        let (a, b) = (bench.client(), bench.client());
        bench.bind_channel(&a, 0x4001, b.relayed);
        bench.permit(&b, a.relayed.ip());
        bench.barrier(&a);
        bench.barrier(&b);
        a.send(&channel(0x4001, b"there"));
        assert_eq!(data_indication(&b.receive()), (a.relayed, b"there".to_vec()));
        bench.bind_channel(&b, 0x4002, a.relayed);
        bench.barrier(&b);
        b.send(&channel(0x4002, b"and back"));
        assert_eq!(a.receive(), channel(0x4001, b"and back"));
    }
    let counters = bench.engine.turn_counters();
    assert_eq!((counters.packets_short_cut, counters.packets_relayed), (16, 16));
}

#[test]
fn an_allocation_that_is_its_own_peer_gets_each_packet_once() {
    let mut bench = Bench::start();
    let client = bench.client();
    bench.bind_channel(&client, 0x4001, client.relayed);
    bench.barrier(&client);
    client.send(&channel(0x4001, b"echo"));
    assert_eq!(client.receive(), channel(0x4001, b"echo"));
    bench.barrier(&client);
    assert_eq!(bench.engine.turn_counters().packets_short_cut, 1);
}

#[test]
fn the_short_cut_asks_for_the_target_s_permission() {
    let mut bench = Bench::start();
    let (a, b) = (bench.client(), bench.client());
    bench.bind_channel(&a, 0x4001, b.relayed);
    bench.barrier(&a);
    a.send(&channel(0x4001, b"no"));
    bench.counted(|counters| counters.no_permission == 1);
    // And who is gone is nobody, as the system says when it is asked to send there.
    bench.engine.close(b.allocation);
    assert_eq!(bench.closed(b.allocation).0, CloseReason::Requested);
    a.send(&channel(0x4001, b"nobody"));
    assert_eq!(a.receive()[32..40], [0x80, 0x04, 0, 8, 0, 0, 3, 3]);
    assert_eq!(bench.engine.turn_counters().packets_short_cut, 0);
}

#[test]
fn our_own_listeners_are_no_peers() {
    let mut bench = Bench::start();
    let client = bench.client();
    let (_, media) = bench.engine.bind_udp(SocketAddr::new(LOCALHOST, 0)).expect("a free port");
    bench.permit(&client, LOCALHOST);
    bench.barrier(&client);
    client.send(&send_indication(bench.server, &request(*b"through ours")));
    client.send(&send_indication(media, b"nor this"));
    client.send(&send_indication(SocketAddr::new(LOCALHOST, 0), b"nor port 0"));
    client.send(&send_indication(SocketAddr::from((Ipv6Addr::LOCALHOST, 9)), b"nor that family"));
    bench.counted(|counters| counters.denied == 3 && counters.no_permission == 1);
}

#[test]
fn requests_go_up_whole_and_answers_come_back() {
    let mut bench = Bench::start();
    let client = bench.client();
    let stranger = socket(LOCALHOST);
    stranger.send_to(&request(*b"abcdefghijkl"), bench.server).expect("sent");
    let (five_tuple, allocation, message) =
        bench.request(|tuple| tuple.client == stranger.local_addr().expect("bound"));
    assert_eq!((allocation, message), (0, request(*b"abcdefghijkl")));
    assert_eq!((five_tuple.server, five_tuple.connection), (bench.server, 0));
    bench.engine.answer(five_tuple, b"answer".to_vec());
    assert_eq!(receive(&stranger), (b"answer".to_vec(), bench.server));
    client.send(&request(*b"abcdefghijkl"));
    assert_eq!(bench.request(|tuple| tuple.client == client.address()).1, client.allocation);
}

#[test]
fn who_hears_of_its_allocation_has_it() {
    let mut bench = Bench::start();
    for _ in 0..100 {
        let client = bench.client();
        // Sent at once, past the worker; what the client sends then may be faster than the worker.
        let success = message(0x0103, *b"an allocate ", &[]);
        bench.engine.answer(client.five_tuple, success.clone());
        assert_eq!(client.receive(), success);
        client.send(&request(*b"at once     "));
        let (_, allocation, _) = bench.request(|five_tuple| *five_tuple == client.five_tuple);
        assert_eq!(allocation, client.allocation);
        bench.engine.close(client.allocation);
        assert_eq!(bench.closed(client.allocation).1.packets_sent, 1);
    }
}

#[test]
fn a_five_tuple_has_one_allocation_and_a_relay_belongs_to_one() {
    let mut bench = Bench::start();
    let client = bench.client();
    let relay = |bench: &Bench, ip: IpAddr| {
        bench
            .engine
            .bind_relay(&BindRelay {
                transport: RelayTransport::Udp,
                address: SocketAddr::new(ip, 0),
                external: None,
            })
            .expect("a free port")
            .0
    };
    let (first, second) = (relay(&bench, LOCALHOST), relay(&bench, LOCALHOST));
    let v6 = relay(&bench, Ipv6Addr::LOCALHOST.into());
    let allocate = |five_tuple, relays: &[u64]| Allocate {
        five_tuple,
        relays: relays.to_vec(),
        lifetime: MINUTE,
        bytes_per_second: 0,
        movable: false,
    };
    let taken = bench.engine.allocate(&allocate(client.five_tuple, &[first]));
    assert!(matches!(taken, Err(VerbError::Io(error)) if error.raw_os_error() == Some(17)));
    bench.engine.close(client.allocation);
    bench.closed(client.allocation);
    for bad in [&[first, second][..], &[], &[first, first], &[v6, first, second], &[999_999]] {
        assert!(matches!(bench.engine.allocate(&allocate(client.five_tuple, bad)), Err(VerbError::Value(_))));
    }
    let again = bench.engine.allocate(&allocate(client.five_tuple, &[v6, first])).expect("both are free");
    let other = bench.client();
    bench.engine.close(other.allocation);
    bench.closed(other.allocation);
    assert!(matches!(bench.engine.allocate(&allocate(other.five_tuple, &[first])), Err(VerbError::Value(_))));
    bench.engine.close(again);
    assert_eq!(bench.closed(again).0, CloseReason::Requested);
}

#[test]
fn an_allocation_of_both_families_reaches_both() {
    let mut bench = Bench::start();
    let client = bench.client_with(&[LOCALHOST, Ipv6Addr::LOCALHOST.into()], MINUTE, 0);
    for ip in [LOCALHOST, Ipv6Addr::LOCALHOST.into()] {
        let peer = socket(ip);
        let address = peer.local_addr().expect("bound");
        bench.permit(&client, ip);
        bench.barrier(&client);
        client.send(&send_indication(address, b"hello"));
        let (data, from) = receive(&peer);
        assert_eq!((&data[..], from.ip()), (&b"hello"[..], ip));
        peer.send_to(b"hello", from).expect("sent");
        assert_eq!(data_indication(&client.receive()), (address, b"hello".to_vec()));
    }
}

#[test]
fn a_listener_at_all_addresses_answers_from_the_one_it_was_asked_at() {
    for wildcard in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
        let mut bench = Bench::at(wildcard, usual());
        for server in [IpAddr::from([127, 0, 0, 3]), LOCALHOST] {
            bench.server.set_ip(server);
            let client = bench.client(); // `connect` lets nothing else through
            assert_eq!(client.five_tuple.server, bench.server);
            assert!(client.five_tuple.client.is_ipv4());
            let peer = socket(LOCALHOST);
            bench.permit(&client, LOCALHOST);
            bench.barrier(&client);
            for n in 0..3 {
                peer.send_to(&[n], client.relayed).expect("sent");
                assert_eq!(data_indication(&client.receive()).1, [n]);
            }
        }
    }
}

#[test]
fn everything_ends_at_its_time() {
    let mut bench = Bench::start();
    let client = bench.client_with(&[LOCALHOST], Duration::from_millis(600), 0);
    let refreshed = bench.client_with(&[LOCALHOST], Duration::from_millis(600), 0);
    let shortened = bench.client_with(&[LOCALHOST], MINUTE, 0);
    let began = Instant::now();
    bench.engine.refresh_allocation(refreshed.allocation, MINUTE);
    bench.engine.refresh_allocation(shortened.allocation, Duration::from_millis(300));
    assert_eq!(bench.closed(shortened.allocation).0, CloseReason::Expired);
    assert_eq!(bench.closed(client.allocation).0, CloseReason::Expired);
    assert!(began.elapsed() < Duration::from_secs(5));
    bench.barrier(&refreshed);
    // The relayed address is free again.
    UdpSocket::bind(client.relayed).expect("free");
}

#[test]
fn a_closed_listener_takes_its_allocations_with_it() {
    let mut bench = Bench::start();
    let clients = [bench.client(), bench.client(), bench.client()];
    bench.engine.close(bench.listener);
    for client in &clients {
        assert_eq!(bench.closed(client.allocation).0, CloseReason::Requested);
    }
    let again = Bench::at(LOCALHOST, usual());
    drop(again);
}

#[test]
fn an_address_in_use_is_refused_and_ours_can_be_bound_again_once_closed() {
    let bench = Bench::start();
    let other = Bench::start();
    let listen = relay::listen(bench.server, usual());
    let refused = other.engine.listen_turn(&listen);
    assert!(matches!(refused, Err(VerbError::Io(error)) if error.raw_os_error() == Some(98)));
    let server = bench.server;
    bench.engine.shutdown();
    other.engine.listen_turn(&relay::listen(server, usual())).expect("free");
}

#[test]
fn the_client_s_side_is_counted() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = socket(LOCALHOST);
    bench.bind_channel(&client, 0x4001, peer.local_addr().expect("bound"));
    bench.barrier(&client);
    let before = bench.engine.counters(&[client.allocation])[0].clone().expect("counted");
    client.send(&channel(0x4001, &[0; 96]));
    receive(&peer);
    for _ in 0..3 {
        peer.send_to(&[0; 46], client.relayed).expect("sent");
        client.receive();
    }
    client.send(&[0x41]);
    bench.counted(|counters| counters.malformed == 1);
    bench.engine.close(client.allocation);
    let (_, after) = bench.closed(client.allocation);
    assert_eq!(
        (after.packets_received, after.bytes_received),
        (before.packets_received + 2, before.bytes_received + 101)
    );
    assert_eq!((after.packets_sent, after.bytes_sent), (before.packets_sent + 3, before.bytes_sent + 150));
    assert_eq!(after.packets_in_error, 1);
}

#[test]
fn above_its_rate_an_allocation_loses_packets() {
    let mut bench = Bench::start();
    let client = bench.client_with(&[LOCALHOST], MINUTE, 64 * 1024);
    let peer = socket(LOCALHOST);
    bench.bind_channel(&client, 0x4001, peer.local_addr().expect("bound"));
    bench.barrier(&client);
    for _ in 0..100 {
        client.send(&channel(0x4001, &[0; 1300]));
        bench.barrier(&client);
    }
    bench.counted(|counters| counters.over_rate > 20 && counters.over_rate < 60);
    let counters = bench.engine.counters(&[client.allocation])[0].clone().expect("counted");
    assert_eq!(counters.packets_discarded, bench.engine.turn_counters().over_rate);
}

#[test]
fn the_relayed_address_behind_a_nat_is_known_by_its_outer_name() {
    let mut bench = Bench::start();
    let outer = IpAddr::from([192, 0, 2, 77]);
    let (a, b) = (bench.client(), bench.client_behind(outer));
    let address = SocketAddr::new(outer, b.relayed.port());
    bench.bind_channel(&a, 0x4001, address);
    bench.permit(&b, a.relayed.ip());
    bench.bind_channel(&b, 0x4002, a.relayed);
    bench.barrier(&a);
    bench.barrier(&b);
    a.send(&channel(0x4001, b"there"));
    assert_eq!(b.receive(), channel(0x4002, b"there"));
    bench.permit(&a, outer);
    bench.barrier(&a);
    b.send(&channel(0x4002, b"and back"));
    assert_eq!(a.receive(), channel(0x4001, b"and back"));
}

#[test]
fn shutdown_ends_allocations_and_says_so() {
    let mut bench = Bench::start();
    let clients = [bench.client(), bench.client()];
    bench.engine.shutdown();
    for client in &clients {
        assert_eq!(bench.closed(client.allocation).0, CloseReason::Shutdown);
    }
}

/// Nothing has arrived: what was sent before has been counted.
fn nothing(socket: &UdpSocket) {
    socket.set_nonblocking(true).expect("a socket");
    assert!(socket.recv(&mut [0; 9]).is_err());
    socket.set_nonblocking(false).expect("a socket");
}

#[test]
fn counters_begin_at_nothing() {
    let bench = Bench::start();
    assert_eq!(bench.engine.turn_counters(), TurnCounters::default());
    assert!(bench.engine.drain(10).iter().all(|event| !matches!(event, Event::StunReceived { .. })));
}

#[test]
fn where_only_relayed_addresses_may_be_reached_a_canary_beside_them_hears_nothing() {
    let mut bench = Bench::start();
    let (a, b) = (bench.client(), bench.client());
    let canary = socket(LOCALHOST);
    let address = canary.local_addr().expect("bound");
    bench.permit_relayed_only(&a, LOCALHOST);
    bench.bind_channel_relayed_only(&a, 0x4001, address);
    bench.bind_channel_relayed_only(&a, 0x4002, b.relayed);
    bench.permit_relayed_only(&b, LOCALHOST);
    bench.barrier(&a);
    bench.barrier(&b);
    a.send(&send_indication(address, b"no"));
    a.send(&channel(0x4001, b"no"));
    bench.counted(|counters| counters.denied == 2);
    nothing(&canary);
    a.send(&send_indication(b.relayed, b"by indication"));
    assert_eq!(data_indication(&b.receive()), (a.relayed, b"by indication".to_vec()));
    a.send(&channel(0x4002, b"by channel"));
    assert_eq!(data_indication(&b.receive()), (a.relayed, b"by channel".to_vec()));

    // An allocation that has ended leaves a port that anybody may have.
    bench.engine.close(b.allocation);
    bench.closed(b.allocation);
    let after = UdpSocket::bind(b.relayed).expect("its port is free");
    after.set_read_timeout(Some(MINUTE)).expect("a socket");
    a.send(&channel(0x4002, b"no"));
    bench.counted(|counters| counters.denied == 3);
    nothing(&after);

    // Nor is it heard.
    canary.send_to(b"no", a.relayed).expect("sent");
    bench.counted(|counters| counters.denied == 4);

    // What Python decides anew holds at once.
    bench.permit(&a, LOCALHOST);
    bench.barrier(&a);
    a.send(&send_indication(address, b"yes"));
    assert_eq!(receive(&canary).0, b"yes");
    canary.send_to(b"and yes", a.relayed).expect("sent");
    assert_eq!(a.receive(), channel(0x4001, b"and yes"));
}

#[test]
fn a_permission_without_a_lifetime_ends_and_so_does_a_channel() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.bind_channel(&client, 0x4001, address);
    bench.barrier(&client);
    bench.engine.permit(&Permit { lifetime: Duration::ZERO, ..permission(client.allocation, LOCALHOST) });
    let bind = BindChannel {
        allocation: client.allocation,
        number: 0x4001,
        peer: address,
        lifetime: Duration::ZERO,
        permission_lifetime: Duration::ZERO,
        relayed_only: false,
    };
    bench.engine.bind_channel(&bind).expect("a channel");
    bench.barrier(&client);
    client.send(&channel(0x4001, b"no"));
    client.send(&send_indication(address, b"no"));
    peer.send_to(b"no", client.relayed).expect("sent");
    bench.counted(|counters| counters.no_channel == 1 && counters.no_permission == 2);
    nothing(&peer);
}

#[test]
fn of_two_relayed_addresses_one_can_be_let_go() {
    let mut bench = Bench::start();
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let client = bench.client_with(&[LOCALHOST, v6], MINUTE, 0);
    let four = client.relayed;
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.permit(&client, LOCALHOST);
    bench.permit(&client, v6);
    bench.engine.release_relay(client.allocation, LOCALHOST);
    bench.barrier(&client);
    UdpSocket::bind(four).expect("its port is free");
    client.send(&send_indication(address, b"no"));
    bench.counted(|counters| counters.denied == 1);
    nothing(&peer);
    let other = socket(v6);
    let address = other.local_addr().expect("bound");
    client.send(&send_indication(address, b"yes"));
    assert_eq!(receive(&other).0, b"yes");
}

#[test]
fn an_answer_comes_from_another_listener_and_goes_to_another_port() {
    let mut bench = Bench::start();
    let elsewhere = SocketAddr::new(IpAddr::from([127, 0, 0, 2]), 0);
    let (other, from) = bench.engine.listen_turn(&listen(elsewhere, usual())).expect("a free port");
    let client = bench.client();
    let second = socket(LOCALHOST);
    let mut to = client.five_tuple;
    to.client = second.local_addr().expect("bound");
    bench.engine.answer_from(other, to, b"an answer").expect("a listener");
    assert_eq!(receive(&second), (b"an answer".to_vec(), from));
    assert!(matches!(bench.engine.answer_from(other + 1, to, b""), Err(VerbError::Value(_))));
    to.client = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
    assert!(matches!(bench.engine.answer_from(other, to, b""), Err(VerbError::Value(_))));
}
