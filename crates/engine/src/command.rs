//! What the verbs tell a worker, and how it is woken.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use mio::Waker;
use mio::net::{TcpListener, TcpStream};
use socket2::Socket;

use crate::Handle;
use crate::connection::{Admission, Listener};
use crate::counters::{Counters, Table};
use crate::datagram::{Path, ReaderReports};
use crate::event::{CloseReason, EventQueue};
use crate::group::Member;
use crate::interleaved::Channels;
use crate::latency::Latency;
use crate::srtp::Protection;
use crate::stderr::Stderr;
use crate::stream::{Delivery, Stream};
use crate::term::Term;
use crate::tunnel::Upstream;
use crate::turn;
use crate::udp::Port;

#[derive(Debug)]
pub enum Command {
    Listen(TcpListener, Arc<Listener>),
    /// What connections to come have in common.
    Retune(Handle, Arc<Listener>),
    Adopt {
        handle: Handle,
        socket: TcpStream,
        remote: SocketAddr,
        local: SocketAddr,
        admission: Admission,
    },
    Connect {
        handle: Handle,
        counters: Arc<Counters>,
        socket: TcpStream,
        tls: Option<Box<rustls::ClientConnection>>,
        admission: Admission,
    },
    Receive(Arc<Port>),
    Answer(Handle, Vec<u8>),
    /// A listener, UDP port, connection or flow.
    Close(Handle, CloseReason),
    /// Close all flows of a stream.
    EndStream(Handle),
    PublishTcp {
        flow: Handle,
        stream: Arc<Stream>,
        counters: Arc<Counters>,
        connection: Handle,
        channels: Channels,
        protection: Option<Box<Protection>>,
    },
    PublishUdp(Box<PublishUdp>),
    ReadTcp(Box<ReadTcp>),
    ReadUdp(Box<ReadUdp>),
    /// Tie a UDP flow to the connection that set it up.
    Tie {
        connection: Handle,
        flow: Handle,
    },
    Untie {
        connection: Handle,
        flow: Handle,
    },
    /// Hand a reader's RTCP to its counters; `None` ends that.
    Route {
        port: Handle,
        remote: SocketAddr,
        to: Option<(Arc<ReaderReports>, usize)>,
    },
    /// From here on a connection's RTSP is in WebSocket messages.
    TunnelWebSocket(Handle),
    /// Give the socket of a POST to the connection of its GET.
    TunnelHttp {
        get: Handle,
        post: Handle,
    },
    Feed {
        get: Handle,
        upstream: Box<Upstream>,
    },
    /// Count what a host says where groups are heard.
    Hear(Member),
    Play(Handle),
    Pause(Handle),
    /// Python took messages of a connection that was not read because of them.
    Resume(Handle),
    Deliver(Delivery),
    Turn(turn::Command),
    /// A worker was given up, and these with it.
    Bereave {
        worker: usize,
        lost: Arc<HashSet<Handle>>,
    },
    /// For tests: be at this so long, and say when it begins.
    StandStill(std::time::Duration, Sender<()>),
    Stop,
}

#[derive(Debug)]
pub struct PublishUdp {
    pub flow: Handle,
    pub stream: Arc<Stream>,
    pub counters: Arc<Counters>,
    pub connection: Handle,
    pub path: Path,
    pub protection: Option<Box<Protection>>,
    pub read_timeout: std::time::Duration,
}

#[derive(Debug)]
pub struct ReadTcp {
    pub flow: Handle,
    pub stream: Arc<Stream>,
    pub counters: Arc<Counters>,
    pub connection: Handle,
    pub channels: Channels,
    pub protection: Option<Box<Protection>>,
    pub queue_packets: usize,
    pub queue_bytes: usize,
}

#[derive(Debug)]
pub struct ReadUdp {
    pub flow: Handle,
    pub stream: Arc<Stream>,
    pub counters: Arc<Counters>,
    pub connection: Handle,
    pub path: Path,
    pub protection: Option<Box<Protection>>,
}

/// A worker's commands. Filled by verbs and other workers, emptied by the worker.
#[derive(Debug)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    /// Those of this turn. Not the worker's own, as a successor goes on with them.
    batch: Mutex<VecDeque<Command>>,
}

#[derive(Debug)]
struct Waiting {
    commands: VecDeque<Command>,
    /// Whether the worker was woken because of them.
    woken: bool,
    waker: Waker,
}

