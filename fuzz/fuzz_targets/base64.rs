//! What a client POSTs, cut in two places: the same bytes inside as in one piece.

#![no_main]

use headgate_engine::base64::Decoder;
use libfuzzer_sys::fuzz_target;

fn decode(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let (mut decoder, mut plain) = (Decoder::default(), Vec::new());
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let inside = decoder.decode(&mut bytes);
        assert!(inside.size <= bytes.len());
        plain.extend(&bytes[..inside.size]);
        if inside.end.is_some() {
            return (plain, false);
        }
    }
    (plain, true)
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, bytes) = input;
    let (a, rest) = bytes.split_at(usize::from(first).min(bytes.len()));
    let (b, c) = rest.split_at(usize::from(second).min(rest.len()));
    assert_eq!(decode(&[bytes]), decode(&[a, b, c]));
});
