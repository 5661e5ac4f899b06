//! A client's WebSocket frames, cut in two places: the same bytes inside as in one piece.

#![no_main]

use headgate_engine::websocket::Reader;
use libfuzzer_sys::fuzz_target;

fn unwrap(pieces: &[&[u8]]) -> (Vec<u8>, String, Option<Vec<u8>>, Vec<u8>) {
    let (mut reader, mut plain, mut end) = (Reader::default(), Vec::new(), None);
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let inside = reader.unwrap(&mut bytes);
        assert!(inside.size <= bytes.len());
        plain.extend(&bytes[..inside.size]);
        end = inside.end;
        if end.is_some() {
            break;
        }
    }
    let pong = reader.pong();
    assert!(pong.as_ref().is_none_or(|pong| pong.len() <= 127));
    (plain, format!("{end:?}"), pong, reader.close_frame())
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, bytes) = input;
    let (a, rest) = bytes.split_at(usize::from(first).min(bytes.len()));
    let (b, c) = rest.split_at(usize::from(second).min(rest.len()));
    assert_eq!(unwrap(&[bytes]), unwrap(&[a, b, c]));
});
