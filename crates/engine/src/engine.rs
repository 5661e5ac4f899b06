//! The verbs: what Python can tell the engine.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Poll, Waker};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Handle;
use crate::beside::Ajar;
use crate::client::Connect;
use crate::command::{Command, Door, FIRST, Inbox, MOST_WORKERS, PublishUdp, ReadTcp, ReadUdp, Shared};
use crate::connection::{Admission, Listener};
use crate::counters::{Counters, Snapshot};
use crate::datagram::{Path, ReaderReports, Remote};
use crate::event::{CloseReason, Event, EventQueue};
use crate::group::{self, Cast, Join, Member};
use crate::interleaved::Channels;
use crate::latency::Distribution;
use crate::rtsp::Limits;
use crate::srtp::{Protection, TrackKeys};
use crate::stream::{Live, Stream, Track, TrackSpec};
use crate::udp::Port;
use crate::watch::{Crew, Post, Watch};
use crate::worker::WAKER;

const LISTEN_BACKLOG: i32 = 1024;
const MOST_TRACKS: usize = 64;

/// Why a verb failed now.
#[derive(Debug)]
pub enum VerbError {
    /// The caller's mistake.
    Value(String),
    Io(io::Error),
    /// After `shutdown`.
    Stopped,
}

impl From<io::Error> for VerbError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(crate) fn value<T>(text: impl Into<String>) -> Result<T, VerbError> {
    Err(VerbError::Value(text.into()))
}

/// The arguments of `Engine::listen`; the fields are those of `engine.Listen`.
#[derive(Debug)]
pub struct Listen {
    pub address: SocketAddr,
    /// Certificate chain and key, PEM.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
    pub limits: Limits,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub connection_limit: usize,
}

impl Listen {
    fn listener(&self, handle: Handle) -> Result<Listener, VerbError> {
        let tls = match &self.tls {
            Some((certificate, key)) => Some(tls_config(certificate, key)?),
            None => None,
        };
        Ok(Listener {
            handle,
            tls,
            limits: self.limits,
            read_timeout: self.read_timeout,
            write_timeout: self.write_timeout,
            connection_limit: self.connection_limit,
            connections: Arc::default(),
        })
    }
}

/// One track's interleaved channels.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    pub track: usize,
    pub rtp: u8,
    pub rtcp: u8,
}

/// One track's remote address.
#[derive(Debug, Clone, Copy)]
pub struct RemotePorts {
    pub track: usize,
    pub host: IpAddr,
    pub rtp_port: u16,
    pub rtcp_port: u16,
}

/// Where a UDP flow belongs.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub stream: Handle,
    pub connection: Handle,
    pub rtp: Handle,
    pub rtcp: Handle,
}

pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    crew: Crew,
    watch: Mutex<Option<Watch>>,
    streams: Mutex<HashMap<Handle, Arc<Stream>>>,
    next_reader_worker: AtomicUsize,
}

impl Engine {
    pub fn start(workers: usize, event_capacity: usize) -> Result<Self, VerbError> {
        if !(1..=MOST_WORKERS).contains(&workers) {
            return value(format!("workers must be 1 to {MOST_WORKERS}"));
        }
        let now = Instant::now();
        let polls = (0..workers).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let inboxes = polls
            .iter()
            .map(|poll| Ok(Inbox::new(Waker::new(poll.registry(), WAKER)?)))
            .collect::<io::Result<Vec<_>>>()?;
        let shared = Arc::new(Shared::new(inboxes, EventQueue::new(event_capacity)?, now));
        let engine = Self {
            shared,
            crew: Crew::default(),
            watch: Mutex::default(),
            streams: Mutex::default(),
            next_reader_worker: AtomicUsize::new(0),
        };
        for (index, poll) in polls.into_iter().enumerate() {
            let post = Post::first(index, poll, &engine.shared, now)?;
            engine.crew.lock().expect("no holder panics").push(post);
        }
        let watch = Watch::start(Arc::clone(&engine.shared), Arc::clone(&engine.crew))?;
        *engine.watch.lock().expect("no holder panics") = Some(watch);
        Ok(engine)
    }

    pub fn events(&self) -> &EventQueue {
        &self.shared.events
    }

    pub fn drain(&self, limit: usize) -> Vec<Event> {
        let (events, resumed) = self.shared.events.drain(limit);
        for connection in resumed {
            self.shared.tell(connection, Command::Resume(connection));
        }
        events
    }

