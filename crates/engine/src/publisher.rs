//! A publisher's flow: packets in, units out.
//!
//! Sans-IO: whoever owns the socket feeds `rtp` and `rtcp`, calls `turn` after
//! each batch, and `expire` at `deadline`.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::Handle;
use crate::codec::Codec;
use crate::counters::{Counters, Table};
use crate::reorder::Reorder;
use crate::repacketise::Repacketiser;
use crate::rtcp::{self, Report, ReportBlock, SenderReport};
use crate::rtp::{Header, Reception};
use crate::splice::{Clock, Offset, Splice};
use crate::stream::Stream;
use crate::unit::{Unit, UnitBuilder};

/// How long a video unit without its marker waits for the rest of it.
const UNIT_PATIENCE: Duration = Duration::from_millis(5);
/// A stream without a key frame for so long has none (intra refresh): every unit is a start.
const KEYLESS_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Publisher {
    pub handle: Handle,
    pub stream: Arc<Stream>,
    pub counters: Arc<Counters>,
    paused: bool,
    tracks: Vec<TrackIn>,
    /// Added to the counters once a turn, not once a packet.
    tally: Tally,
    /// Of a successor's clock.
    offset: Offset,
}

#[derive(Debug, Default)]
struct Tally {
    packets: usize,
    bytes: usize,
}

#[derive(Debug)]
struct TrackIn {
    codec: Codec,
    clock_rate: u32,
    builder: UnitBuilder,
    reception: Option<Reception>,
    reorder: Option<Reorder>,
    repacketiser: Option<Repacketiser>,
    /// RFC 3550 6.4.1 LSR and when it came.
    last_report: Option<(u32, Instant)>,
    last_key: Instant,
    /// The timestamp of a picture that was sent on before its end.
    unfinished: Option<u32>,
    succession: Option<Box<Succession>>,
    /// As the publisher last reported it.
    clock: Option<Clock>,
}

/// A track that another flow fed before this one.
#[derive(Debug, Default)]
struct Succession {
    splice: Option<Splice>,
    /// Readers have the pictures of the other flow: nothing of ours makes sense before our key frame.
    began: bool,
    scratch: Vec<u8>,
}

impl Publisher {
    /// `datagrams`: packets may come out of order.
    pub fn new(
        handle: Handle,
        stream: Arc<Stream>,
        counters: Arc<Counters>,
        datagrams: bool,
        now: Instant,
    ) -> Self {
        let tracks = stream.tracks.iter().enumerate().map(|(i, track)| TrackIn {
            codec: track.spec.codec,
            clock_rate: track.spec.clock_rate,
            builder: UnitBuilder::new(i as u16),
            reception: None,
            reorder: datagrams.then(Reorder::default),
            repacketiser: None,
            last_report: None,
            last_key: now,
            unfinished: None,
            succession: track.live().ssrc.map(|_| Box::default()),
            clock: None,
        });
        Self {
            handle,
            counters,
            paused: false,
            tracks: tracks.collect(),
            stream,
            tally: Tally::default(),
            offset: None,
        }
    }

    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// `track` was checked when the flow was made.
    pub fn rtp(&mut self, track: usize, packet: &[u8], now: Instant, units: &mut Vec<Arc<Unit>>) {
        self.tally.bytes += packet.len();
        let Some(header) = Header::parse(packet) else {
            self.counters.packets_in_error.add(1);
            return;
        };
        self.tally.packets += 1;
        if self.paused {
            return;
        }
        let Self { tracks, stream, counters, offset, .. } = self;
        let input = &mut tracks[track];
        let clock_rate = input.clock_rate;
        input.reception.get_or_insert_with(|| Reception::new(&header, clock_rate, now)).packet(&header, now);
        let mut out = Out { stream, counters, units, track, flow: self.handle, offset };
        if let Some(mut reorder) = input.reorder.take() {
            reorder.packet(header.sequence, packet, now, |ordered| input.ordered(ordered, now, &mut out));
            input.reorder = Some(reorder);
        } else {
            input.whole(packet, &header, now, &mut out);
        }
    }

