//! What a journey sends: stamped with the time it was due, in `ChannelData` or a Send indication.

use std::net::SocketAddrV4;

use crate::turn::message::{Arrived, Message, Transaction, attribute, kind};

/// The stamp: the time the parcel was due, in nanoseconds.
pub const SMALLEST: usize = 8;
/// RFC 8656 12: the first channel of the range every server takes.
pub const CHANNEL: u16 = 0x4000;

/// How parcels go between client and server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carry {
    Channel,
    Send,
    /// To the peer itself, without a relay: what a relay's latency is measured against.
    Direct,
}

/// A datagram to the server whose stamp is written anew for each send.
#[derive(Clone)]
pub struct Parcel {
    bytes: Vec<u8>,
    stamp: usize,
}

impl Parcel {
    /// `size` is that of the payload, at least [`SMALLEST`].
    pub fn new(carry: Carry, peer: SocketAddrV4, size: usize, transaction: Transaction) -> Self {
        let payload = vec![0x5a; size];
        let (bytes, stamp) = match carry {
            Carry::Channel => {
                let mut bytes = CHANNEL.to_be_bytes().to_vec();
                bytes.extend_from_slice(&(size as u16).to_be_bytes());
                bytes.extend_from_slice(&payload);
                (bytes, 4)
            }
            Carry::Send => {
                let message = Message::new(kind::SEND, transaction)
                    .with_address(attribute::XOR_PEER_ADDRESS, peer)
                    .with(attribute::DATA, &payload);
                (message.bytes().to_vec(), 36)
            }
            Carry::Direct => (payload, 0),
        };
        Self { bytes, stamp }
    }

    pub fn stamped(&mut self, due: u64) -> &[u8] {
        self.bytes[self.stamp..self.stamp + SMALLEST].copy_from_slice(&due.to_be_bytes());
        &self.bytes
    }
}

/// The payload of a datagram that came back.
pub fn carried(carry: Carry, datagram: &[u8]) -> Option<&[u8]> {
    if carry == Carry::Direct { Some(datagram) } else { opened(datagram) }
}

/// The payload of a datagram from the server; None for anything else, such as a late response.
pub fn opened(datagram: &[u8]) -> Option<&[u8]> {
    if let [0x40..=0x7f, _, l0, l1, rest @ ..] = datagram {
        return rest.get(..usize::from(u16::from_be_bytes([*l0, *l1])));
    }
    let message = Arrived::parse(datagram).filter(|message| message.kind() == kind::DATA)?;
    message.get(attribute::DATA)
}

/// When the payload was due, if it is a parcel's.
pub fn due(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::{Carry, Parcel, carried, due, opened};
    use crate::turn::message::{Arrived, Message, attribute, kind};

    #[test]
    fn channel_data_has_a_header_of_four_bytes() {
        let mut parcel = Parcel::new(Carry::Channel, "127.0.0.3:9".parse().unwrap(), 160, [0; 12]);
        let bytes = parcel.stamped(77);
        assert_eq!((bytes.len(), &bytes[..4]), (164, &[0x40, 0, 0, 160][..]));
        let payload = opened(bytes).unwrap();
        assert_eq!((payload.len(), due(payload)), (160, Some(77)));
        assert!(opened(&bytes[..100]).is_none());
    }

    #[test]
    fn a_send_indication_names_the_peer_and_data_brings_the_payload_back() {
        let peer = "127.0.0.3:9".parse().unwrap();
        let mut parcel = Parcel::new(Carry::Send, peer, 160, [3; 12]);
        let sent = Arrived::parse(parcel.stamped(78)).unwrap();
        assert_eq!((sent.kind(), sent.address(attribute::XOR_PEER_ADDRESS)), (kind::SEND, Some(peer)));
        let payload = sent.get(attribute::DATA).unwrap();
        assert_eq!(due(payload), Some(78));
        let back = Message::new(kind::DATA, [4; 12])
            .with_address(attribute::XOR_PEER_ADDRESS, peer)
            .with(attribute::DATA, payload);
        assert_eq!(opened(back.bytes()), Some(payload));
    }

    #[test]
    fn without_a_relay_the_payload_is_all() {
        let mut parcel = Parcel::new(Carry::Direct, "127.0.0.3:9".parse().unwrap(), 160, [0; 12]);
        let bytes = parcel.stamped(79);
        assert_eq!((bytes.len(), carried(Carry::Direct, bytes).and_then(due)), (160, Some(79)));
    }

    #[test]
    fn responses_and_garbage_hold_no_payload() {
        let response = Message::new(kind::REFRESH | kind::SUCCESS, [0; 12]);
        assert!(
            opened(response.bytes()).is_none() && opened(&[]).is_none() && opened(&[0x40, 0, 0]).is_none()
        );
        assert!(due(&[0; 7]).is_none());
    }
}
