//! A TURN client's datagram: parsed without a panic, and what a Data indication says is what it was told.

#![no_main]

use std::net::SocketAddr;

use headgate_engine::turn::stun::{self, Kind, data_indication};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let kind = stun::kind(datagram);
    assert!(kind.is_none() || datagram.len() % 4 == 0);
    let Some(send) = stun::send(datagram) else { return };
    if kind != Some(Kind::SendIndication) {
        return;
    }
    // The same attributes the other way round: a Send indication made of it asks for the same.
    let transaction = datagram[8..20].try_into().expect("a header");
    let (before, padding) = data_indication(send.peer, send.data.len(), transaction);
    let mut turned = [before.as_slice(), send.data, &stun::PADDING[..padding]].concat();
    assert_eq!(stun::kind(&turned), Some(Kind::OtherIndication));
    turned[1] = 0x16;
    let again = stun::send(&turned).expect("well formed");
    let canonical = SocketAddr::new(send.peer.ip(), send.peer.port());
    assert_eq!((again.peer, again.data), (canonical, send.data));
});
