//! One TCP connection of an RTSP client: its socket, TLS, input and output.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustls::{ClientConnection, ServerConfig, ServerConnection};

use crate::Handle;
use crate::counters::{Counters, Table};
use crate::event::{CloseReason, Unanswered};
use crate::outgoing::{Entry, Outgoing};
use crate::publisher::Publisher;
use crate::reader::{self, Reader};
use crate::rtsp::{Item, Limits, Refusal, Splitter};
use crate::unit::{self, Kind, Unit};

/// Answers a client may leave unread before it is closed.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// How long a connection that is being closed may take to take what is queued for it.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a client that has asked may wait for its answer without being taken for silent: a source is
/// fetched, or a publisher started, because of it. Whoever answers has its own limit, well below.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);
/// Bytes read from one connection before others have their turn.
const READ_SHARE: usize = 256 * 1024;

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

/// The interleaved channels of each track, by track.
pub type Channels = Vec<Option<(u8, u8)>>;

#[derive(Debug)]
pub struct TcpPublisher {
    pub flow: Publisher,
    pub channels: Channels,
}

#[derive(Debug)]
pub struct TcpReader {
    pub flow: Reader,
    pub channels: Channels,
    pub queue_packets: usize,
    pub queue_bytes: usize,
    pub lost_by_track: Vec<u32>,
}

#[derive(Debug)]
pub struct Connection {
    pub handle: Handle,
    pub socket: TcpStream,
    pub counters: Arc<Counters>,
    pub unanswered: Arc<Unanswered>,
    pub publisher: Option<Box<TcpPublisher>>,
    pub reader: Option<Box<TcpReader>>,
    /// UDP flows that end with this connection.
    pub datagram_flows: Vec<Handle>,
    admission: Admission,
    tls: Option<Box<rustls::Connection>>,
    connecting: Option<Connecting>,
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

/// What reading brought.
#[derive(Debug, Default)]
pub struct Reading {
    pub messages: Vec<Vec<u8>>,
    pub refusal: Option<Refusal>,
    pub units: Vec<Arc<Unit>>,
    /// There may be more to read: come back after the others.
    pub again: bool,
    pub ended: Option<CloseReason>,
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
        Self { connecting, ..Self::made(handle, socket, tls, admission, counters, now) }
    }

