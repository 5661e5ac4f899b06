//! Whatever a worker that stands still has of RTSP: each ends once and can begin again, and what others have goes on.

mod bench;
mod relay;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use bench::still::{LATE, came_back, lose, on, told, worker_of};
use bench::{Bench, PATIENCE, Publisher, next_frame, rtp, usual};
use headgate_engine::Handle;
use headgate_engine::client::{ClientTls, Connect};
use headgate_engine::engine::{Listen, Ports, RemotePorts};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::group::Join;
use headgate_engine::rtsp::Limits;
use headgate_engine::srtp::{Inbound, MasterKey, Outbound, Suite, TrackKeys};
use relay::stream::{certificate, secure};

const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const GET: &[u8] = b"GET /cam HTTP/1.0\r\nx-sessioncookie: c\r\n\r\n";
const POST: &[u8] = b"POST /cam HTTP/1.0\r\nx-sessioncookie: c\r\nContent-Length: 32767\r\n\r\n";
const OPTIONS: &[u8] = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
const OPTIONS_BASE64: &[u8] = b"T1BUSU9OUyAqIFJUU1AvMS4wDQpDU2VxOiAxDQoNCg==";
const LIMITS: Limits = Limits { head_size: 1024, body_size: 1024 };

fn received(bench: &mut Bench, wanted: Handle) -> Vec<u8> {
    bench.event(|event| match event {
        Event::Received { connection, message, .. } if *connection == wanted => Some(message.clone()),
        _ => None,
    })
}

/// A client asks, and is answered.
fn speak(bench: &mut Bench, connection: Handle, stream: &mut (impl Read + Write)) {
    stream.write_all(OPTIONS).expect("connected");
    stream.flush().expect("connected");
    assert_eq!(received(bench, connection), OPTIONS);
    bench.engine.send(connection, b"yes".to_vec());
    let mut answer = [0; 3];
    stream.read_exact(&mut answer).expect("the answer");
    assert_eq!(&answer, b"yes");
}

/// A connection on a worker that says HTTP first.
fn says(bench: &mut Bench, worker: u64, head: &[u8]) -> (TcpStream, Handle) {
    let (mut socket, connection) = on(bench, worker);
    socket.write_all(head).expect("connected");
    bench.event(|event| match event {
        Event::HttpReceived { connection: c, .. } => (*c == connection).then_some(()),
        _ => None,
    });
    (socket, connection)
}

/// RTSP in HTTP.
struct Tunnel {
    down: TcpStream,
    up: TcpStream,
    get: Handle,
}

impl Tunnel {
    fn new(bench: &mut Bench, get_on: u64, post_on: u64) -> Self {
        let (down, get) = says(bench, get_on, GET);
        let (up, post) = says(bench, post_on, POST);
        bench.engine.tunnel_http(get, post);
        assert_eq!(bench.closed(post).0, CloseReason::Joined);
        Self { down, up, get }
    }

    fn speak(&mut self, bench: &mut Bench) {
        self.up.write_all(OPTIONS_BASE64).expect("connected");
        assert_eq!(received(bench, self.get), OPTIONS);
        bench.engine.send(self.get, b"yes".to_vec());
        let mut answer = [0; 3];
        self.down.read_exact(&mut answer).expect("the answer");
        assert_eq!(&answer, b"yes");
    }
}

