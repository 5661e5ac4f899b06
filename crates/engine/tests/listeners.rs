//! Listeners and UDP ports that change while they are used, and what relaying takes.

mod bench;

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use bench::{Bench, PATIENCE, next_frame, rtp, usual};
use headgate_engine::engine::{Listen, Ports, RemotePorts, VerbError};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Limits;

const SHORT: Duration = Duration::from_millis(300);
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn listen(address: SocketAddr) -> Listen {
    Listen {
        address,
        tls: None,
        limits: Limits { head_size: 1024, body_size: 1024 },
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
        connection_limit: 100,
    }
}

fn certificate() -> (Vec<u8>, Vec<u8>) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-keyout", "-", "-out", "-", "-subj", "/CN=localhost"])
        .output()
        .expect("openssl is installed");
    (made.stdout.clone(), made.stdout)
}

#[test]
fn who_comes_gets_the_new_timeout_and_who_is_there_keeps_the_old() {
    let mut bench = Bench::start();
    let (_old, before) = bench.connect();
    let address = SocketAddr::new(LOCAL, bench.port);
    let tuned = Listen { read_timeout: SHORT, ..listen(address) };
    bench.engine.retune(bench.listener, &tuned).expect("nothing to go wrong");
    // The verb and the client race to the worker: until one comes who is timed out.
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (mut new, connection) = bench.connect();
        new.set_read_timeout(Some(SHORT * 4)).expect("a socket");
        if matches!(new.read(&mut [0]), Ok(0)) {
            assert_eq!(bench.closed(connection).0, CloseReason::ReadTimeout);
            break;
        }
        assert!(Instant::now() < give_up, "the new timeout is nobody's");
    }
    assert!(bench.engine.counters(&[before])[0].is_some());
    assert!(!bench.seen.iter().any(|seen| matches!(seen, Event::Closed { handle, .. } if *handle == before)));
}

#[test]
fn connections_count_on_when_the_limit_changes() {
    let mut bench = Bench::start();
    let _there: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    let address = SocketAddr::new(LOCAL, bench.port);
    bench.engine.retune(bench.listener, &Listen { connection_limit: 2, ..listen(address) }).expect("tuned");
    let give_up = Instant::now() + PATIENCE;
    loop {
        let mut late = TcpStream::connect(address).expect("listening");
        late.set_read_timeout(Some(SHORT)).expect("a socket");
        match late.read(&mut [0]) {
            Ok(0) => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            _ => assert!(Instant::now() < give_up, "there is always room"),
        }
    }
    assert!(bench.engine.events().refused_connections.load(SeqCst) > 0);
}

#[test]
fn a_certificate_that_is_no_good_changes_nothing() {
    let (chain, key) = certificate();
    let (_, other) = certificate();
    let mut bench = Bench::start();
    let address = SocketAddr::new(LOCAL, bench.port);
    for (chain, key) in [(&chain, &other[..]), (&chain, &b"-----BEGIN PRIVATE KEY-----\nMIG"[..])] {
        let bad = Listen { tls: Some((chain.clone(), key.to_vec())), ..listen(address) };
        assert!(matches!(bench.engine.retune(bench.listener, &bad), Err(VerbError::Value(_))));
        assert!(matches!(bench.engine.check_tls(chain, key), Err(VerbError::Value(_))));
    }
    assert!(matches!(bench.engine.check_tls(&chain[..chain.len() / 2], &key), Err(VerbError::Value(_))));
    bench.engine.check_tls(&chain, &key).expect("a pair");
    bench.connect(); // still in the clear
}

