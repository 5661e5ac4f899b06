//! Connections that the engine makes: to itself, to nobody, to the wrong one.

mod bench;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bench::PATIENCE;
use headgate_engine::Handle;
use headgate_engine::client::{ClientTls, Connect};
use headgate_engine::codec::Codec;
use headgate_engine::engine::{Channel, Engine, Listen, Ports, RemotePorts};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Limits;
use headgate_engine::stream::TrackSpec;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const LIMITS: Limits = Limits { head_size: 1024, body_size: 1024 };
const CHANNEL: Channel = Channel { track: 0, rtp: 0, rtcp: 1 };

struct Bench {
    engine: Engine,
    seen: VecDeque<Event>,
}

impl Bench {
    fn start() -> Self {
        Self { engine: Engine::start(2, 64).expect("two workers"), seen: VecDeque::new() }
    }

    fn event<T>(&mut self, wanted: impl FnMut(&Event) -> Option<T>) -> T {
        bench::event(&self.engine, &mut self.seen, wanted)
    }

    fn listen(&self, tls: Option<(Vec<u8>, Vec<u8>)>) -> SocketAddr {
        let listen = Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls,
            limits: LIMITS,
            read_timeout: PATIENCE,
            write_timeout: PATIENCE,
            connection_limit: 100,
        };
        let (_, port) = self.engine.listen(&listen).expect("a free port");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    fn connect(&self, address: SocketAddr, tls: Option<ClientTls>, read_timeout: Duration) -> Handle {
        let connect = Connect { address, tls, limits: LIMITS, read_timeout, write_timeout: PATIENCE };
        self.engine.connect(&connect).expect("a connection on its way")
    }

    fn connected(&mut self, wanted: Handle) -> SocketAddr {
        self.event(|event| match event {
            Event::Connected { connection, remote, .. } if *connection == wanted => Some(*remote),
            _ => None,
        })
    }

    fn accepted(&mut self) -> Handle {
        self.event(|event| match event {
            Event::Accepted { connection, .. } => Some(*connection),
            _ => None,
        })
    }

    fn received(&mut self, wanted: Handle) -> Vec<u8> {
        self.event(|event| match event {
            Event::Received { connection, message, .. } if *connection == wanted => Some(message.clone()),
            _ => None,
        })
    }

    fn closed(&mut self, wanted: Handle) -> CloseReason {
        self.event(|event| match event {
            Event::Closed { handle, reason, .. } if *handle == wanted => Some(*reason),
            _ => None,
        })
    }
}

/// A certificate that signs itself, its key, and its fingerprint.
fn certificate() -> (Vec<u8>, Vec<u8>, [u8; 32]) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=test", "-days", "1", "-keyout", "-"])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let der = CertificateDer::from_pem_slice(&made.stdout).expect("a certificate");
    let fingerprint = digest(&SHA256, &der).as_ref().try_into().expect("32 bytes");
    (made.stdout.clone(), made.stdout, fingerprint)
}

fn tls(fingerprint: Option<[u8; 32]>) -> ClientTls {
    ClientTls { server_name: "localhost".into(), fingerprint }
}

#[test]
fn both_ends_of_a_connection_speak() {
    let (chain, key, fingerprint) = certificate();
    for encrypted in [false, true] {
        let mut bench = Bench::start();
        let address = bench.listen(encrypted.then(|| (chain.clone(), key.clone())));
        let trust = encrypted.then(|| tls(Some(fingerprint)));
        let client = bench.connect(address, trust, PATIENCE);
        assert_eq!(bench.connected(client), address);
        let server = bench.accepted();
        bench.engine.send(client, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec());
        assert!(bench.received(server).starts_with(b"OPTIONS"));
        let answer = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nbody";
        bench.engine.send(server, answer.to_vec());
        assert_eq!(bench.received(client), answer);
        bench.engine.close(server);
        assert_eq!(bench.closed(client), CloseReason::Peer);
    }
}

