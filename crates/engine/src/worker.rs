//! One thread: it owns sockets, connections and flows, and moves their packets.
//!
//! No other thread touches what a worker owns; verbs and other workers send
//! `Command`s. Within a turn of the loop there is one `now`.
//!
//! Here is the loop with what sockets and time bring; `verbs` obeys commands, `ending`
//! takes things apart.

mod connecting;
mod ending;
mod heir;
mod members;
mod tunnels;
mod verbs;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::Handle;
use crate::command::{Command, Shared};
use crate::connection::{Admission, Connection, Listener, is_out_of_room};
use crate::datagram::{DatagramPublisher, DatagramReader, ReaderReports};
use crate::event::{CloseReason, Event};
use crate::group::{Cast, Member};
use crate::latency::Clock;
use crate::publisher::Publisher;
use crate::rtcp;
use crate::srtp::Sealed;
use crate::stream::{Delivery, Missed, Stream};
use crate::term::Term;
use crate::turn::Wing;
use crate::udp::{Port, Receiver};
use crate::unit::Unit;

const ANYBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const SCRATCH: usize = 64 * 1024;
/// How often timeouts are looked at.
const TICK: Duration = Duration::from_millis(250);
/// RFC 3550 6.2 would vary this with the number of members; here it is one to one.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
const BACKLOG_RETRY: Duration = Duration::from_millis(1);
/// Batches of datagrams received, and connections accepted, before others have their turn.
const RECEIVE_SHARE: usize = 16;
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

/// Who gets a datagram from some address.
#[derive(Debug)]
enum Route {
    Rtp(usize, usize),
    Rtcp(usize, usize),
    Reports(Arc<ReaderReports>, usize),
}

#[derive(Debug)]
struct BoundPort {
    port: Arc<Port>,
    routes: HashMap<SocketAddr, Route>,
    /// By place: those on the same port of other addresses, one of which is to leave.
    twins: Vec<usize>,
}

impl BoundPort {
    /// A flow whose remote port is 0 takes what comes from any port of its host; that of a group from anybody,
    /// where no host is named.
    fn route(&self, remote: SocketAddr) -> Option<&Route> {
        let of_the_host = || self.routes.get(&SocketAddr::new(remote.ip(), 0));
        let of_anybody = || self.routes.get(&ANYBODY).filter(|_| is_group(self));
        self.routes.get(&remote).or_else(of_the_host).or_else(of_anybody)
    }
}

#[derive(Debug)]
struct Accepting {
    socket: TcpListener,
    listener: Arc<Listener>,
    /// Out of descriptors: try again then.
    paused_until: Option<Instant>,
}

