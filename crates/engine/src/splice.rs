//! A publisher that takes over from another: its packets go on where the other's ended.
//!
//! Readers know one source for each track. A second one with numbers and times of its own would be a
//! new track to some of them and an hour's gap to others.

use std::time::Instant;

use crate::rtp::Header;
use crate::stream::Live;

/// What is added to one track's packets.
#[derive(Debug, Clone, Copy)]
pub struct Splice {
    /// The successor's own source.
    from: u32,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Splice {
    /// Begin with the successor's packet. `None`: nothing was sent before it.
    pub fn new(first: &Header, live: &Live, clock_rate: u32, now: Instant) -> Option<Self> {
        let ssrc = live.ssrc?;
        let passed = now.saturating_duration_since(live.at?).as_secs_f64() * f64::from(clock_rate);
        // At least one tick: the first unit is another than the last.
        let timestamp = live.timestamp.wrapping_add((passed as u64 as u32).max(1));
        Some(Self {
            from: first.ssrc,
            ssrc,
            sequence: live.next_sequence.wrapping_sub(first.sequence),
            timestamp: timestamp.wrapping_sub(first.timestamp),
        })
    }

    /// Whether the successor is still who it was.
    pub fn is_of(&self, header: &Header) -> bool {
        self.from == header.ssrc
    }

    /// The packet as its readers get it, in `into`.
    pub fn apply(&self, packet: &[u8], header: &Header, into: &mut Vec<u8>) -> Header {
        let spliced = Header {
            ssrc: self.ssrc,
            sequence: header.sequence.wrapping_add(self.sequence),
            timestamp: header.timestamp.wrapping_add(self.timestamp),
            ..*header
        };
        into.clear();
        into.extend_from_slice(packet);
        into[2..4].copy_from_slice(&spliced.sequence.to_be_bytes());
        into[4..8].copy_from_slice(&spliced.timestamp.to_be_bytes());
        into[8..12].copy_from_slice(&spliced.ssrc.to_be_bytes());
        spliced
    }

    /// A time of the successor's reports in the readers' terms; `None`: it speaks of another source.
    pub fn report(&self, ssrc: u32, timestamp: u32) -> Option<(u32, u32)> {
        (ssrc == self.from).then(|| (self.ssrc, timestamp.wrapping_add(self.timestamp)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rtp::tests::packet;
    use crate::stream::{Sent, Track, TrackSpec};

    #[test]
    fn numbers_and_times_go_on_over_their_wrap() {
        let track = Track::new(TrackSpec { codec: crate::codec::Codec::H264, clock_rate: 90000 });
        let now = Instant::now();
        let first = packet(500, 7000, false, b"x");
        let header = Header::parse(&first).expect("valid");
        assert!(Splice::new(&header, &track.live(), 90000, now).is_none());
        track.sent(
            &Sent { ssrc: 9, last_sequence: u16::MAX, timestamp: u32::MAX, packets: 1, octets: 1 },
            now,
        );
        let later = now + Duration::from_secs(1);
        let splice = Splice::new(&header, &track.live(), 90000, later).expect("a predecessor");
        let mut out = Vec::new();
        for (n, time) in [(0_u16, 0_u32), (1, 3000)] {
            let bytes = packet(500 + n, 7000 + time, true, b"x");
            let spliced = splice.apply(&bytes, &Header::parse(&bytes).expect("valid"), &mut out);
            assert_eq!(Header::parse(&out), Some(spliced));
            assert_eq!((spliced.ssrc, spliced.sequence, spliced.timestamp), (9, n, 89_999 + time));
            assert!(spliced.marker);
        }
        assert_eq!(splice.report(header.ssrc, 7000), Some((9, 89_999)));
        assert_eq!(splice.report(1, 7000), None);
    }
}
