//! headgate's engine: it owns the sockets and moves the packets; Python decides.
//!
//! Start at `engine` (the verbs) and `event` (what comes back). A `worker` owns
//! sockets and flows; `publisher` turns packets into units, `stream` says who
//! wants them, `connection` and `datagram` send them. The parsers and packet
//! machines (`rtsp`, `rtp`, `rtcp`, `codec`, `repacketise`, `reorder`, `publisher`)
//! touch no socket and take time as an argument.

pub mod client;
pub mod codec;
mod command;
mod connection;
pub mod counters;
mod datagram;
pub mod engine;
pub mod event;
mod outgoing;
pub mod publisher;
mod reader;
pub mod reorder;
pub mod repacketise;
pub mod rtcp;
pub mod rtp;
pub mod rtsp;
pub mod splice;
pub mod stream;
mod sys;
pub mod turn;
mod udp;
pub mod unit;
mod worker;

/// Names a listener, UDP port, connection, stream or flow; never 0, never used twice.
pub type Handle = u64;