    pub fn rtcp(&mut self, track: usize, packet: &[u8], now: Instant) {
        self.tally.bytes += packet.len();
        let Self { tracks, stream, offset, handle, .. } = self;
        let read = rtcp::read(packet, |report| {
            if let Report::Sender(sender) = report {
                tracks[track].last_report = Some(((sender.ntp >> 16) as u32, now));
                let input = &mut tracks[track];
                let SenderReport { ssrc, ntp, rtp_timestamp: timestamp, .. } = sender;
                input.clock = Some(Clock { ssrc, ntp, timestamp });
                let told = match (&input.succession, input.splice()) {
                    (None, _) => Some(sender),
                    (Some(_), None) => None, // nothing of it was sent yet
                    (Some(_), Some(splice)) => {
                        splice.report(sender, &stream.tracks[track].live(), offset, input.clock_rate)
                    }
                };
                if let Some(told) = told.filter(|_| stream.tracks[track].is_fed_by(*handle)) {
                    stream.tracks[track].reported(&told, now);
                }
            }
        });
        match read {
            Some(()) => self.counters.rtcp_packets_received.add(1),
            None => self.counters.rtcp_packets_in_error.add(1),
        }
    }

    /// End of a batch of packets: send on what need not wait, and count.
    pub fn turn(&mut self, table: &Table, now: Instant, units: &mut Vec<Arc<Unit>>) {
        let Self { tracks, stream, counters, tally, offset, .. } = self;
        for (track, input) in tracks.iter_mut().enumerate() {
            if !input.codec.is_video() && input.builder.started().is_some() {
                input.flush(
                    now,
                    &mut Out { stream, counters, units, track, flow: self.handle, offset: &mut *offset },
                );
            }
        }
        if tally.bytes > 0 {
            table.heard(counters, now);
            for totals in [&**counters, &*stream.counters] {
                totals.bytes_received.add(tally.bytes);
                totals.packets_received.add(tally.packets);
            }
            *tally = Tally::default();
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.tracks
            .iter()
            .flat_map(|track| {
                let unit = track.builder.started().map(|started| started + UNIT_PATIENCE);
                [unit, track.reorder.as_ref().and_then(Reorder::deadline)]
            })
            .flatten()
            .min()
    }

    pub fn expire(&mut self, now: Instant, units: &mut Vec<Arc<Unit>>) {
        let Self { tracks, stream, counters, offset, .. } = self;
        for (track, input) in tracks.iter_mut().enumerate() {
            let mut out =
                Out { stream, counters, units: &mut *units, track, flow: self.handle, offset: &mut *offset };
            if let Some(mut reorder) = input.reorder.take() {
                reorder.expire(now, |ordered| input.ordered(ordered, now, &mut out));
                input.reorder = Some(reorder);
            }
            if input.builder.started().is_some_and(|started| started + UNIT_PATIENCE <= now) {
                input.flush_part(now, &mut out);
            }
        }
    }

    /// The receiver report of every track that sends (RFC 3550 6.4.2), and the loss and jitter totals.
    pub fn reports(&mut self, now: Instant) -> Vec<(usize, Vec<u8>)> {
        let reporter = self.handle as u32;
        let mut reports = Vec::new();
        for (i, track) in self.tracks.iter_mut().enumerate() {
            let Some(reception) = &mut track.reception else { continue };
            let delay = track.last_report.map_or(0, |(_, at)| ((now - at).as_secs_f64() * 65536.0) as u32);
            let block = ReportBlock {
                ssrc: reception.ssrc(),
                fraction_lost: reception.fraction_lost(),
                lost: reception.lost() as i32,
                extended_max: reception.extended_max(),
                jitter: reception.jitter_ticks(),
                last_sr: track.last_report.map_or(0, |(middle, _)| middle),
                delay_since_last_sr: delay,
            };
            let mut compound = Vec::with_capacity(64);
            rtcp::write_receiver_report(&mut compound, reporter, &block);
            rtcp::write_name(&mut compound, reporter);
            reports.push((i, compound));
        }
        reports
    }

    /// Bring the loss and jitter totals up to date; cheap, but not for every packet.
    pub fn measure(&self) {
        let known = self.tracks.iter().filter_map(|track| track.reception.as_ref());
        let (mut lost, mut ticks, mut seconds) = (0, 0, 0.0_f64);
        for reception in known {
            lost += reception.lost_in_all();
            ticks = ticks.max(reception.jitter_ticks());
            seconds = seconds.max(reception.jitter_seconds());
        }
        self.counters.packets_lost.set(lost);
        self.counters.jitter_ticks.set(u64::from(ticks));
        self.counters.set_jitter(seconds);
    }
}

/// Where a track's units go.
struct Out<'a> {
    stream: &'a Stream,
    counters: &'a Counters,
    units: &'a mut Vec<Arc<Unit>>,
    track: usize,
    flow: Handle,
    offset: &'a mut Offset,
}

