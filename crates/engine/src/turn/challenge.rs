//! What a stranger is answered without asking Python: who are you? (RFC 8489 9.2.3)
//!
//! Python says which requests are answered so, and with what; only the nonce is made here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::address_budget::AddressBudget;
use super::five_tuple::{FiveTuple, Transport};
use super::nonces::{self, Nonces};
use super::request::Frame;
use super::stun::{COOKIE, HEADER};
use super::{Wing, fingerprint, way_out};

/// Of the attributes: a realm is the longest, with 512 bytes.
pub const MOST: usize = 1024;
const ERROR: u16 = 0x0110;

/// The fields are those of `engine.Challenge`.
#[derive(Debug)]
pub struct Challenge {
    methods: Vec<u16>,
    attributes: Vec<u8>,
    nonce_at: usize,
    nonces: Arc<Nonces>,
    budget: Arc<AddressBudget>,
    /// The same moment by our clock and by that of `nonces` and `budget`.
    began: (Instant, f64),
}

impl Challenge {
    pub fn new(
        methods: Vec<u16>,
        attributes: Vec<u8>,
        nonce_at: usize,
        nonces: Arc<Nonces>,
        budget: Arc<AddressBudget>,
        now: f64,
    ) -> Result<Self, &'static str> {
        if attributes.len() > MOST || !attributes.len().is_multiple_of(4) {
            return Err("they are no attributes of an answer");
        }
        if nonce_at.checked_add(nonces::SIZE).is_none_or(|end| end > attributes.len()) {
            return Err("there is no room for a nonce");
        }
        Ok(Self { methods, attributes, nonce_at, nonces, budget, began: (Instant::now(), now) })
    }

    fn seconds(&self, now: Instant) -> f64 {
        self.began.1 + now.saturating_duration_since(self.began.0).as_secs_f64()
    }

    /// Whether this is all there is to say to a message: it asks for something, and does not say who asks.
    fn is_for(&self, frame: &Frame, message: &[u8]) -> bool {
        frame.class == Frame::REQUEST
            && !frame.is_protected()
            // A bare header is not answered at all: the answer would be four times as long.
            && message.len() > HEADER
            && self.methods.contains(&frame.method)
    }

    /// The answer to a request, in a buffer.
    fn write<'a>(
        &self,
        buffer: &'a mut [u8; HEADER + MOST + fingerprint::SIZE],
        (message, frame): (&[u8], &Frame),
        client: &[u8],
        now: f64,
    ) -> &'a [u8] {
        let end = HEADER + self.attributes.len();
        let size = if frame.fingerprint_at == 0 { end } else { end + fingerprint::SIZE };
        let kind = message.first_chunk().map_or(0, |kind| u16::from_be_bytes(*kind)) | ERROR;
        buffer[..2].copy_from_slice(&kind.to_be_bytes());
        buffer[2..4].copy_from_slice(&((size - HEADER) as u16).to_be_bytes());
        buffer[4..8].copy_from_slice(&COOKIE);
        buffer[8..HEADER].copy_from_slice(message.get(8..HEADER).unwrap_or(&[0; 12]));
        buffer[HEADER..end].copy_from_slice(&self.attributes);
        let nonce = HEADER + self.nonce_at;
        buffer[nonce..nonce + nonces::SIZE].copy_from_slice(&self.nonces.make(client, now));
        if size > end {
            let attribute = fingerprint::attribute(&buffer[..end]);
            buffer[end..size].copy_from_slice(&attribute);
        }
        &buffer[..size]
    }
}

/// What a nonce is bound to: the same for the same client, whoever reads it.
pub fn client_bytes(transport: Transport, client: SocketAddr) -> [u8; 19] {
    let mut bytes = [0; 19];
    bytes[0] = transport as u8;
    bytes[1..3].copy_from_slice(&client.port().to_be_bytes());
    let octets = match client.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    bytes[3..].copy_from_slice(&octets);
    bytes
}

impl Wing {
    /// Challenge a client over UDP that has no allocation. `false`: Python is to answer, or nobody.
    pub(super) fn challenge(
        &mut self,
        five_tuple: &FiveTuple,
        (message, frame): (&[u8], &Frame),
        now: Instant,
    ) -> bool {
        if five_tuple.transport != Transport::Udp {
            return false;
        }
        let Some(challenge) = self.shared.turn.challenge() else { return false };
        // Its worker may not know yet that it has an allocation.
        if !challenge.is_for(frame, message) || self.shared.turn.allocation(five_tuple) != 0 {
            return false;
        }
        self.totals().challenged.add(1);
        let seconds = challenge.seconds(now);
        if !challenge.budget.admits(five_tuple.client.ip(), seconds) {
            return true;
        }
        let client = client_bytes(five_tuple.transport, five_tuple.client);
        let mut buffer = [0; HEADER + MOST + fingerprint::SIZE];
        let answer = challenge.write(&mut buffer, (message, frame), &client, seconds);
        if let Some(to) = self.way_to(five_tuple, usize::MAX) {
            let Self { bursts, sources, term, .. } = self;
            bursts.push(to, [answer, &[], &[]], way_out(sources, term));
        }
        true
    }
}
