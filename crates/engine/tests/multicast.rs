//! Groups over the loopback interface, which needs no flag for who names it.

mod bench;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use bench::{Bench, PATIENCE, Publisher, rtp};
use headgate_engine::Handle;
use headgate_engine::engine::{Ports, RemotePorts, VerbError};
use headgate_engine::event::CloseReason;
use headgate_engine::group::Join;

const INTERFACE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Of the scope that is the organisation's own (RFC 2365); a test each.
const GROUPS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(239, 255, 77, 1), Ipv4Addr::new(239, 255, 77, 2), Ipv4Addr::new(239, 255, 77, 3)];

fn join(group: SocketAddrV4, source: Option<Ipv4Addr>) -> Join {
    Join { group, interfaces: vec![INTERFACE], source, ttl: 1 }
}

/// Somebody in a group, on a port of the system's choice.
fn listener(group: Ipv4Addr) -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((group, 0)).expect("a free port");
    socket.join_multicast_v4(&group, &INTERFACE).expect("a group");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let port = socket.local_addr().expect("bound").port();
    (socket, port)
}

fn send_to_group(
    bench: &Bench,
    stream: Handle,
    host: Ipv4Addr,
    (rtp_port, rtcp_port): (u16, u16),
) -> (Handle, SocketAddr) {
    let (rtp, _) = bench.engine.group_sender(INTERFACE, 1).expect("an interface");
    let (rtcp, from) = bench.engine.group_sender(INTERFACE, 1).expect("an interface");
    let ports = Ports { stream, connection: 0, rtp, rtcp };
    let remote = RemotePorts { track: 0, host: host.into(), rtp_port, rtcp_port };
    (bench.engine.read_udp(ports, &[remote]).expect("a flow"), from)
}

/// Equal sizes, a shorter one, and a lone small one: several segmented sends.
fn picture() -> Vec<Vec<u8>> {
    let mut packets: Vec<Vec<u8>> =
        (1..=70).map(|n| rtp(n, 10, false, &[[0x65].as_slice(), &[n as u8; 1399]].concat())).collect();
    packets.push(rtp(71, 10, false, &[1; 300]));
    packets.push(rtp(72, 10, true, &[2; 900]));
    packets
}

/// What comes of a picture that is sent until something comes: flows may not be there yet.
fn received(publisher: &mut Publisher, to: &UdpSocket) -> Vec<Vec<u8>> {
    let sent = picture();
    to.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    loop {
        for packet in &sent {
            publisher.frame(0, packet);
        }
        let mut buffer = [0; 2000];
        let mut got = Vec::new();
        while got.len() < sent.len()
            && let Ok((size, _)) = to.recv_from(&mut buffer)
        {
            got.push(buffer[..size].to_vec());
        }
        if !got.is_empty() {
            return got;
        }
    }
}

#[test]
fn a_group_gets_every_packet_and_its_members_are_heard() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let group = GROUPS[0];
    let ((to, port), (to_rtcp, rtcp_port)) = (listener(group), listener(group));
    let (flow, from) = send_to_group(&bench, stream, group, (port, rtcp_port));
    bench.engine.play(flow);
    assert_eq!(received(&mut publisher, &to), picture());

    // Two on one host: its reports are counted once, and by the second when the first is gone.
    let (reports, at) =
        bench.engine.join_group(&join(SocketAddrV4::new(group, 0), None)).expect("a group on a free port");
    let member = |bench: &mut Bench| {
        let (socket, connection) = bench.connect();
        (socket, bench.engine.hear(connection, INTERFACE.into(), &[reports]).expect("a flow"))
    };
    let ((first, one), (_second, two)) = (member(&mut bench), member(&mut bench));
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 5];
    report.extend([0; 16]);
    let reporter = UdpSocket::bind((INTERFACE, 0)).expect("a free port");
    let options = socket2::SockRef::from(&reporter);
    options.set_multicast_if_v4(&INTERFACE).expect("an interface");
    let own = [0x80, 200, 0, 6].into_iter().chain([0; 24]).collect::<Vec<u8>>();
    bench.counted(one, |counters| {
        reporter.send_to(&own, at).expect("sent"); // what our own would look like, come back
        reporter.send_to(&report, at).expect("sent");
        counters.rtcp_packets_received >= 1 && counters.packets_lost == 5
    });
    drop(first);
    assert_eq!(bench.closed(one).0, CloseReason::Peer, "a member ends with its connection");
    bench.counted(two, |counters| {
        reporter.send_to(&report, at).expect("sent");
        counters.rtcp_packets_received >= 1 && counters.rtcp_packets_in_error == 0
    });

    // Whoever comes late gets the clock, and nobody else a gap.
    bench.engine.play(flow);
    let mut buffer = [0; 200];
    let (_, sender) = to_rtcp.recv_from(&mut buffer).expect("a sender report");
    assert_eq!((buffer[1], sender), (200, from));
    bench.engine.close(flow);
    loop {
        let (size, _) = to_rtcp.recv_from(&mut buffer).expect("a goodbye");
        if buffer[..size].windows(4).any(|words| words == [0x81, 203, 0, 1]) {
            break;
        }
    }
}

