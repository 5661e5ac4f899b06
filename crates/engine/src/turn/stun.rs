//! STUN messages (RFC 8489 5), as far as the engine looks into them: the header, Send and Data indications.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::icmp::Icmp;

pub const HEADER: usize = 20;
pub const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
/// The most that is before a Data indication's data, and after it; or all of one that has an ICMP attribute.
pub const MOST_BEFORE: usize = HEADER + 4 + 20 + 4 + 8;
pub const PADDING: [u8; 3] = [0; 3];

const SEND_INDICATION: u16 = 0x0016;
const DATA_INDICATION: u16 = 0x0017;
const ALLOCATE_SUCCESS: u16 = 0x0103;
const CLASS: u16 = 0x0110;

const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;
const DONT_FRAGMENT: u16 = 0x001a;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
const ICMP: u16 = 0x8004;
/// RFC 8489 18.3 and RFC 8656 18: known, and no reason to refuse an indication that has them.
const KNOWN: [u16; 17] = [
    0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x000c, 0x000d, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018, 0x0019,
    0x001d, 0x001e, 0x0020, 0x0022,
];

/// What a whole message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    SendIndication,
    /// An indication that asks for nothing, as a client's Binding that keeps its NAT open.
    OtherIndication,
    /// Not for a server: answered, two of them would talk for ever.
    Response,
}

/// `None`: not a STUN message of RFC 8489, or not just one.
pub fn kind(message: &[u8]) -> Option<Kind> {
    let header = message.first_chunk::<HEADER>()?;
    let size = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 6 != 0 || header[4..8] != COOKIE || size % 4 != 0 || message.len() != HEADER + size {
        return None;
    }
    Some(match u16::from_be_bytes([header[0], header[1]]) {
        SEND_INDICATION => Kind::SendIndication,
        other => match other & CLASS {
            0x0000 => Kind::Request,
            0x0010 => Kind::OtherIndication,
            _ => Kind::Response,
        },
    })
}

/// Whether it is the answer that tells a client of its allocation.
pub fn is_allocated(message: &[u8]) -> bool {
    message.starts_with(&ALLOCATE_SUCCESS.to_be_bytes())
}

/// What a Send indication asks for (RFC 8656 11.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send<'a> {
    pub peer: SocketAddr,
    pub data: &'a [u8],
    pub dont_fragment: bool,
}

/// Of a message that `kind` has seen. `None`: to be dropped.
pub fn send(message: &[u8]) -> Option<Send<'_>> {
    let mut rest = message.get(HEADER..)?;
    let (mut peer, mut data, mut dont_fragment) = (None, None, false);
    while let [a, b, c, d, after @ ..] = rest {
        let kind = u16::from_be_bytes([*a, *b]);
        let size = usize::from(u16::from_be_bytes([*c, *d]));
        let value = after.get(..size)?;
        match kind {
            // Nothing behind it is protected, and so nothing is obeyed.
            MESSAGE_INTEGRITY | MESSAGE_INTEGRITY_SHA256 => break,
            // RFC 8489 14: of several, the first counts.
            XOR_PEER_ADDRESS if peer.is_none() => peer = Some(xor_address(value, message)?),
            DATA if data.is_none() => data = Some(value),
            XOR_PEER_ADDRESS | DATA => {}
            DONT_FRAGMENT => dont_fragment = true,
            _ if kind >= 0x8000 || KNOWN.contains(&kind) => {}
            _ => return None,
        }
        rest = after.get(size.next_multiple_of(4)..)?;
    }
    Some(Send { peer: peer?, data: data?, dont_fragment })
}

/// RFC 8489 14.2.
fn xor_address(value: &[u8], message: &[u8]) -> Option<SocketAddr> {
    let [_, family, p, q, address @ ..] = value else { return None };
    let port = u16::from_be_bytes([p ^ COOKIE[0], q ^ COOKIE[1]]);
    let mask = message.get(4..HEADER)?;
    let ip = match family {
        1 => {
            let mut octets = <[u8; 4]>::try_from(address).ok()?;
            octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        2 => {
            let mut octets = <[u8; 16]>::try_from(address).ok()?;
            octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// What is before the data of a Data indication (RFC 8656 11.4), and how much padding behind it.
pub fn data_indication(peer: SocketAddr, size: usize, transaction: [u8; 12]) -> (Before, usize) {
    let mut before = indication(peer, transaction);
    before.put(&DATA.to_be_bytes());
    before.put(&(size as u16).to_be_bytes());
    let padding = size.next_multiple_of(4) - size;
    before.announce(size + padding);
    (before, padding)
}

/// A Data indication that says what ICMP says of a datagram for a peer (RFC 8656 11.5, 18.13). Type and code
/// have a byte each, as in ICMP; the columns of the RFC's drawing have not, and clients do not mind them.
pub fn icmp_indication(icmp: &Icmp, transaction: [u8; 12]) -> Before {
    let mut before = indication(icmp.peer, transaction);
    before.put(&ICMP.to_be_bytes());
    before.put(&[0, 8, 0, 0, icmp.kind, icmp.code]);
    before.put(&icmp.data.to_be_bytes());
    before.announce(0);
    before
}

/// A Data indication as far as XOR-PEER-ADDRESS.
fn indication(peer: SocketAddr, transaction: [u8; 12]) -> Before {
    let mut before = Before { bytes: [0; MOST_BEFORE], size: HEADER };
    before.bytes[4..8].copy_from_slice(&COOKIE);
    before.bytes[8..HEADER].copy_from_slice(&transaction);
    let mut mask = [0; 16];
    mask.copy_from_slice(&before.bytes[4..HEADER]);
    let (family, octets, size_of_address) = match peer.ip() {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            (1, octets, 4)
        }
        IpAddr::V6(ip) => (2, ip.octets(), 16),
    };
    before.put(&XOR_PEER_ADDRESS.to_be_bytes());
    before.put(&[0, 4 + size_of_address as u8, 0, family]);
    before.put(&(peer.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]])).to_be_bytes());
    for (octet, mask) in octets.iter().zip(mask).take(size_of_address) {
        before.put(&[octet ^ mask]);
    }
    before
}

/// The start of a message.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    bytes: [u8; MOST_BEFORE],
    size: usize,
}

impl Before {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.size..self.size + bytes.len()].copy_from_slice(bytes);
        self.size += bytes.len();
    }

    /// That so many bytes come behind it.
    fn announce(&mut self, more: usize) {
        let length = (self.size - HEADER + more) as u16;
        self.bytes[..2].copy_from_slice(&DATA_INDICATION.to_be_bytes());
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.size]
    }
}
