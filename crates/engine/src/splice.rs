//! A publisher that takes over from another: its packets go on where the other's ended.
//!
//! Readers know one source for each track. A second one with numbers and times of its own would be a
//! new track to some of them and an hour's gap to others.

use std::time::Instant;

use crate::rtcp::SenderReport;
use crate::rtp::Header;
use crate::stream::{Live, NTP_SECOND};

/// What is added to one track's packets.
#[derive(Debug, Clone, Copy)]
pub struct Splice {
    /// The successor's own source.
    from: u32,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

/// The successor's own clock: a source, an NTP time and the RTP timestamp that stands for it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub ssrc: u32,
    pub ntp: u64,
    pub timestamp: u32,
}

/// What lies between the successor's NTP time and that of the readers; one for all of its tracks,
/// so that they stay side by side. `None` until one of them has reported its clock.
pub type Offset = Option<u64>;

impl Splice {
    /// Begin with the successor's packet. `None`: nothing was sent before it.
    pub fn new(
        first: &Header,
        live: &Live,
        clock: Option<Clock>,
        offset: &mut Offset,
        clock_rate: u32,
        now: Instant,
    ) -> Option<Self> {
        let ssrc = live.ssrc?;
        let passed = now.saturating_duration_since(live.at?).as_secs_f64() * f64::from(clock_rate);
        // At least one tick: the first unit is another than the last.
        let mut timestamp = live.timestamp.wrapping_add((passed as u64 as u32).max(1));
        if let Some(clock) = clock.filter(|clock| clock.ssrc == first.ssrc) {
            let ticks = first.timestamp.wrapping_sub(clock.timestamp) as i32;
            let own = (f64::from(ticks) / f64::from(clock_rate) * NTP_SECOND) as i64 as u64;
            let own = clock.ntp.wrapping_add(own);
            if let Some(offset) = *offset {
                let wanted = live.timestamp_of(own.wrapping_add(offset), clock_rate)?;
                let ahead = wanted.wrapping_sub(live.timestamp) as i32;
                timestamp = live.timestamp.wrapping_add(ahead.max(1) as u32);
            } else {
                *offset = Some(live.ntp_of(timestamp, clock_rate)?.wrapping_sub(own));
            }
        }
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

    /// The successor's report in the readers' terms; `None`: it speaks of another source.
    pub fn report(
        &self,
        report: SenderReport,
        live: &Live,
        offset: &mut Offset,
        clock_rate: u32,
    ) -> Option<SenderReport> {
        let rtp_timestamp = report.rtp_timestamp.wrapping_add(self.timestamp);
        if report.ssrc != self.from {
            return None;
        }
        // The first to report says what was said before: time must not jump under its readers.
        let offset = match *offset {
            Some(offset) => offset,
            None => *offset.insert(live.ntp_of(rtp_timestamp, clock_rate)?.wrapping_sub(report.ntp)),
        };
        Some(SenderReport { ssrc: self.ssrc, ntp: report.ntp.wrapping_add(offset), rtp_timestamp, ..report })
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
        let mut offset = None;
        assert!(Splice::new(&header, &track.live(), None, &mut offset, 90000, now).is_none());
        track.sent(
            &Sent { ssrc: 9, last_sequence: u16::MAX, timestamp: u32::MAX, packets: 1, octets: 1 },
            now,
        );
        let later = now + Duration::from_secs(1);
        let splice =
            Splice::new(&header, &track.live(), None, &mut offset, 90000, later).expect("a predecessor");
        let mut out = Vec::new();
        for (n, time) in [(0_u16, 0_u32), (1, 3000)] {
            let bytes = packet(500 + n, 7000 + time, true, b"x");
            let spliced = splice.apply(&bytes, &Header::parse(&bytes).expect("valid"), &mut out);
            assert_eq!(Header::parse(&out), Some(spliced));
            assert_eq!((spliced.ssrc, spliced.sequence, spliced.timestamp), (9, n, 89_999 + time));
            assert!(spliced.marker);
        }
    }

    const SECOND: u64 = 1 << 32;

    #[test]
    fn tracks_stay_side_by_side_and_their_clocks_do_not_jump() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let specs =
            [90000, 48000].map(|clock_rate| TrackSpec { codec: crate::codec::Codec::Opaque, clock_rate });
        let [video, audio] = specs.map(Track::new);
        for (track, clock_rate) in [(&video, 90000), (&audio, 48000)] {
            let sent = Sent { ssrc: 9, last_sequence: 0, timestamp: clock_rate, packets: 1, octets: 1 };
            track.sent(&sent, now);
            let old = SenderReport {
                ssrc: 9,
                ntp: 1000 * SECOND,
                rtp_timestamp: clock_rate,
                packets: 0,
                octets: 0,
            };
            track.reported(&old, now);
        }
        // The successor's clock stands at 5000 s; both tracks begin there, but sound comes 0.2 s later.
        let first = packet(1, 0, true, b"x");
        let header = Header::parse(&first).expect("valid");
        let clock = Some(Clock { ssrc: header.ssrc, ntp: 5000 * SECOND, timestamp: 0 });
        let mut offset = None;
        let pictures =
            Splice::new(&header, &video.live(), clock, &mut offset, 90000, later).expect("a predecessor");
        let sounds = later + Duration::from_millis(200);
        let sounds =
            Splice::new(&header, &audio.live(), clock, &mut offset, 48000, sounds).expect("a predecessor");
        let mut out = Vec::new();
        assert_eq!(pictures.apply(&first, &header, &mut out).timestamp, 180_000);
        assert_eq!(sounds.apply(&first, &header, &mut out).timestamp, 96_000);
        let own = SenderReport {
            ssrc: header.ssrc,
            ntp: 5010 * SECOND,
            rtp_timestamp: 900_000,
            packets: 0,
            octets: 0,
        };
        let told = pictures.report(own, &video.live(), &mut offset, 90000).expect("its own");
        assert_eq!((told.ssrc, told.rtp_timestamp), (9, 1_080_000));
        assert_eq!(told.ntp, 1011 * SECOND, "as it would have been without the change");
        assert_eq!(pictures.report(SenderReport { ssrc: 1, ..own }, &video.live(), &mut offset, 90000), None);
    }

    #[test]
    fn a_clock_that_is_reported_late_does_not_jump_either() {
        let now = Instant::now();
        let track = Track::new(TrackSpec { codec: crate::codec::Codec::Opaque, clock_rate: 90000 });
        track.sent(&Sent { ssrc: 9, last_sequence: 0, timestamp: 0, packets: 1, octets: 1 }, now);
        let before = track.live().ntp_of(90_000, 90000).expect("a clock");
        let first = packet(1, 7, true, b"x");
        let header = Header::parse(&first).expect("valid");
        let mut offset = None;
        let later = now + Duration::from_secs(1);
        let splice =
            Splice::new(&header, &track.live(), None, &mut offset, 90000, later).expect("one before");
        let own = SenderReport { ssrc: header.ssrc, ntp: 1, rtp_timestamp: 7, packets: 0, octets: 0 };
        let told = splice.report(own, &track.live(), &mut offset, 90000).expect("its own");
        assert_eq!((told.ntp, told.rtp_timestamp), (before, 90_000));
    }
}
