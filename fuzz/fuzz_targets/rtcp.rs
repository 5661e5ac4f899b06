//! A compound RTCP packet.

#![no_main]

use headgate_engine::rtcp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let mut found = 0;
    let whole = rtcp::read(packet, |_| found += 1);
    assert!(whole.is_none() || !packet.is_empty());
    assert!(found <= packet.len() / 4);
});
