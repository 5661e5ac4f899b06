//! One thread: it owns sockets, connections and flows, and moves their packets.
//!
//! No other thread touches what a worker owns; verbs and other workers send
//! `Command`s. Within a turn of the loop there is one `now`.
//!
//! Here is the loop with what connections and time bring; `ports` is the way of datagrams, `units`
//! that of what is made of them; `verbs` obeys commands, `ending` takes things apart.

mod connecting;
mod ending;
mod heir;
mod members;
mod ports;
mod tunnels;
mod units;
mod verbs;

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use self::ports::BoundPort;
use self::units::{REPORT_INTERVAL, Shard};
use crate::Handle;
use crate::command::{Command, Shared};
use crate::connection::{Admission, Connection, Listener, is_out_of_room};
use crate::datagram::{DatagramPublisher, DatagramReader};
use crate::descriptors::Bound;
use crate::event::{CloseReason, Event};
use crate::group::Member;
use crate::latency::Clock;
use crate::srtp::Sealed;
use crate::stderr::Stderr;
use crate::term::Term;
use crate::turn::Wing;
use crate::udp::Receiver;

const SCRATCH: usize = 64 * 1024;
/// How often timeouts are looked at.
const TICK: Duration = Duration::from_millis(250);
const BACKLOG_RETRY: Duration = Duration::from_millis(1);
/// Connections accepted before others have their turn.
const ACCEPT_SHARE: usize = 64;
/// After running out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub const WAKER: Token = Token(0);

/// What a token means: the low two bits say which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Waker,
    Listener(usize),
    Port(usize),
    Connection(usize),
    /// One of the TURN wing's.
    Turn(usize),
}

impl Ready {
    fn token(self) -> Token {
        Token(match self {
            Self::Waker => WAKER.0,
            Self::Listener(i) => i << 2 | 1,
            Self::Port(i) => i << 2 | 2,
            Self::Connection(i) => i << 2 | 3,
            Self::Turn(i) => (i + 1) << 2,
        })
    }

