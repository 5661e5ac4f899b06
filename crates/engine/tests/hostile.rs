//! What clients that mean harm, or know no better, cannot do to the others.

mod bench;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use bench::{Bench, PATIENCE, next_frame, rtp, usual};
use headgate_engine::engine::{Listen, Ports, RemotePorts};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Limits;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// The resident memory of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    4096 * pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number")
}

#[test]
fn a_flood_of_units_does_not_pile_up_before_a_worker_that_is_behind() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, flow) = bench.publisher(stream); // on one worker
    let (mut reader, ..) = bench.reader(stream, &usual(), 512); // on the other
    let taking = reader.try_clone().expect("a socket");
    let taker = thread::spawn(move || {
        let mut taking = taking;
        let mut buffer = vec![0; 1 << 20];
        while taking.read(&mut buffer).is_ok_and(|size| size > 0) {}
    });
    // Thousands of the smallest units there are in every write.
    let mut flood = Vec::new();
    for n in 0..16_384_u16 {
        let packet = rtp(n, u32::from(n), true, &[0x65]);
        flood.extend([b'$', 0, 0, packet.len() as u8]);
        flood.extend(packet);
    }
    let before = resident();
    let (started, mut most) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(3) {
        publisher.socket.write_all(&flood).expect("connected");
        most = most.max(resident().saturating_sub(before));
    }
    bench.counted(flow, |counters| counters.packets_received > 100_000);
    assert!(most < 96 << 20, "{} MiB more", most >> 20);
    reader.shutdown(std::net::Shutdown::Both).expect("connected");
    let _ = (taker.join(), reader.flush());
}

#[test]
fn a_flood_of_datagrams_does_not_keep_a_worker_from_its_other_work() {
    let mut bench = Bench::start();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (_, address) = bench.engine.bind_udp(any).expect("a free port");
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let socket = UdpSocket::bind(any).expect("a free port");
                while !stop.load(SeqCst) {
                    let _ = socket.send_to(&[0; 12], address);
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        bench.connect();
        slowest = slowest.max(started.elapsed());
    }
    stop.store(true, SeqCst);
    for flood in floods {
        flood.join().expect("no panic");
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?} to be accepted");
}

#[test]
fn the_messages_of_one_connection_that_wait_are_few_however_small_they_are() {
    let mut bench = Bench::start();
    let (mut socket, connection) = bench.connect();
    let count = 50_000;
    socket.write_all(&b"A\n\n".repeat(count)).expect("the kernel takes it");
    thread::sleep(Duration::from_millis(300));
    let (mut seen, mut most) = (0, 0);
    let deadline = Instant::now() + PATIENCE;
    while seen < count {
        let events = bench.engine.drain(100_000);
        let messages = events.iter().filter(|event| matches!(event, Event::Received { .. })).count();
        seen += messages;
        most = most.max(messages);
        assert!(Instant::now() < deadline, "{seen} of {count} messages");
    }
    assert!(most <= 64, "{most} messages waited at once");
    drop(socket);
    assert_eq!(bench.closed(connection).0, CloseReason::Peer);
}

#[test]
fn a_publisher_that_sends_only_reports_is_not_silent() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (rtp, _) = bench.engine.bind_udp(any).expect("a free port");
    let (rtcp, rtcp_address) = bench.engine.bind_udp(any).expect("a free port");
    let reports = UdpSocket::bind(any).expect("a free port");
    let rtcp_port = reports.local_addr().expect("bound").port();
    let (_socket, connection) = bench.connect();
    let remote = RemotePorts { track: 0, host: Ipv4Addr::LOCALHOST.into(), rtp_port: 9, rtcp_port };
    let ports = Ports { stream, connection, rtp, rtcp };
    let flow = bench.engine.publish_udp(ports, &[remote], Duration::from_millis(600)).expect("a flow");
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1500) {
        reports.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 1], rtcp_address).expect("sent");
        thread::sleep(Duration::from_millis(50));
        bench.seen.extend(bench.engine.drain(16));
        assert!(!bench.seen.iter().any(|event| matches!(event, Event::Closed { .. })), "{:?}", bench.seen);
    }
    bench.counted(flow, |counters| counters.bytes_received >= 8 && counters.idle_s < 0.5);
    assert_eq!(bench.closed(flow).0, CloseReason::ReadTimeout, "now it is");
}

#[test]
fn an_address_is_free_once_its_flow_is_closed() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (rtp, _) = bench.engine.bind_udp(any).expect("a free port");
    let (rtcp, _) = bench.engine.bind_udp(any).expect("a free port");
    let (_socket, connection) = bench.connect();
    let remote = RemotePorts { track: 0, host: Ipv4Addr::LOCALHOST.into(), rtp_port: 9, rtcp_port: 10 };
    let ports = Ports { stream, connection, rtp, rtcp };
    for i in 0..2000 {
        let flow = if i % 2 == 0 {
            bench.engine.publish_udp(ports, &[remote], PATIENCE)
        } else {
            bench.engine.read_udp(ports, &[remote])
        };
        let flow = flow.unwrap_or_else(|error| panic!("the address is still taken, turn {i}: {error:?}"));
        bench.engine.close(flow);
        bench.closed(flow);
    }
}

