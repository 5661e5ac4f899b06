//! A client's connection over TCP or TLS: its socket, what it sends and what it is sent.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;
use rustls::ServerConnection;

use super::channel_data::padded;
use super::five_tuple::FiveTuple;
use super::framing::{self, Framing};
use super::listener::Admission;
use crate::event::{CloseReason, Unanswered};

/// Relayed data that may wait for a slow client; what is more is dropped, as by a full socket.
const DATA_LIMIT: usize = 256 * 1024;
/// Answers that may wait before the client is closed.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// Bytes handed to TLS at a time: its own buffer takes twice as many.
const RECORDS: usize = 32 * 1024;
/// Most bytes a record has beside its message.
const RECORD_OVERHEAD: usize = 64;
/// A larger queue is given back when it is empty.
const KEPT: usize = 64 * 1024;

#[derive(Debug)]
pub struct Client {
    pub five_tuple: FiveTuple,
    pub socket: TcpStream,
    pub framing: Framing,
    pub unanswered: Arc<Unanswered>,
    pub admission: Admission,
    /// Whether `framing` has whole messages, read before Python was behind.
    pub held: bool,
    /// Whether the wing will write to it before the turn ends.
    pub queued: bool,
    tls: Option<Box<ServerConnection>>,
    /// Of the message that begins the queue TLS has taken a part; this much is left.
    begun: usize,
    /// Whether it carries a peer's bytes, which are no messages (RFC 6062).
    is_raw: bool,
    /// What it is sent, from `sent` on.
    queue: Vec<u8>,
    sent: usize,
    /// When its last whole message came, or the connection itself.
    heard: Instant,
    /// Since when a message, or its handshake, is incomplete.
    incomplete: Option<Instant>,
}

impl Client {
    pub fn new(
        five_tuple: FiveTuple,
        socket: TcpStream,
        admission: Admission,
        now: Instant,
    ) -> Result<Self, rustls::Error> {
        let tls = match admission.listener.tls() {
            Some(config) => Some(Box::new(ServerConnection::new(config)?)),
            None => None,
        };
        let _ = socket.set_nodelay(true);
        Ok(Self {
            five_tuple,
            socket,
            framing: Framing::default(),
            unanswered: Arc::default(),
            admission,
            held: false,
            queued: false,
            incomplete: tls.as_ref().map(|_| now),
            tls,
            begun: 0,
            is_raw: false,
            queue: Vec::new(),
            sent: 0,
            heard: now,
        })
    }

    // Reading

    /// Plain bytes; `None`: nothing more now; 0: the end.
    pub fn read(&mut self, scratch: &mut [u8]) -> Result<Option<usize>, CloseReason> {
        loop {
            let result = match &mut self.tls {
                None => self.socket.read(scratch),
                Some(tls) => tls.reader().read(scratch),
            };
            let error = match result {
                Ok(size) => return Ok(Some(size)),
                Err(error) => error,
            };
            match (error.kind(), &mut self.tls) {
                (io::ErrorKind::Interrupted, _) => {}
                (io::ErrorKind::WouldBlock, None) => return Ok(None),
                (io::ErrorKind::WouldBlock, Some(tls)) => {
                    match tls.read_tls(&mut self.socket) {
                        Ok(0) => return Ok(Some(0)),
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => return Err(CloseReason::Peer),
                    }
                    let processed = tls.process_new_packets();
                    // The handshake's answer, or the alert that says what was wrong.
                    self.write()?;
                    if processed.is_err() {
                        return Err(CloseReason::Tls);
                    }
                }
                _ => return Err(CloseReason::Peer),
            }
        }
    }

    /// After reading: whether whole messages came.
    pub fn heard(&mut self, whole: bool, now: Instant) {
        if whole {
            self.heard = now;
            self.incomplete = None;
        }
        let handshake = self.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        if !handshake && self.framing.carried() == 0 {
            self.incomplete = None;
        } else if self.incomplete.is_none() && !self.unanswered.is_full() {
            self.incomplete = Some(now);
        }
    }

