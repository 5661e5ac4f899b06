//! What those that mean harm, or know no better, send to a TURN server.

mod relay;

use std::net::{IpAddr, SocketAddr};

use headgate_engine::event::Event;
use headgate_engine::turn::listener::TurnLimits;
use headgate_engine::turn::stun;
use relay::{Bench, LOCALHOST, attribute, message, receive, request, send_indication, socket, usual, xor};

const T: [u8; 12] = *b"abcdefghijkl";

fn requests(bench: &mut Bench) -> Vec<Vec<u8>> {
    let events = bench.engine.drain(10_000).into_iter();
    events
        .filter_map(|event| match event {
            Event::StunReceived { message, .. } => Some(message),
            _ => None,
        })
        .collect()
}

#[test]
fn only_whole_stun_requests_come_up() {
    let mut bench = Bench::start();
    let sender = socket(LOCALHOST);
    let good = request(T);
    let mut bad = 0;
    let mut send = |bytes: &[u8]| {
        sender.send_to(bytes, bench.server).expect("sent");
        bad += 1;
    };
    // Every first byte but that of requests and indications; what is 0b01 is data without an allocation.
    for first in 0x80..=u8::MAX {
        send(&[&[first], &good[1..]].concat());
    }
    for size in 0..good.len() {
        send(&good[..size]);
    }
    for declared in (0..64_u16).chain([4, 0x7fff, 0x8000, 0xfffc, 0xffff]).filter(|declared| *declared != 0) {
        send(&[&good[..2], &declared.to_be_bytes(), &good[4..]].concat());
    }
    for byte in 4..8 {
        let mut message = good.clone();
        message[byte] ^= 1; // RFC 3489, or nothing
        send(&message);
    }
    send(&[&good[..], &[0]].concat());
    send(&[&good[..], &good[..]].concat());
    for response in [0x0101, 0x0103, 0x0113, 0x0111] {
        send(&message(response, T, &[]));
    }
    bench.counted(|counters| counters.malformed == bad);
    assert!(requests(&mut bench).is_empty());
    for method in 0..0x40 {
        sender.send_to(&message(0x0011 & !0x0010 | method & 0x0f, T, &[]), bench.server).expect("sent");
    }
    sender.send_to(&message(0x0011, T, &[]), bench.server).expect("sent"); // a Binding indication: nothing
    bench.counted(|counters| counters.requests == 64);
    assert_eq!(bench.engine.turn_counters().malformed, bad);
}

#[test]
fn a_send_indication_is_whole_and_understood_or_goes_nowhere() {
    let mut bench = Bench::start();
    let client = bench.client();
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.permit(&client, LOCALHOST);
    bench.barrier(&client);
    let canary = socket(LOCALHOST);
    let elsewhere = attribute(0x0012, &xor(canary.local_addr().expect("bound"), T));
    let (to, data) = (attribute(0x0012, &xor(address, T)), attribute(0x0013, b"data"));
    let integrity = attribute(0x0008, &[0; 20]);
    let mut bad = 0;
    let refused = [
        to.clone(),
        data.clone(),
        [&to[..], &integrity, &data].concat(),
        [&data[..], &attribute(0x001c, &[0; 32]), &to].concat(),
        [&attribute(0x0002, b"what")[..], &to, &data].concat(),
        [&to[..], &data, &attribute(0x7fff, b"")].concat(),
        [&attribute(0x0012, &[0, 1, 0, 0, 0, 0, 0])[..], &data].concat(),
        [&attribute(0x0012, &[0, 3, 0, 0, 0, 0, 0, 0])[..], &data].concat(),
        [&attribute(0x0012, &[0; 4])[..], &data].concat(),
        [&attribute(0x0012, &[])[..], &data].concat(),
        [&to[..], &[0x00, 0x13, 0x00, 0x05], b"data"].concat(),
        [&to[..], &[0x00, 0x13, 0xff, 0xff], b"data"].concat(),
    ];
    for attributes in &refused {
        client.send(&message(0x0016, T, attributes));
        bad += 1;
    }
    bench.counted(|counters| counters.malformed == bad);
    let accepted = [
        [&to[..], &data].concat(),
        [&data[..], &to].concat(),
        [&to[..], &elsewhere, &data, &attribute(0x0013, b"other")].concat(),
        [&to[..], &data, &integrity, &elsewhere, &attribute(0x0002, b"what")].concat(),
        [&attribute(0x8022, b"software")[..], &attribute(0x0006, b"user"), &to, &data].concat(),
        [&to[..], &attribute(0x001a, b""), &data].concat(),
    ];
    for attributes in &accepted {
        client.send(&message(0x0016, T, attributes));
        assert_eq!(receive(&peer), (b"data".to_vec(), client.relayed));
    }
    canary.set_nonblocking(true).expect("a socket");
    assert!(canary.recv(&mut [0; 9]).is_err());
    assert_eq!(bench.engine.turn_counters().malformed, bad);
}

