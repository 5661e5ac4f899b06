//! STUN messages as far as a TURN client needs them (RFC 8489 5 and 14, RFC 8656 17 and 18).

use std::net::{Ipv4Addr, SocketAddrV4};

use aws_lc_rs::hmac;

use crate::turn::md5::md5;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const INTEGRITY: usize = 24;

/// Message types: method and class in one number, as they stand in the first two bytes.
pub mod kind {
    pub const BINDING: u16 = 0x0001;
    pub const ALLOCATE: u16 = 0x0003;
    pub const REFRESH: u16 = 0x0004;
    pub const CREATE_PERMISSION: u16 = 0x0008;
    pub const CHANNEL_BIND: u16 = 0x0009;
    pub const SEND: u16 = 0x0016;
    pub const DATA: u16 = 0x0017;
    pub const SUCCESS: u16 = 0x0100;
    pub const ERROR: u16 = 0x0110;
}

pub mod attribute {
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const CHANNEL_NUMBER: u16 = 0x000c;
    pub const LIFETIME: u16 = 0x000d;
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub const DATA: u16 = 0x0013;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
}

pub type Transaction = [u8; 12];

/// The key of a long-term credential: MD5 of "user:realm:password" (RFC 8489 9.2.2).
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    pub fn long_term(user: &str, realm: &str, password: &str) -> Self {
        let digest = md5(format!("{user}:{realm}:{password}").as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest))
    }
}

/// A message being written; its length field is right after each step.
pub struct Message(Vec<u8>);

impl Message {
    pub fn new(kind: u16, transaction: Transaction) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&transaction);
        Self(bytes)
    }

    pub fn with(mut self, attribute: u16, value: &[u8]) -> Self {
        self.0.extend_from_slice(&attribute.to_be_bytes());
        self.0.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.set_length(0);
        self
    }

    pub fn with_address(self, attribute: u16, address: SocketAddrV4) -> Self {
        self.with(attribute, &xored(address))
    }

    /// Append MESSAGE-INTEGRITY (RFC 8489 14.5).
    pub fn sign(mut self, key: &Key) -> Self {
        // The length the digest covers counts the attribute itself.
        self.set_length(INTEGRITY);
        let digest = hmac::sign(&key.0, &self.0);
        self.with(attribute::MESSAGE_INTEGRITY, digest.as_ref())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn set_length(&mut self, more: usize) {
        let length = (self.0.len() - HEADER + more) as u16;
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// A message that arrived.
#[derive(Clone, Copy)]
pub struct Arrived<'a>(&'a [u8]);

impl<'a> Arrived<'a> {
    /// None for what is no whole STUN message.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let whole = bytes.len() >= HEADER
            && bytes[0] < 0x40
            && bytes[4..8] == COOKIE
            && HEADER + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) == bytes.len();
        whole.then_some(Self(bytes))
    }

    pub fn kind(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    pub fn is_success(self) -> bool {
        self.kind() & kind::ERROR == kind::SUCCESS
    }

    pub fn transaction(self) -> &'a [u8] {
        &self.0[8..HEADER]
    }

    /// The first attribute of that type.
    pub fn get(self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = &self.0[HEADER..];
        while let [t0, t1, l0, l1, after @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            let value = after.get(..length)?;
            if u16::from_be_bytes([*t0, *t1]) == wanted {
                return Some(value);
            }
            rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        None
    }

    pub fn text(self, wanted: u16) -> Option<&'a str> {
        self.get(wanted).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// An IPv4 address, unmasked.
    pub fn address(self, wanted: u16) -> Option<SocketAddrV4> {
        let value: &[u8; 8] = self.get(wanted)?.try_into().ok()?;
        let port = u16::from_be_bytes([value[2] ^ COOKIE[0], value[3] ^ COOKIE[1]]);
        let host: Vec<u8> = value[4..].iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask).collect();
        (value[1] == 1).then(|| SocketAddrV4::new(Ipv4Addr::new(host[0], host[1], host[2], host[3]), port))
    }

    /// The number of an error response, such as 401; 0 where there is none.
    pub fn error(self) -> u16 {
        match self.get(attribute::ERROR_CODE) {
            Some([_, _, class, number, ..]) => u16::from(class & 7) * 100 + u16::from(*number),
            _ => 0,
        }
    }
}

/// An address as XOR-… attributes have it (RFC 8489 14.2).
fn xored(address: SocketAddrV4) -> [u8; 8] {
    let mut value = [0; 8];
    value[1] = 1;
    for (byte, (own, mask)) in value[2..4].iter_mut().zip(address.port().to_be_bytes().iter().zip(COOKIE)) {
        *byte = own ^ mask;
    }
    for (byte, (own, mask)) in value[4..].iter_mut().zip(address.ip().octets().iter().zip(COOKIE)) {
        *byte = own ^ mask;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{Arrived, Key, Message, attribute, kind};

    /// RFC 5769 2.4: request with long-term authentication.
    const REQUEST: &[u8] =
        b"\x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
        \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
        \x00\x15\x00\x1c\x66\x2f\x2f\x34\x39\x39\x6b\x39\x35\x34\x64\x36\x4f\x4c\x33\x34\x6f\x4c\x39\x46\
        \x53\x54\x76\x79\x36\x34\x73\x41\
        \x00\x14\x00\x0b\x65\x78\x61\x6d\x70\x6c\x65\x2e\x6f\x72\x67\x00\
        \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";
    /// RFC 5769 2.2: IPv4 response. The mapped address is 192.0.2.1:32853.
    const MAPPED: &[u8] = b"\x00\x01\xa1\x47\xe1\x12\xa6\x43";

    #[test]
    fn a_signed_request_is_the_vector_of_rfc_5769() {
        let user = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}";
        let key = Key::long_term(user, "example.org", "TheMatrIX");
        let built = Message::new(kind::BINDING, *b"\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e")
            .with(attribute::USERNAME, user.as_bytes())
            .with(attribute::NONCE, b"f//499k954d6OL34oL9FSTvy64sA")
            .with(attribute::REALM, b"example.org")
            .sign(&key);
        assert_eq!(built.bytes(), REQUEST);
    }

    #[test]
    fn addresses_are_masked_as_rfc_5769_does() {
        let address = "192.0.2.1:32853".parse().unwrap();
        let built = Message::new(kind::BINDING | kind::SUCCESS, [7; 12]).with_address(0x0020, address);
        assert_eq!(&built.bytes()[24..], MAPPED);
        let read = Arrived::parse(built.bytes()).unwrap();
        assert_eq!(read.address(0x0020), Some(address));
        assert!(read.is_success() && read.transaction() == [7; 12]);
    }

    #[test]
    fn what_is_cut_or_foreign_is_no_message() {
        for length in 0..REQUEST.len() {
            assert!(Arrived::parse(&REQUEST[..length]).is_none());
        }
        assert!(Arrived::parse(&[0x40; 40]).is_none());
        // An attribute longer than the message ends the search.
        let mut bytes = REQUEST.to_vec();
        bytes[23] = 0xff;
        assert_eq!(Arrived::parse(&bytes).unwrap().get(attribute::REALM), None);
    }

    #[test]
    fn an_error_code_is_class_and_number() {
        let built =
            Message::new(kind::ALLOCATE | kind::ERROR, [0; 12]).with(attribute::ERROR_CODE, &[0, 0, 4, 1]);
        let read = Arrived::parse(built.bytes()).unwrap();
        assert_eq!((read.error(), read.is_success()), (401, false));
    }
}
