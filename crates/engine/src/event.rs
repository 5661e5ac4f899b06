//! What the engine tells Python: a bounded queue and one eventfd.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use rustix::event::{EventfdFlags, eventfd};

use crate::Handle;
use crate::counters::Snapshot;
use crate::rtsp::Refusal;
use crate::term::Term;
use crate::turn::five_tuple::FiveTuple;

/// Why a connection or flow ended. The twin is `CloseReason` in `engine/events.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseReason {
    Requested = 1,
    Peer = 2,
    ReadTimeout = 3,
    WriteTimeout = 4,
    Overflow = 5,
    Tls = 6,
    StreamClosed = 7,
    Shutdown = 9,
    Fault = 10,
    /// The connection that was asked for never stood.
    Connect = 11,
    /// Its socket lives on as the POST of a tunnel.
    Joined = 12,
    /// An allocation's lifetime was over.
    Expired = 13,
}

#[derive(Debug)]
pub enum Event {
    Accepted {
        listener: Handle,
        connection: Handle,
        remote: SocketAddr,
        local: SocketAddr,
    },
    /// The connection that `connect` makes stands, with TLS where that was asked for.
    Connected {
        connection: Handle,
        remote: SocketAddr,
        local: SocketAddr,
    },
    Received {
        connection: Handle,
        message: Vec<u8>,
        unanswered: Arc<Unanswered>,
    },
    /// The first thing a client said is an HTTP request.
    HttpReceived {
        connection: Handle,
        head: Vec<u8>,
    },
    Malformed {
        connection: Handle,
        refusal: Refusal,
    },
    /// A request of a TURN client.
    StunReceived {
        five_tuple: FiveTuple,
        /// 0: none.
        allocation: Handle,
        message: Vec<u8>,
        unanswered: Option<Arc<Unanswered>>,
    },
    /// A connection between a TCP allocation and a peer stands (RFC 6062).
    PeerConnected {
        allocation: Handle,
        connection: Handle,
        peer: SocketAddr,
        /// The peer made it.
        incoming: bool,
    },
    Closed {
        handle: Handle,
        reason: CloseReason,
        counters: Snapshot,
    },
}

/// How many of a connection's messages wait for Python. Past `MOST` the worker
/// stops reading the socket, so that the client's own TCP window holds it back.
#[derive(Debug, Default)]
pub struct Unanswered(AtomicU32);

impl Unanswered {
    pub const MOST: u32 = 32;

    /// Count one more. Whether the worker is to stop reading.
    pub fn push(&self) -> bool {
        self.0.fetch_add(1, SeqCst) + 1 >= Self::MOST
    }

    pub fn is_full(&self) -> bool {
        self.0.load(SeqCst) >= Self::MOST
    }

    /// Whether the worker may have stopped reading and must be told to go on.
    fn pop(&self) -> bool {
        self.0.fetch_sub(1, SeqCst) == Self::MOST
    }
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Whether Python was told, and has not found the queue empty since. While it is busy nobody tells it
    /// again.
    signalled: bool,
}

/// Written by the workers, drained by Python.
#[derive(Debug)]
pub struct EventQueue {
    capacity: usize,
    waiting: Mutex<Waiting>,
    signal: OwnedFd,
    pub refused_connections: AtomicU64,
}

impl EventQueue {
    pub fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self {
            capacity,
            waiting: Mutex::default(),
            signal: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            refused_connections: AtomicU64::new(0),
        })
    }

    pub fn fd(&self) -> RawFd {
        self.signal.as_raw_fd()
    }

    /// Count a connection that is not taken, whoever's door it came to.
    pub fn refuse_connection(&self) {
        self.refused_connections.fetch_add(1, SeqCst);
    }

    pub fn is_full(&self) -> bool {
        self.waiting.lock().expect("no holder panics").events.len() >= self.capacity
    }

    /// Whether strangers have had their half; the rest is for those who have something here already.
    pub fn is_crowded(&self) -> bool {
        self.waiting.lock().expect("no holder panics").events.len() >= self.capacity / 2
    }

    /// Always queued: `Accepted` only after `is_full` was asked, `Received` within
    /// `Unanswered`, and one `HttpReceived`, `Malformed` and `Closed` a handle bound the length.
    pub fn push(&self, event: Event) {
        self.enqueue(&mut self.waiting.lock().expect("no holder panics"), event);
    }

    /// As `push`, for a worker: whose term is over is not heard.
    pub fn tell(&self, term: &Term, event: Event) {
        self.tell_with(term, || Some(event));
    }

    pub fn tell_with(&self, term: &Term, make: impl FnOnce() -> Option<Event>) {
        let mut waiting = self.waiting.lock().expect("no holder panics");
        if !term.is_over()
            && let Some(event) = make()
        {
            self.enqueue(&mut waiting, event);
        }
    }

    /// End a worker's term. What `last` finds no event of that worker can contradict any more.
    pub fn end<T>(&self, term: &Term, last: impl FnOnce() -> T) -> T {
        let _waiting = self.waiting.lock().expect("no holder panics");
        term.end();
        last()
    }

    fn enqueue(&self, waiting: &mut Waiting, event: Event) {
        waiting.events.push_back(event);
        if !std::mem::replace(&mut waiting.signalled, true) {
            // Cannot fail: the counter is far from its maximum, as it is cleared before it is written again.
            let _ = rustix::io::write(&self.signal, &1_u64.to_ne_bytes());
        }
    }

    /// Takes the oldest events; the descriptor is readable until there are none. The second list names
    /// connections to read from again.
    pub fn drain(&self, limit: usize) -> (Vec<Event>, Vec<Handle>) {
        let mut waiting = self.waiting.lock().expect("no holder panics");
        if waiting.events.is_empty() && std::mem::take(&mut waiting.signalled) {
            let _ = rustix::io::read(&self.signal, &mut [0; 8]);
        }
        let count = limit.min(waiting.events.len());
        let taken: Vec<Event> = waiting.events.drain(..count).collect();
        drop(waiting);
        let resumed = taken
            .iter()
            .filter_map(|event| match event {
                Event::Received { connection, unanswered, .. } if unanswered.pop() => Some(*connection),
                Event::StunReceived { five_tuple, unanswered: Some(unanswered), .. } if unanswered.pop() => {
                    Some(five_tuple.connection)
                }
                _ => None,
            })
            .collect();
        (taken, resumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::Malformed { connection: 1, refusal: Refusal::NotRtsp }
    }

    #[test]
    fn python_is_told_once_until_it_finds_nothing() {
        let queue = EventQueue::new(8).expect("an eventfd");
        let signals = || {
            let mut count = [0; 8];
            rustix::io::read(&queue.signal, &mut count).map_or(0, |_| u64::from_ne_bytes(count))
        };
        queue.push(event());
        queue.push(event());
        assert_eq!(queue.drain(1).0.len(), 1);
        queue.push(event());
        assert_eq!(queue.drain(8).0.len(), 2);
        queue.push(event()); // while Python was busy with those
        assert_eq!(queue.drain(8).0.len(), 1);
        assert_eq!(signals(), 1);
        queue.push(event());
        assert_eq!(signals(), 0);
        assert_eq!(queue.drain(8).0.len(), 1);
        assert!(queue.drain(8).0.is_empty());
        queue.push(event());
        assert_eq!(signals(), 1);
    }
}
