//! A TURN client's stream, cut in two places: the same messages as in one piece, and bounded memory.

#![no_main]

use headgate_engine::turn::framing::Framing;
use libfuzzer_sys::fuzz_target;

fn split(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut framing = Framing::default();
    let mut messages = Vec::new();
    for piece in pieces {
        let result = framing.feed(piece, &mut |message| {
            messages.push(message.to_vec());
            true
        });
        if result.is_err() {
            return (messages, false);
        }
        assert!(framing.carried() < 20 + 65_536);
    }
    (messages, true)
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, bytes) = input;
    let (a, rest) = bytes.split_at(usize::from(first).min(bytes.len()));
    let (b, c) = rest.split_at(usize::from(second).min(rest.len()));
    assert_eq!(split(&[bytes]), split(&[a, b, c]));
});
