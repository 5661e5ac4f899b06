//! What strangers may open leaves descriptors for others. One test: the limit is its process's.

mod relay;

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::SeqCst;

use headgate_engine::descriptors::left_by_relays;
use headgate_engine::engine::{Listen, VerbError};
use headgate_engine::event::Event;
use headgate_engine::rtsp::Limits;
use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::verbs::{BindRelay, ListenTurn, RelayTransport};
use relay::peers::{asked, bound, called, caller, connected, patient};
use relay::stream::Listener;
use relay::{Bench, LOCALHOST, PATIENCE, permission, usual};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LIMIT: u64 = 512;
const PLAYERS: u64 = LIMIT / 2;

/// Open files until the next number is this.
fn fill(files: &mut Vec<File>, next: u64) {
    loop {
        let file = File::open("/dev/null").expect("one of the last");
        let number = u64::try_from(file.as_raw_fd()).expect("a number");
        assert!(number < next, "{number} is past {next} already");
        files.push(file);
        if number + 1 == next {
            return;
        }
    }
}

fn is_refused(address: SocketAddr) -> bool {
    let mut socket = patient(TcpStream::connect(address).expect("listening"));
    !matches!(socket.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

fn listen(host: IpAddr) -> Listen {
    Listen {
        address: SocketAddr::new(host, 0),
        tls: None,
        limits: Limits { head_size: 1024, body_size: 1024 },
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
        connection_limit: 1000,
    }
}

fn accepted(bench: &mut Bench, address: SocketAddr) -> TcpStream {
    let socket = patient(TcpStream::connect(address).expect("listening"));
    let me = socket.local_addr().expect("connected");
    bench.event(|event| matches!(event, Event::Accepted { remote, .. } if *remote == me).then_some(()));
    socket
}

fn is_short<T>(result: &Result<T, VerbError>) -> bool {
    matches!(result, Err(VerbError::Io(error)) if error.raw_os_error() == Some(libc::EMFILE))
}

#[test]
fn the_last_descriptors_are_for_others() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(LIMIT), maximum: hard }).expect("fewer");
    let mut bench = Bench::start();
    let refused = |bench: &Bench| bench.engine.events().refused_connections.load(SeqCst);
    let (_, port) = bench.engine.listen(&listen(LOCALHOST)).expect("a free port");
    let rtsp = SocketAddr::new(LOCALHOST, port);
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let tls = Listener::new(&bench, Transport::Tls, usual());
    let caller = caller(&mut bench, &listener, 0);
    bench.engine.permit(&permission(caller.allocation, LOCALHOST));
    let peer = TcpListener::bind((LOCALHOST, 0)).expect("a free port");
    let there = peer.local_addr().expect("bound");

    // Relays leave these.
    let mut files = Vec::new();
    fill(&mut files, LIMIT - left_by_relays(LIMIT));
    for (door, address) in [listener.address, tls.address, caller.relayed].into_iter().enumerate() {
        assert!(is_refused(address), "door {door}");
        assert_eq!(refused(&bench), door as u64 + 1);
    }
    for transport in [RelayTransport::Udp, RelayTransport::Tcp] {
        let bind = BindRelay { transport, address: SocketAddr::new(LOCALHOST, 0), external: None };
        assert!(is_short(&bench.engine.bind_relay(&bind)));
    }
    assert!(is_short(&bench.engine.connect_peer(caller.allocation, there)));
    let player = accepted(&mut bench, rtsp);

    // Players leave these.
    fill(&mut files, PLAYERS);
    assert!(is_refused(rtsp));
    assert_eq!(refused(&bench), 4);

    // Nobody decides about these but the operator.
    bench.engine.listen(&listen(LOCALHOST)).expect("a descriptor");
    bench.engine.bind_udp(SocketAddr::new(LOCALHOST, 0)).expect("a descriptor");
    for transport in [Transport::Udp, Transport::Tcp] {
        let address = SocketAddr::new(LOCALHOST, 0);
        let listen = ListenTurn { transport, address, tls: None, limits: usual() };
        bench.engine.listen_turn(&listen).expect("a descriptor");
    }
    let connect = headgate_engine::client::Connect {
        address: there,
        tls: None,
        limits: Limits { head_size: 1024, body_size: 1024 },
        read_timeout: PATIENCE,
        write_timeout: PATIENCE,
    };
    bench.engine.connect(&connect).expect("a descriptor");

    // There is room again.
    drop((files, player, peer));
    accepted(&mut bench, rtsp);
    bound(&bench);
    called(&mut bench, &listener, &caller);
    let visitor = TcpStream::connect(caller.relayed).expect("listening");
    let (_, from, incoming) = connected(&mut bench, caller.allocation);
    assert_eq!((from, incoming), (visitor.local_addr().expect("connected"), true));
    asked(&mut listener.connect(), &mut bench);
    assert_eq!(refused(&bench), 4);
}
