//! What the tests of workers that stand still share.

use std::collections::VecDeque;
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use headgate_engine::Handle;
use headgate_engine::engine::Engine;
use headgate_engine::event::{CloseReason, Event};

use super::Bench;

pub const STILL: Duration = Duration::from_secs(2);
/// From the moment that it is known to stand still.
pub const REPLACED: Duration = Duration::from_secs(1);
/// How long the worker stands still: it comes back when it has long been replaced.
pub const LATE: Duration = Duration::from_millis(4500);

pub fn worker_of(handle: Handle) -> u64 {
    handle & 1
}

/// A connection on one of the two workers.
pub fn on(bench: &mut Bench, worker: u64) -> (TcpStream, Handle) {
    loop {
        let (socket, connection) = bench.connect();
        if worker_of(connection) == worker {
            return (socket, connection);
        }
    }
}

/// Whoever has an engine and keeps its events.
pub trait Seeing {
    fn parts(&mut self) -> (&Engine, &mut VecDeque<Event>);
}

impl Seeing for Bench {
    fn parts(&mut self) -> (&Engine, &mut VecDeque<Event>) {
        (&self.engine, &mut self.seen)
    }
}

/// How often a handle's end was told so far.
pub fn told(bench: &mut impl Seeing, wanted: Handle) -> usize {
    let (engine, seen) = bench.parts();
    seen.extend(engine.drain(1000));
    let is = |event: &&Event| matches!(event, Event::Closed { handle, .. } if *handle == wanted);
    seen.iter().filter(is).count()
}

/// The old thread ends, and its sockets with it.
pub fn came_back(mut socket: TcpStream) {
    socket.read_to_end(&mut Vec::new()).expect("the end");
}

/// These end with `Fault`, each once, before anybody could miss the worker any longer; and what `goes_on` does
/// meanwhile is done at once.
pub fn lose<B: Seeing>(bench: &mut B, lost: &[Handle], mut goes_on: impl FnMut(&mut B)) {
    let began = Instant::now();
    let mut left = lost.to_vec();
    let mut longest = Duration::ZERO;
    while !left.is_empty() {
        let asked = Instant::now();
        goes_on(bench);
        longest = longest.max(asked.elapsed());
        let (engine, seen) = bench.parts();
        seen.extend(engine.drain(1000));
        seen.retain(|event| match event {
            Event::Closed { handle, reason, .. } if lost.contains(handle) => {
                assert_eq!(*reason, CloseReason::Fault);
                let i = left.iter().position(|other| other == handle).expect("each once");
                left.swap_remove(i);
                false
            }
            _ => true,
        });
        assert!(began.elapsed() < STILL + REPLACED, "still there: {left:?}");
    }
    assert!(longest < REPLACED / 2, "a gap of {longest:?}");
}
