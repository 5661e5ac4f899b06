//! A DTLS client's first datagram: parsed without a panic, and the same without its cookie parses again.

#![no_main]

use headgate_engine::turn::cookie::Hello;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let Some(hello) = Hello::parse(datagram) else { return };
    let first = hello.first();
    let again = Hello::parse(&first).expect("well formed");
    assert_eq!(again.random, hello.random);
    assert!(again.cookie.is_empty());
    assert_eq!(again.first(), first);
});