impl Inbox {
    pub fn new(waker: Waker) -> Self {
        let waiting = Waiting { commands: VecDeque::new(), woken: false, waker };
        Self { waiting: Mutex::new(waiting), batch: Mutex::default() }
    }

    pub fn push(&self, command: Command) {
        let mut waiting = self.waiting.lock().expect("no holder panics");
        waiting.commands.push_back(command);
        if !std::mem::replace(&mut waiting.woken, true) {
            // Fails only when the worker is gone, and the command with it.
            let _: io::Result<()> = waiting.waker.wake();
        }
    }

    /// As `push`, for what has time until the worker wakes up anyway: it ticks.
    pub fn push_quietly(&self, command: Command) {
        self.waiting.lock().expect("no holder panics").commands.push_back(command);
    }

    /// What is there now is what `next` gives.
    pub fn begin(&self, term: &Term) {
        let mut batch = self.batch.lock().expect("no holder panics");
        if term.is_over() {
            return;
        }
        let mut waiting = self.waiting.lock().expect("no holder panics");
        if batch.is_empty() {
            std::mem::swap(&mut waiting.commands, &mut batch);
        } else {
            batch.append(&mut waiting.commands); // a predecessor left some
        }
        waiting.woken = false;
    }

    /// The next command of this turn, unless they are another's by now.
    pub fn next(&self, term: &Term) -> Option<Command> {
        let mut batch = self.batch.lock().expect("no holder panics");
        if term.is_over() { None } else { batch.pop_front() }
    }

    /// Wake another worker from now on, and now. The term of the one before is over.
    pub fn hand_over(&self, waker: Waker) {
        let _batch = self.batch.lock().expect("no holder panics"); // it is not in `begin` any more
        let mut waiting = self.waiting.lock().expect("no holder panics");
        waiting.waker = waker;
        waiting.woken = true;
        let _: io::Result<()> = waiting.waker.wake();
    }
}

/// A listener as its worker's successor needs it.
#[derive(Debug)]
pub struct Door {
    /// A second descriptor, by which also its port can be shared. The worker has the first, and takes this
    /// one away when it has closed it.
    pub socket: Socket,
    pub listener: Arc<Listener>,
    /// The worker was told to close it.
    pub closing: bool,
}

impl Door {
    /// Also for a worker that stood still, and has a descriptor as long as it does.
    pub fn shut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// What all workers and the verbs share.
#[derive(Debug)]
pub struct Shared {
    pub inboxes: Vec<Inbox>,
    pub events: EventQueue,
    pub table: Table,
    /// Of each worker.
    pub latency: Vec<Arc<Latency>>,
    pub listening: Mutex<HashMap<Handle, Door>>,
    /// The UDP ports that are open.
    pub ports: Mutex<HashMap<Handle, Arc<Port>>>,
    /// Those that stood still.
    pub workers_restarted: AtomicU64,
    pub stderr: Stderr,
    pub turn: turn::directory::Directory,
    next: AtomicU64,
}

/// The low bits of a handle name the worker that owns it.
const WORKER_BITS: u32 = 6;
pub const MOST_WORKERS: usize = 1 << WORKER_BITS;
/// UDP ports and listeners live on the first worker.
pub const FIRST: usize = 0;

impl Shared {
    pub fn new(inboxes: Vec<Inbox>, events: EventQueue, stderr: Stderr, now: Instant) -> Self {
        let latency = inboxes.iter().map(|_| Arc::default()).collect();
        let turn = turn::directory::Directory::new(inboxes.len());
        Self {
            inboxes,
            events,
            stderr,
            table: Table::new(now),
            turn,
            latency,
            listening: Mutex::default(),
            ports: Mutex::default(),
            workers_restarted: AtomicU64::new(0),
            next: AtomicU64::new(1),
        }
    }

    pub fn handle(&self, worker: usize) -> Handle {
        self.next.fetch_add(1, Relaxed) << WORKER_BITS | worker as u64
    }

    pub fn worker_of(&self, handle: Handle) -> usize {
        (handle as usize & (MOST_WORKERS - 1)) % self.inboxes.len()
    }

    /// Send a command to the owner of a handle.
    pub fn tell(&self, handle: Handle, command: Command) {
        self.inboxes[self.worker_of(handle)].push(command);
    }
}
