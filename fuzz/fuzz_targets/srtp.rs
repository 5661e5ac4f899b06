//! Whatever comes under whatever suite: nothing that the key's owner did not make is let through,
//! and what was made is read once, wherever strangers' packets stand between.

#![no_main]

use headgate_engine::srtp::{Inbound, MasterKey, Outbound, Suite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, Vec<Vec<u8>>)| {
    let (number, mki, packets) = input;
    let suite = Suite::ALL[usize::from(number) % Suite::ALL.len()];
    let (key, salt) = (vec![1; suite.key_size()], vec![2; suite.salt_size()]);
    let ours = MasterKey { suite, key, salt, mki: vec![], rollovers: vec![] };
    let with_mki = MasterKey { mki: vec![3; usize::from(mki % 17)], ..ours.clone() };
    let mut outbound = Outbound::new(&ours).expect("keys");
    let mut inbound = Inbound::new(&ours).expect("keys");
    let mut other = Inbound::new(&with_mki).expect("keys");
    let mut plain = Vec::new();
    for packet in &packets {
        assert_eq!(inbound.rtp(packet, &mut plain), None);
        assert_eq!(inbound.rtcp(packet, &mut plain), None);
        let _ = (other.rtp(packet, &mut plain), other.rtcp(packet, &mut plain));
        let mut wire = Vec::new();
        if outbound.rtp(packet, &mut wire).is_some() {
            assert_eq!(inbound.rtp(&wire, &mut plain), Some(()));
            assert_eq!((&plain[..2], &plain[4..]), (&packet[..2], &packet[4..]));
            assert_eq!(inbound.rtp(&wire, &mut plain), None);
        }
        let mut wire = Vec::new();
        if outbound.rtcp(packet, &mut wire).is_some() && inbound.rtcp(&wire, &mut plain).is_some() {
            assert_eq!(&plain, packet);
            assert_eq!(inbound.rtcp(&wire, &mut plain), None);
        }
    }
});
