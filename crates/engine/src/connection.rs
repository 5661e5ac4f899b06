//! One TCP connection of an RTSP client: its output, and how it ends. Its input is in `reading`.

mod reading;

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustls::{ClientConnection, ServerConfig, ServerConnection};

use crate::Handle;
use crate::counters::{Counters, Table};
use crate::event::{CloseReason, Unanswered};
use crate::interleaved::{TcpPublisher, TcpReader};
use crate::outgoing::{Entry, Outgoing};
use crate::rtsp::{Limits, Splitter};
use crate::tunnel::{Carrier, Upstream};
use crate::unit::{self, Kind, Unit};
use crate::websocket;
use crate::wire::Wire;

/// Answers a client may leave unread before it is closed.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// How long a connection that is being closed may take to take what is queued for it.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a client that has asked may wait for its answer without being taken for silent: a source is
/// fetched, or a publisher started, because of it. Whoever answers has its own limit, well below.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);

/// What connections of one listener have in common. Another takes its place when the listener is retuned;
/// connections keep the one that they began with.
#[derive(Debug)]
pub struct Listener {
    pub handle: Handle,
    pub tls: Option<Arc<ServerConfig>>,
    pub limits: Limits,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub connection_limit: usize,
    /// Of all who came, whatever the listener was like when they did.
    pub connections: Arc<AtomicUsize>,
}

/// A place among a listener's connections, given back when dropped.
#[derive(Debug)]
pub struct Admission(Arc<Listener>);

impl Admission {
    /// `None`: the listener is full.
    pub fn of(listener: &Arc<Listener>) -> Option<Self> {
        let before = listener.connections.fetch_add(1, SeqCst);
        let admission = Self(Arc::clone(listener));
        (before < listener.connection_limit).then_some(admission)
    }
}

impl Admission {
    pub fn listener(&self) -> Handle {
        self.0.handle
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, SeqCst);
    }
}

/// Whether nothing can be accepted until somebody else lets go of something: descriptors or memory.
pub fn is_out_of_room(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

#[derive(Debug)]
pub struct Connection {
    pub handle: Handle,
    pub wire: Wire,
    pub counters: Arc<Counters>,
    pub unanswered: Arc<Unanswered>,
    pub publisher: Option<Box<TcpPublisher>>,
    pub reader: Option<Box<TcpReader>>,
    /// UDP flows that end with this connection.
    pub datagram_flows: Vec<Handle>,
    admission: Admission,
    connecting: Option<Connecting>,
    carrier: Carrier,
    splitter: Splitter,
    /// Read, but left for when Python has taken the messages before it.
    held: Option<Vec<u8>>,
    out: Outgoing,
    state: State,
    /// Since when the socket has taken nothing.
    blocked: Option<Instant>,
    /// Since when the client waits for an answer.
    asked: Option<Instant>,
    opened: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// It said HTTP. Python says what becomes of it; until then nothing more is taken.
    Undecided,
    /// What it sends is not RTSP; it is read no more and waits for Python's answer.
    Refused,
    Closing {
        reason: CloseReason,
        deadline: Instant,
    },
}

/// What a connection that we make waits for before it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connecting {
    Tcp,
    Tls,
}