#[test]
fn media_comes_in_over_a_connection_that_we_made() {
    let mut bench = Bench::start();
    let address = bench.listen(None);
    let client = bench.connect(address, None, PATIENCE);
    bench.connected(client);
    let server = bench.accepted();
    let specs = [TrackSpec { codec: Codec::H264, clock_rate: 90000 }];
    let stream = bench.engine.open_stream(&specs, 1472).expect("a stream");
    let flow = bench.engine.publish_tcp(stream, client, &[CHANNEL]).expect("a flow");
    let packet = [&[0x80, 0xe0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9][..], &[0x65, 1, 2, 3]].concat();
    let frame = [&[b'$', 0, 0, packet.len() as u8][..], &packet].concat();
    bench.engine.send(server, frame);
    let deadline = Instant::now() + PATIENCE;
    while bench.engine.tracks(stream)[0].ssrc != Some(9) {
        assert!(Instant::now() < deadline, "nothing was published");
        std::thread::yield_now();
    }
    bench.engine.close(client);
    assert_eq!(bench.closed(flow), CloseReason::Requested);
    assert_eq!(bench.closed(client), CloseReason::Requested);
}

#[test]
fn packets_come_from_any_port_where_none_is_named() {
    let mut bench = Bench::start();
    let address = bench.listen(None);
    let client = bench.connect(address, None, PATIENCE);
    bench.connected(client);
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let [rtp, rtcp] = [(); 2].map(|()| bench.engine.bind_udp(local).expect("a port"));
    let specs = [TrackSpec { codec: Codec::H264, clock_rate: 90000 }];
    let stream = bench.engine.open_stream(&specs, 1472).expect("a stream");
    let ports = Ports { stream, connection: client, rtp: rtp.0, rtcp: rtcp.0 };
    let any = RemotePorts { track: 0, host: local.ip(), rtp_port: 0, rtcp_port: 0 };
    bench.engine.publish_udp(ports, &[any], PATIENCE).expect("a flow");
    let packet = [&[0x80, 0xe0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9][..], &[0x65, 1, 2, 3]].concat();
    let server = UdpSocket::bind(local).expect("a port of its own choice");
    let deadline = Instant::now() + PATIENCE;
    while bench.engine.tracks(stream)[0].ssrc != Some(9) {
        assert!(Instant::now() < deadline, "nothing was published");
        server.send_to(&packet, rtp.1).expect("sent");
        std::thread::yield_now();
    }
}

#[test]
fn nobody_there() {
    let mut bench = Bench::start();
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = unused.local_addr().expect("bound");
    drop(unused);
    let client = bench.connect(address, None, PATIENCE);
    assert_eq!(bench.closed(client), CloseReason::Connect);
}

#[test]
fn a_server_that_never_shakes_hands_is_given_up() {
    let mut bench = Bench::start();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = silent.local_addr().expect("bound");
    let client = bench.connect(address, Some(tls(Some([0; 32]))), Duration::from_millis(100));
    assert_eq!(bench.closed(client), CloseReason::Connect);
}

#[test]
fn a_connection_can_be_given_up_before_it_stands() {
    let mut bench = Bench::start();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = silent.local_addr().expect("bound");
    let client = bench.connect(address, Some(tls(Some([0; 32]))), PATIENCE);
    bench.engine.close(client);
    assert_eq!(bench.closed(client), CloseReason::Requested);
}

#[test]
fn a_certificate_that_is_not_to_be_believed_ends_it() {
    let (chain, key, mut fingerprint) = certificate();
    fingerprint[0] ^= 1;
    let mut bench = Bench::start();
    let address = bench.listen(Some((chain, key)));
    let client = bench.connect(address, Some(tls(Some(fingerprint))), PATIENCE);
    assert_eq!(bench.closed(client), CloseReason::Tls, "another fingerprint");
    let unknown = Connect {
        address,
        tls: Some(tls(None)),
        limits: LIMITS,
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
    };
    // Where the system has no authorities at all the verb says so at once.
    if let Ok(client) = bench.engine.connect(&unknown) {
        assert_eq!(bench.closed(client), CloseReason::Tls, "signed by nobody we know");
    }
}

#[test]
fn a_name_that_is_none_is_refused_at_once() {
    let bench = Bench::start();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let bad = ClientTls { server_name: "not a name".into(), fingerprint: Some([0; 32]) };
    let connect =
        Connect { address, tls: Some(bad), limits: LIMITS, read_timeout: PATIENCE, write_timeout: PATIENCE };
    bench.engine.connect(&connect).expect_err("no name");
}
