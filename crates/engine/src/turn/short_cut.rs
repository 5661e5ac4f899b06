//! Data from one of our allocations to another whose client another worker hears.

use std::net::SocketAddr;

use crate::Handle;

/// Bytes that may be on their way to one worker; what is more is dropped, as by a full socket.
pub const MOST_IN_TRANSIT: usize = 4 * 1024 * 1024;

/// Packets that were collected in one turn.
#[derive(Debug, Default)]
pub struct Deliveries {
    packets: Vec<Packet>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    to: Handle,
    from: SocketAddr,
    end: usize,
}

/// What one packet costs besides its data.
pub const PACKET: usize = size_of::<Packet>();

impl Deliveries {
    pub fn push(&mut self, to: Handle, from: SocketAddr, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.packets.push(Packet { to, from, end: self.bytes.len() });
    }

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// What `Directory::reserve` was asked for.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.packets.len() * PACKET
    }

    /// The allocation, the relayed address they come from, and the data of each.
    pub fn packets(&self) -> impl Iterator<Item = (Handle, SocketAddr, &[u8])> {
        let mut start = 0;
        self.packets.iter().map(move |packet| {
            let data = self.bytes.get(start..packet.end).unwrap_or_default();
            start = packet.end;
            (packet.to, packet.from, data)
        })
    }
}