    fn made(
        handle: Handle,
        socket: TcpStream,
        tls: Option<Box<rustls::Connection>>,
        admission: Admission,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Self {
        let _ = socket.set_nodelay(true);
        Self {
            handle,
            socket,
            counters,
            unanswered: Arc::default(),
            publisher: None,
            reader: None,
            datagram_flows: Vec::new(),
            splitter: Splitter::new(admission.0.limits),
            held: None,
            admission,
            tls,
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
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            match self.socket.peer_addr() {
                Ok(_) => self.connecting = Some(Connecting::Tls),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            return Ok(None);
        }
        self.connecting = None;
        Ok(Some((self.socket.local_addr()?, self.socket.peer_addr()?)))
    }

    // Reading

    /// Read what is there, up to a fair share.
    pub fn read(&mut self, scratch: &mut [u8], table: &Table, now: Instant) -> Reading {
        let mut read = Reading::default();
        if self.connecting == Some(Connecting::Tcp) {
            return read;
        }
        let mut share = READ_SHARE;
        while share > 0 {
            if self.state == State::Open && self.unanswered.is_full() {
                break; // Python is behind; `Unanswered::pop` brings us back
            }
            if let Some(held) = self.held.take() {
                self.take_in(&held, table, now, &mut read);
                continue;
            }
            let size = match self.fill(scratch) {
                Ok(Some(0)) => {
                    read.ended = Some(CloseReason::Peer);
                    break;
                }
                Ok(Some(size)) => size,
                Ok(None) => break,
                Err(error) => {
                    let tls = error.kind() == io::ErrorKind::InvalidData;
                    read.ended = Some(if tls { CloseReason::Tls } else { CloseReason::Peer });
                    break;
                }
            };
            share = share.saturating_sub(size);
            read.again = share == 0;
            self.take_in(&scratch[..size], table, now, &mut read);
        }
        if self.connecting.is_some() && read.ended == Some(CloseReason::Peer) {
            read.ended = Some(CloseReason::Connect);
        }
        if let Some(publisher) = &mut self.publisher {
            publisher.flow.turn(table, now, &mut read.units);
        }
        read
    }

    /// Plain bytes; `None`: nothing more now; 0: the end.
    fn fill(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let result = match &mut self.tls {
                None => self.socket.read(scratch).inspect(|size| self.counters.bytes_received.add(*size)),
                Some(tls) => tls.reader().read(scratch),
            };
            match (result, &mut self.tls) {
                (Ok(size), _) => return Ok(Some(size)),
                (Err(error), _) if error.kind() == io::ErrorKind::Interrupted => {}
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                (Err(error), Some(tls)) if error.kind() == io::ErrorKind::WouldBlock => {
                    match tls.read_tls(&mut self.socket) {
                        Ok(0) => return Ok(Some(0)),
                        Ok(size) => self.counters.bytes_received.add(size),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                        Err(error) => return Err(error),
                    }
                    let processed = tls.process_new_packets();
                    // The handshake's answer, or the alert that says what was wrong.
                    if tls.wants_write() {
                        let _ = tls
                            .write_tls(&mut self.socket)
                            .inspect(|size| self.counters.bytes_sent.add(*size));
                    }
                    if let Err(error) = processed {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                    }
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Split what was read, up to the message that is one too many for Python.
    fn take_in(&mut self, bytes: &[u8], table: &Table, now: Instant, read: &mut Reading) {
        if self.state != State::Open {
            return;
        }
        let Self { splitter, publisher, reader, counters, unanswered, asked, .. } = self;
        let Reading { messages, units, .. } = read;
        let (mut whole, mut more) = (false, true);
        let result = splitter.feed_while(bytes, &mut |item| {
            whole = true;
            match item {
                Item::Message(message) => {
                    messages.push(message.to_vec());
                    if !message.starts_with(b"RTSP/") {
                        asked.get_or_insert(now); // a request, which will be answered
                    }
                    more = !unanswered.push();
                }
                Item::Interleaved { channel, packet } => {
                    let taken = if let Some(publisher) = publisher {
                        publisher.frame(channel, packet, now, units)
                    } else if let Some(reader) = reader {
                        reader.frame(channel, packet, table, now)
                    } else {
                        false
                    };
                    if !taken {
                        counters.frames_refused.add(1);
                    }
                }
            }
            more
        });
        if whole {
            // A head or frame that never ends is silence: `read_timeout` closes the connection.
            table.heard(counters, now);
        }
        match result {
            Ok(taken) if !more => self.held = Some(bytes[taken..].to_vec()),
            Ok(_) => {}
            Err(refusal) => {
                read.refusal = Some(refusal);
                self.state = State::Refused;
            }
        }
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
                self.out.push(reader.entry(unit));
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
        let Self { out, socket, tls, reader, counters, .. } = self;
        let done = |unit: &Unit| {
            if let Some(reader) = &reader {
                reader.flow.sent(unit, now);
            }
        };
        let mut wire = Wire { socket, tls: tls.as_deref_mut(), written: 0 };
        let result = out.write(&mut wire, done).and_then(|_| wire.flush());
        counters.bytes_sent.add(wire.written);
        let progress = wire.written > 0;
        let waiting = !out.is_empty() || tls.as_ref().is_some_and(|tls| tls.wants_write());
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
            if let Some((_, rtcp)) = publisher.channels[track] {
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
        let reader = self.reader.take()?;
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
                    self.out.push(reader.entry(&unit));
                }
            }
        }
        Some(reader)
    }

    /// Begin to close: send what is queued, then wait for the client to close, for a second in all.
    pub fn close(&mut self, reason: CloseReason, now: Instant) {
        if !matches!(self.state, State::Closing { .. }) {
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
            if self.blocked.is_none()
                && let Some(tls) = &mut self.tls
            {
                // Behind everything else: a client ignores what follows it.
                tls.send_close_notify();
                self.write(now)?;
            }
            if self.blocked.is_none() {
                // The socket stays open for reading: closed with bytes unread it would be reset,
                // and the client would lose the answer.
                let _ = self.socket.shutdown(Shutdown::Write);
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
        let handshake = self.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        let timeout = self.admission.0.read_timeout;
        if !exempt && silence >= timeout || handshake && now - self.opened >= timeout {
            return Some(CloseReason::ReadTimeout);
        }
        None
    }
}

impl TcpPublisher {
    fn frame(&mut self, channel: u8, packet: &[u8], now: Instant, units: &mut Vec<Arc<Unit>>) -> bool {
        for (track, channels) in self.channels.iter().enumerate() {
            match channels {
                Some((rtp, _)) if *rtp == channel => {
                    self.flow.rtp(track, packet, now, units);
                    return true;
                }
                Some((_, rtcp)) if *rtcp == channel => {
                    self.flow.rtcp(track, packet, now);
                    return true;
                }
                _ => {}
            }
        }
        false
    }
}

impl TcpReader {
    /// Readers send RTCP only.
    fn frame(&mut self, channel: u8, packet: &[u8], table: &Table, now: Instant) -> bool {
        let track =
            self.channels.iter().position(|channels| channels.is_some_and(|(_, rtcp)| rtcp == channel));
        let Some(track) = track else { return false };
        table.heard(&self.flow.counters, now);
        reader::receiver_report(&self.flow.counters, &mut self.lost_by_track, track, packet);
        true
    }

    fn entry(&self, unit: &Arc<Unit>) -> Entry {
        let track = unit.track;
        let (rtp, rtcp) = self.channels[usize::from(track)].unwrap_or_default();
        let (channel, usual) = match unit.kind {
            Kind::Rtcp => (rtcp, track * 2 + 1),
            _ => (rtp, track * 2),
        };
        if u16::from(channel) == usual {
            Entry::Unit(Arc::clone(unit))
        } else {
            Entry::Own(Arc::clone(unit), unit.framed_for(channel))
        }
    }
}

/// The socket with its TLS, if any. What it takes is plain; what it counts is on the wire.
struct Wire<'a> {
    socket: &'a mut TcpStream,
    tls: Option<&'a mut rustls::Connection>,
    written: usize,
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.socket.write_vectored(slices).inspect(|size| self.written += size);
        }
        self.flush()?;
        let Some(tls) = &mut self.tls else { return Ok(0) };
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = tls.writer().write_vectored(slices)?;
        self.flush()?;
        if size == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(size) }
    }

    /// Send the records that wait. A full socket is no error.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(self.socket) {
                    Ok(size) => self.written += size,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
