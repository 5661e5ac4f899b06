//! SRTP over real sockets: publisher and readers with keys of their own, over UDP and interleaved.

mod bench;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use bench::{Bench, PATIENCE, next_frame, rtp, usual};
use headgate_engine::Handle;
use headgate_engine::engine::{Ports, RemotePorts};
use headgate_engine::srtp::{Inbound, MasterKey, Outbound, Suite, TrackKeys};

fn key(suite: Suite, seed: u8) -> MasterKey {
    let (key, salt) = (vec![seed; suite.key_size()], vec![seed; suite.salt_size()]);
    MasterKey { suite, key, salt, mki: vec![], rollovers: vec![] }
}

/// What the engine is given; the client has the same the other way round.
fn keys(suite: Suite, seed: u8) -> TrackKeys {
    TrackKeys { track: 0, send: key(suite, seed), receive: key(suite, seed + 1) }
}

/// A client's end of one track.
struct Client {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    outbound: Outbound,
    inbound: Inbound,
}

impl Client {
    fn new(keys: &TrackKeys) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
            socket
        };
        let outbound = Outbound::new(&keys.receive).expect("keys");
        Self { rtp: bind(), rtcp: bind(), outbound, inbound: Inbound::new(&keys.send).expect("keys") }
    }

    fn remote(&self) -> RemotePorts {
        let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
        let host = Ipv4Addr::LOCALHOST.into();
        RemotePorts { track: 0, host, rtp_port: port(&self.rtp), rtcp_port: port(&self.rtcp) }
    }

    fn sealed(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        self.outbound.rtp(packet, &mut wire).expect("sealed");
        wire
    }

    /// The next packet within a moment, opened.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2000];
        self.rtp.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
        let (size, _) = self.rtp.recv_from(&mut buffer).ok()?;
        let mut plain = Vec::new();
        self.inbound.rtp(&buffer[..size], &mut plain).expect("ours");
        Some(plain)
    }
}

struct House {
    bench: Bench,
    stream: Handle,
    ports: (Handle, Handle),
    addresses: (SocketAddr, SocketAddr),
}

impl House {
    fn new() -> Self {
        let bench = Bench::start();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (rtp, rtp_address) = bench.engine.bind_udp(any).expect("a free port");
        let (rtcp, rtcp_address) = bench.engine.bind_udp(any).expect("a free port");
        let stream = bench.stream();
        Self { bench, stream, ports: (rtp, rtcp), addresses: (rtp_address, rtcp_address) }
    }

    fn ports(&self, connection: Handle) -> Ports {
        Ports { stream: self.stream, connection, rtp: self.ports.0, rtcp: self.ports.1 }
    }
}

/// Equal sizes, a shorter one, and a lone small one: several segmented sends.
fn picture(from: u16) -> Vec<Vec<u8>> {
    let body = |n: u16| [[0x65].as_slice(), &[n as u8; 1399]].concat();
    let mut packets: Vec<Vec<u8>> =
        (from..from + 70).map(|n| rtp(n, 10 + u32::from(from), false, &body(n))).collect();
    packets.push(rtp(from + 70, 10 + u32::from(from), true, &[1; 300]));
    packets
}

#[test]
fn sealed_datagrams_in_and_out() {
    for suite in Suite::ALL {
        let mut house = House::new();
        let (publisher_keys, reader_keys) = (keys(suite, 10), keys(Suite::AesCm128HmacSha1_80, 20));
        let mut publisher = Client::new(&publisher_keys);
        let mut reader = Client::new(&reader_keys);
        let (_kept, connection) = house.bench.connect();
        let remote = publisher.remote();
        let publish = house
            .bench
            .engine
            .publish_udp_protected(house.ports(connection), &[remote], &[publisher_keys], PATIENCE)
            .expect("a flow");
        let (_kept_too, connection) = house.bench.connect();
        let remote = reader.remote();
        let engine = &house.bench.engine;
        let read =
            engine.read_udp_protected(house.ports(connection), &[remote], &[reader_keys]).expect("a flow");
        engine.play(read);

        let mut first = 1;
        let (sent, got) = loop {
            // The reader's flow may not be there yet; until it is, key frames pass it by.
            let sent = picture(first);
            first += 100;
            for packet in &sent {
                let wire = publisher.sealed(packet);
                publisher.rtp.send_to(&wire, house.addresses.0).expect("sent");
            }
            let got: Vec<Vec<u8>> = std::iter::from_fn(|| reader.receive()).take(sent.len()).collect();
            if !got.is_empty() {
                break (sent, got);
            }
        };
        assert_eq!(got, sent, "{suite:?}");

        // A stranger's, a changed one, a repetition: counted, and not passed on.
        let wire = publisher.sealed(&rtp(first, 5, true, &[0x65, 1]));
        let mut changed = wire.clone();
        changed[14] ^= 1;
        for packet in [&rtp(first, 5, true, &[0x65, 1]), &changed, &wire, &wire] {
            publisher.rtp.send_to(packet, house.addresses.0).expect("sent");
        }
        house.bench.counted(publish, |counters| counters.packets_in_error == 3);
        assert_eq!(reader.receive(), Some(rtp(first, 5, true, &[0x65, 1])));
        assert_eq!(reader.receive(), None);

        // Reports, of the reader's own key and in the clear.
        let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 5];
        report.extend([0; 16]);
        let mut wire = Vec::new();
        reader.outbound.rtcp(&report, &mut wire).expect("sealed");
        for packet in [&report, &wire] {
            reader.rtcp.send_to(packet, house.addresses.1).expect("sent");
        }
        house.bench.counted(read, |counters| {
            (counters.rtcp_packets_received, counters.rtcp_packets_in_error, counters.packets_lost)
                == (1, 1, 5)
        });

        // The goodbye is sealed as well.
        house.bench.engine.close(read);
        let mut buffer = [0; 2000];
        let mut plain = Vec::new();
        loop {
            let (size, _) = reader.rtcp.recv_from(&mut buffer).expect("a report");
            reader.inbound.rtcp(&buffer[..size], &mut plain).expect("ours");
            if plain.windows(2).any(|pair| pair == [0x81, 203]) {
                break;
            }
        }
    }
}

