//! `ChannelData` in a datagram: what is written of it is read as it was.

#![no_main]

use headgate_engine::turn::channel_data;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    if let Some((number, data)) = channel_data::parse(datagram) {
        assert!((channel_data::START..channel_data::COMPATIBLE_END).contains(&number));
        let written = [&channel_data::header(number, data.len() as u16)[..], data].concat();
        assert_eq!(channel_data::parse(&written), Some((number, data)));
        assert!(datagram.starts_with(&written));
    }
});
