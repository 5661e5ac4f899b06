//! Building messages (RFC 8489 5 and 14). Padding is zero, always: it must not carry anybody's bytes.

use std::net::{IpAddr, SocketAddr};

use super::stun::{COOKIE, HEADER, PADDING};
use super::{fingerprint, integrity};

const MESSAGE_INTEGRITY: u16 = 0x0008;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
/// Most answers fit.
const USUAL: usize = 160;

/// How a message is protected. The twin is `Integrity` in `headgate/turn/stun/integrity.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    Sha1,
    Sha256,
}

/// A message under construction: attributes in the order in which they are added.
#[derive(Debug)]
pub struct Response {
    bytes: Vec<u8>,
}

impl Response {
    pub fn new(method: u16, class: u8, transaction: [u8; 12]) -> Self {
        let class = u16::from(class);
        let kind = method & 0x000f
            | (method & 0x0070) << 1
            | (method & 0x0f80) << 2
            | (class & 1) << 4
            | (class & 2) << 7;
        let mut bytes = Vec::with_capacity(USUAL);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&transaction);
        Self { bytes }
    }

    /// `false`: it does not fit into a message any more, and is not added.
    pub fn add(&mut self, kind: u16, value: &[u8]) -> bool {
        let padding = value.len().next_multiple_of(4) - value.len();
        // What `finish` adds must fit, too.
        if self.bytes.len() + value.len() + 4 > HEADER + usize::from(u16::MAX) - 64 {
            return false;
        }
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(&PADDING[..padding]);
        true
    }

    /// RFC 8489 14.2.
    pub fn add_xor_address(&mut self, kind: u16, address: SocketAddr) -> bool {
        let mut value = [0; 20];
        let port = address.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
        value[2..4].copy_from_slice(&port.to_be_bytes());
        let (family, size) = match address.ip() {
            IpAddr::V4(ip) => {
                value[4..8].copy_from_slice(&ip.octets());
                (1, 8)
            }
            IpAddr::V6(ip) => {
                value[4..].copy_from_slice(&ip.octets());
                (2, 20)
            }
        };
        value[1] = family;
        value[4..].iter_mut().zip(&self.bytes[4..HEADER]).for_each(|(octet, mask)| *octet ^= mask);
        self.add(kind, &value[..size])
    }

    /// The whole message, protected with a key, and with FINGERPRINT, as wanted.
    pub fn finish(mut self, protect: Option<(&[u8], Integrity)>, fingerprint: bool) -> Vec<u8> {
        if let Some((key, integrity)) = protect {
            let (kind, size) = match integrity {
                Integrity::Sha1 => (MESSAGE_INTEGRITY, 20),
                Integrity::Sha256 => (MESSAGE_INTEGRITY_SHA256, 32),
            };
            self.set_length(4 + size);
            let tag = match integrity {
                Integrity::Sha1 => integrity::hmac_sha1(key, &self.bytes),
                Integrity::Sha256 => integrity::hmac_sha256(key, &self.bytes),
            };
            self.bytes.extend_from_slice(&kind.to_be_bytes());
            self.bytes.extend_from_slice(&(size as u16).to_be_bytes());
            self.bytes.extend_from_slice(tag.as_ref());
        }
        if fingerprint {
            self.set_length(fingerprint::SIZE);
            let attribute = fingerprint::attribute(&self.bytes);
            self.bytes.extend_from_slice(&attribute);
        }
        self.set_length(0);
        self.bytes
    }

    /// As if so many bytes were there already.
    fn set_length(&mut self, more: usize) {
        let length = (self.bytes.len() - HEADER + more) as u16;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Frame;
    use super::*;

    #[test]
    fn what_is_built_is_read() {
        for integrity in [Integrity::Sha1, Integrity::Sha256] {
            let mut response = Response::new(0x0fff, 3, [7; 12]);
            assert!(response.add(0x8022, b"padded") && response.add(0x000d, &[]));
            for address in ["192.0.2.1:32853", "[2001:db8::1]:65535"] {
                assert!(response.add_xor_address(0x0020, address.parse().expect("an address")));
            }
            let message = response.finish(Some((b"key", integrity)), true);
            let mut kinds = Vec::new();
            let frame = Frame::read(&message, |kind, value| kinds.push((kind, value.len()))).expect("sound");
            assert_eq!(kinds, [(0x8022, 6), (0x000d, 0), (0x0020, 8), (0x0020, 20)]);
            assert_eq!((frame.method, frame.class), (0x0fff, 3));
            assert!(frame.fingerprint_holds(&message) && frame.holds(&message, b"key"));
            assert!(!frame.holds(&message, b"kez"));
            assert_eq!(frame.integrity_sha256_at != 0, integrity == Integrity::Sha256);
        }
    }

    #[test]
    fn a_message_has_a_largest_size() {
        let mut response = Response::new(1, 2, [0; 12]);
        assert!(response.add(0x8022, &vec![0; 65_000]));
        assert!(!response.add(0x8022, &[0; 600]) && response.add(0x8022, &[0; 400]));
        let message = response.finish(Some((b"", Integrity::Sha256)), true);
        assert!(Frame::read(&message, |_, _| ()).expect("sound").fingerprint_holds(&message));
    }
}