#[test]
fn a_listener_moves_to_another_address_with_its_port() {
    for (from, to) in [(LOCAL, ANY), (ANY, LOCAL), (LOCAL, ANY_V6), (ANY_V6, LOCAL)] {
        let mut bench = Bench::start();
        let (first, port) = bench.engine.listen(&listen(SocketAddr::new(from, 0))).expect("a free port");
        (bench.listener, bench.port) = (first, port);
        let (mut there, connection) = bench.connect();
        let wanted = listen(SocketAddr::new(to, port));
        assert!(matches!(bench.engine.listen(&wanted), Err(VerbError::Io(_))), "nobody joins by himself");
        let (second, same) = bench.engine.listen_beside(&wanted, Some(first)).expect("room for two");
        assert_eq!(same, port);
        assert!(matches!(bench.engine.listen(&wanted), Err(VerbError::Io(_))), "and the door is shut again");
        bench.engine.close(first);
        // Who connects while the old one goes may be its last client, or be reset.
        let give_up = Instant::now() + PATIENCE;
        let taken = |event: &Event| matches!(event, Event::Accepted { listener, .. } if *listener == second);
        while !bench.engine.drain(16).iter().any(taken) {
            let _ = TcpStream::connect((LOCAL, port));
            assert!(Instant::now() < give_up, "the old one goes on");
        }
        bench.engine.send(connection, b"!".to_vec());
        there.read_exact(&mut [0]).expect("who is there stays");
    }
}

#[test]
fn flows_go_on_when_their_ports_move_to_another_address() {
    for (from, to) in [(LOCAL, ANY), (ANY, LOCAL)] {
        let mut bench = Bench::start();
        let stream = bench.stream();
        let bound = |host| bench.engine.bind_udp(SocketAddr::new(host, 0)).expect("a free port");
        let ((old_rtp, rtp_at), (old_rtcp, rtcp_at)) = (bound(from), bound(from));
        let sender = UdpSocket::bind((LOCAL, 0)).expect("a free port");
        let other = UdpSocket::bind((LOCAL, 0)).expect("a free port");
        let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
        let at = |rtp_port| RemotePorts { track: 0, host: LOCAL, rtp_port, rtcp_port: rtp_port };
        let (_old, connection) = bench.connect();
        let ports = Ports { stream, connection, rtp: old_rtp, rtcp: old_rtcp };
        let before = bench.engine.publish_udp(ports, &[at(port(&sender))], PATIENCE).expect("a flow");

        let beside = |host, at: SocketAddr, old| {
            let address = SocketAddr::new(host, at.port());
            assert!(bench.engine.bind_udp(address).is_err(), "nobody joins by himself");
            bench.engine.bind_udp_beside(address, Some(old)).expect("room for two").0
        };
        let (rtp_port, rtcp_port) = (beside(to, rtp_at, old_rtp), beside(to, rtcp_at, old_rtcp));
        let again = Ports { rtp: rtp_port, rtcp: rtcp_port, ..ports };
        assert!(bench.engine.publish_udp(again, &[at(port(&sender))], PATIENCE).is_err(), "it has a flow");
        let (_new, connection) = bench.connect();
        let again = Ports { connection, ..again };
        let after = bench.engine.publish_udp(again, &[at(port(&other))], PATIENCE).expect("a flow");

        for (socket, flow) in [(&sender, before), (&other, after)] {
            socket.send_to(&rtp(1, 1, true, &[0x65, 1]), (LOCAL, rtp_at.port())).expect("sent");
            bench.counted(flow, |counters| counters.packets_received == 1);
        }
        bench.engine.close(before);
        bench.closed(before);
        bench.engine.close(old_rtp);
        bench.engine.close(old_rtcp);
        // One that comes while the old port goes may be lost with it.
        let give_up = Instant::now() + PATIENCE;
        let received = || bench.engine.counters(&[after])[0].as_ref().map(|it| it.packets_received);
        while received() == Some(1) {
            other.send_to(&rtp(2, 2, true, &[0x65, 1]), (LOCAL, rtp_at.port())).expect("sent");
            assert!(Instant::now() < give_up, "nothing comes any more");
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_relaying_takes_is_measured_for_every_reader() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let mut readers: Vec<_> = (0..20).map(|_| bench.reader(stream, &usual(), 512)).collect();
    let began = Instant::now();
    publisher.picture(true, 20, 1400);
    publisher.picture(false, 2, 1400);
    for (socket, ..) in &mut readers {
        (0..22).for_each(|_| drop(next_frame(socket)));
    }
    for (_, _, flow) in &readers {
        bench.counted(*flow, |counters| counters.packets_sent == 22);
    }
    let seen = bench.engine.relay_latency();
    // A large picture may have gone out in two parts, where the publisher was slow.
    assert!(seen.counts.iter().sum::<u64>() >= 40, "{seen:?}");
    assert!(seen.sum > Duration::ZERO && seen.sum < began.elapsed() * 80, "{seen:?}");
}