/// A stream's readers on this worker.
#[derive(Debug)]
struct Shard {
    stream: Arc<Stream>,
    connections: Vec<usize>,
    readers: Vec<usize>,
    next_report: Instant,
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
                eprintln!("headgate: worker {} cannot poll: {error}", self.index);
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
            eprintln!("headgate: worker {}, which stood still, came back, and ends", self.index);
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
        for _ in 0..ACCEPT_SHARE {
            let (socket, remote) = match accepting.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_out_of_room(&error) => {
                    self.shared.events.refused_connections.fetch_add(1, SeqCst);
                    accepting.paused_until = Some(now + ACCEPT_PAUSE);
                    return;
                }
                Err(_) => continue, // the client was gone before it was accepted
            };
            let listener = &accepting.listener;
            let Ok(local) = socket.local_addr() else { continue };
            let Some(admission) = Admission::of(listener).filter(|_| !self.shared.events.is_full()) else {
                self.shared.events.refused_connections.fetch_add(1, SeqCst);
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

    // Units

    /// Give units to every worker that has readers of the stream.
    fn distribute(&mut self, stream: &Arc<Stream>, units: &[Arc<Unit>], now: Instant) {
        if units.is_empty() || self.term.is_over() {
            return;
        }
        for (worker, readers) in stream.readers.iter().enumerate() {
            if worker != self.index
                && readers.load(SeqCst) > 0
                && let Some(delivery) = Delivery::begin(stream, worker, units)
            {
                self.shared.inboxes[worker].push(Command::Deliver(delivery));
            }
        }
        self.fan_out(stream.handle, units, &[], now);
    }

    fn deliver(&mut self, delivery: &Delivery, now: Instant) {
        delivery.end(self.index);
        self.fan_out(delivery.stream.handle, &delivery.units, &delivery.missed, now);
    }

    /// Give units to this worker's own readers of a stream, who `missed` what was before them.
    fn fan_out(&mut self, stream: Handle, units: &[Arc<Unit>], missed: &[Missed], now: Instant) {
        let Self { shards, connections, readers, backlogged, doomed, clock, sealed, term, .. } = self;
        let Some(shard) = shards.get(&stream) else { return };
        for i in &shard.connections {
            if !term.goes_on() {
                return;
            }
            let Some(connection) = connections.get_mut(*i) else { continue };
            if let Some(reader) = &mut connection.reader {
                reader.flow.missed(missed);
            }
            if let Err(reason) = connection.units(units, clock.send(now)) {
                doomed.push((*i, reason));
            }
        }
        for i in &shard.readers {
            if !term.goes_on() {
                return;
            }
            if let Some(reader) = readers.get_mut(*i) {
                reader.flow.missed(missed);
                let waited = reader.is_waiting();
                let now = clock.send(now);
                for unit in units {
                    reader.unit(unit, sealed, now);
                }
                if reader.is_waiting() && !waited {
                    backlogged.push(*i);
                }
            }
        }
    }

    fn publisher(&self, place: Place) -> Option<&Publisher> {
        match place {
            Place::OnConnection(i) => Some(&self.connections.get(i)?.publisher.as_ref()?.flow),
            Place::Publisher(i) => Some(&self.publishers.get(i)?.flow),
            _ => None,
        }
    }

    fn publisher_mut(&mut self, place: Place) -> Option<&mut Publisher> {
        match place {
            Place::OnConnection(i) => Some(&mut self.connections.get_mut(i)?.publisher.as_mut()?.flow),
            Place::Publisher(i) => Some(&mut self.publishers.get_mut(i)?.flow),
            _ => None,
        }
    }

    /// Look at a publisher again when the unit it holds has waited long enough.
    fn await_end(&mut self, place: Place) {
        if self.publisher(place).is_some_and(|publisher| publisher.deadline().is_some())
            && !self.waiting.contains(&place)
        {
            self.waiting.push(place);
        }
    }

    fn expire(&mut self, now: Instant) {
        for place in std::mem::take(&mut self.waiting) {
            let ready = match place {
                Place::OnConnection(i) => Ready::Connection(i),
                _ => Ready::Waker,
            };
            self.guarded(ready, |worker| {
                let mut units = Vec::new();
                let Some(publisher) = worker.publisher_mut(place) else { return };
                publisher.expire(now, &mut units);
                if publisher.deadline().is_some() {
                    worker.waiting.push(place); // each was there once, so it is not there yet
                }
                if !units.is_empty()
                    && let Some(publisher) = worker.publisher(place)
                {
                    let stream = Arc::clone(&publisher.stream);
                    worker.distribute(&stream, &units, now);
                }
            });
        }
        for i in std::mem::take(&mut self.backlogged) {
            if !self.term.goes_on() {
                return;
            }
            if let Some(reader) = self.readers.get_mut(i) {
                reader.resume(&mut self.sealed, now);
                if reader.is_waiting() {
                    self.backlogged.push(i);
                }
            }
        }
    }

    // UDP

    fn receive(&mut self, i: usize, now: Instant) {
        let mut receiver = self.receiver.take().unwrap_or_default();
        let mut more = true;
        for _ in 0..RECEIVE_SHARE {
            let mut heard: Vec<usize> = Vec::new();
            let mut units: Vec<(usize, Vec<Arc<Unit>>)> = Vec::new();
            // What is left in the socket is a successor's.
            let Some(bound) = self.ports.get(i).filter(|_| !self.term.is_over()) else {
                more = false;
                break;
            };
            let (publishers, table, ports) = (&mut self.publishers, &self.shared.table, &self.ports);
            let of_a_twin = |remote| bound.twins.iter().find_map(|twin| ports[*twin].route(remote));
            let route = |remote| bound.route(remote).or_else(|| of_a_twin(remote));
            let result = receiver.receive(&bound.port, |remote, packet| match route(remote) {
                Some(Route::Rtp(publisher, track)) => {
                    if let Some(flow) = publishers.get_mut(*publisher) {
                        if heard.last() != Some(publisher) {
                            heard.push(*publisher);
                        }
                        match units.last_mut() {
                            Some((last, units)) if last == publisher => flow.rtp(*track, packet, now, units),
                            _ => {
                                let mut new = Vec::new();
                                flow.rtp(*track, packet, now, &mut new);
                                units.push((*publisher, new));
                            }
                        }
                    }
                }
                // Of a group's RTCP only the sender's is the publisher's: everybody's comes here, ours as well.
                Some(Route::Rtcp(..)) if is_group(bound) && !rtcp::is_sender_report(packet) => {}
                Some(Route::Rtcp(publisher, track)) => {
                    if let Some(flow) = publishers.get_mut(*publisher) {
                        if heard.last() != Some(publisher) {
                            heard.push(*publisher);
                        }
                        flow.rtcp(*track, packet, now);
                    }
                }
                // Whoever only hears a group reports as a receiver: this is our own, come back.
                Some(Route::Reports(..)) if is_group(bound) && rtcp::is_sender_report(packet) => {}
                Some(Route::Reports(reports, track)) => reports.receive(*track, packet, table, now),
                None => {} // a stranger, or a client that opens its firewall
            });
            // An error is of one datagram; what waits behind it will not be announced again.
            more = !matches!(result, Ok(false));
            for (publisher, units) in units {
                if let Some(stream) =
                    self.publisher(Place::Publisher(publisher)).map(|p| Arc::clone(&p.stream))
                {
                    self.distribute(&stream, &units, now);
                }
            }
            for publisher in heard {
                let mut units = Vec::new();
                let Some(DatagramPublisher { flow, .. }) = self.publishers.get_mut(publisher) else {
                    continue;
                };
                flow.turn(&self.shared.table, now, &mut units);
                if !units.is_empty() {
                    let stream = Arc::clone(&flow.stream);
                    self.distribute(&stream, &units, now);
                }
                self.await_end(Place::Publisher(publisher));
            }
            if !more {
                break;
            }
        }
        self.receiver = Some(receiver);
        if more {
            self.again(Ready::Port(i));
        }
    }

    fn route(&mut self, port: Handle, remote: SocketAddr, to: Option<Route>) {
        if let Some(Place::Port(i)) = self.places.get(&port)
            && let Some(bound) = self.ports.get_mut(*i)
        {
            match to {
                Some(route) => bound.routes.insert(remote, route),
                None => bound.routes.remove(&remote),
            };
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

    fn report(&mut self, now: Instant) {
        let mut due: Vec<Arc<Stream>> = Vec::new();
        for shard in self.shards.values_mut().filter(|shard| shard.next_report <= now) {
            shard.next_report = now + REPORT_INTERVAL;
            due.push(Arc::clone(&shard.stream));
        }
        for stream in due {
            self.fan_out(stream.handle, &reports(&stream, now), &[], now);
        }
        if self.next_report <= now {
            self.next_report = now + REPORT_INTERVAL;
            for (_, publisher) in &mut self.publishers {
                if self.term.goes_on() {
                    publisher.send_reports(now);
                }
            }
            for (i, connection) in &mut self.connections {
                if self.term.goes_on()
                    && let Err(reason) = connection.send_reports(now)
                {
                    self.doomed.push((i, reason));
                }
            }
        }
    }
}

fn is_group(bound: &BoundPort) -> bool {
    bound.port.cast != Cast::Unicast
}

/// A sender report for each track that has sent.
fn reports(stream: &Stream, now: Instant) -> Vec<Arc<Unit>> {
    (0..stream.tracks.len())
        .filter_map(|i| Some(Arc::new(Unit::rtcp(i as u16, &stream.sender_report(i, now, false)?))))
        .collect()
}

fn register(poll: &Poll, source: &mut impl Source, ready: Ready, interest: Interest) {
    // Fails only when the kernel is out of memory or watches; the source is then never ready, and times out.
    if let Err(error) = poll.registry().register(source, ready.token(), interest) {
        eprintln!("headgate: cannot watch a socket: {error}");
    }
}