#[test]
fn every_cut_of_a_send_indication_is_read_or_refused() {
    let whole = send_indication(SocketAddr::from(([192, 0, 2, 1], 9)), b"some data");
    for end in 0..whole.len() {
        let mut cut = whole[..end].to_vec();
        if let Some(size) = cut.get_mut(2..4) {
            size.copy_from_slice(&(end as u16).wrapping_sub(20).to_be_bytes());
        }
        assert!(stun::kind(&cut).is_none() || end % 4 == 0);
        assert!(stun::send(&cut).is_none(), "{end}");
    }
    assert!(stun::send(&whole).is_some());
    for i in 20..whole.len() {
        for value in 0..=u8::MAX {
            let mut changed = whole.clone();
            changed[i] = value;
            let _ = stun::send(&changed);
        }
    }
}

#[test]
fn a_stranger_s_requests_are_bounded_and_leave_nothing_behind() {
    let limits = TurnLimits { requests_per_second_per_address: 10, ..usual() };
    let mut bench = Bench::at(LOCALHOST, limits);
    let sender = socket(LOCALHOST);
    for n in 0..200_u32 {
        sender.send_to(&request([n as u8; 12]), bench.server).expect("sent");
    }
    bench.counted(|counters| counters.requests + counters.requests_over_budget == 200);
    let requests = bench.engine.turn_counters().requests;
    assert!((50..70).contains(&requests), "{requests}");
    // With an allocation there is no such limit.
    let other = socket(IpAddr::from([127, 0, 0, 2]));
    other.send_to(&request(T), bench.server).expect("sent");
    let me = other.local_addr().expect("bound");
    bench.request(|five_tuple| five_tuple.client == me);
}

#[test]
fn requests_that_python_does_not_take_are_dropped_and_counted() {
    let mut bench = Bench::start(); // room for 256 events
    let client = bench.client();
    for n in 0..100 {
        client.send(&request([n; 12]));
    }
    bench.counted(|counters| counters.queue_full == 100 - 32);
    let stranger = socket(LOCALHOST);
    for n in 0..=u8::MAX {
        stranger.send_to(&request([n; 12]), bench.server).expect("sent");
        stranger.send_to(&request([n; 12]), bench.server).expect("sent");
    }
    bench.counted(|counters| counters.queue_full >= 512 - 256 && counters.requests < 300);
    requests(&mut bench);
    bench.barrier(&client);
}

#[test]
fn strangers_leave_room_for_those_who_are_here() {
    let mut bench = Bench::start(); // room for 256 events
    let client = bench.client();
    let stranger = socket(LOCALHOST);
    for n in 0..=u8::MAX {
        stranger.send_to(&request([n; 12]), bench.server).expect("sent");
    }
    bench.counted(|counters| counters.queue_full >= 256 - 128);
    let before = bench.engine.turn_counters().requests;
    for n in 0..32 {
        client.send(&request([n; 12]));
    }
    bench.counted(|counters| counters.requests == before + 32);
}

#[test]
fn what_comes_from_our_own_addresses_is_not_answered() {
    let mut bench = Bench::start();
    let (client, other) = (bench.client(), bench.client());
    // As a forger writes it, whose packet cannot be told from one of ours. Nobody else can have the
    // address, so that the other name of a relayed address is used: that it has behind a NAT.
    let (forger, named) = std::iter::repeat_with(|| socket(IpAddr::from([127, 0, 0, 9])))
        .find_map(|forger| {
            let named = bench.client_known_as(forger.local_addr().ok()?)?;
            Some((forger, named))
        })
        .expect("a port that is free at both addresses");
    let mine = forger.local_addr().expect("bound");
    forger.send_to(&request(T), bench.server).expect("sent");
    bench.counted(|counters| counters.requests_looped == 1);
    bench.engine.close(named);
    bench.closed(named);
    forger.send_to(&request(T), bench.server).expect("sent");
    bench.request(|five_tuple| five_tuple.client == mine);
    bench.barrier(&client);
    bench.barrier(&other);
}

#[test]
fn a_thousand_permissions_and_channels_are_found_in_time() {
    let mut bench = Bench::start();
    let client = bench.client();
    for n in 0..1000_u16 {
        let host = IpAddr::from([10, 0, (n >> 8) as u8, n as u8]);
        bench.bind_channel(&client, 0x4000 + n, SocketAddr::new(host, 9));
    }
    let peer = socket(LOCALHOST);
    bench.bind_channel(&client, 0x4fff, peer.local_addr().expect("bound"));
    bench.barrier(&client);
    for n in 0..100_u8 {
        client.send(&relay::channel(0x4fff, &[n]));
        assert_eq!(receive(&peer).0, [n]);
        peer.send_to(&[n], client.relayed).expect("sent");
        assert_eq!(client.receive(), relay::channel(0x4fff, &[n]));
    }
}
