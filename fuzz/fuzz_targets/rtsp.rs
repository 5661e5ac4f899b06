//! A connection's bytes, cut in two places: the same items as in one piece, and bounded memory.

#![no_main]

use headgate_engine::rtsp::{Item, Limits, Splitter};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { head_size: 512, body_size: 512 };

fn split(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut splitter = Splitter::with_http(LIMITS);
    let mut items = Vec::new();
    for piece in pieces {
        let result = splitter.feed(piece, &mut |item| {
            items.push(match item {
                Item::Message(message) => message.to_vec(),
                Item::Interleaved { channel, packet } => [&[b'$', channel], packet].concat(),
                Item::Http(head) => [b"HTTP", head].concat(),
            });
        });
        if result.is_err() {
            return (items, false);
        }
        assert!(splitter.carried() <= 65_539);
    }
    (items, true)
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, bytes) = input;
    let (a, rest) = bytes.split_at(usize::from(first).min(bytes.len()));
    let (b, c) = rest.split_at(usize::from(second).min(rest.len()));
    let whole = split(&[bytes]);
    let cut = split(&[a, b, c]);
    assert_eq!(whole, cut);
});
