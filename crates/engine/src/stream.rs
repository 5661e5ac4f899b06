//! A stream: a path's live media. One publisher flow makes units, every worker
//! that has readers of it gets each unit once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Handle;
use crate::codec::Codec;
use crate::counters::Counters;
use crate::rtcp;

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
}

#[derive(Debug)]
pub struct Track {
    pub spec: TrackSpec,
    /// The flow whose packets are this track's; 0 while that was never said.
    owner: AtomicU64,
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
    /// An RTP timestamp and the NTP time it stands for, and when that was known:
    /// from the publisher's sender report, before the first one from its arrival.
    clock: Option<(u64, u32, Instant)>,
    /// When the newest unit was sent on.
    pub at: Option<Instant>,
}

impl Stream {
    pub fn new(
        handle: Handle,
        specs: &[TrackSpec],
        payload_size: usize,
        counters: Arc<Counters>,
        workers: usize,
    ) -> Self {
        let tracks = specs.iter().copied().map(Track::new).collect();
        Self {
            handle,
            tracks,
            payload_size,
            counters,
            readers: (0..workers).map(|_| AtomicU32::new(0)).collect(),
            datagram_readers: AtomicU32::new(0),
        }
    }

    pub fn has_readers(&self) -> bool {
        self.readers.iter().any(|count| count.load(SeqCst) > 0)
    }
}

impl Live {
    /// The NTP time of an RTP timestamp, by the clock that readers were told of.
    pub fn ntp_of(&self, timestamp: u32, clock_rate: u32) -> Option<u64> {
        let (ntp, rtp_timestamp, _) = self.clock?;
        let ticks = timestamp.wrapping_sub(rtp_timestamp) as i32;
        Some(ntp.wrapping_add((f64::from(ticks) / f64::from(clock_rate) * NTP_SECOND) as i64 as u64))
    }

    pub fn timestamp_of(&self, ntp: u64, clock_rate: u32) -> Option<u32> {
        let (known, rtp_timestamp, _) = self.clock?;
        let passed = ntp.wrapping_sub(known) as i64 as f64 / NTP_SECOND;
        Some(rtp_timestamp.wrapping_add((passed * f64::from(clock_rate)).round() as i64 as u32))
    }
}

impl Track {
    pub fn new(spec: TrackSpec) -> Self {
        Self { spec, owner: AtomicU64::new(0), live: Mutex::default() }
    }

    /// From now on the packets of this flow are the track's, and no other's.
    pub fn give_to(&self, flow: Handle) {
        self.owner.store(flow, SeqCst);
    }

    pub fn is_fed_by(&self, flow: Handle) -> bool {
        let owner = self.owner.load(SeqCst);
        owner == flow || owner == 0
    }

    pub fn live(&self) -> Live {
        *self.live.lock().expect("no holder panics")
    }

    /// Note a unit that was sent on.
    pub fn sent(&self, unit: &Sent, now: Instant) {
        let mut live = self.live.lock().expect("no holder panics");
        if live.ssrc != Some(unit.ssrc) {
            *live = Live { clock: Some((ntp(SystemTime::now()), unit.timestamp, now)), ..Live::default() };
            live.ssrc = Some(unit.ssrc);
        }
        live.next_sequence = unit.last_sequence.wrapping_add(1);
        live.timestamp = unit.timestamp;
        live.at = Some(now);
        live.packets = live.packets.wrapping_add(unit.packets);
        live.octets = live.octets.wrapping_add(unit.octets);
    }

    /// Take over the publisher's own clock.
    pub fn reported(&self, report: &rtcp::SenderReport, now: Instant) {
        let mut live = self.live.lock().expect("no holder panics");
        if live.ssrc == Some(report.ssrc) {
            live.clock = Some((report.ntp, report.rtp_timestamp, now));
        }
    }

    /// The compound report (RFC 3550 6.1) for this track's readers; `None` before its first unit.
    pub fn sender_report(&self, now: Instant, bye: bool) -> Option<Vec<u8>> {
        let live = self.live();
        let (ssrc, (ntp, rtp_timestamp, at)) = (live.ssrc?, live.clock?);
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
pub const NTP_SECOND: f64 = 4_294_967_296.0;

fn ntp(time: SystemTime) -> u64 {
    const TO_UNIX: Duration = Duration::from_secs(2_208_988_800);
    ntp_duration(time.duration_since(UNIX_EPOCH).unwrap_or_default() + TO_UNIX)
}

fn ntp_duration(duration: Duration) -> u64 {
    (duration.as_secs() << 32) | ((u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000)
}
