//! A worker that stands still: it is replaced, and nobody else notices.

mod bench;

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bench::still::{LATE, REPLACED, STILL, came_back, on, told, worker_of};
use bench::{Bench, PATIENCE, next_frame, rtp, usual};
use headgate_engine::Handle;
use headgate_engine::engine::{Listen, Ports, RemotePorts};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Limits;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn socket() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((HOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let port = socket.local_addr().expect("bound").port();
    (socket, port)
}

#[test]
fn who_is_on_another_worker_sees_no_gap_and_the_listener_accepts_again() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut there, its) = on(&mut bench, 1);
    let reading = bench.engine.read_tcp(stream, its, &usual(), 512, 1 << 20).expect("a flow");
    bench.engine.play(reading);
    bench.engine.send(its, b"!".to_vec());
    there.read_exact(&mut [0]).expect("the answer");
    let (socket, of_publisher) = on(&mut bench, 1);
    let flow = bench.engine.publish_tcp(stream, of_publisher, &usual()).expect("a flow");
    let mut publisher = bench::Publisher { socket, sequence: 0, timestamp: 0 };
    let (gone, lost) = on(&mut bench, 0);
    let lost_flow = bench.engine.read_tcp(stream, lost, &usual(), 512, 1 << 20).expect("a flow");
    // Ended before, and not forgotten.
    let (leaving, left) = on(&mut bench, 0);
    drop(leaving);
    bench.closed(left);

    let began = Instant::now();
    bench.engine.stand_still(0, LATE);
    let late = TcpStream::connect((HOST, bench.port)).expect("the kernel takes it");
    let me = late.local_addr().expect("connected");
    let mut accepted = None;
    let mut longest = Duration::ZERO;
    while accepted.is_none() {
        let sent = Instant::now();
        let picture = publisher.picture(true, 1, 100).remove(0);
        assert_eq!(next_frame(&mut there), (0, picture));
        longest = longest.max(sent.elapsed());
        assert!(began.elapsed() < STILL + REPLACED, "it was not replaced in time");
        let drained = bench.engine.drain(100);
        accepted = drained.iter().find_map(|event| match event {
            Event::Accepted { connection, remote, .. } if *remote == me => Some(*connection),
            _ => None,
        });
        bench.seen.extend(drained);
    }
    assert!(longest < REPLACED / 2, "a gap of {longest:?}");
    assert!(began.elapsed() + REPLACED / 2 >= STILL, "it was given no time");
    assert_eq!(bench.engine.workers_restarted(), 1);

    came_back(gone);
    for handle in [lost, lost_flow] {
        assert_eq!(told(&mut bench, handle), 1);
        assert_eq!(bench.closed(handle).0, CloseReason::Fault);
    }
    for handle in [left, its, of_publisher, flow, reading, stream] {
        assert_eq!(told(&mut bench, handle), 0);
    }
    let picture = publisher.picture(true, 1, 100).remove(0);
    assert_eq!(next_frame(&mut there), (0, picture));
    let (mut new, connection) = on(&mut bench, 0);
    let new_flow = bench.engine.read_tcp(stream, connection, &usual(), 512, 1 << 20).expect("a flow");
    bench.engine.play(new_flow);
    let mut head = [0; 4];
    new.read_exact(&mut head).expect("a sender report: it plays");
    let mut report = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
    new.read_exact(&mut report).expect("the whole of it");
    let picture = publisher.picture(true, 1, 100).remove(0);
    assert_eq!(next_frame(&mut new), (0, picture));
    assert_eq!(bench.engine.workers_restarted(), 1);
}