fn websocket(bench: &mut Bench, worker: u64) -> (TcpStream, Handle) {
    let (mut socket, connection) = says(bench, worker, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    bench.engine.send(connection, b"yes".to_vec());
    bench.engine.tunnel_websocket(connection);
    socket.read_exact(&mut [0; 3]).expect("the handshake");
    (socket, connection)
}

fn speak_in_websocket(bench: &mut Bench, (socket, connection): &mut (TcpStream, Handle)) {
    let masked = [&[0x82, 0x80 | OPTIONS.len() as u8, 0, 0, 0, 0], OPTIONS].concat();
    socket.write_all(&masked).expect("connected");
    assert_eq!(received(bench, *connection), OPTIONS);
    bench.engine.send(*connection, b"yes".to_vec());
    let mut answer = [0; 5];
    socket.read_exact(&mut answer).expect("the answer");
    assert_eq!(&answer, b"\x82\x03yes");
}

#[test]
fn tunnels() {
    let mut bench = Bench::start();
    let mut kept = Tunnel::new(&mut bench, 1, 0);
    let lost = Tunnel::new(&mut bench, 0, 1);
    let mut kept_socket = websocket(&mut bench, 1);
    let lost_socket = websocket(&mut bench, 0);
    let (down, get) = says(&mut bench, 1, GET);
    let (early, post) = says(&mut bench, 0, POST);

    bench.engine.stand_still(0, LATE);
    bench.engine.tunnel_http(get, post); // nobody can know that it is lost
    let handles = [lost.get, lost_socket.1, post];
    lose(&mut bench, &handles, |bench| {
        kept.speak(bench);
        speak_in_websocket(bench, &mut kept_socket);
    });
    // Another may take the place of the one that was lost.
    let (up, another) = says(&mut bench, 0, POST);
    bench.engine.tunnel_http(get, another);
    assert_eq!(bench.closed(another).0, CloseReason::Joined);
    Tunnel { down, up, get }.speak(&mut bench);
    for workers in [(0, 0), (0, 1), (1, 0)] {
        Tunnel::new(&mut bench, workers.0, workers.1).speak(&mut bench);
    }
    let mut again = websocket(&mut bench, 0);
    speak_in_websocket(&mut bench, &mut again);

    // Both sockets of the tunnel were the lost worker's.
    for socket in [lost.down, lost.up, lost_socket.0, early] {
        came_back(socket);
    }
    kept.speak(&mut bench);
    assert_eq!(handles.map(|handle| told(&mut bench, handle)), [0; 3], "told again");
}

#[test]
fn clients_over_tls_who_are_shown_the_newest_certificate() {
    let mut bench = Bench::start();
    let (before, after) = (certificate("ec"), certificate("ec"));
    let listen = |pem: &(Vec<u8>, Vec<u8>)| Listen {
        address: SocketAddr::from((HOST, 0)),
        tls: Some(pem.clone()),
        limits: LIMITS,
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
        connection_limit: 100,
    };
    (bench.listener, bench.port) = bench.engine.listen(&listen(&before)).expect("a free port");
    let (socket, kept) = on(&mut bench, 1);
    let mut kept_client = secure(socket, &before.0);
    speak(&mut bench, kept, &mut kept_client);
    let (socket, lost) = on(&mut bench, 0);
    let gone = socket.try_clone().expect("a socket");
    speak(&mut bench, lost, &mut secure(socket, &before.0));

    bench.engine.stand_still(0, LATE);
    bench.engine.retune(bench.listener, &listen(&after)).expect("an open listener");
    lose(&mut bench, &[lost], |bench| speak(bench, kept, &mut kept_client));
    for worker in [0, 1] {
        let (socket, connection) = on(&mut bench, worker);
        speak(&mut bench, connection, &mut secure(socket, &after.0));
    }
    came_back(gone);
    speak(&mut bench, kept, &mut kept_client);
    assert_eq!(told(&mut bench, lost), 0, "told again");
}

#[test]
fn connections_that_we_make() {
    let mut bench = Bench::start();
    let server = TcpListener::bind((HOST, 0)).expect("a free port");
    let address = server.local_addr().expect("bound");
    let begin = |bench: &Bench, tls: Option<ClientTls>| {
        let connect =
            Connect { address, tls, limits: LIMITS, read_timeout: PATIENCE, write_timeout: PATIENCE };
        let connection = bench.engine.connect(&connect).expect("on its way");
        let (socket, _) = server.accept().expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        (socket, connection)
    };
    let make = |bench: &mut Bench| {
        let (socket, wanted) = begin(bench, None);
        bench.event(|event| match event {
            Event::Connected { connection, .. } => (*connection == wanted).then_some(()),
            _ => None,
        });
        (socket, wanted)
    };
    let (gone, lost) = make(&mut bench);
    let (mut there, kept) = make(&mut bench);
    let tls = ClientTls { server_name: "localhost".into(), fingerprint: Some([0; 32]) };
    let (half, halfway) = begin(&bench, Some(tls)); // nobody answers its hello
    assert_eq!([lost, kept, halfway].map(worker_of), [0, 1, 0]);

    bench.engine.stand_still(0, LATE);
    let (_its, _there_too) = make(&mut bench);
    let (never, pending) = begin(&bench, None); // told while it stands still
    assert_eq!(worker_of(pending), 0);
    lose(&mut bench, &[lost, halfway, pending], |bench| speak(bench, kept, &mut there));
    for _ in 0..2 {
        let (mut socket, connection) = make(&mut bench);
        speak(&mut bench, connection, &mut socket);
    }
    came_back(gone);
    came_back(half);
    came_back(never); // nobody had begun it
    assert_eq!([lost, halfway, pending].map(|handle| told(&mut bench, handle)), [0; 3], "told again");
}

fn key(seed: u8) -> MasterKey {
    let suite = Suite::AeadAes128Gcm;
    let (key, salt) = (vec![seed; suite.key_size()], vec![seed; suite.salt_size()]);
    MasterKey { suite, key, salt, mki: vec![], rollovers: vec![] }
}

/// What the engine is given; the client has the same the other way round.
fn keys(seed: u8) -> TrackKeys {
    TrackKeys { track: 0, send: key(seed), receive: key(seed + 1) }
}

/// A publisher on a worker.
fn publisher(bench: &mut Bench, stream: Handle, worker: u64) -> Publisher {
    let (socket, connection) = on(bench, worker);
    bench.engine.publish_tcp(stream, connection, &usual()).expect("a flow");
    Publisher { socket, sequence: 0, timestamp: 0 }
}

#[test]
fn encrypted_flows() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let mut publisher = publisher(&mut bench, stream, 1);
    let read = |bench: &mut Bench, worker: u64, seed: u8| {
        let (mut socket, connection) = on(bench, worker);
        let keys = [keys(seed)];
        let flow = bench
            .engine
            .read_tcp_protected(stream, connection, &usual(), &keys, 512, 1 << 20)
            .expect("a flow");
        bench.engine.play(flow);
        bench.engine.send(connection, b"!".to_vec());
        socket.read_exact(&mut [0]).expect("the answer");
        (socket, connection, flow, Inbound::new(&key(seed)).expect("keys"))
    };
    let (mut there, _, kept, mut inbound) = read(&mut bench, 1, 10);
    let (gone, lost, lost_flow, _) = read(&mut bench, 0, 20);
    // Datagrams are heard by the first worker.
    let (rtp_port, address) = bench.engine.bind_udp((HOST, 0).into()).expect("a free port");
    let (rtcp_port, _) = bench.engine.bind_udp((HOST, 0).into()).expect("a free port");
    let camera = UdpSocket::bind((HOST, 0)).expect("a free port");
    let from = camera.local_addr().expect("bound").port();
    let (_its, connection) = on(&mut bench, 1);
    let other = bench.stream();
    let ports = Ports { stream: other, connection, rtp: rtp_port, rtcp: rtcp_port };
    let remote = RemotePorts { track: 0, host: HOST.into(), rtp_port: from, rtcp_port: 0 };
    let publish = |bench: &Bench, seed: u8| {
        bench.engine.publish_udp_protected(ports, &[remote], &[keys(seed)], PATIENCE).expect("a flow")
    };
    let publishes = publish(&bench, 30);

    bench.engine.stand_still(0, LATE);
    let mut goes_on = |_: &mut Bench| {
        let picture = publisher.picture(true, 1, 100).remove(0);
        let (_, wire) = next_frame(&mut there);
        let mut plain = Vec::new();
        assert_eq!(inbound.rtp(&wire, &mut plain), Some(()));
        assert_eq!(plain, picture);
    };
    lose(&mut bench, &[lost, lost_flow, publishes], &mut goes_on);
    let again = publish(&bench, 40);
    let mut outbound = Outbound::new(&keys(40).receive).expect("keys");
    let mut sequence = 0;
    bench.counted(again, |counters| {
        sequence += 1;
        let mut wire = Vec::new();
        outbound.rtp(&rtp(sequence, 9, true, &[0x65]), &mut wire).expect("sealed");
        camera.send_to(&wire, address).expect("sent");
        counters.packets_received >= 1 && counters.packets_in_error == 0
    });
    came_back(gone);
    goes_on(&mut bench);
    let living = [lost, lost_flow, publishes, again, kept];
    assert_eq!(living.map(|handle| told(&mut bench, handle)), [0; 5]);
}

