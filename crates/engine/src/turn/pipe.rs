//! A connection between a TCP allocation and a peer (RFC 6062), and the client's that carries it.
//!
//! Nothing is read from one side that the other has no room for: that, and not a queue, is what
//! holds a fast sender back.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::client::Client;
use crate::Handle;
use crate::counters::Counters;
use crate::event::CloseReason;

/// For a connection to stand, for a client to take it up (RFC 6062 5.2, 5.4: 30 s), and for the one
/// side to take what the other sent before it left.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that may wait for a client before the peer is read no more.
const ROOM: usize = 64 * 1024;
/// Bytes moved before others have their turn.
const SHARE: usize = 256 * 1024;

#[derive(Debug)]
pub enum Stage {
    Connecting,
    /// It stands, and no client has taken it up.
    Waiting,
    Joined {
        client: Box<Client>,
        /// Where the wing watches the client's socket.
        source: usize,
    },
}

#[derive(Debug)]
pub struct Pipe {
    pub handle: Handle,
    /// Whose.
    pub allocation: usize,
    pub peer: SocketAddr,
    pub socket: TcpStream,
    pub stage: Stage,
    pub counters: Arc<Counters>,
    /// What is to go on without a socket saying so: the rate or its share was used up.
    pub paused: bool,
    /// When the stage began, or one side ended.
    since: Instant,
    /// What the peer's socket has not taken, from `sent` on.
    outward: Vec<u8>,
    sent: usize,
    client_ended: bool,
    peer_ended: bool,
}

/// Bytes that a turn moved.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub from_client: usize,
    pub to_client: usize,
    /// There may be more, but others have their turn.
    pub more: bool,
}

impl Moved {
    pub fn total(self) -> usize {
        self.from_client + self.to_client
    }
}

impl Pipe {
    pub fn new(
        handle: Handle,
        allocation: usize,
        peer: SocketAddr,
        socket: TcpStream,
        stage: Stage,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Self {
        let _ = socket.set_nodelay(true);
        Self {
            handle,
            allocation,
            peer,
            socket,
            stage,
            counters,
            paused: false,
            since: now,
            outward: Vec::new(),
            sent: 0,
            client_ended: false,
            peer_ended: false,
        }
    }

    /// Whether the connection that we make stands now.
    pub fn establish(&mut self, now: Instant) -> Result<bool, CloseReason> {
        if !matches!(self.stage, Stage::Connecting) {
            return Ok(false);
        }
        if !matches!(self.socket.take_error(), Ok(None)) {
            return Err(CloseReason::Connect);
        }
        if self.socket.peer_addr().is_err() {
            return Ok(false); // still on its way
        }
        self.stage = Stage::Waiting;
        self.since = now;
        Ok(true)
    }

    /// From here on `client` carries it; it is told so by `answer`.
    pub fn join(&mut self, mut client: Box<Client>, source: usize, answer: &[u8]) -> Result<(), CloseReason> {
        client.queued = false;
        self.outward = client.framing.rest();
        client.answer(answer)?;
        self.stage = Stage::Joined { client, source };
        Ok(())
    }

    /// Why it has to go, if it has to.
    pub fn overdue(&self, now: Instant) -> Option<CloseReason> {
        let reason = match self.stage {
            Stage::Connecting => CloseReason::Connect,
            Stage::Waiting => CloseReason::ReadTimeout,
            Stage::Joined { .. } if self.client_ended || self.peer_ended => CloseReason::WriteTimeout,
            Stage::Joined { .. } => return None,
        };
        (now.saturating_duration_since(self.since) >= PATIENCE).then_some(reason)
    }

    /// Move at most `most` bytes of what each side has and the other takes. When one side has ended, so
    /// does the other, with what it was sent (RFC 6062 5.5).
    pub fn pump(
        &mut self,
        scratch: &mut [u8],
        most: usize,
        moved: &mut Moved,
        now: Instant,
    ) -> Result<(), CloseReason> {
        loop {
            let before = moved.total();
            let left = most.min(SHARE).saturating_sub(before);
            self.write()?;
            let Stage::Joined { client, .. } = &mut self.stage else { return Ok(()) };
            let room = left.min(scratch.len());
            if !self.client_ended && self.outward.is_empty() && room > 0 {
                match client.read(&mut scratch[..room])? {
                    None => {}
                    Some(0) => {
                        self.client_ended = true;
                        self.since = now;
                    }
                    Some(size) => {
                        self.outward.extend_from_slice(&scratch[..size]);
                        moved.from_client += size;
                    }
                }
            }
            let left = most.min(SHARE).saturating_sub(moved.total());
            let room = left.min(scratch.len());
            if !self.peer_ended && client.waiting() < ROOM && room > 0 {
                match self.socket.read(&mut scratch[..room]) {
                    Ok(0) => {
                        self.peer_ended = true;
                        self.since = now;
                    }
                    Ok(size) => {
                        client.raw(&scratch[..size]);
                        moved.to_client += size;
                    }
                    Err(error) if is_temporary(&error) => {}
                    Err(_) => return Err(CloseReason::Peer),
                }
            }
            if moved.total() == before {
                break;
            }
        }
        self.write()?;
        let Stage::Joined { client, .. } = &self.stage else { return Ok(()) };
        if self.client_ended && self.outward.is_empty() || self.peer_ended && client.waiting() == 0 {
            return Err(CloseReason::Peer);
        }
        moved.more = moved.total() >= SHARE;
        self.paused = moved.more || moved.total() >= most;
        Ok(())
    }

    /// Hand on what waits, as far as both sockets take it.
    fn write(&mut self) -> Result<(), CloseReason> {
        if let Stage::Joined { client, .. } = &mut self.stage {
            client.write()?;
        }
        while self.sent < self.outward.len() {
            match self.socket.write(&self.outward[self.sent..]) {
                Ok(0) => return Err(CloseReason::Peer),
                Ok(size) => self.sent += size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(CloseReason::Peer),
            }
        }
        self.outward = Vec::new(); // most connections are idle most of the time
        self.sent = 0;
        Ok(())
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
