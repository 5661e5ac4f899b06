//! A STUN message as it comes off the wire (RFC 8489 5 and 14): where what is in it.
//!
//! What an attribute means is for who needs it.

use std::ops::Range;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::stun::{COOKIE, HEADER};
use super::{fingerprint, integrity};

/// Of one message. The largest that a client has a use for is a `CreatePermission` of some dozen peers.
pub const MOST_ATTRIBUTES: usize = 127;

const MESSAGE_INTEGRITY: u16 = 0x0008;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
const FINGERPRINT: u16 = 0x8028;

/// The header, and where the attributes begin that protect the message; 0: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub method: u16,
    pub class: u8,
    pub integrity_at: usize,
    pub integrity_sha256_at: usize,
    pub fingerprint_at: usize,
}

impl Frame {
    pub const REQUEST: u8 = 0;

    /// Read a message. `found` is told of each attribute up to the first of integrity, which is not among
    /// them, nor is FINGERPRINT: its type, and where its value is. The error says what is wrong.
    pub fn read(message: &[u8], mut found: impl FnMut(u16, Range<usize>)) -> Result<Self, &'static str> {
        let Some(header) = message.first_chunk::<HEADER>() else {
            return Err("it is shorter than a header");
        };
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if kind & 0xc000 != 0
            || header[4..8] != COOKIE
            || !length.is_multiple_of(4)
            || length + HEADER != message.len()
        {
            return Err("it has no header of STUN");
        }
        let mut frame = Self {
            method: kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2,
            class: ((kind & 0x0010) >> 4 | (kind & 0x0100) >> 7) as u8,
            integrity_at: 0,
            integrity_sha256_at: 0,
            fingerprint_at: 0,
        };
        let (mut at, mut count) = (HEADER, 0);
        while let Some([a, b, c, d]) = message.get(at..).and_then(<[u8]>::first_chunk) {
            let (kind, size) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
            let value = at + 4..at + 4 + size;
            count += 1;
            if count > MOST_ATTRIBUTES {
                return Err("it has too many attributes");
            }
            if value.end > message.len() {
                return Err("an attribute ends after the message");
            }
            let next = value.end.next_multiple_of(4);
            frame.take(kind, at, value, message.len(), &mut found)?;
            at = next;
        }
        Ok(frame)
    }

    fn take(
        &mut self,
        kind: u16,
        at: usize,
        value: Range<usize>,
        size: usize,
        found: &mut impl FnMut(u16, Range<usize>),
    ) -> Result<(), &'static str> {
        match kind {
            FINGERPRINT => {
                self.fingerprint_at = at;
                if value.end != size {
                    return Err("FINGERPRINT is not the last attribute"); // RFC 8489 14.7
                }
                if value.len() != 4 {
                    return Err("FINGERPRINT has not 4 bytes");
                }
            }
            MESSAGE_INTEGRITY_SHA256 if self.integrity_sha256_at == 0 => {
                // RFC 8489 14.6
                if !(16..=32).contains(&value.len()) || !value.len().is_multiple_of(4) {
                    return Err("MESSAGE-INTEGRITY-SHA256 has not 16 to 32 bytes");
                }
                self.integrity_sha256_at = at;
            }
            MESSAGE_INTEGRITY_SHA256 => {}
            // RFC 8489 14.5: nothing else after an integrity attribute is looked at.
            _ if self.is_protected() => {}
            MESSAGE_INTEGRITY => {
                if value.len() != 20 {
                    return Err("MESSAGE-INTEGRITY has not 20 bytes");
                }
                self.integrity_at = at;
            }
            _ => found(kind, value),
        }
        Ok(())
    }

    /// Whether it carries an attribute of integrity; that says nothing about whether it holds.
    pub fn is_protected(&self) -> bool {
        self.integrity_at != 0 || self.integrity_sha256_at != 0
    }

    /// Whether its integrity was made with this key; of two the SHA-256 one decides.
    pub fn holds(&self, message: &[u8], key: &[u8]) -> bool {
        let is_sha256 = self.integrity_sha256_at != 0;
        let at = if is_sha256 { self.integrity_sha256_at } else { self.integrity_at };
        let Some((before, attribute)) = message.split_at_checked(at).filter(|_| at >= HEADER) else {
            return false;
        };
        let Some((head, rest)) = attribute.split_at_checked(4) else { return false };
        let size = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let Some(given) = rest.get(..size) else { return false };
        let mut signed = before.to_vec();
        signed[2..4].copy_from_slice(&((at - HEADER + 4 + size) as u16).to_be_bytes());
        let digest = if is_sha256 { integrity::hmac_sha256 } else { integrity::hmac_sha1 };
        let expected = digest(key, &signed);
        expected.as_ref().get(..size).is_some_and(|own| verify_slices_are_equal(own, given).is_ok())
    }

    /// True where there is none.
    pub fn fingerprint_holds(&self, message: &[u8]) -> bool {
        let (before, after) = message.split_at(self.fingerprint_at.min(message.len()));
        before.is_empty() || fingerprint::attribute(before) == after
    }
}