#[test]
fn groups() {
    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 78, 1);
    let mut bench = Bench::start();
    let stream = bench.stream();
    let mut publisher = publisher(&mut bench, stream, 1);
    let listener = || {
        let socket = UdpSocket::bind((GROUP, 0)).expect("a free port");
        socket.join_multicast_v4(&GROUP, &HOST).expect("a group");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        (socket, port)
    };
    let (rtp_port, _) = bench.engine.group_sender(HOST, 1).expect("an interface");
    let (rtcp_port, _) = bench.engine.group_sender(HOST, 1).expect("an interface");
    let ports = Ports { stream, connection: 0, rtp: rtp_port, rtcp: rtcp_port };
    let send = |bench: &Bench| {
        let ((to, rtp_port), (_, rtcp_port)) = (listener(), listener());
        let remote = RemotePorts { track: 0, host: GROUP.into(), rtp_port, rtcp_port };
        let flow = bench.engine.read_udp(ports, &[remote]).expect("a flow");
        bench.engine.play(flow);
        (to, flow)
    };
    let mut hears = |to: &UdpSocket| {
        let give_up = std::time::Instant::now() + PATIENCE;
        loop {
            publisher.picture(true, 1, 100);
            if to.recv(&mut [0; 2000]).is_ok() {
                return;
            }
            assert!(std::time::Instant::now() < give_up, "the group hears nothing");
        }
    };
    let ((_, lost), (to, kept)) = (send(&bench), send(&bench));
    assert_eq!([lost, kept].map(worker_of), [0, 1]);
    hears(&to);
    let join = Join { group: SocketAddrV4::new(GROUP, 0), interfaces: vec![HOST], source: None, ttl: 1 };
    let (reports, at) = bench.engine.join_group(&join).expect("a group on a free port");
    let (_there, connection) = on(&mut bench, 1);
    let hear =
        |bench: &Bench| bench.engine.hear(connection, HOST.into(), &[reports]).expect("a group's port");
    let member = hear(&bench);
    let (gone, going) = on(&mut bench, 0);

    bench.engine.stand_still(0, LATE);
    lose(&mut bench, &[lost, member, going], |_| hears(&to));
    let (to_new, new) = send(&bench);
    assert_eq!(worker_of(new), 0);
    hears(&to_new);
    let again = hear(&bench);
    let reporter = UdpSocket::bind((HOST, 0)).expect("a free port");
    socket2::SockRef::from(&reporter).set_multicast_if_v4(&HOST).expect("an interface");
    let report = [0x81, 201, 0, 7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 5].into_iter().chain([0; 16]);
    let report: Vec<u8> = report.collect();
    bench.counted(again, |counters| {
        reporter.send_to(&report, at).expect("sent");
        counters.rtcp_packets_received >= 1
    });
    came_back(gone);
    hears(&to);
    let all = [lost, member, going, kept, new, again];
    assert_eq!(all.map(|handle| told(&mut bench, handle)), [0; 6]);
}
