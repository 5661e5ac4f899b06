//! A stream: a path's live media. One publisher flow makes units, every worker
//! that has readers of it gets each unit once.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Handle;
use crate::codec::Codec;
use crate::counters::Counters;
use crate::rtcp;
use crate::unit::Unit;

/// Bytes of units of one stream on their way to one worker: past it that worker is behind, and units
/// are kept from it. At 4 Mb/s half a minute.
const UNDERWAY: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, Copy)]
pub struct TrackSpec {
    pub codec: Codec,
    pub clock_rate: u32,
}

#[derive(Debug)]
pub struct Stream {
    pub handle: Handle,
    pub tracks: Vec<Track>,
    /// The largest RTP packet that is sent on whole, in bytes.
    pub payload_size: usize,
    pub counters: Arc<Counters>,
    /// Readers attached on each worker, so that a unit is only sent where it is wanted.
    pub readers: Vec<AtomicU32>,
    pub datagram_readers: AtomicU32,
    lanes: Vec<Lane>,
}

/// What is between the stream's publisher and one worker.
#[derive(Debug, Default)]
struct Lane {
    underway: AtomicUsize,
    /// Tracks, and how many of their packets were kept from a worker that is behind.
    missed: Mutex<Vec<Missed>>,
}

/// So many packets of a track are missing.
pub type Missed = (u16, u32);

/// Units that go to another worker. What it has `missed` belongs before them.
#[derive(Debug)]
pub struct Delivery {
    pub stream: Arc<Stream>,
    pub units: Vec<Arc<Unit>>,
    pub missed: Vec<Missed>,
}

impl Delivery {
    /// Put units on their way to a worker. `None`: it is too far behind to be given more.
    pub fn begin(stream: &Arc<Stream>, worker: usize, units: &[Arc<Unit>]) -> Option<Self> {
        let lane = &stream.lanes[worker];
        let mut missed = lane.missed.lock().expect("no holder panics");
        if lane.underway.load(SeqCst) >= UNDERWAY {
            for unit in units {
                match missed.iter_mut().find(|(track, _)| *track == unit.track) {
                    Some((_, packets)) => *packets = packets.saturating_add(unit.packets),
                    None => missed.push((unit.track, unit.packets)),
                }
            }
            return None;
        }
        let missed = std::mem::take(&mut *missed);
        let this = Self { stream: Arc::clone(stream), units: units.to_vec(), missed };
        lane.underway.fetch_add(this.weight(), SeqCst);
        Some(this)
    }

    /// The worker has them.
    pub fn end(&self, worker: usize) {
        self.stream.lanes[worker].underway.fetch_sub(self.weight(), SeqCst);
    }

    fn weight(&self) -> usize {
        self.units.iter().map(|unit| unit.weight()).sum()
    }
}

#[derive(Debug)]
pub struct Track {
    pub spec: TrackSpec,
    /// Locked once a unit by the publisher, once a report by readers.
    live: Mutex<Live>,
}

/// What a track sends now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Live {
    pub ssrc: Option<u32>,
    pub next_sequence: u16,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
    /// From the arrival of its first packet.
    arrival: Option<Clock>,
    /// From the publisher's sender reports.
    reported: Option<Clock>,
}

/// An NTP time, the RTP timestamp that stands for it, and when that was known.
type Clock = (u64, u32, Instant);

impl Stream {
    pub fn new(
        handle: Handle,
        specs: &[TrackSpec],
        payload_size: usize,
        counters: Arc<Counters>,
        workers: usize,
    ) -> Self {
        let tracks = specs.iter().map(|spec| Track { spec: *spec, live: Mutex::default() }).collect();
        Self {
            handle,
            tracks,
            payload_size,
            counters,
            readers: (0..workers).map(|_| AtomicU32::new(0)).collect(),
            datagram_readers: AtomicU32::new(0),
            lanes: (0..workers).map(|_| Lane::default()).collect(),
        }
    }

    pub fn has_readers(&self) -> bool {
        self.readers.iter().any(|count| count.load(SeqCst) > 0)
    }

    /// The compound report (RFC 3550 6.1) for a track's readers; `None` before its first unit.
    pub fn sender_report(&self, track: usize, now: Instant, bye: bool) -> Option<Vec<u8>> {
        // Readers put tracks side by side by these clocks: all are the publisher's own or none is.
        let mut sending = self.tracks.iter().map(Track::live).filter(|live| live.ssrc.is_some());
        let own_clock = sending.all(|live| live.reported.is_some());
        self.tracks.get(track)?.sender_report(own_clock, now, bye)
    }
}

impl Track {
    pub fn live(&self) -> Live {
        *self.live.lock().expect("no holder panics")
    }

