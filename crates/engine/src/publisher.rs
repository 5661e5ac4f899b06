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
mod tests {
    use super::*;
    use crate::rtp::tests::packet;
    use crate::stream::TrackSpec;
    use crate::unit::Kind;

    fn publisher(codec: Codec, datagrams: bool, now: Instant) -> (Publisher, Table) {
        let table = Table::new(now);
        let specs = [TrackSpec { codec, clock_rate: 90000 }];
        let stream = Stream::new(1, &specs, 1472, table.add(1, now), 1);
        stream.readers[0].store(1, SeqCst);
        stream.datagram_readers.store(1, SeqCst);
        (Publisher::new(2, Arc::new(stream), table.add(2, now), datagrams, now), table)
    }

    const IDR: &[u8] = &[0x65, 1, 2, 3];
    const SLICE: &[u8] = &[0x41, 1, 2, 3];

    fn feed(publisher: &mut Publisher, packets: &[Vec<u8>], now: Instant) -> Vec<Arc<Unit>> {
        let mut units = Vec::new();
        for bytes in packets {
            publisher.rtp(0, bytes, now, &mut units);
        }
        units
    }

    #[test]
    fn a_unit_ends_at_its_marker_or_at_the_next_timestamp() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, now);
        let units = feed(
            &mut publisher,
            &[
                packet(1, 100, false, IDR),
                packet(2, 100, true, IDR),
                packet(3, 200, false, SLICE),
                packet(4, 300, true, SLICE),
            ],
            now,
        );
        let seen: Vec<_> = units.iter().map(|unit| (unit.kind, unit.packets)).collect();
        assert_eq!(seen, [(Kind::Key, 2), (Kind::Delta, 1), (Kind::Delta, 1)]);
        assert_eq!(publisher.deadline(), None);
    }

    #[test]
    fn a_unit_without_its_end_waits_five_milliseconds() {
        let now = Instant::now();
        let (mut publisher, table) = publisher(Codec::H264, false, now);
        assert!(feed(&mut publisher, &[packet(1, 100, false, IDR)], now).is_empty());
        let mut units = Vec::new();
        publisher.turn(&table, now, &mut units);
        assert_eq!(publisher.deadline(), Some(now + UNIT_PATIENCE));
        publisher.expire(now + UNIT_PATIENCE / 2, &mut units);
        assert!(units.is_empty());
        publisher.expire(now + UNIT_PATIENCE, &mut units);
        assert_eq!(units.len(), 1);
    }

    #[test]
    fn the_rest_of_a_picture_is_no_place_to_begin() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, now);
        // A camera that paces its key frames: the second slice comes after the patience is over.
        let mut units = feed(&mut publisher, &[packet(1, 100, false, IDR)], now);
        let later = now + 2 * UNIT_PATIENCE;
        publisher.expire(later, &mut units);
        units.extend(feed(&mut publisher, &[packet(2, 100, true, IDR)], later));
        // Nor is one of which the first part made a whole unit by its size.
        let large = [&[0x65], &[7; 1400][..]].concat();
        let slices: Vec<_> = (3..303).map(|n| packet(n, 200, n == 302, &large)).collect();
        units.extend(feed(&mut publisher, &slices, later));
        // But parameter sets sent as a picture of their own are.
        units.extend(feed(
            &mut publisher,
            &[packet(303, 300, true, IDR), packet(304, 300, true, IDR)],
            later,
        ));
        let kinds: Vec<_> = units.iter().map(|unit| unit.kind).collect();
        assert_eq!(kinds, [Kind::Key, Kind::Delta, Kind::Key, Kind::Delta, Kind::Key, Kind::Key]);
    }

    #[test]
    fn losses_are_not_forgotten_when_the_source_changes() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, now);
        feed(&mut publisher, &[packet(1, 100, true, SLICE), packet(5, 100, true, SLICE)], now);
        publisher.measure();
        assert_eq!(publisher.counters.packets_lost.get(), 3);
        let mut other = [packet(900, 100, true, SLICE), packet(902, 100, true, SLICE)];
        for packet in &mut other {
            packet[8..12].copy_from_slice(b"anew");
        }
        feed(&mut publisher, &other, now);
        publisher.measure();
        assert_eq!(publisher.counters.packets_lost.get(), 4);
        let report = &publisher.reports(now)[0].1;
        assert_eq!(report[13..16], [0, 0, 1], "a report is of one source");
    }

    #[test]
    fn audio_waits_for_nothing_but_the_end_of_the_turn() {
        let now = Instant::now();
        let (mut publisher, table) = publisher(Codec::Opaque, false, now);
        let mut units =
            feed(&mut publisher, &[packet(1, 100, false, b"a"), packet(2, 200, false, b"b")], now);
        assert!(units.is_empty());
        publisher.turn(&table, now, &mut units);
        assert_eq!(units.len(), 1);
        assert_eq!((units[0].packets, units[0].kind), (2, Kind::Key));
        let totals = table.read(&publisher.counters, now);
        assert_eq!((totals.packets_received, totals.bytes_received), (2, 26));
    }

    #[test]
    fn nothing_is_laid_out_while_nobody_reads_but_the_track_goes_on() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, now);
        publisher.stream.readers[0].store(0, SeqCst);
        assert!(feed(&mut publisher, &[packet(7, 100, true, IDR)], now).is_empty());
        let live = publisher.stream.tracks[0].live();
        assert_eq!((live.next_sequence, live.timestamp, live.packets), (8, 100, 1));
    }

    #[test]
    fn datagrams_are_put_in_order() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, true, now);
        let units = feed(
            &mut publisher,
            &[packet(1, 100, false, IDR), packet(3, 100, true, IDR), packet(2, 100, false, IDR)],
            now,
        );
        assert_eq!(units.len(), 1);
        let sequences: Vec<_> = units[0].raw.chunks(16).map(|packet| packet[3]).collect();
        assert_eq!(sequences, [1, 2, 3]);
        publisher.measure();
        assert_eq!(publisher.counters.packets_lost.get(), 0);
    }

    #[test]
    fn a_packet_too_large_for_a_datagram_is_cut() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, now);
        let large = [&[0x65], &[9; 4000][..]].concat();
        let units = feed(&mut publisher, &[packet(1, 100, true, &large), packet(2, 200, true, SLICE)], now);
        assert_eq!(units.iter().map(|unit| unit.packets).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(publisher.stream.tracks[0].live().next_sequence, 5);
    }

    #[test]
    fn a_stream_without_key_frames_can_be_joined_anywhere_after_a_while() {
        let start = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, start);
        assert_eq!(feed(&mut publisher, &[packet(1, 100, true, SLICE)], start)[0].kind, Kind::Delta);
        let later = start + KEYLESS_AFTER + UNIT_PATIENCE;
        assert_eq!(feed(&mut publisher, &[packet(2, 200, true, SLICE)], later)[0].kind, Kind::Key);
        assert_eq!(feed(&mut publisher, &[packet(3, 300, true, IDR)], later)[0].kind, Kind::Key);
        assert_eq!(feed(&mut publisher, &[packet(4, 400, true, SLICE)], later)[0].kind, Kind::Delta);
    }

    #[test]
    fn the_publishers_clock_is_passed_on() {
        let now = Instant::now();
        let (mut publisher, _) = publisher(Codec::H264, false, now);
        feed(&mut publisher, &[packet(1, 100, true, IDR)], now);
        let mut report = Vec::new();
        let sender = rtcp::SenderReport {
            ssrc: 0x1234_5678,
            ntp: 5 << 32,
            rtp_timestamp: 1000,
            packets: 1,
            octets: 4,
        };
        sender.write(&mut report);
        publisher.rtcp(0, &report, now);
        let later = now + Duration::from_secs(2);
        let compound = publisher.stream.sender_report(0, later, true).expect("units were sent");
        let mut seen = Vec::new();
        rtcp::read(&compound, |report| seen.push(report)).expect("valid");
        let expected = rtcp::SenderReport { ntp: 7 << 32, rtp_timestamp: 181_000, ..sender };
        assert_eq!(seen, [Report::Sender(expected), Report::Bye]);
        publisher.rtcp(0, &report[..20], now);
        assert_eq!(publisher.counters.rtcp_packets_in_error.get(), 1);
    }

    fn numbers(unit: &Unit) -> Vec<(u16, u32, u32)> {
        let headers = unit.raw.chunks(16).filter_map(Header::parse);
        headers.map(|header| (header.sequence, header.timestamp, header.ssrc)).collect()
    }

    #[test]
    fn a_successor_goes_on_with_its_first_key_frame() {
        let now = Instant::now();
        let (mut first, table) = publisher(Codec::H264, false, now);
        feed(&mut first, &[packet(9, 100, true, IDR)], now);
        let stream = Arc::clone(&first.stream);
        let later = now + Duration::from_secs(1);
        let mut second = Publisher::new(3, Arc::clone(&stream), table.add(3, later), false, later);
        stream.tracks[0].give_to(3);
        assert!(feed(&mut first, &[packet(10, 200, true, IDR)], later).is_empty(), "it has lost the track");
        let units = feed(
            &mut second,
            &[
                packet(700, 5000, false, SLICE),
                packet(701, 5000, true, SLICE),
                packet(702, 8000, false, IDR),
                packet(703, 8000, true, IDR),
                packet(704, 11000, true, SLICE),
            ],
            later,
        );
        assert_eq!(units.iter().map(|unit| unit.kind).collect::<Vec<_>>(), [Kind::Key, Kind::Delta]);
        let ssrc = stream.tracks[0].live().ssrc.expect("sent");
        assert_eq!(numbers(&units[0]), [(10, 90_100, ssrc), (11, 90_100, ssrc)]);
        assert_eq!(numbers(&units[1]), [(12, 93_100, ssrc)]);
    }

    #[test]
    fn a_successor_whose_pictures_are_too_large_is_cut_and_goes_on() {
        let now = Instant::now();
        let (mut first, table) = publisher(Codec::H264, false, now);
        feed(&mut first, &[packet(9, 100, true, IDR)], now);
        let stream = Arc::clone(&first.stream);
        let mut second = Publisher::new(3, Arc::clone(&stream), table.add(3, now), true, now);
        let large = |first: u8| [&[first], &[9; 4000][..]].concat();
        let packets = [
            packet(1, 0, true, &large(0x41)),
            packet(2, 3000, true, &large(0x65)),
            packet(3, 6000, true, SLICE),
        ];
        let units = feed(&mut second, &packets, now);
        assert_eq!(units.iter().map(|unit| unit.packets).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(numbers(&units[1])[0].0, 13);
        assert_eq!(stream.tracks[0].live().next_sequence, 14);
    }
}
