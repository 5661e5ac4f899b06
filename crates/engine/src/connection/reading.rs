//! What comes in on a connection: from the socket, out of its tunnel, and split into RTSP.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::{Connecting, Connection, State};
use crate::counters::Table;
use crate::event::CloseReason;
use crate::rtsp::{Item, Refusal};
use crate::tunnel::{Carrier, End};
use crate::unit::Unit;

/// Bytes read from one connection before others have their turn.
const READ_SHARE: usize = 256 * 1024;

/// What reading brought.
#[derive(Debug, Default)]
pub struct Reading {
    pub messages: Vec<Vec<u8>>,
    /// The head of an HTTP request.
    pub http: Option<Vec<u8>>,
    pub refusal: Option<Refusal>,
    pub units: Vec<Arc<Unit>>,
    /// There may be more to read: come back after the others.
    pub again: bool,
    /// The client said the tunnel's goodbye.
    pub goodbye: bool,
    pub ended: Option<CloseReason>,
}

impl Connection {
    /// Read what is there, up to a fair share.
    pub fn read(&mut self, scratch: &mut [u8], table: &Table, now: Instant) -> Reading {
        let mut read = Reading::default();
        if self.connecting == Some(Connecting::Tcp) {
            return read;
        }
        self.overhear(scratch, &mut read);
        let mut share = READ_SHARE;
        while share > 0 && read.ended.is_none() {
            if self.state == State::Open && self.unanswered.is_full() {
                break; // Python is behind; `Unanswered::pop` brings us back
            }
            if let Some(held) = self.held.take() {
                self.take_in(&held, table, now, &mut read);
                continue;
            }
            if self.state == State::Undecided && self.wire.has_unread() {
                break;
            }
            let from = match &mut self.carrier {
                Carrier::Plain | Carrier::WebSocket(_) => &mut self.wire,
                Carrier::Http(Some(upstream)) => &mut upstream.wire,
                Carrier::Http(None) => break,
            };
            let size = match from.fill(scratch, &self.counters) {
                Ok(Some(0)) | Err(_) if matches!(self.carrier, Carrier::Http(_)) => {
                    self.carrier = Carrier::Http(None); // another may follow it
                    break;
                }
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
            self.unwrap(&mut scratch[..size], table, now, &mut read);
        }
        if let Carrier::WebSocket(reader) = &mut self.carrier
            && let Some(pong) = reader.pong()
            && let Err(reason) = self.queue_frame(pong, now)
        {
            read.ended = Some(reason);
        }
        if self.connecting.is_some() && read.ended == Some(CloseReason::Peer) {
            read.ended = Some(CloseReason::Connect);
        }
        if let Some(publisher) = &mut self.publisher {
            publisher.flow.turn(table, now, &mut read.units);
        }
        read
    }

    /// Take in what is inside of what was read.
    fn unwrap(&mut self, bytes: &mut [u8], table: &Table, now: Instant, read: &mut Reading) {
        match self.state {
            State::Open => {}
            State::Undecided => return self.wire.unread(bytes),
            State::Refused | State::Closing { .. } => return,
        }
        let inside = self.carrier.unwrap(bytes);
        if inside.size > 0 {
            self.take_in(&bytes[..inside.size], table, now, read);
        }
        match inside.end {
            Some(End::Refused(refusal)) if self.state == State::Open => {
                read.refusal = Some(refusal);
                self.state = State::Refused;
            }
            Some(End::Goodbye) => read.goodbye = true,
            _ => {}
        }
    }

    /// Of a tunnel in HTTP, the connection that answers go to: nothing may come from it but its end.
    fn overhear(&mut self, scratch: &mut [u8], read: &mut Reading) {
        if !matches!(self.carrier, Carrier::Http(_)) {
            return;
        }
        match self.wire.fill(scratch, &self.counters) {
            Ok(Some(0)) | Err(_) => read.ended = Some(CloseReason::Peer),
            Ok(Some(_)) if self.state == State::Open => {
                read.refusal = Some(Refusal::NotRtsp);
                self.state = State::Refused;
            }
            Ok(_) => {}
        }
    }

    /// Split what was read, up to the message that is one too many for Python.
    fn take_in(&mut self, bytes: &[u8], table: &Table, now: Instant, read: &mut Reading) {
        if self.state != State::Open {
            return;
        }
        let Self { splitter, publisher, reader, counters, unanswered, asked, .. } = self;
        let Reading { messages, units, http, .. } = read;
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
                Item::Http(head) => {
                    *http = Some(head.to_vec());
                    more = false;
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
            Ok(taken) if http.is_some() => {
                self.state = State::Undecided;
                self.wire.unread(&bytes[taken..]);
            }
            Ok(taken) if !more => self.held = Some(bytes[taken..].to_vec()),
            Ok(_) => {}
            Err(refusal) => {
                read.refusal = Some(refusal);
                self.state = State::Refused;
            }
        }
    }
}