#[test]
fn sealed_frames_in_and_out() {
    let mut house = House::new();
    let suite = Suite::AeadAes256Gcm;
    let (publisher_keys, reader_keys) = (keys(suite, 10), keys(suite, 20));
    let mut outbound = Outbound::new(&publisher_keys.receive).expect("keys");
    let mut inbound = Inbound::new(&reader_keys.send).expect("keys");
    let (reader, connection) = house.bench.connect();
    let engine = &house.bench.engine;
    let read = engine
        .read_tcp_protected(house.stream, connection, &usual(), &[reader_keys], 512, 1 << 20)
        .expect("a flow");
    engine.play(read);
    engine.send(connection, b"!".to_vec());
    let mut reader = reader;
    std::io::Read::read_exact(&mut reader, &mut [0]).expect("the answer");

    let (socket, connection) = house.bench.connect();
    let publish = house
        .bench
        .engine
        .publish_tcp_protected(house.stream, connection, &usual(), &[publisher_keys])
        .expect("a flow");
    let mut publisher = bench::Publisher { socket, sequence: 0, timestamp: 0 };
    publisher.frame(0, &rtp(0, 9, true, &[0x65]));
    for packet in &picture(1) {
        let mut wire = Vec::new();
        outbound.rtp(packet, &mut wire).expect("sealed");
        publisher.frame(0, &wire);
    }
    for packet in &picture(1) {
        let (channel, wire) = next_frame(&mut reader);
        let mut plain = Vec::new();
        assert_eq!((channel, inbound.rtp(&wire, &mut plain)), (0, Some(())));
        assert_eq!(&plain, packet);
    }
    house.bench.counted(publish, |counters| counters.packets_in_error == 1);
}

#[test]
fn a_stranger_keeps_no_publisher_alive() {
    let mut house = House::new();
    let keys = keys(Suite::AesCm128HmacSha1_80, 10);
    let client = Client::new(&keys);
    let (_kept, connection) = house.bench.connect();
    let patience = Duration::from_millis(600);
    let flow = house
        .bench
        .engine
        .publish_udp_protected(house.ports(connection), &[client.remote()], &[keys], patience)
        .expect("a flow");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let address = house.addresses.0;
    let stranger = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            client.rtp.send_to(&rtp(1, 2, true, &[0x65; 30]), address).expect("sent");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let (reason, counters) = house.bench.closed(flow);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    stranger.join().expect("no panic");
    assert_eq!(reason, headgate_engine::event::CloseReason::ReadTimeout);
    assert!(counters.packets_in_error > 0 && counters.packets_received == 0, "{counters:?}");
}

#[test]
fn keys_of_the_wrong_size_are_refused() {
    let mut house = House::new();
    let client = Client::new(&keys(Suite::AesCm128HmacSha1_80, 10));
    let (_kept, connection) = house.bench.connect();
    let mut short = keys(Suite::AeadAes256Gcm, 10);
    short.receive.key.truncate(16);
    let engine = &house.bench.engine;
    assert!(engine.read_udp_protected(house.ports(connection), &[client.remote()], &[short]).is_err());
    let keys = keys(Suite::AeadAes256Gcm, 10);
    engine.read_udp_protected(house.ports(connection), &[client.remote()], &[keys]).expect("free addresses");
}
