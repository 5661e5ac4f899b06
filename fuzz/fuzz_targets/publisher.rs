//! A publisher's packets in any order and time: units whose packets are whole, and no panic.

#![no_main]

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use headgate_engine::codec::Codec;
use headgate_engine::counters::Table;
use headgate_engine::publisher::Publisher;
use headgate_engine::rtp::Header;
use headgate_engine::stream::{Stream, TrackSpec};
use libfuzzer_sys::fuzz_target;

/// Track, milliseconds that pass, packet.
type Step<'a> = (u8, u8, &'a [u8]);

fuzz_target!(|input: (bool, Vec<Step>)| {
    let (datagrams, steps) = input;
    let start = Instant::now();
    let table = Table::new(start);
    let codecs = [Codec::H264, Codec::H265, Codec::Opaque, Codec::Vp8];
    let specs = codecs.map(|codec| TrackSpec { codec, clock_rate: 90000 });
    let stream = Stream::new(1, &specs, 1472, table.add(1, start), 1);
    stream.readers[0].store(1, SeqCst);
    stream.datagram_readers.store(1, SeqCst);
    let mut publisher = Publisher::new(2, Arc::new(stream), table.add(2, start), datagrams, start);
    let mut now = start;
    let mut units = Vec::new();
    for (track, passed, packet) in steps {
        now += Duration::from_millis(u64::from(passed));
        let track = usize::from(track);
        if track < 128 {
            publisher.rtp(track % 4, packet, now, &mut units);
        } else {
            publisher.rtcp(track % 4, packet, now);
        }
        publisher.turn(&table, now, &mut units);
        publisher.expire(now, &mut units);
    }
    publisher.measure();
    publisher.reports(now);
    for unit in units {
        assert_eq!(unit.size(), unit.raw.len());
        assert_eq!(unit.runs.last().map(|run| run.end), Some(unit.raw.len()));
        for run in &unit.runs {
            for packet in unit.raw[run.start..run.end].chunks(run.segment) {
                assert!(Header::parse(packet).is_some());
            }
        }
    }
});
