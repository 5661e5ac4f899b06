//! What an allocation costs: so many of them, one or many at a time.

use std::net::SocketAddrV4;
use std::thread;
use std::time::Duration;

use crate::report::{self, Fields};
use crate::sys::{clock, cpu};
use crate::turn::account::Account;
use crate::turn::storm::Storm;

/// Before counting: the server's first allocations fault its memory in.
const WARM_UP: usize = 500;
/// The watcher reads the server's CPU time within this, while nothing happens.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Allocate {
    pub server: SocketAddrV4,
    pub account: Account,
    pub count: usize,
    /// Clients at a time.
    pub ways: usize,
    pub releases: bool,
    pub seed: u64,
    pub cpus: Vec<usize>,
}

/// Print `measuring` before and `measured` after, with the server at rest, then the result.
pub fn measure(plan: &Allocate) -> Result<(), String> {
    let conduct = || {
        cpu::pin(&plan.cpus)?;
        let mut storm = Storm::new(plan.server, &plan.account, plan.releases, plan.seed)?;
        storm.run(WARM_UP, plan.ways)?;
        storm.restart_tally();
        thread::sleep(PAUSE);
        report::print(&Fields::new("phase", "measuring"));
        thread::sleep(PAUSE);
        let began = clock::now();
        storm.run(plan.count, plan.ways)?;
        let took = clock::now() - began;
        thread::sleep(PAUSE);
        report::print(&Fields::new("phase", "measured"));
        thread::sleep(PAUSE);
        Ok((storm.tally, took))
    };
    let (tally, took) = conduct().map_err(|error: std::io::Error| error.to_string())?;
    if tally.allocated == 0 {
        return Err(format!("nothing was allocated: {}", tally.reason.unwrap_or_default()));
    }
    report::print(
        &Fields::new("phase", "result")
            .decimal("seconds", took as f64 / 1e9)
            .number("allocated", tally.allocated)
            .number("failed", tally.failed)
            .number("retransmitted", tally.retransmitted)
            .decimal("per_second", tally.allocated as f64 / (took as f64 / 1e9))
            .histogram("latency_us", &tally.latency)
            .texts("reasons", tally.reason.as_slice()),
    );
    Ok(())
}
