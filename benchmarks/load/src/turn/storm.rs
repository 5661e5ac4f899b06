//! Allocations one after the other, so many at a time, each by a new client: 401, Allocate, perhaps Refresh 0.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};

use crate::histogram::Histogram;
use crate::sys::clock;
use crate::sys::poll::Poll;
use crate::turn::account::{self, Account, Challenge};
use crate::turn::client::connected;
use crate::turn::message::{Arrived, Message, Transaction};
use crate::turn::seed::Seed;

const RETRANSMIT: u64 = 250_000_000;
const TRIES: u32 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Challenge,
    Allocate,
    Release,
}

/// One client on its way.
struct Way {
    socket: UdpSocket,
    step: Step,
    challenge: Option<Challenge>,
    message: Message,
    transaction: Transaction,
    began: u64,
    sent: u64,
    tries: u32,
}

/// What became of the clients so far.
pub struct Tally {
    pub allocated: usize,
    pub failed: usize,
    pub retransmitted: u64,
    /// Microseconds from the first request until the allocation stands.
    pub latency: Histogram,
    /// The first failure.
    pub reason: Option<String>,
}

pub struct Storm<'a> {
    server: SocketAddrV4,
    account: &'a Account,
    /// End each allocation once it stands.
    releases: bool,
    seed: Seed,
    poll: Poll,
    challenge: Option<Challenge>,
    /// Sockets whose allocations stand.
    held: Vec<UdpSocket>,
    pub tally: Tally,
}

impl<'a> Storm<'a> {
    pub fn new(server: SocketAddrV4, account: &'a Account, releases: bool, seed: u64) -> io::Result<Self> {
        Ok(Self {
            server,
            account,
            releases,
            seed: Seed::new(seed),
            poll: Poll::new()?,
            challenge: None,
            held: Vec::new(),
            tally: Tally::new(),
        })
    }

    /// Allocate `count` times, `ways` at a time, and wait until each has succeeded or failed.
    pub fn run(&mut self, count: usize, ways: usize) -> io::Result<()> {
        let mut slots: Vec<Option<Way>> = Vec::new();
        let mut left = count;
        for slot in 0..ways.min(count) {
            slots.push(Some(self.begin(slot)?));
            left -= 1;
        }
        let mut ready = Vec::new();
        let mut swept = clock::now();
        while slots.iter().any(Option::is_some) {
            ready.clear();
            // Never asleep: waking it would cost the server more than an answer.
            ready.extend(self.poll.wait(0)?.map(|token| token as usize));
            for &slot in &ready {
                if let Some(way) = slots[slot].take() {
                    slots[slot] = self.advance(way)?;
                }
            }
            let now = clock::now();
            if now > swept + RETRANSMIT / 5 {
                swept = now;
                for slot in &mut slots {
                    if let Some(way) = slot.take() {
                        *slot = self.remind(way, now)?;
                    }
                }
            }
            for (slot, way) in slots.iter_mut().enumerate() {
                if way.is_none() && left > 0 {
                    *way = Some(self.begin(slot)?);
                    left -= 1;
                }
            }
        }
        Ok(())
    }

    /// Forget what was counted; allocations stand on.
    pub fn restart_tally(&mut self) {
        self.tally = Tally::new();
    }

    fn begin(&mut self, slot: usize) -> io::Result<Way> {
        let socket = connected(self.server)?;
        socket.set_nonblocking(true)?;
        self.poll.watch(&socket, slot as u64)?;
        let transaction = self.seed.transaction();
        let message = account::allocate(transaction);
        let now = clock::now();
        send(&socket, &message)?;
        Ok(Way {
            socket,
            step: Step::Challenge,
            challenge: None,
            message,
            transaction,
            began: now,
            sent: now,
            tries: 1,
        })
    }

    /// Read what came; returns the way unless it is at its end.
    fn advance(&mut self, mut way: Way) -> io::Result<Option<Way>> {
        let mut bytes = [0; 2048];
        let length = match way.socket.recv(&mut bytes) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(way)),
            Err(error) => {
                self.fail(error.to_string());
                return Ok(None);
            }
        };
        let answer = match Arrived::parse(&bytes[..length]) {
            Some(answer) if answer.transaction() == way.transaction => answer,
            _ => return Ok(Some(way)),
        };
        let step = match (way.step, answer.is_success()) {
            (Step::Challenge, false) if answer.error() == 401 => {
                way.challenge = self.account.challenged(answer, self.challenge.as_ref());
                self.challenge.clone_from(&way.challenge);
                Step::Allocate
            }
            (Step::Allocate, true) => {
                self.tally.allocated += 1;
                self.tally.latency.record((clock::now() - way.began) / 1000);
                if !self.releases {
                    self.poll.forget(&way.socket)?;
                    self.held.push(way.socket);
                    return Ok(None);
                }
                Step::Release
            }
            (Step::Release, true) => return Ok(None),
            (step, _) => {
                self.fail(format!("{step:?}: {}", answer.error()));
                return Ok(None);
            }
        };
        way.transaction = self.seed.transaction();
        way.message = match step {
            Step::Release => account::release(way.transaction),
            _ => account::allocate(way.transaction),
        };
        let Some(challenge) = &way.challenge else {
            self.fail("a 401 without realm and nonce".into());
            return Ok(None);
        };
        way.message = self.account.sign(way.message, challenge);
        way.step = step;
        way.sent = clock::now();
        way.tries = 1;
        send(&way.socket, &way.message)?;
        Ok(Some(way))
    }

    /// Send again what nobody answered; returns the way unless that was in vain too often.
    fn remind(&mut self, mut way: Way, now: u64) -> io::Result<Option<Way>> {
        if now < way.sent + RETRANSMIT {
            return Ok(Some(way));
        }
        if way.tries == TRIES {
            self.fail(format!("{:?}: no answer", way.step));
            return Ok(None);
        }
        way.tries += 1;
        way.sent = now;
        self.tally.retransmitted += 1;
        send(&way.socket, &way.message)?;
        Ok(Some(way))
    }

    fn fail(&mut self, reason: String) {
        self.tally.failed += 1;
        self.tally.reason.get_or_insert(reason);
    }
}

impl Tally {
    fn new() -> Self {
        Self { allocated: 0, failed: 0, retransmitted: 0, latency: Histogram::new(), reason: None }
    }
}

/// A full buffer loses the message, as a network would; it is sent again in time.
fn send(socket: &UdpSocket, message: &Message) -> io::Result<()> {
    match socket.send(message.bytes()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