    pub(crate) fn running(&self) -> Result<(), VerbError> {
        if self.crew.lock().expect("no holder panics").is_empty() { Err(VerbError::Stopped) } else { Ok(()) }
    }

    pub fn listen(&self, listen: &Listen) -> Result<(Handle, u16), VerbError> {
        self.listen_beside(listen, None)
    }

    /// On the port of another listener, which is to be closed next, though the addresses overlap.
    pub fn listen_beside(&self, listen: &Listen, beside: Option<Handle>) -> Result<(Handle, u16), VerbError> {
        self.running()?;
        let handle = self.shared.handle(FIRST);
        let listener = Arc::new(listen.listener(handle)?);
        let mut listening = self.shared.listening.lock().expect("no holder panics");
        if beside.is_some_and(|other| !listening.contains_key(&other)) {
            return value("not an open listener");
        }
        let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, Some(Protocol::TCP))?;
        if listen.address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?; // connections in TIME_WAIT do not keep the port
        socket.set_nonblocking(true)?;
        {
            // With the one beside it perhaps another, which is about to close.
            let others = listening.values().filter(|other| {
                let at = other.socket.local_addr().ok().and_then(|address| address.as_socket());
                at.is_some_and(|at| at.port() == listen.address.port())
            });
            let _ajar = match beside {
                Some(_) => others
                    .map(|other| &other.socket)
                    .chain([&socket])
                    .map(Ajar::of)
                    .collect::<io::Result<Vec<_>>>()?,
                None => Vec::new(),
            };
            socket.bind(&listen.address.into())?;
            socket.listen(LISTEN_BACKLOG)?; // the kernel looks at the port once more
        }
        let door = Door { socket: socket.try_clone()?, listener: Arc::clone(&listener), closing: false };
        listening.insert(handle, door);
        let socket = TcpListener::from_std(socket.into());
        let port = socket.local_addr()?.port();
        self.shared.tell(handle, Command::Listen(socket, listener));
        Ok((handle, port))
    }

    /// Have connections to come served so; those that are there go on as they began.
    pub fn retune(&self, listener: Handle, listen: &Listen) -> Result<(), VerbError> {
        self.running()?;
        let tuned = listen.listener(listener)?;
        let mut listening = self.shared.listening.lock().expect("no holder panics");
        let Some(door) = listening.get_mut(&listener) else { return Ok(()) };
        // Connections that are there count on.
        let connections = Arc::clone(&door.listener.connections);
        let tuned = Arc::new(Listener { connections, ..tuned });
        door.listener = Arc::clone(&tuned);
        self.shared.tell(listener, Command::Retune(listener, tuned));
        Ok(())
    }

    /// Whether a listener could use them: a certificate chain and its key, PEM.
    pub fn check_tls(&self, certificate: &[u8], key: &[u8]) -> Result<(), VerbError> {
        tls_config(certificate, key).map(|_| ())
    }

    /// Begin a connection: `Connected`, or `Closed`, says how it went.
    pub fn connect(&self, connect: &Connect) -> Result<Handle, VerbError> {
        self.running()?;
        let tls = match &connect.tls {
            Some(tls) => Some(Box::new(tls.start().or_else(value)?)),
            None => None,
        };
        let socket = TcpStream::connect(connect.address)?;
        let workers = self.shared.inboxes.len();
        let handle = self.shared.handle(self.next_reader_worker.fetch_add(1, SeqCst) % workers);
        // What connections of a listener have in common, for one that has none.
        let alone = Arc::new(Listener {
            handle: 0,
            tls: None,
            limits: connect.limits,
            read_timeout: connect.read_timeout,
            write_timeout: connect.write_timeout,
            connection_limit: 1,
            connections: Arc::default(),
        });
        let Some(admission) = Admission::of(&alone) else { return value("not even one connection") };
        let counters = self.shared.table.add(handle, Instant::now());
        self.shared.tell(handle, Command::Connect { handle, counters, socket, tls, admission });
        Ok(handle)
    }

    pub fn bind_udp(&self, address: SocketAddr) -> Result<(Handle, SocketAddr), VerbError> {
        self.bind_udp_beside(address, None)
    }

    /// On the port of another UDP port, though the addresses overlap. Flows of either get what comes to both.
    pub fn bind_udp_beside(
        &self,
        address: SocketAddr,
        beside: Option<Handle>,
    ) -> Result<(Handle, SocketAddr), VerbError> {
        self.running()?;
        let port = {
            let ports = self.shared.ports.lock().expect("no holder panics");
            let other = match beside.map(|other| ports.get(&other)) {
                Some(None) => return value("not a bound UDP port"),
                Some(Some(other)) => Some(&**other),
                None => None,
            };
            Port::bind(self.shared.handle(FIRST), address, other)?
        };
        self.enter(port)
    }

    /// A port that hears a group.
    pub fn join_group(&self, join: &Join) -> Result<(Handle, SocketAddr), VerbError> {
        self.running()?;
        let cast = Cast::OfGroup(join.group.into());
        self.enter(Port::over(self.shared.handle(FIRST), join.socket()?, cast, None)?)
    }

    /// A port that sends to groups over one interface, which this is an address of.
    pub fn group_sender(&self, interface: Ipv4Addr, ttl: u32) -> Result<(Handle, SocketAddr), VerbError> {
        self.running()?;
        let socket = group::sender(interface, ttl)?;
        self.enter(Port::over(self.shared.handle(FIRST), socket, Cast::ToGroups, None)?)
    }

    fn enter(&self, port: Arc<Port>) -> Result<(Handle, SocketAddr), VerbError> {
        let (handle, bound) = (port.handle, port.socket.local_addr()?);
        self.shared.ports.lock().expect("no holder panics").insert(handle, Arc::clone(&port));
        self.shared.turn.addresses.listen(handle, bound);
        self.shared.tell(handle, Command::Receive(port));
        Ok((handle, bound))
    }

    /// Count the reports of a host about each of its tracks, which come to these ports.
    pub fn hear(&self, connection: Handle, host: IpAddr, ports: &[Handle]) -> Result<Handle, VerbError> {
        self.running()?;
        let bound = self.shared.ports.lock().expect("no holder panics");
        for port in ports {
            if !bound.get(port).is_some_and(|port| matches!(port.cast, Cast::OfGroup(_))) {
                return value(format!("{port} is not a port that hears a group"));
            }
        }
        let flow = self.shared.handle(FIRST);
        let counters = self.shared.table.add(flow, Instant::now());
        // A group is sent to in the clear.
        let in_the_clear = ports.iter().map(|_| None).collect();
        let reports = Arc::new(ReaderReports::new(counters, ports.len(), in_the_clear));
        let member = Member { flow, connection, host: host.to_canonical(), ports: ports.to_vec(), reports };
        self.shared.tell(flow, Command::Hear(member));
        Ok(flow)
    }

    pub fn send(&self, connection: Handle, bytes: Vec<u8>) {
        self.shared.tell(connection, Command::Answer(connection, bytes));
    }

    pub fn close(&self, handle: Handle) {
        if self.streams.lock().expect("no holder panics").remove(&handle).is_some() {
            for inbox in &self.shared.inboxes {
                inbox.push(Command::EndStream(handle));
            }
            self.shared.table.forget(handle);
            return;
        }
        self.shared.ports.lock().expect("no holder panics").remove(&handle);
        self.close_turn(handle);
        if let Some(door) = self.shared.listening.lock().expect("no holder panics").get_mut(&handle) {
            door.closing = true;
        }
        self.shared.tell(handle, Command::Close(handle, CloseReason::Requested));
    }

    pub fn open_stream(&self, specs: &[TrackSpec], payload_size: usize) -> Result<Handle, VerbError> {
        self.running()?;
        if specs.len() > MOST_TRACKS {
            return value(format!("a stream has at most {MOST_TRACKS} tracks"));
        }
        if specs.iter().any(|spec| spec.clock_rate == 0) {
            return value("a track's clock rate is 0");
        }
        let handle = self.shared.handle(FIRST);
        let counters = self.shared.table.add(handle, Instant::now());
        counters.end(); // nobody is told of its end
        let stream = Stream::new(handle, specs, payload_size, counters, self.shared.inboxes.len());
        self.streams.lock().expect("no holder panics").insert(handle, Arc::new(stream));
        Ok(handle)
    }

    pub fn publish_tcp(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
    ) -> Result<Handle, VerbError> {
        self.publish_tcp_protected(stream, connection, channels, &[])
    }

    /// As the verb without keys, for the tracks that have some.
    pub fn publish_tcp_protected(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
        keys: &[TrackKeys],
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(stream)?;
        let channels = by_track(&stream, channels)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        let flow = self.shared.handle(self.shared.worker_of(connection));
        let counters = self.shared.table.add(flow, Instant::now());
        for (track, _) in stream.tracks.iter().zip(&channels).filter(|(_, channels)| channels.is_some()) {
            track.give_to(flow);
        }
        self.shared
            .tell(flow, Command::PublishTcp { flow, stream, counters, connection, channels, protection });
        Ok(flow)
    }

    pub fn publish_udp(
        &self,
        ports: Ports,
        remotes: &[RemotePorts],
        read_timeout: Duration,
    ) -> Result<Handle, VerbError> {
        self.publish_udp_protected(ports, remotes, &[], read_timeout)
    }

    pub fn publish_udp_protected(
        &self,
        ports: Ports,
        remotes: &[RemotePorts],
        keys: &[TrackKeys],
        read_timeout: Duration,
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(ports.stream)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        let flow = self.shared.handle(FIRST);
        let (counters, path) = self.claim(flow, &stream, ports, remotes)?;
        let connection = ports.connection;
        for remote in remotes {
            stream.tracks[remote.track].give_to(flow);
        }
        let publish = PublishUdp { flow, stream, counters, connection, path, protection, read_timeout };
        self.shared.tell(flow, Command::PublishUdp(Box::new(publish)));
        Ok(flow)
    }

    pub fn read_tcp(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
        queue_packets: usize,
        queue_bytes: usize,
    ) -> Result<Handle, VerbError> {
        self.read_tcp_protected(stream, connection, channels, &[], queue_packets, queue_bytes)
    }

    pub fn read_tcp_protected(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
        keys: &[TrackKeys],
        queue_packets: usize,
        queue_bytes: usize,
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(stream)?;
        let channels = by_track(&stream, channels)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        let flow = self.shared.handle(self.shared.worker_of(connection));
        let counters = self.shared.table.add(flow, Instant::now());
        let read =
            ReadTcp { flow, stream, counters, connection, channels, protection, queue_packets, queue_bytes };
        self.shared.tell(flow, Command::ReadTcp(Box::new(read)));
        Ok(flow)
    }

    pub fn read_udp(&self, ports: Ports, remotes: &[RemotePorts]) -> Result<Handle, VerbError> {
        self.read_udp_protected(ports, remotes, &[])
    }

    pub fn read_udp_protected(
        &self,
        ports: Ports,
        remotes: &[RemotePorts],
        keys: &[TrackKeys],
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(ports.stream)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        // A publisher's may come from any port; what goes out goes to one.
        if let Some(remote) = remotes.iter().find(|remote| remote.rtp_port == 0 || remote.rtcp_port == 0) {
            return value(format!("nothing can be sent to {} port 0", remote.host));
        }
        let workers = self.shared.inboxes.len();
        let flow = self.shared.handle(self.next_reader_worker.fetch_add(1, SeqCst) % workers);
        let (counters, path) = self.claim(flow, &stream, ports, remotes)?;
        if [&path.rtp, &path.rtcp].iter().any(|port| matches!(port.cast, Cast::OfGroup(_))) {
            self.shared.table.forget(flow);
            return value("a port that hears a group sends to nobody");
        }
        let connection = ports.connection;
        let read = ReadUdp { flow, stream, counters, connection, path, protection };
        self.shared.tell(flow, Command::ReadUdp(Box::new(read)));
        Ok(flow)
    }

    pub fn tunnel_websocket(&self, connection: Handle) {
        self.shared.tell(connection, Command::TunnelWebSocket(connection));
    }

    pub fn tunnel_http(&self, get: Handle, post: Handle) {
        self.shared.tell(post, Command::TunnelHttp { get, post });
    }

    pub fn play(&self, flow: Handle) {
        self.shared.tell(flow, Command::Play(flow));
    }

    pub fn pause(&self, flow: Handle) {
        self.shared.tell(flow, Command::Pause(flow));
    }

    /// What each track sends now; empty when the stream is gone.
    pub fn tracks(&self, stream: Handle) -> Vec<Live> {
        self.stream(stream).map(|stream| stream.tracks.iter().map(Track::live).collect()).unwrap_or_default()
    }

    pub fn counters(&self, handles: &[Handle]) -> Vec<Option<Snapshot>> {
        self.shared.table.read_all(handles, Instant::now())
    }

    /// How long units were on their way through here, since the start.
    pub fn relay_latency(&self) -> Distribution {
        let mut all = Distribution::default();
        self.shared.latency.iter().for_each(|latency| all.add(latency));
        all
    }

    pub fn forget(&self, handle: Handle) {
        self.shared.table.forget(handle);
    }

    /// Workers that stood still, and were replaced.
    pub fn workers_restarted(&self) -> u64 {
        self.shared.workers_restarted.load(SeqCst)
    }

    /// For tests of what then happens: have a worker do nothing so long. Hears when it begins.
    #[doc(hidden)]
    pub fn stand_still(&self, worker: usize, how_long: Duration) -> Receiver<()> {
        let (begun, hear) = channel();
        self.shared.inboxes[worker].push(Command::StandStill(how_long, begun));
        hear
    }

    /// Closes everything; waits for the workers, but for one that stands still.
    pub fn shutdown(&self) {
        drop(self.watch.lock().expect("no holder panics").take());
        let crew = std::mem::take(&mut *self.crew.lock().expect("no holder panics"));
        for inbox in &self.shared.inboxes {
            inbox.push(Command::Stop);
        }
        for post in crew {
            post.leave(&self.shared);
        }
        self.streams.lock().expect("no holder panics").clear();
        self.shared.ports.lock().expect("no holder panics").clear();
        self.shared.listening.lock().expect("no holder panics").clear();
        self.shared.turn.clear();
    }

    fn stream(&self, handle: Handle) -> Result<Arc<Stream>, VerbError> {
        match self.streams.lock().expect("no holder panics").get(&handle) {
            Some(stream) => Ok(Arc::clone(stream)),
            None => value(format!("{handle} is not an open stream")),
        }
    }

    /// The counters of a new flow and its addresses, in this order: a worker that is given up meanwhile leaves
    /// no address behind that nobody has.
    fn claim(
        &self,
        flow: Handle,
        stream: &Stream,
        ports: Ports,
        remotes: &[RemotePorts],
    ) -> Result<(Arc<Counters>, Path), VerbError> {
        let counters = self.shared.table.add(flow, Instant::now());
        match self.path(flow, stream, ports, remotes) {
            Ok(path) => Ok((counters, path)),
            Err(error) => {
                self.shared.table.forget(flow);
                Err(error)
            }
        }
    }

    fn path(
        &self,
        flow: Handle,
        stream: &Stream,
        ports: Ports,
        remotes: &[RemotePorts],
    ) -> Result<Path, VerbError> {
        let bound = self.shared.ports.lock().expect("no holder panics");
        let (Some(rtp), Some(rtcp)) = (bound.get(&ports.rtp), bound.get(&ports.rtcp)) else {
            return value("not a bound UDP port");
        };
        let mut by_track: Vec<Remote> = Vec::new();
        for remote in remotes {
            if remote.track >= stream.tracks.len() || by_track.iter().any(|known| known.track == remote.track)
            {
                return value(format!("track {} is not of the stream, or named twice", remote.track));
            }
            let host = remote.host.to_canonical();
            if !rtp.cast.takes(host) || !rtcp.cast.takes(host) {
                return value(format!("nothing can be sent to {}", remote.host));
            }
            by_track.push(Remote {
                track: remote.track,
                rtp: SocketAddr::new(host, remote.rtp_port),
                rtcp: SocketAddr::new(host, remote.rtcp_port),
            });
        }
        match Path::claim(flow, Arc::clone(rtp), Arc::clone(rtcp), by_track) {
            Some(path) => Ok(path),
            None => Err(VerbError::Io(io::Error::from_raw_os_error(EADDRINUSE))),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn by_track(stream: &Stream, channels: &[Channel]) -> Result<Channels, VerbError> {
    let mut by_track: Channels = vec![None; stream.tracks.len()];
    let mut used = [false; 256];
    for channel in channels {
        let Some(entry) = by_track.get_mut(channel.track) else {
            return value(format!("the stream has no track {}", channel.track));
        };
        for number in [channel.rtp, channel.rtcp] {
            if std::mem::replace(&mut used[usize::from(number)], true) {
                return value(format!("channel {number} is used twice"));
            }
        }
        *entry = Some((channel.rtp, channel.rtcp));
    }
    Ok(by_track)
}

pub(crate) fn tls_config(certificate: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, VerbError> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => return value("the certificate file has no certificate"),
        Err(error) => return value(format!("the certificate does not parse: {error}")),
    };
    let key = match PrivateKeyDer::from_pem_slice(key) {
        Ok(key) => key,
        Err(error) => return value(format!("the key does not parse: {error}")),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    match config {
        Ok(config) => Ok(Arc::new(config)),
        Err(error) => value(format!("the certificate and key are not usable: {error}")),
    }
}

const EADDRINUSE: i32 = 98;
