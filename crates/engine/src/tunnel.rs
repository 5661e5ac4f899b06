//! What carries a connection's RTSP: its TCP connection as it is, or a tunnel in HTTP or in WebSocket.

use crate::base64::Decoder;
use crate::connection::Admission;
use crate::rtsp::Refusal;
use crate::websocket;
use crate::wire::Wire;

/// What was found inside a stretch of bytes, moved to its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    pub size: usize,
    /// Nothing comes behind it.
    pub end: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client said goodbye.
    Goodbye,
    Refused(Refusal),
}

#[derive(Debug)]
pub(crate) enum Carrier {
    Plain,
    WebSocket(Box<websocket::Reader>),
    /// Apple's pair: what we send goes out as the answer to a GET, what the client sends comes in the
    /// body of a POST on another TCP connection. `None` between one POST and the next.
    Http(Option<Box<Upstream>>),
}

impl Carrier {
    pub fn unwrap(&mut self, bytes: &mut [u8]) -> Inside {
        match self {
            Self::WebSocket(reader) => reader.unwrap(bytes),
            Self::Http(Some(upstream)) => upstream.decoder.decode(bytes),
            Self::Plain | Self::Http(None) => Inside { size: bytes.len(), end: None },
        }
    }
}

/// The TCP connection of a POST. How long its body claims to be means nothing: clients make it up.
#[derive(Debug)]
pub struct Upstream {
    pub wire: Wire,
    decoder: Decoder,
    /// It still is one of its listener's connections.
    _admission: Admission,
}

impl Upstream {
    pub fn new(wire: Wire, admission: Admission) -> Self {
        Self { wire, decoder: Decoder::default(), _admission: admission }
    }
}