#[test]
fn a_group_can_be_a_publisher() {
    for source in [None, Some(INTERFACE)] {
        let mut bench = Bench::start();
        let (upstream, stream) = (bench.stream(), bench.stream());
        let (mut publisher, _) = bench.publisher(upstream);
        let group = GROUPS[1];
        let at = SocketAddrV4::new(group, 0);
        let (rtp, rtp_at) = bench.engine.join_group(&join(at, source)).expect("a free port");
        let (rtcp, rtcp_at) = bench.engine.join_group(&join(at, source)).expect("a free port");
        let (_client, connection) = bench.connect();
        let host = source.unwrap_or(Ipv4Addr::UNSPECIFIED).into();
        let remote = RemotePorts { track: 0, host, rtp_port: 0, rtcp_port: 0 };
        let ports = Ports { stream, connection, rtp, rtcp };
        let pulled = bench.engine.publish_udp(ports, &[remote], PATIENCE).expect("a flow");
        let (flow, _) = send_to_group(&bench, upstream, group, (rtp_at.port(), rtcp_at.port()));
        bench.engine.play(flow);
        let sent = picture();
        bench.counted(pulled, |counters| {
            if counters.packets_received == 0 {
                for packet in &sent {
                    publisher.frame(0, packet);
                }
                std::thread::yield_now();
            }
            counters.packets_received >= sent.len() as u64
        });
        assert_eq!(bench.engine.tracks(stream)[0].ssrc, Some(0x0102_0304));
        // What others who hear the group report is no sign of life of who sends to it.
        let other = UdpSocket::bind((INTERFACE, 0)).expect("a free port");
        socket2::SockRef::from(&other).set_multicast_if_v4(&INTERFACE).expect("an interface");
        let heard = bench.engine.counters(&[pulled])[0].clone().expect("known").rtcp_packets_received;
        other.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 9], rtcp_at).expect("sent");
        bench.engine.play(flow); // its clock
        bench.counted(pulled, |counters| counters.rtcp_packets_received > heard);
        let counters = bench.engine.counters(&[pulled])[0].clone().expect("known");
        assert_eq!(counters.rtcp_packets_received, heard + 1);
        bench.engine.close(rtp);
        bench.engine.close(rtcp);
    }
}

#[test]
fn ports_are_what_they_are_there_for() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (_client, connection) = bench.connect();
    let (unicast, _) = bench.engine.bind_udp(SocketAddr::from((INTERFACE, 0))).expect("a free port");
    let (sender, _) = bench.engine.group_sender(INTERFACE, 1).expect("an interface");
    let (hearing, _) = bench.engine.join_group(&join(SocketAddrV4::new(GROUPS[2], 0), None)).expect("free");
    let refused = |port: Handle, host: Ipv4Addr| {
        let ports = Ports { stream, connection, rtp: port, rtcp: port };
        let remote = RemotePorts { track: 0, host: host.into(), rtp_port: 5004, rtcp_port: 5005 };
        matches!(bench.engine.read_udp(ports, &[remote]), Err(VerbError::Value(_)))
    };
    assert!(refused(unicast, GROUPS[2]));
    assert!(refused(sender, INTERFACE));
    assert!(refused(hearing, INTERFACE));
    assert!(matches!(bench.engine.hear(connection, INTERFACE.into(), &[unicast]), Err(VerbError::Value(_))));
    assert!(bench.engine.group_sender(Ipv4Addr::new(198, 51, 100, 1), 1).is_err(), "no address of ours");
}