#[test]
fn udp_ports_go_on_and_their_addresses_are_free_again() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let any = SocketAddr::from((HOST, 0));
    let (rtp_port, rtp_address) = bench.engine.bind_udp(any).expect("a free port");
    let (rtcp_port, rtcp_address) = bench.engine.bind_udp(any).expect("a free port");
    let ((from, from_port), (_from_rtcp, from_rtcp_port)) = (socket(), socket());
    let (_of_publisher, connection) = on(&mut bench, 1);
    let ports = Ports { stream, connection, rtp: rtp_port, rtcp: rtcp_port };
    let publish = RemotePorts { track: 0, host: HOST, rtp_port: from_port, rtcp_port: from_rtcp_port };
    let publisher = bench.engine.publish_udp(ports, &[publish], PATIENCE).expect("a flow");
    let read = |bench: &mut Bench, connection: Handle| {
        let ((to, rtp_port), (to_rtcp, rtcp_port)) = (socket(), socket());
        let remote = RemotePorts { track: 0, host: HOST, rtp_port, rtcp_port };
        let ports = Ports { connection, ..ports };
        let flow = bench.engine.read_udp(ports, &[remote]).expect("a flow");
        bench.engine.play(flow);
        (to, to_rtcp, flow, remote)
    };
    let (of_all, staying) = on(&mut bench, 1);
    let (gone, going) = on(&mut bench, 0);
    let (_to0, _, first, first_remote) = read(&mut bench, staying);
    let (to, to_rtcp, kept, _) = read(&mut bench, staying);
    let (_to1, _, second, _) = read(&mut bench, staying);
    let (_to2, _, tied, _) = read(&mut bench, going);
    assert_eq!([first, kept, second, tied].map(worker_of), [0, 1, 0, 1]);

    bench.engine.stand_still(0, LATE);
    let (another, _) = bench.engine.bind_udp(any).expect("a free port"); // told while it stands still
    for handle in [publisher, first, second, tied, going] {
        assert_eq!(bench.closed(handle).0, CloseReason::Fault);
    }
    let again = bench.engine.publish_udp(ports, &[publish], PATIENCE).expect("the address is free");
    let first_again =
        bench.engine.read_udp(Ports { connection: staying, ..ports }, &[first_remote]).expect("free as well");
    to.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
    let give_up = Instant::now() + PATIENCE;
    let mut sequence = 0;
    while to.recv(&mut [0; 2000]).is_err() {
        sequence += 1;
        let packet = rtp(sequence, u32::from(sequence) * 3000, true, &[0x65; 100]);
        from.send_to(&packet, rtp_address).expect("sent");
        assert!(Instant::now() < give_up, "the port hears nothing");
    }
    // Its reports are counted, though the worker that hears them is another.
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 5];
    report.extend([0; 16]);
    bench.counted(kept, |counters| {
        to_rtcp.send_to(&report, rtcp_address).expect("sent"); // the first may come before its way is known
        counters.rtcp_packets_received >= 1
    });
    let other = Ports { rtp: another, rtcp: another, connection: staying, ..ports };
    bench.engine.read_udp(other, &[first_remote]).expect("a port as any other");

    came_back(gone);
    assert!(bench.engine.publish_udp(ports, &[publish], PATIENCE).is_err(), "it took no address with it");
    let twice = Ports { connection: staying, ..ports };
    assert!(bench.engine.read_udp(twice, &[first_remote]).is_err(), "nor this one");
    for handle in [publisher, first, second, tied, going, again, first_again, kept, staying] {
        assert_eq!(told(&mut bench, handle), 0, "told again, or told of the living");
    }
    drop(of_all);
    assert_eq!(bench.closed(kept).0, CloseReason::Peer);
}

#[test]
fn what_it_was_told_meanwhile_is_done() {
    let mut bench = Bench::start();
    let (gone, lost) = on(&mut bench, 0);
    bench.engine.stand_still(0, LATE);
    let old = bench.port;
    let listen = Listen {
        address: SocketAddr::from((HOST, 0)),
        tls: None,
        limits: Limits { head_size: 1024, body_size: 1024 },
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
        connection_limit: 100,
    };
    bench.engine.close(bench.listener);
    (bench.listener, bench.port) = bench.engine.listen(&listen).expect("a free port");
    // Nobody can know these any more when their worker is replaced.
    let stream = bench.stream();
    let flow = bench.engine.publish_tcp(stream, lost, &usual()).expect("a flow");
    bench.engine.close(lost);
    bench.connect();
    assert_eq!(bench.closed(lost).0, CloseReason::Fault);
    assert_eq!(bench.closed(flow).0, CloseReason::Fault);
    assert!(TcpStream::connect((HOST, old)).is_err(), "it was closed");
    came_back(gone);
    bench.connect();
    assert_eq!((told(&mut bench, lost), told(&mut bench, flow)), (0, 0));
}

#[test]
fn nobody_waits_for_it_at_the_end() {
    let mut bench = Bench::start();
    let (_gone, lost) = on(&mut bench, 0);
    let (_there, other) = on(&mut bench, 1);
    bench.engine.stand_still(0, PATIENCE * 6);
    let began = Instant::now();
    bench.engine.shutdown();
    assert!(began.elapsed() < STILL + REPLACED);
    assert_eq!(bench.closed(lost).0, CloseReason::Fault);
    assert_eq!(bench.closed(other).0, CloseReason::Shutdown);
    assert_eq!(bench.engine.workers_restarted(), 0);
}

#[test]
fn a_worker_that_is_only_slow_keeps_its_place() {
    let mut bench = Bench::start();
    let (mut socket, connection) = on(&mut bench, 0);
    // Two pieces of work of one turn, each within the time.
    bench.engine.stand_still(0, STILL * 3 / 4);
    bench.engine.stand_still(0, STILL * 3 / 4);
    bench.engine.send(connection, b"!".to_vec());
    socket.read_exact(&mut [0]).expect("the answer");
    assert_eq!(bench.engine.workers_restarted(), 0);
}
