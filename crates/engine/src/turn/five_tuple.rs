//! Who talks to us over what (RFC 8656 2).

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use crate::Handle;

/// Between a client and us. The twin is `TurnTransport` in `engine/turn.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Transport {
    Udp = 1,
    Tcp = 2,
    Tls = 3,
    Dtls = 4,
}

impl Transport {
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Dtls].into_iter().find(|transport| *transport as u8 == number)
    }
}

/// Made by the worker that hears the client; verbs give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiveTuple {
    pub transport: Transport,
    pub listener: Handle,
    /// 0 for UDP.
    pub connection: Handle,
    pub client: SocketAddr,
    /// As the client reached us; an IPv4-mapped address is IPv4, here and in `client`.
    pub server: SocketAddr,
    /// Whose socket hears the client.
    pub worker: usize,
}

/// It is looked up with every packet: what differs between most of them is enough.
impl Hash for FiveTuple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ip = match self.client.ip() {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip),
        };
        state.write_u128(ip);
        state.write_u64(u64::from(self.client.port()) << 48 ^ self.listener ^ self.connection << 16);
    }
}