impl TrackIn {
    fn ordered(&mut self, packet: &[u8], now: Instant, out: &mut Out<'_>) {
        // Parsed when it came; a second time is cheaper than keeping headers beside held packets.
        if let Some(header) = Header::parse(packet) {
            self.whole(packet, &header, now, out);
        }
    }

    fn whole(&mut self, packet: &[u8], header: &Header, now: Instant, out: &mut Out<'_>) {
        let Some(mut scratch) = self.succession.as_mut().map(|it| std::mem::take(&mut it.scratch)) else {
            self.sized(packet, header, now, out);
            return;
        };
        // What waits may have to be dropped, and its numbers be given again: to this packet.
        if let Some(splice) = self.splice()
            && self.codec.is_video()
            && self.builder.is_other(splice.apply(packet, header, &mut scratch).timestamp)
        {
            self.flush(now, out);
        }
        if !self.splice().is_some_and(|splice| splice.is_of(header)) {
            self.flush(now, out);
            self.repacketiser = None;
            let live = out.stream.tracks[out.track].live();
            if let Some(succession) = &mut self.succession {
                succession.splice = Splice::new(header, &live, self.clock, out.offset, self.clock_rate, now);
            }
        }
        match self.splice() {
            Some(splice) => {
                let header = splice.apply(packet, header, &mut scratch);
                self.sized(&scratch, &header, now, out);
            }
            None => self.sized(packet, header, now, out),
        }
        if let Some(succession) = &mut self.succession {
            succession.scratch = scratch;
        }
    }

    fn splice(&self) -> Option<Splice> {
        self.succession.as_ref()?.splice
    }

    fn sized(&mut self, packet: &[u8], header: &Header, now: Instant, out: &mut Out<'_>) {
        if self.repacketiser.is_none() && packet.len() <= out.stream.payload_size {
            self.add(packet, header, now, out);
            return;
        }
        let mut repacketiser =
            self.repacketiser.take().unwrap_or_else(|| Repacketiser::new(out.stream.payload_size));
        let codec = self.codec;
        let cut = repacketiser.packet(codec, packet, header, |piece| {
            if let Some(header) = Header::parse(piece) {
                self.add(piece, &header, now, out);
            }
        });
        if !cut {
            out.counters.packets_in_error.add(1);
        }
        self.repacketiser = Some(repacketiser);
    }

    fn add(&mut self, packet: &[u8], header: &Header, now: Instant, out: &mut Out<'_>) {
        let video = self.codec.is_video();
        if video && self.builder.is_other(header.timestamp) {
            self.flush(now, out);
        }
        if self.unfinished.is_some_and(|timestamp| timestamp != header.timestamp) {
            self.unfinished = None;
        }
        let mut key = self.codec.is_key(&packet[header.payload_start..header.payload_end]);
        if key {
            self.last_key = now;
        } else {
            key = now - self.last_key > KEYLESS_AFTER;
        }
        // A reader that began with a later slice of a picture would decode rubbish.
        self.builder.push(packet, header, key && self.unfinished.is_none(), now);
        if video && header.marker {
            self.flush(now, out);
            self.unfinished = None;
        } else if self.builder.is_large() {
            self.flush_part(now, out);
        }
    }

    fn flush_part(&mut self, now: Instant, out: &mut Out<'_>) {
        self.unfinished = self.codec.is_video().then(|| self.builder.timestamp());
        self.flush(now, out);
    }

    fn flush(&mut self, now: Instant, out: &mut Out<'_>) {
        if self.builder.started().is_none() {
            return;
        }
        let track = &out.stream.tracks[out.track];
        if !track.is_fed_by(out.flow) {
            self.builder.skip(); // another flow has taken the track
            return;
        }
        if let Some(succession) = &mut self.succession
            && !succession.began
        {
            if self.codec.is_video() && !self.builder.is_key() {
                self.builder.skip();
                // The numbers of what was dropped are given again.
                succession.splice = None;
                return;
            }
            succession.began = true;
        }
        if !out.stream.has_readers() {
            track.sent(&self.builder.skip(), now);
            return;
        }
        let datagrams = out.stream.datagram_readers.load(SeqCst) > 0;
        let (unit, sent) = self.builder.finish(datagrams);
        track.sent(&sent, now);
        out.units.push(Arc::new(unit));
    }
}

#[cfg(test)]
mod tests;
