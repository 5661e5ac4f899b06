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
    units.extend(feed(&mut publisher, &[packet(303, 300, true, IDR), packet(304, 300, true, IDR)], later));
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
    let mut units = feed(&mut publisher, &[packet(1, 100, false, b"a"), packet(2, 200, false, b"b")], now);
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
    let sender =
        rtcp::SenderReport { ssrc: 0x1234_5678, ntp: 5 << 32, rtp_timestamp: 1000, packets: 1, octets: 4 };
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
    let packets =
        [packet(1, 0, true, &large(0x41)), packet(2, 3000, true, &large(0x65)), packet(3, 6000, true, SLICE)];
    let units = feed(&mut second, &packets, now);
    assert_eq!(units.iter().map(|unit| unit.packets).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(numbers(&units[1])[0].0, 13);
    assert_eq!(stream.tracks[0].live().next_sequence, 14);
}
