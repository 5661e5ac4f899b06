//! What the tests of workers that stand still share.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use headgate_engine::Handle;
use headgate_engine::event::Event;

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

/// How often a handle's end was told so far.
pub fn told(bench: &mut Bench, wanted: Handle) -> usize {
    let drained = bench.engine.drain(1000);
    bench.seen.extend(drained);
    let is = |event: &&Event| matches!(event, Event::Closed { handle, .. } if *handle == wanted);
    bench.seen.iter().filter(is).count()
}

/// The old thread ends, and its sockets with it.
pub fn came_back(mut socket: TcpStream) {
    socket.read_to_end(&mut Vec::new()).expect("the end");
}