impl Connection {
    pub fn new(
        handle: Handle,
        socket: TcpStream,
        admission: Admission,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Result<Self, rustls::Error> {
        let tls = match &admission.0.tls {
            Some(config) => Some(Box::new(ServerConnection::new(Arc::clone(config))?.into())),
            None => None,
        };
        Ok(Self::made(handle, socket, tls, admission, counters, now))
    }

    /// One that we make: `socket` is on its way.
    pub fn outgoing(
        handle: Handle,
        socket: TcpStream,
        tls: Option<Box<ClientConnection>>,
        admission: Admission,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Self {
        let tls = tls.map(|tls| Box::new((*tls).into()));
        let connecting = Some(Connecting::Tcp);
        let splitter = Splitter::new(admission.0.limits);
        Self { connecting, splitter, ..Self::made(handle, socket, tls, admission, counters, now) }
    }

    fn made(
        handle: Handle,
        socket: TcpStream,
        tls: Option<Box<rustls::Connection>>,
        admission: Admission,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Self {
        Self {
            handle,
            wire: Wire::new(socket, tls),
            counters,
            unanswered: Arc::default(),
            publisher: None,
            reader: None,
            datagram_flows: Vec::new(),
            carrier: Carrier::Plain,
            splitter: Splitter::with_http(admission.0.limits),
            held: None,
            admission,
            connecting: None,
            out: Outgoing::default(),
            state: State::Open,
            blocked: None,
            asked: None,
            opened: now,
        }
    }

    pub fn is_connecting(&self) -> bool {
        self.connecting.is_some()
    }

    /// Both addresses, local first, once the connection stands; `None`: not yet.
    pub fn establish(&mut self) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
        if self.connecting == Some(Connecting::Tcp) {
            if let Some(error) = self.wire.socket.take_error()? {
                return Err(error);
            }
            match self.wire.socket.peer_addr() {
                Ok(_) => self.connecting = Some(Connecting::Tls),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if self.wire.is_handshaking() {
            return Ok(None);
        }
        self.connecting = None;
        Ok(Some((self.wire.socket.local_addr()?, self.wire.socket.peer_addr()?)))
    }

    // Tunnels

    /// Whether it said HTTP, and waits to be told what becomes of it.
    pub fn is_undecided(&self) -> bool {
        self.state == State::Undecided
    }

    /// From here on what goes and comes is in WebSocket messages. What is queued already is not.
    pub fn enter_websocket(&mut self) {
        if self.is_undecided() {
            self.carrier = Carrier::WebSocket(Box::<websocket::Reader>::default());
            self.out.messages = true;
            self.state = State::Open;
        }
    }

    /// From here on what comes is in the POST that `upstream` carries; it takes the place of the one before.
    /// `false`: this is no GET that can have one.
    pub fn enter_http(&mut self, upstream: Box<Upstream>, table: &Table, now: Instant) -> bool {
        let has_others = self.state == State::Open && matches!(self.carrier, Carrier::Http(_));
        if self.is_undecided() || has_others {
            self.carrier = Carrier::Http(Some(upstream));
            self.state = State::Open;
            table.heard(&self.counters, now);
            return true;
        }
        false
    }

    pub fn into_upstream(self) -> Upstream {
        Upstream::new(self.wire, self.admission)
    }

    // Writing

    /// Queue an answer from Python.
    pub fn answer(&mut self, bytes: Vec<u8>, table: &Table, now: Instant) -> Result<(), CloseReason> {
        if self.asked.take().is_some() {
            // It was our silence, not the client's.
            table.heard(&self.counters, now);
        }
        self.queue(bytes, now)
    }

    fn queue(&mut self, bytes: Vec<u8>, now: Instant) -> Result<(), CloseReason> {
        if bytes.is_empty() || self.closing().is_some() {
            return Ok(());
        }
        if self.out.answer_bytes + bytes.len() > ANSWER_LIMIT {
            return Err(CloseReason::Overflow);
        }
        self.out.push(Entry::Answer(bytes));
        self.write(now)
    }

    /// Queue a WebSocket frame of our own.
    fn queue_frame(&mut self, frame: Vec<u8>, now: Instant) -> Result<(), CloseReason> {
        if self.closing().is_some() {
            return Ok(());
        }
        if self.out.answer_bytes + frame.len() > ANSWER_LIMIT {
            return Err(CloseReason::Overflow);
        }
        self.out.push_frame(frame);
        self.write(now)
    }

    /// Queue units for the reader attached here, or discard them when the reader is too slow.
    pub fn units(&mut self, units: &[Arc<Unit>], now: Instant) -> Result<(), CloseReason> {
        let mut queued = false;
        for unit in units {
            if !self.reader.as_mut().is_some_and(|reader| reader.flow.admits(unit)) {
                continue;
            }
            if self.is_full() && self.blocked.is_none() {
                self.write(now)?; // it is these units that fill the queue, not the reader
            }
            let full = self.is_full();
            let Some(reader) = &mut self.reader else { return Ok(()) };
            if full {
                reader.flow.discard(unit);
            } else {
                match reader.entry(unit) {
                    Some(entry) => self.out.push(entry),
                    None => reader.flow.discard(unit),
                }
                queued = true;
            }
        }
        // One call for all of them. While the socket is full, epoll says when it is not.
        if queued && self.blocked.is_none() { self.write(now) } else { Ok(()) }
    }

    fn is_full(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| {
            self.out.packets >= reader.queue_packets || self.out.bytes >= reader.queue_bytes
        })
    }

    /// Send what the socket takes.
    pub fn write(&mut self, now: Instant) -> Result<(), CloseReason> {
        if self.connecting == Some(Connecting::Tcp) {
            return Ok(());
        }
        let Self { out, wire, reader, counters, .. } = self;
        let done = |unit: &Unit| {
            if let Some(reader) = &reader {
                reader.flow.sent(unit, now);
            }
        };
        let result = out.write(wire, done).and_then(|_| wire.flush());
        let written = wire.take_written();
        counters.bytes_sent.add(written);
        let progress = written > 0;
        let waiting = !out.is_empty() || wire.wants_write();
        self.blocked = match (waiting, self.blocked) {
            (false, _) => None,
            (true, Some(since)) if !progress => Some(since),
            (true, _) => Some(now),
        };
        self.counters.queued_bytes.set(self.out.bytes as u64);
        if let Some(reader) = &self.reader {
            reader.flow.counters.queued_bytes.set(self.out.bytes as u64);
            reader.flow.counters.queued_packets.set(self.out.packets as u64);
        }
        match result {
            Ok(()) => Ok(()),
            Err(_) => Err(CloseReason::Peer),
        }
    }

    /// Queue the publisher's receiver reports.
    pub fn send_reports(&mut self, now: Instant) -> Result<(), CloseReason> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let mut frames = Vec::new();
        for (track, report) in publisher.flow.reports(now) {
            let report = match &mut publisher.protection {
                Some(protection) => protection.seal_rtcp(track, report),
                None => Some(report),
            };
            if let (Some((_, rtcp)), Some(report)) = (publisher.channels[track], report) {
                unit::frame(&mut frames, rtcp, &report);
                publisher.flow.counters.rtcp_packets_sent.add(1);
                publisher.flow.counters.bytes_sent.add(report.len());
            }
        }
        if frames.is_empty() { Ok(()) } else { self.queue(frames, now) }
    }

    // Ending

    /// Detach the reader, saying RTCP's goodbye to it if the connection lives on to carry it.
    pub fn end_reader(&mut self, now: Instant) -> Option<Box<TcpReader>> {
        let mut reader = self.reader.take()?;
        self.out.drop_units(|unit| {
            if unit.kind != Kind::Rtcp {
                reader.flow.counters.packets_discarded.add(unit.packets as usize);
            }
        });
        reader.flow.counters.queued_bytes.set(0);
        reader.flow.counters.queued_packets.set(0);
        if reader.flow.is_playing() {
            for i in 0..reader.flow.stream.tracks.len() {
                if reader.flow.has_track(i)
                    && let Some(report) = reader.flow.stream.sender_report(i, now, true)
                {
                    let unit = Arc::new(Unit::rtcp(i as u16, &report));
                    if let Some(entry) = reader.entry(&unit) {
                        self.out.push(entry);
                    }
                }
            }
        }
        Some(reader)
    }

    /// Begin to close: send what is queued, then wait for the client to close, for a second in all.
    pub fn close(&mut self, reason: CloseReason, now: Instant) {
        if !matches!(self.state, State::Closing { .. }) {
            if let Carrier::WebSocket(reader) = &self.carrier {
                self.out.push_frame(reader.close_frame());
            }
            self.state = State::Closing { reason, deadline: now + GOODBYE };
        }
    }

    /// After `close`: whether everything queued is gone, and the client told so.
    pub fn say_goodbye(&mut self, now: Instant) -> Result<(), CloseReason> {
        if matches!(self.state, State::Closing { .. }) {
            if self.connecting.is_some() {
                return Err(CloseReason::Connect); // nobody there to say it to
            }
            self.write(now)?;
            if self.blocked.is_none() && self.wire.end_tls() {
                self.write(now)?;
            }
            if self.blocked.is_none() {
                // The socket stays open for reading: closed with bytes unread it would be reset,
                // and the client would lose the answer.
                let _ = self.wire.socket.shutdown(Shutdown::Write);
            }
        }
        Ok(())
    }

    pub fn closing(&self) -> Option<CloseReason> {
        match self.state {
            State::Closing { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Why the connection has to be dropped now, if it has to.
    pub fn overdue(&self, table: &Table, now: Instant) -> Option<CloseReason> {
        if let State::Closing { reason, deadline } = self.state {
            return (deadline <= now).then_some(reason);
        }
        // The socket was tried later in this turn, perhaps, than the turn began.
        if self
            .blocked
            .is_some_and(|since| now.saturating_duration_since(since) >= self.admission.0.write_timeout)
        {
            return Some(CloseReason::WriteTimeout);
        }
        if self.connecting.is_some() {
            return (now - self.opened >= self.admission.0.read_timeout).then_some(CloseReason::Connect);
        }
        let waits = self.asked.is_some_and(|since| now - since < ANSWER_PATIENCE);
        let exempt = waits || self.reader.is_some() || !self.datagram_flows.is_empty();
        let silence = Duration::from_millis(table.idle_ms(&self.counters, now));
        let handshake = self.wire.is_handshaking();
        let timeout = self.admission.0.read_timeout;
        if !exempt && silence >= timeout || handshake && now - self.opened >= timeout {
            return Some(CloseReason::ReadTimeout);
        }
        None
    }
}