    fn of(token: Token) -> Self {
        match (token.0 & 3, token.0 >> 2) {
            (1, i) => Self::Listener(i),
            (2, i) => Self::Port(i),
            (3, i) => Self::Connection(i),
            (_, 0) => Self::Waker,
            (_, i) => Self::Turn(i - 1),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Listener(usize),
    Port(usize),
    Connection(usize),
    /// The interleaved flow of a connection.
    OnConnection(usize),
    Publisher(usize),
    Reader(usize),
    Member(usize),
}

#[derive(Debug)]
struct Accepting {
    socket: TcpListener,
    listener: Arc<Listener>,
    /// Out of descriptors: try again then.
    paused_until: Option<Instant>,
}

pub struct Worker {
    index: usize,
    poll: Poll,
    shared: Arc<Shared>,
    term: Arc<Term>,
    places: HashMap<Handle, Place>,
    listeners: Slab<Accepting>,
    ports: Slab<BoundPort>,
    connections: Slab<Connection>,
    publishers: Slab<DatagramPublisher>,
    readers: Slab<DatagramReader>,
    members: Slab<Member>,
    shards: HashMap<Handle, Shard>,
    next_to_accept: usize,
    /// What has more to read or accept: come back after the others.
    again: Vec<Ready>,
    /// Publishers (by place) in which a unit waits for its end.
    waiting: Vec<Place>,
    /// Datagram readers whose socket is full.
    backlogged: Vec<usize>,
    /// Connections to drop before the turn ends.
    doomed: Vec<(usize, CloseReason)>,
    next_tick: Instant,
    next_report: Instant,
    /// When something is given to the kernel.
    clock: Clock,
    scratch: Box<[u8]>,
    /// Made with the first UDP port: its buffers are 2 MiB.
    receiver: Option<Receiver>,
    /// Where units are encrypted for one reader after the other.
    sealed: Sealed,
    turn: Wing,
    stopping: bool,
}

impl Worker {
    pub fn new(
        index: usize,
        poll: Poll,
        shared: Arc<Shared>,
        term: Arc<Term>,
        now: Instant,
    ) -> io::Result<Self> {
        let registry = poll.registry().try_clone()?;
        let turn =
            Wing::new(index, Arc::clone(&shared), Arc::clone(&term), registry, |i| Ready::Turn(i).token());
        Ok(Self {
            index,
            poll,
            shared,
            term,
            places: HashMap::new(),
            listeners: Slab::new(),
            ports: Slab::new(),
            connections: Slab::new(),
            publishers: Slab::new(),
            readers: Slab::new(),
            members: Slab::new(),
            shards: HashMap::new(),
            next_to_accept: 0,
            again: Vec::new(),
            waiting: Vec::new(),
            backlogged: Vec::new(),
            doomed: Vec::new(),
            next_tick: now + TICK,
            next_report: now + REPORT_INTERVAL,
            clock: Clock::new(now),
            scratch: vec![0; SCRATCH].into(),
            receiver: None,
            sealed: Sealed::default(),
            turn,
            stopping: false,
        })
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        while !self.stopping && !self.term.is_over() {
            let timeout = self.timeout(Instant::now());
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.shared.stderr.say(format!("worker {} cannot poll: {error}", self.index));
                std::thread::sleep(ACCEPT_PAUSE);
            }
            self.term.beat();
            let now = Instant::now();
            // Before the sockets: what a client sends because of an answer must find the flow
            // that was made before that answer.
            self.obey(now);
            for ready in std::mem::take(&mut self.again) {
                self.guarded(ready, |worker| worker.input(ready, now));
            }
            for event in &events {
                let ready = Ready::of(event.token());
                self.guarded(ready, |worker| {
                    if let Ready::Connection(i) = ready {
                        worker.establish(i, now);
                        if event.is_writable() {
                            worker.write(i, now);
                        }
                    }
                    let of_turn = matches!(ready, Ready::Turn(_));
                    if of_turn || event.is_readable() || event.is_read_closed() || event.is_error() {
                        worker.input(ready, now);
                    }
                });
            }
            self.expire(now);
            if now >= self.next_tick {
                self.next_tick = now + TICK;
                self.tick(now);
            }
            self.reap(now);
        }
        if self.term.is_over() {
            let index = self.index;
            self.shared.stderr.say(format!("worker {index}, which stood still, came back, and ends"));
            self.turn.let_go();
        } else {
            self.stop(Instant::now());
        }
    }

    fn timeout(&self, now: Instant) -> Duration {
        if !self.again.is_empty() {
            return Duration::ZERO;
        }
        let unit = self.waiting.iter().filter_map(|place| self.publisher(*place)?.deadline()).min();
        let backlog = (!self.backlogged.is_empty()).then(|| now + BACKLOG_RETRY);
        let next = [Some(self.next_tick), unit, backlog].into_iter().flatten().min();
        next.map_or(TICK, |next| next.saturating_duration_since(now))
    }

    /// To the owner of a handle; a worker whose term is over tells nobody anything.
    fn tell(&self, handle: Handle, command: Command) {
        if !self.term.is_over() {
            self.shared.tell(handle, command);
        }
    }

    /// A bug in one session ends that session, not the worker.
    fn guarded(&mut self, ready: Ready, work: impl FnOnce(&mut Self)) {
        if !self.term.goes_on() {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(|| work(self)));
        match ready {
            Ready::Connection(i) if result.is_err() => self.doomed.push((i, CloseReason::Fault)),
            Ready::Turn(i) if result.is_err() => self.turn.fault(i, Instant::now()),
            _ => {}
        }
    }

    fn input(&mut self, ready: Ready, now: Instant) {
        match ready {
            Ready::Waker => {}
            Ready::Listener(i) => self.accept(i, now),
            Ready::Port(i) => self.receive(i, now),
            Ready::Connection(i) => {
                self.read(i, now);
                self.establish(i, now);
            }
            Ready::Turn(i) => {
                if self.turn.input(i, now) {
                    self.again(ready);
                }
            }
        }
    }

    fn again(&mut self, ready: Ready) {
        if !self.again.contains(&ready) {
            self.again.push(ready);
        }
    }

    // Listeners and connections

    fn accept(&mut self, i: usize, now: Instant) {
        let Some(accepting) = self.listeners.get_mut(i) else { return };
        accepting.paused_until = None;
        let bound = Bound::of_players();
        for _ in 0..ACCEPT_SHARE {
            let (socket, remote) = match accepting.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_out_of_room(&error) => {
                    self.shared.events.refuse_connection();
                    accepting.paused_until = Some(now + ACCEPT_PAUSE);
                    return;
                }
                Err(_) => continue, // the client was gone before it was accepted
            };
            let listener = &accepting.listener;
            let Ok(local) = socket.local_addr() else { continue };
            let room = bound.admits(&socket) && !self.shared.events.is_full();
            let Some(admission) = Admission::of(listener).filter(|_| room) else {
                self.shared.events.refuse_connection();
                continue; // the socket is dropped, and so closed
            };
            let worker = self.next_to_accept;
            self.next_to_accept = (worker + 1) % self.shared.inboxes.len();
            let handle = self.shared.handle(worker);
            self.shared.tell(handle, Command::Adopt { handle, socket, remote, local, admission });
        }
        self.again(Ready::Listener(i));
    }

