//! The verbs: what Python can tell the engine. Those of `listeners` and of `flows` are there.

mod flows;
mod listeners;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Poll, Waker};

pub use self::flows::{Channel, Ports, RemotePorts};
pub use self::listeners::Listen;
pub(crate) use self::listeners::tls_config;
use crate::Handle;
use crate::client::Connect;
use crate::command::{Command, FIRST, Inbox, MOST_WORKERS, Shared};
use crate::connection::{Admission, Listener};
use crate::counters::Snapshot;
use crate::event::{CloseReason, Event, EventQueue};
use crate::group::{self, Cast, Join};
use crate::latency::Distribution;
use crate::stderr::Stderr;
use crate::stream::{Live, Stream, Track, TrackSpec};
use crate::udp::Port;
use crate::watch::{Crew, Post, Watch};
use crate::worker::WAKER;

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
        let shared = Arc::new(Shared::new(inboxes, EventQueue::new(event_capacity)?, Stderr::open()?, now));
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

    pub fn tunnel_websocket(&self, connection: Handle) {
        self.shared.tell(connection, Command::TunnelWebSocket(connection));
    }

    pub fn tunnel_http(&self, get: Handle, post: Handle) {
        self.shared.tell(post, Command::TunnelHttp { get, post });
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
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}
