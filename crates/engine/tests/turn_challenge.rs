//! What strangers are answered without Python.

mod relay;

use std::sync::Arc;

use headgate_engine::turn::address_budget::AddressBudget;
use headgate_engine::turn::challenge::{Challenge, client_bytes};
use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::nonces::{self, Nonces};
use relay::{Bench, LOCALHOST, attribute, message, receive, socket};

const T: [u8; 12] = *b"abcdefghijkl";
const ALLOCATE: u16 = 0x0003;
const BEFORE: &[u8] = b"\0\x15\0\x0c";

fn challenge(nonces: &Arc<Nonces>, budget: &Arc<AddressBudget>) -> Challenge {
    let attributes = [BEFORE, &[b'-'; 12]].concat();
    let at = BEFORE.len();
    Challenge::new(vec![ALLOCATE], attributes, at, Arc::clone(nonces), Arc::clone(budget), 7.0)
        .expect("sound")
}

fn parts(per_second: u32) -> (Arc<Nonces>, Arc<AddressBudget>) {
    let nonces = Nonces::new(600.0, 3600.0, 0.0).expect("randomness");
    (Arc::new(nonces), Arc::new(AddressBudget::new(per_second)))
}

#[test]
fn who_does_not_say_who_asks_is_challenged() {
    let bench = Bench::start();
    let (nonces, budget) = parts(0);
    bench.engine.challenge(Some(challenge(&nonces, &budget)));
    let client = socket(LOCALHOST);
    client.send_to(&message(ALLOCATE, T, &attribute(0x0019, &[17, 0, 0, 0])), bench.server).expect("sent");
    let (answer, from) = receive(&client);
    assert_eq!(from, bench.server);
    assert_eq!(answer[..20], message(0x0113, T, &[0; 16])[..20]);
    assert_eq!((&answer[20..24], answer.len()), (BEFORE, 36));
    let nonce = &answer[24..24 + nonces::SIZE];
    let bytes = client_bytes(Transport::Udp, client.local_addr().expect("bound"));
    assert!(nonces.holds(nonce, &bytes, 8.0));
    assert_eq!((answer[35], bench.engine.turn_counters().challenged), (b'-', 1));
    assert_eq!(bench.engine.turn_counters().requests, 0);
}

#[test]
fn a_stranger_has_a_budget_and_everything_else_goes_up() {
    let mut bench = Bench::start();
    let (nonces, budget) = parts(1);
    bench.engine.challenge(Some(challenge(&nonces, &budget)));
    let client = socket(LOCALHOST);
    let asked = attribute(0x0019, &[17, 0, 0, 0]);
    for _ in 0..7 {
        client.send_to(&message(ALLOCATE, T, &asked), bench.server).expect("sent");
    }
    bench.counted(|counters| counters.challenged == 7);
    for _ in 0..5 {
        receive(&client);
    }
    let integrity = attribute(0x0008, &[0; 20]);
    for up in [message(ALLOCATE, T, &[]), message(0x0001, T, &asked), message(ALLOCATE, T, &integrity)] {
        client.send_to(&up, bench.server).expect("sent");
        let address = client.local_addr().expect("bound");
        assert_eq!(bench.request(|five_tuple| five_tuple.client == address).2, up);
    }
    for broken in [&[0, 1, 0, 5][..], &attribute(0x8028, &[0; 4])] {
        client.send_to(&message(ALLOCATE, T, broken), bench.server).expect("sent");
    }
    bench.counted(|counters| counters.malformed == 2);
    assert_eq!(budget.refused.get(), 2);
    assert!(bench.engine.turn_counters().challenged == 7);
}

#[test]
fn who_has_an_allocation_is_pythons() {
    let mut bench = Bench::start();
    let client = bench.client();
    let (nonces, budget) = parts(0);
    bench.engine.challenge(Some(challenge(&nonces, &budget)));
    let asked = message(ALLOCATE, T, &attribute(0x0019, &[17, 0, 0, 0]));
    client.send(&asked);
    let address = client.address();
    assert_eq!(bench.request(|five_tuple| five_tuple.client == address).2, asked);
    bench.engine.challenge(None);
    let stranger = socket(LOCALHOST);
    stranger.send_to(&asked, bench.server).expect("sent");
    assert_eq!(bench.request(|_| true).2, asked);
}

#[test]
fn a_challenge_has_room_for_its_nonce_and_a_bound() {
    let (nonces, budget) = parts(0);
    let new = |attributes: usize, at| {
        let (nonces, budget) = (Arc::clone(&nonces), Arc::clone(&budget));
        Challenge::new(vec![], vec![0; attributes], at, nonces, budget, 0.0).is_ok()
    };
    assert!(new(16, 5) && new(1024, 0));
    assert!(!new(16, 6) && !new(16, usize::MAX) && !new(15, 0) && !new(1028, 0));
}
