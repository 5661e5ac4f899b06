//! What ICMP says of relayed datagrams (RFC 8656 11.5).

mod relay;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::verbs::{BindChannel, Permit};
use relay::stream::Listener;
use relay::{
    Bench, Client, LOCALHOST, attribute, channel, data_indication, message, permission, receive,
    send_indication, socket, usual, xor,
};

const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// Of Destination Unreachable: nobody is at the port. In ICMP of either family.
const PORT_UNREACHABLE: [u8; 8] = [0, 0, 3, 3, 0, 0, 0, 0];
const PORT_UNREACHABLE_6: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];

/// An address that nobody is at. Its port is not given to anybody soon.
fn nobody(host: IpAddr) -> SocketAddr {
    socket(host).local_addr().expect("bound")
}

fn indication(peer: SocketAddr, icmp: [u8; 8], received: &[u8]) -> Vec<u8> {
    let transaction = *received[8..].first_chunk().expect("a message");
    let attributes = [attribute(0x0012, &xor(peer, transaction)), attribute(0x8004, &icmp)].concat();
    message(0x0017, transaction, &attributes)
}

fn told(client: &Client, peer: SocketAddr, icmp: [u8; 8]) {
    let received = client.receive();
    assert_eq!(received, indication(peer, icmp, &received));
}

#[test]
fn a_client_is_told_that_nobody_is_there() {
    let mut bench = Bench::start();
    let client = bench.client_with(&[LOCALHOST, V6], Duration::from_secs(60), 0);
    for (host, icmp) in [(LOCALHOST, PORT_UNREACHABLE), (V6, PORT_UNREACHABLE_6)] {
        bench.permit(&client, host);
        bench.barrier(&client);
        let peer = nobody(host);
        client.send(&send_indication(peer, b"hello"));
        told(&client, peer, icmp);
        let other = nobody(host);
        bench.bind_channel(&client, 0x4001 + u16::from(host.is_ipv6()), other);
        bench.barrier(&client);
        client.send(&channel(0x4001 + u16::from(host.is_ipv6()), b"hello"));
        told(&client, other, icmp);
    }
    // Everything was sent, and told, once.
    bench.barrier(&client);
    let counters = bench.engine.turn_counters();
    assert_eq!((counters.packets_relayed, counters.queue_full, counters.over_rate), (4, 0, 0));
}

#[test]
fn a_client_over_tcp_is_told_too() {
    let mut bench = Bench::start();
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    for _ in 0..2 {
        let mut client = listener.connect();
        let (five_tuple, allocation, _) = client.allocate(&mut bench);
        bench.engine.permit(&permission(allocation, LOCALHOST));
        bench.engine.answer(five_tuple, b"barrier!".to_vec());
        client.receive(8);
        let peer = nobody(LOCALHOST);
        client.send(&send_indication(peer, b"hello!!!"));
        let received = client.receive(44);
        assert_eq!(received, indication(peer, PORT_UNREACHABLE, &received));
    }
}

#[test]
fn nobody_else_s_packets_are_lost() {
    let mut bench = Bench::start();
    let client = bench.client();
    let (gone, there) = (nobody(LOCALHOST), socket(LOCALHOST));
    let address = there.local_addr().expect("bound");
    bench.bind_channel(&client, 0x4001, gone);
    bench.bind_channel(&client, 0x4002, address);
    bench.barrier(&client);
    for round in 0..200_u16 {
        client.send(&channel(0x4001, b"to nobody"));
        client.send(&channel(0x4002, &round.to_be_bytes()));
        client.send(&channel(0x4001, b"to nobody"));
        assert_eq!(receive(&there), (round.to_be_bytes().to_vec(), client.relayed));
        there.send_to(&round.to_be_bytes(), client.relayed).expect("sent");
        loop {
            let received = client.receive();
            if received[..2] != [0x00, 0x17] {
                assert_eq!(received, channel(0x4002, &round.to_be_bytes()));
                break;
            }
            assert_eq!(received, indication(gone, PORT_UNREACHABLE, &received));
        }
    }
    assert_eq!(bench.engine.turn_counters().queue_full, 0);
}

#[test]
fn not_more_often_than_ten_times_a_second() {
    let mut bench = Bench::start();
    let client = bench.client();
    bench.permit(&client, LOCALHOST);
    bench.barrier(&client);
    let peer = nobody(LOCALHOST);
    while bench.engine.turn_counters().over_rate < 5 {
        client.send(&send_indication(peer, b"hello"));
    }
    for _ in 0..10 {
        told(&client, peer, PORT_UNREACHABLE);
    }
    // A peer that answers is heard as ever.
    let there = socket(LOCALHOST);
    there.send_to(b"I am", client.relayed).expect("sent");
    loop {
        let received = client.receive();
        if received[32..34] == [0x00, 0x13] {
            assert_eq!(data_indication(&received).1, b"I am");
            break;
        }
    }
}

#[test]
fn without_a_permission_nothing_is_said() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = nobody(LOCALHOST);
    let bind = BindChannel {
        allocation: client.allocation,
        number: 0x4001,
        peer,
        lifetime: Duration::from_secs(600),
        permission_lifetime: Duration::ZERO,
        relayed_only: false,
    };
    bench.engine.bind_channel(&bind).expect("a channel");
    bench.barrier(&client);
    // A channel is all that sending needs (12.6).
    client.send(&channel(0x4001, b"hello"));
    bench.counted(|counters| counters.no_permission == 1);
    bench.engine.permit(&Permit {
        allocation: client.allocation,
        hosts: vec![LOCALHOST],
        lifetime: Duration::from_secs(300),
        relayed_only: false,
    });
    bench.barrier(&client);
    client.send(&channel(0x4001, b"hello"));
    told(&client, peer, PORT_UNREACHABLE);
}