    fn read(&mut self, i: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(i) else { return };
        let reading = connection.read(&mut self.scratch, &self.shared.table, now);
        let handle = connection.handle;
        for message in reading.messages {
            let unanswered = Arc::clone(&connection.unanswered);
            self.shared.events.tell(&self.term, Event::Received { connection: handle, message, unanswered });
        }
        if let Some(head) = reading.http {
            self.shared.events.tell(&self.term, Event::HttpReceived { connection: handle, head });
        }
        if let Some(refusal) = reading.refusal {
            self.shared.events.tell(&self.term, Event::Malformed { connection: handle, refusal });
        }
        if let Some(reason) = reading.ended {
            self.doomed.push((i, connection.closing().unwrap_or(reason)));
        }
        let publisher = connection.publisher.as_ref().map(|publisher| Arc::clone(&publisher.flow.stream));
        if reading.again {
            self.again(Ready::Connection(i));
        }
        if let Some(stream) = publisher {
            self.distribute(&stream, &reading.units, now);
            self.await_end(Place::OnConnection(i));
        }
        if reading.goodbye {
            self.close(handle, CloseReason::Peer, now);
        }
    }

    fn write(&mut self, i: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(i) else { return };
        if let Err(reason) = connection.write(now).and_then(|()| connection.say_goodbye(now)) {
            self.doomed.push((i, connection.closing().unwrap_or(reason)));
        }
    }

    // Time

    fn tick(&mut self, now: Instant) {
        if !self.term.goes_on() {
            return;
        }
        let table = &self.shared.table;
        for (i, connection) in &self.connections {
            if let Some(reason) = connection.overdue(table, now) {
                self.doomed.push((i, reason));
            }
            if let Some(publisher) = &connection.publisher {
                publisher.flow.measure();
            }
        }
        let mut silent = Vec::new();
        for (_, publisher) in &self.publishers {
            publisher.flow.measure();
            if publisher.is_silent(table, now) {
                silent.push(publisher.flow.handle);
            }
        }
        for flow in silent {
            self.close(flow, CloseReason::ReadTimeout, now);
        }
        let paused: Vec<usize> = self
            .listeners
            .iter()
            .filter(|(_, accepting)| accepting.paused_until.is_some_and(|until| until <= now))
            .map(|(i, _)| i)
            .collect();
        for i in paused {
            self.accept(i, now);
        }
        self.turn.tick(now);
        self.report(now);
    }
}

fn register(poll: &Poll, stderr: &Stderr, source: &mut impl Source, ready: Ready, interest: Interest) {
    // Fails only when the kernel is out of memory or watches; the source is then never ready, and times out.
    if let Err(error) = poll.registry().register(source, ready.token(), interest) {
        stderr.cannot_watch(&error);
    }
}
