//! What a connection costs that says nothing: more and more of them, with a rest at each step.

use std::time::Duration;

use crate::report::{self, Fields};
use crate::rooms::crowd::{Crowd, Heard, Tally};
use crate::rooms::guest::Door;
use crate::sys::cpu;

/// After a step the server comes to rest, and while it is watched.
const REST: Duration = Duration::from_millis(1500);

pub struct Hold {
    pub door: Door,
    /// Connections at each step, rising.
    pub steps: Vec<usize>,
    /// At a time while connecting.
    pub ways: usize,
    pub seed: u64,
    pub cpus: Vec<usize>,
}

/// Print `held` with the number at each step.
pub fn measure(plan: &Hold) -> Result<(), String> {
    let mut closed = 0;
    let mut conduct = || {
        cpu::pin(&plan.cpus)?;
        let mut crowd = Crowd::new(&plan.door, plan.seed)?;
        let mut tally = Tally::new();
        for &step in &plan.steps {
            crowd.gather(step.saturating_sub(crowd.len()), plan.ways, &mut tally)?;
            let mut count =
                |_: usize, heard: Heard<'_>| closed += usize::from(matches!(heard, Heard::Closed(_)));
            crowd.rest(REST, &mut count)?;
            report::print(&Fields::new("phase", "held").number("sockets", tally.done));
            crowd.rest(REST, &mut count)?;
        }
        Ok(tally)
    };
    let tally = conduct().map_err(|error: std::io::Error| error.to_string())?;
    report::print(
        &Fields::new("phase", "result")
            .number("connected", tally.done)
            .number("failed", tally.failed + closed)
            .histogram("latency_us", &tally.latency)
            .texts("reasons", tally.reason.as_slice()),
    );
    Ok(())
}
