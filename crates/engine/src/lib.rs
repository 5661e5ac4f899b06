//! headgate's engine: it owns the sockets and moves the packets; Python decides.
//!
//! Start at `engine` (the verbs) and `event` (what comes back). A `worker` owns
//! sockets and flows; `publisher` turns packets into units, `stream` says who
//! wants them, `connection` and `datagram` send them, over TCP through a `wire`. The parsers and packet
//! machines (`rtsp`, `websocket`, `base64`, `rtp`, `rtcp`, `codec`, `repacketise`, `reorder`, `publisher`)
//! touch no socket and take time as an argument.

pub mod base64;
mod beside;
pub mod client;
pub mod codec;
mod command;
mod connection;
pub mod counters;
mod datagram;
pub mod descriptors;
pub mod engine;
pub mod event;
pub mod group;
mod interleaved;
pub mod latency;
mod outgoing;
pub mod publisher;
mod reader;
pub mod reorder;
pub mod repacketise;
pub mod rtcp;
pub mod rtp;
pub mod rtsp;
pub mod splice;
pub mod srtp;
mod stderr;
pub mod stream;
mod succession;
mod sys;
mod term;
pub mod tunnel;
pub mod turn;
mod udp;
pub mod unit;
mod watch;
pub mod websocket;
mod wire;
mod worker;

/// Names a listener, UDP port, connection, stream or flow; never 0, never used twice.
pub type Handle = u64;