#[test]
fn an_address_nothing_can_be_sent_to_is_refused() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (rtp, _) = bench.engine.bind_udp(any).expect("a free port");
    let (rtcp, _) = bench.engine.bind_udp(any).expect("a free port");
    let (_socket, connection) = bench.connect();
    let ports = Ports { stream, connection, rtp, rtcp };
    for (host, rtp_port) in [("127.0.0.1", 0), ("fe80::1", 9), ("0.0.0.0", 9), ("::ffff:0.0.0.0", 9)] {
        let host = host.parse().expect("an address");
        let remote = RemotePorts { track: 0, host, rtp_port, rtcp_port: 10 };
        assert!(bench.engine.read_udp(ports, &[remote]).is_err(), "{host} {rtp_port}");
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

impl Bench {
    /// The same engine with a TLS listener.
    fn over_tls() -> Self {
        let mut bench = Self::start();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-keyout", "-", "-out", "-", "-subj", "/CN=localhost"])
            .output()
            .expect("openssl is installed");
        let listen = Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: Some((made.stdout.clone(), made.stdout)),
            limits: Limits { head_size: 1024, body_size: 1024 },
            read_timeout: PATIENCE,
            write_timeout: PATIENCE,
            connection_limit: 100,
        };
        (bench.listener, bench.port) = bench.engine.listen(&listen).expect("a free port");
        bench
    }
}

fn secure(socket: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a configuration"), socket)
}

#[test]
fn what_is_queued_reaches_a_client_over_tls_before_the_goodbye() {
    let mut bench = Bench::over_tls();
    let (socket, connection) = bench.connect();
    let mut client = secure(socket);
    client.write_all(b"OPTIONS * RTSP/1.0\r\n\r\n").expect("a handshake");
    bench.event(|event| matches!(event, Event::Received { .. }).then_some(()));
    // More than the kernel takes while the client looks away.
    let piece = vec![b'x'; 100_000];
    let mut waits = false;
    while !waits {
        bench.engine.send(connection, piece.clone());
        thread::sleep(Duration::from_millis(20));
        let counters = bench.engine.counters(&[connection]).remove(0).expect("open");
        waits = counters.queued_bytes > 0;
    }
    bench.engine.send(connection, b"!".to_vec());
    bench.engine.close(connection);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("a whole stream, with TLS's own end");
    assert_eq!((answer.len() - 1) % piece.len(), 0, "{} bytes", answer.len());
    assert_eq!(answer.last(), Some(&b'!'));
    drop(client);
    assert_eq!(bench.closed(connection).0, CloseReason::Requested);
}

#[test]
fn a_reader_over_tls_is_told_goodbye() {
    let mut bench = Bench::over_tls();
    let stream = bench.stream();
    let (socket, connection) = bench.connect();
    let mut client = secure(socket);
    client.write_all(b"PLAY * RTSP/1.0\r\n\r\n").expect("a handshake");
    bench.event(|event| matches!(event, Event::Received { .. }).then_some(()));
    let flow = bench.engine.read_tcp(stream, connection, &usual(), 512, 1 << 20).expect("a flow");
    bench.engine.play(flow);
    let mut plain = Bench::start();
    std::mem::swap(&mut plain.engine, &mut bench.engine);
    (plain.listener, plain.port) = plain.engine.listen(&plain_listen()).expect("a free port");
    let (mut publisher, _) = plain.publisher(stream);
    publisher.picture(true, 1, 100);
    plain.counted(flow, |counters| counters.packets_sent == 1);
    plain.engine.close(connection);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("TLS's own end");
    assert!(rest.windows(4).any(|words| words == [0x81, 203, 0, 1]), "no BYE in {} bytes", rest.len());
}

fn plain_listen() -> Listen {
    Listen {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: None,
        limits: Limits { head_size: 1024, body_size: 1024 },
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
        connection_limit: 100,
    }
}

#[test]
fn an_empty_answer_is_none() {
    let mut bench = Bench::start();
    let (mut socket, connection) = bench.connect();
    bench.engine.send(connection, Vec::new());
    bench.engine.send(connection, b"!".to_vec());
    let mut answer = [0];
    socket.read_exact(&mut answer).expect("still connected");
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let (mut reader, ..) = bench.reader(stream, &usual(), 512);
    let sent = publisher.picture(true, 1, 10).remove(0);
    assert_eq!(next_frame(&mut reader), (0, sent));
}
