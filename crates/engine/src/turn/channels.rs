//! Numbers that stand for peers (RFC 8656 12).

use std::net::SocketAddr;
use std::time::Instant;

use super::allocation::Peer;

#[derive(Debug, Clone, Copy)]
struct Channel {
    number: u16,
    peer: Peer,
    expires: Instant,
}

/// Looked up by number for what a client sends, by peer for what it is sent.
#[derive(Debug, Default)]
pub struct Channels {
    by_number: Vec<Channel>,
    by_peer: Vec<(SocketAddr, u16)>,
}

impl Channels {
    /// The caller has seen to it that neither is bound otherwise; if one is, this wins.
    pub fn bind(&mut self, number: u16, peer: Peer, expires: Instant, now: Instant) {
        let channel = Channel { number, peer, expires };
        match self.by_number.binary_search_by_key(&number, |channel| channel.number) {
            Ok(i) if self.by_number[i].peer.address == peer.address => self.by_number[i] = channel,
            _ => {
                self.by_number.retain(|known| {
                    known.expires > now && known.number != number && known.peer.address != peer.address
                });
                let i = self.by_number.partition_point(|known| known.number < number);
                self.by_number.insert(i, channel);
                self.by_peer.clear();
                self.by_peer
                    .extend(self.by_number.iter().map(|channel| (channel.peer.address, channel.number)));
                self.by_peer.sort_unstable();
            }
        }
    }

    pub fn peer(&self, number: u16, now: Instant) -> Option<Peer> {
        let i = self.by_number.binary_search_by_key(&number, |channel| channel.number).ok()?;
        self.by_number.get(i).filter(|channel| channel.expires > now).map(|channel| channel.peer)
    }

    pub fn number(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let i = self.by_peer.binary_search_by_key(&peer, |(peer, _)| *peer).ok()?;
        let number = self.by_peer.get(i)?.1;
        self.peer(number, now).map(|_| number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::reach::Reach;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(port: u16) -> Peer {
        Peer { address: SocketAddr::from(([192, 0, 2, 1], port)), reach: Reach::All }
    }

    #[test]
    fn both_ways_until_it_ends() {
        let start = Instant::now();
        let mut channels = Channels::default();
        for n in [3, 1, 2] {
            channels.bind(0x4000 + n, peer(9 - n), start + 600 * SECOND, start);
        }
        for n in 1..=3 {
            assert_eq!(channels.peer(0x4000 + n, start), Some(peer(9 - n)));
            assert_eq!(channels.number(peer(9 - n).address, start), Some(0x4000 + n));
        }
        assert_eq!((channels.peer(0x4004, start), channels.number(peer(9).address, start)), (None, None));
        channels.bind(0x4001, peer(8), start + 900 * SECOND, start + 300 * SECOND);
        let later = start + 600 * SECOND;
        assert_eq!((channels.peer(0x4001, later), channels.peer(0x4002, later)), (Some(peer(8)), None));
        assert_eq!(
            (channels.number(peer(8).address, later), channels.number(peer(7).address, later)),
            (Some(0x4001), None)
        );
    }

    #[test]
    fn a_number_bound_anew_leads_to_one_peer() {
        let start = Instant::now();
        let mut channels = Channels::default();
        channels.bind(0x4000, peer(1), start + 600 * SECOND, start);
        channels.bind(0x4000, peer(2), start + 600 * SECOND, start);
        channels.bind(0x4001, peer(2), start + 600 * SECOND, start);
        assert_eq!(channels.peer(0x4000, start), None);
        assert_eq!(channels.number(peer(1).address, start), None);
        assert_eq!(channels.number(peer(2).address, start), Some(0x4001));
    }
}