    /// Why it has to go, if it has to.
    pub fn overdue(&self, has_allocation: bool, now: Instant) -> Option<CloseReason> {
        let timeout = self.admission.listener.limits().idle_timeout;
        let since = if has_allocation { self.incomplete? } else { self.incomplete.unwrap_or(self.heard) };
        (now.saturating_duration_since(since) >= timeout).then_some(CloseReason::ReadTimeout)
    }

    // Writing

    /// Queue relayed data. `false`: the client is too slow, and it is dropped.
    pub fn data(&mut self, parts: [&[u8]; 3]) -> bool {
        if self.queue.len() - self.sent > DATA_LIMIT {
            return false;
        }
        self.push(parts);
        true
    }

    /// Queue bytes of a peer's connection, for which its owner has seen that there is room (RFC 6062).
    pub fn raw(&mut self, bytes: &[u8]) {
        self.is_raw = true;
        self.push_unpadded([bytes, &[], &[]]);
    }

    /// How much waits for the socket, more or less.
    pub fn waiting(&self) -> usize {
        let in_records = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        self.queue.len() - self.sent + usize::from(in_records)
    }

    /// Queue an answer of Python.
    pub fn answer(&mut self, message: &[u8]) -> Result<(), CloseReason> {
        if self.queue.len() - self.sent > ANSWER_LIMIT {
            return Err(CloseReason::Overflow);
        }
        self.push([message, &[], &[]]);
        Ok(())
    }

    fn push(&mut self, parts: [&[u8]; 3]) {
        let size = self.push_unpadded(parts);
        self.queue.resize(self.queue.len() + padded(size) - size, 0);
    }

    fn push_unpadded(&mut self, parts: [&[u8]; 3]) -> usize {
        if self.sent > 0 && self.sent * 2 >= self.queue.len() {
            self.queue.drain(..self.sent); // what is moved is less than what was sent since
            self.sent = 0;
        }
        for part in parts {
            self.queue.extend_from_slice(part);
        }
        parts.iter().map(|part| part.len()).sum()
    }

    /// Send what the socket takes.
    pub fn write(&mut self) -> Result<(), CloseReason> {
        let result = match &mut self.tls {
            None => write_plain(&mut self.socket, &self.queue, &mut self.sent),
            Some(_) => self.write_tls(),
        };
        if self.sent == self.queue.len() {
            self.sent = 0;
            self.queue.clear();
            if self.queue.capacity() > KEPT {
                self.queue = Vec::new();
            }
        }
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(CloseReason::Peer),
        }
    }

    /// Before the handshake is done TLS keeps nothing for later: the queue does.
    fn write_tls(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        loop {
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if self.sent >= self.queue.len() || tls.is_handshaking() {
                return Ok(());
            }
            let mut room = RECORDS;
            while let Some(rest) = self.queue.get(self.sent..).filter(|rest| !rest.is_empty())
                && room > 0
            {
                // A record for each message: some clients take one for the other (coturn's, of Debian).
                let size = match self.begun {
                    0 if self.is_raw => rest.len().min(RECORDS),
                    0 => framing::first(rest),
                    begun => begun.min(rest.len()),
                };
                let taken = tls.writer().write(&rest[..size])?;
                self.sent += taken;
                self.begun = size - taken;
                room = if self.begun > 0 { 0 } else { room.saturating_sub(size + RECORD_OVERHEAD) };
            }
        }
    }

    /// The last that it hears: what is queued, as far as the socket takes it.
    pub fn say_goodbye(&mut self) {
        let _ = self.write();
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.write();
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

fn write_plain(socket: &mut TcpStream, queue: &[u8], sent: &mut usize) -> io::Result<()> {
    while let Some(rest) = queue.get(*sent..).filter(|rest| !rest.is_empty()) {
        match socket.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(size) => *sent += size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
