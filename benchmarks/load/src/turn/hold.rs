//! What an allocation that carries nothing holds: more and more of them, with a rest at each step.

use std::net::SocketAddrV4;
use std::thread;
use std::time::Duration;

use crate::report::{self, Fields};
use crate::sys::cpu;
use crate::turn::account::Account;
use crate::turn::storm::Storm;

/// Clients at a time while allocating.
const WAYS: usize = 16;
/// After a step the server comes to rest, and while it is watched.
const REST: Duration = Duration::from_millis(500);

pub struct Hold {
    pub server: SocketAddrV4,
    pub account: Account,
    /// Allocations to stand at each step, rising.
    pub steps: Vec<usize>,
    pub seed: u64,
    pub cpus: Vec<usize>,
}

/// Print `held` with the number at each step.
pub fn measure(plan: &Hold) -> Result<(), String> {
    let conduct = || {
        cpu::pin(&plan.cpus)?;
        let mut storm = Storm::new(plan.server, &plan.account, false, plan.seed)?;
        // One that comes and goes, so that what a server makes once is made.
        Storm::new(plan.server, &plan.account, true, plan.seed + 1)?.run(1, 1)?;
        for &step in &plan.steps {
            storm.run(step.saturating_sub(storm.tally.allocated), WAYS)?;
            thread::sleep(REST);
            report::print(&Fields::new("phase", "held").number("allocations", storm.tally.allocated));
            thread::sleep(REST);
        }
        Ok(storm.tally)
    };
    let tally = conduct().map_err(|error: std::io::Error| error.to_string())?;
    report::print(
        &Fields::new("phase", "result")
            .number("allocated", tally.allocated)
            .number("failed", tally.failed)
            .texts("reasons", tally.reason.as_slice()),
    );
    Ok(())
}
