//! A STUN message's attributes: read without a panic, within the message, each once and in order; and what
//! is built of them again is read again.

#![no_main]

use headgate_engine::turn::request::{Frame, MOST_ATTRIBUTES};
use headgate_engine::turn::response::{Integrity, Response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let mut end = 20;
    let mut found = Vec::new();
    let frame = Frame::read(message, |kind, value| {
        assert!(value.start >= end + 4 && value.start % 4 == 0);
        end = value.end;
        found.push((kind, message[value].to_vec()));
    });
    assert!(found.len() <= MOST_ATTRIBUTES);
    let Ok(frame) = frame else { return };
    assert!(message.len() >= 20 && message.len() % 4 == 0);
    for at in [frame.integrity_at, frame.integrity_sha256_at, frame.fingerprint_at] {
        assert!(at == 0 || at >= end && at + 8 <= message.len());
    }
    let _ = frame.fingerprint_holds(message);
    let _ = frame.holds(message, b"key");

    let transaction = message[8..20].try_into().expect("a header");
    let mut response = Response::new(frame.method, frame.class, transaction);
    if !found.iter().all(|(kind, value)| response.add(*kind, value)) {
        return;
    }
    let integrity = if frame.integrity_sha256_at == 0 { Integrity::Sha1 } else { Integrity::Sha256 };
    let built = response.finish(Some((b"key", integrity)), true);
    let mut again = Vec::new();
    let read = Frame::read(&built, |kind, value| again.push((kind, built[value].to_vec()))).expect("sound");
    assert_eq!(again, found);
    assert!(read.holds(&built, b"key") && read.fingerprint_holds(&built));
    assert_eq!((read.method, read.class), (frame.method, frame.class));
});
