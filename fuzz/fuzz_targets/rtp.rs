//! One RTP packet through everything that looks into it.

#![no_main]

use std::time::Instant;

use headgate_engine::codec::Codec;
use headgate_engine::repacketise::Repacketiser;
use headgate_engine::rtp::{Header, Reception};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let Some(header) = Header::parse(packet) else { return };
    let now = Instant::now();
    let mut reception = Reception::new(&header, 90000, now);
    reception.packet(&header, now);
    for number in 0..=6 {
        let codec = Codec::from_number(number).expect("a codec");
        codec.is_key(&packet[header.payload_start..header.payload_end]);
        for size in [100, 1472] {
            Repacketiser::new(size).packet(codec, packet, &header, |piece| {
                assert!(piece.len() <= size.max(packet.len().min(size)));
                assert!(Header::parse(piece).is_some());
            });
        }
    }
});