    /// Note a unit that was sent on.
    pub fn sent(&self, unit: &Sent, now: Instant) {
        let mut live = self.live.lock().expect("no holder panics");
        if live.ssrc != Some(unit.ssrc) {
            let arrival = Some((ntp(SystemTime::now()), unit.timestamp, now));
            *live = Live { arrival, ..Live::default() };
            live.ssrc = Some(unit.ssrc);
        }
        live.next_sequence = unit.last_sequence.wrapping_add(1);
        live.timestamp = unit.timestamp;
        live.packets = live.packets.wrapping_add(unit.packets);
        live.octets = live.octets.wrapping_add(unit.octets);
    }

    /// Take over the publisher's own clock.
    pub fn reported(&self, report: &rtcp::SenderReport, now: Instant) {
        let mut live = self.live.lock().expect("no holder panics");
        if live.ssrc == Some(report.ssrc) {
            live.reported = Some((report.ntp, report.rtp_timestamp, now));
        }
    }

    fn sender_report(&self, own_clock: bool, now: Instant, bye: bool) -> Option<Vec<u8>> {
        let live = self.live();
        let clock = if own_clock { live.reported } else { live.arrival };
        let (ssrc, (ntp, rtp_timestamp, at)) = (live.ssrc?, clock?);
        let passed = now.saturating_duration_since(at);
        let ticks = (passed.as_secs_f64() * f64::from(self.spec.clock_rate)) as u64 as u32;
        let report = rtcp::SenderReport {
            ssrc,
            ntp: ntp.wrapping_add(ntp_duration(passed)),
            rtp_timestamp: rtp_timestamp.wrapping_add(ticks),
            packets: live.packets,
            octets: live.octets,
        };
        let mut compound = Vec::with_capacity(64);
        report.write(&mut compound);
        rtcp::write_name(&mut compound, ssrc);
        if bye {
            rtcp::write_bye(&mut compound, ssrc);
        }
        Some(compound)
    }
}

/// What `Track::sent` is told of a unit.
#[derive(Debug)]
pub struct Sent {
    pub ssrc: u32,
    pub last_sequence: u16,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// NTP's 32.32 fixed point; its epoch is 1900.
fn ntp(time: SystemTime) -> u64 {
    const TO_UNIX: Duration = Duration::from_secs(2_208_988_800);
    ntp_duration(time.duration_since(UNIX_EPOCH).unwrap_or_default() + TO_UNIX)
}

fn ntp_duration(duration: Duration) -> u64 {
    (duration.as_secs() << 32) | ((u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Table;
    use crate::rtcp::Report;

    #[test]
    fn a_worker_that_is_behind_is_told_what_it_missed() {
        let now = Instant::now();
        let specs = [TrackSpec { codec: Codec::H264, clock_rate: 90000 }];
        let stream = Arc::new(Stream::new(1, &specs, 1472, Table::new(now).add(1, now), 2));
        let unit = Unit { framed: vec![0; UNDERWAY / 4], ..Unit::rtcp(0, &[0; 4]) };
        let units = [Arc::new(unit)];
        let mut taken: Vec<_> = std::iter::from_fn(|| Delivery::begin(&stream, 1, &units)).collect();
        assert_eq!(taken.len(), 4);
        assert!(Delivery::begin(&stream, 1, &units).is_none());
        assert!(Delivery::begin(&stream, 0, &units).is_some(), "the other worker is not behind");
        taken.drain(..).for_each(|delivery| delivery.end(1));
        assert_eq!(Delivery::begin(&stream, 1, &units).expect("it caught up").missed, [(0, 2)]);
        assert_eq!(Delivery::begin(&stream, 1, &units).expect("it caught up").missed, []);
    }

    #[test]
    fn the_clocks_of_all_tracks_are_the_publishers_or_none_is() {
        let now = Instant::now();
        let specs = [TrackSpec { codec: Codec::H264, clock_rate: 90000 }; 3];
        let stream = Stream::new(1, &specs, 1472, Table::new(now).add(1, now), 1);
        let seconds = |track: usize| {
            let mut ntp = 0;
            let report = stream.sender_report(track, now, false).expect("it sends");
            rtcp::read(&report, |report| {
                if let Report::Sender(sender) = report {
                    ntp = sender.ntp >> 32;
                }
            });
            ntp
        };
        for track in &stream.tracks[..2] {
            track.sent(&Sent { ssrc: 7, last_sequence: 1, timestamp: 9, packets: 1, octets: 1 }, now);
        }
        // A camera whose clock was never set.
        let report = rtcp::SenderReport { ssrc: 7, ntp: 5 << 32, rtp_timestamp: 9, packets: 1, octets: 1 };
        stream.tracks[0].reported(&report, now);
        assert!(seconds(0).abs_diff(seconds(1)) <= 1, "{} and {}", seconds(0), seconds(1));
        stream.tracks[1].reported(&report, now);
        assert_eq!((seconds(0), seconds(1)), (5, 5), "the third track is silent");
    }
}
