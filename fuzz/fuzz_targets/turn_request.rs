//! A STUN message's attributes: read without a panic, within the message, each once and in order.

#![no_main]

use headgate_engine::turn::request::{Frame, MOST_ATTRIBUTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let (mut end, mut count) = (20, 0);
    let frame = Frame::read(message, |_, value| {
        assert!(value.start >= end + 4 && value.start % 4 == 0);
        assert!(message.get(value.clone()).is_some());
        end = value.end;
        count += 1;
    });
    assert!(count <= MOST_ATTRIBUTES);
    let Ok(frame) = frame else { return };
    assert!(message.len() >= 20 && message.len() % 4 == 0);
    for at in [frame.integrity_at, frame.integrity_sha256_at, frame.fingerprint_at] {
        assert!(at == 0 || at >= 20 && at + 8 <= message.len());
        assert!(at == 0 || at >= end || frame.fingerprint_at == at);
    }
    let _ = frame.fingerprint_holds(message);
});
