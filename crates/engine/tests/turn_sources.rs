//! Thousands of sources, and what is left of them. Alone in its process, whose memory it measures.

mod relay;

use std::net::{IpAddr, UdpSocket};

use headgate_engine::turn::listener::TurnLimits;
use relay::{Bench, LOCALHOST, request, usual};

const T: [u8; 12] = *b"abcdefghijkl";
/// Sources between two looks at what came up: half of the event queue is room for more requests than this.
const BATCH: u32 = 30;

/// The resident memory of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    4096 * pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number")
}

/// What a source sends: a request, and data of a channel that nobody has.
fn flood(bench: &mut Bench, from: u32) {
    for batch in (from..from + 7_500).step_by(BATCH as usize) {
        let before = bench.engine.turn_counters();
        for n in batch..batch + BATCH {
            let ip = IpAddr::from((0x7f01_0000 + n).to_be_bytes());
            let socket = UdpSocket::bind((ip, 0)).expect("a free port");
            socket.send_to(&request(T), bench.server).expect("sent");
            socket.send_to(&[0x40, 0, 0, 4, 1, 2, 3, 4], bench.server).expect("sent");
        }
        // No faster than the engine takes them, so that the kernel drops none, however busy the machine is.
        let taken = u64::from(BATCH);
        bench.counted(|counters| {
            counters.no_allocation == before.no_allocation + taken
                && counters.requests == before.requests + taken
        });
        bench.engine.drain(1000);
    }
}

#[test]
fn fifteen_thousand_sources_leave_no_memory_behind() {
    let limits = TurnLimits { requests_per_second_per_address: 100, ..usual() };
    let mut bench = Bench::at(LOCALHOST, limits);
    flood(&mut bench, 0); // buffers are used for the first time
    let before = resident();
    flood(&mut bench, 7_500);
    flood(&mut bench, 0);
    let grown = resident().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes more");
    let counters = bench.engine.turn_counters();
    assert_eq!((counters.requests, counters.requests_over_budget), (22_500, 0));
    bench.client();
}
