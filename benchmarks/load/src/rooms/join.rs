//! How long it takes to come into a room, with everybody who is there being told.

use std::thread;
use std::time::Duration;

use crate::report::{self, Fields};
use crate::rooms::crowd::{Crowd, Tally};
use crate::rooms::guest::Door;
use crate::sys::{clock, cpu};

/// The watcher reads the server's CPU time within this, while nothing happens.
const PAUSE: Duration = Duration::from_millis(200);

pub struct Join {
    pub door: Door,
    pub clients: usize,
    /// People in a room.
    pub room: usize,
    /// At a time.
    pub ways: usize,
    pub seed: u64,
    pub cpus: Vec<usize>,
}

/// Print `measuring` before and `measured` after, with the server at rest, then the result.
pub fn measure(plan: &Join) -> Result<(), String> {
    let conduct = || {
        cpu::pin(&plan.cpus)?;
        let mut crowd = Crowd::new(&plan.door, plan.seed)?;
        crowd.gather(plan.clients, plan.ways, &mut Tally::new())?;
        thread::sleep(PAUSE);
        report::print(&Fields::new("phase", "measuring"));
        thread::sleep(PAUSE);
        let mut tally = Tally::new();
        let began = clock::now();
        crowd.meet(plan.room, plan.ways, &mut tally)?;
        let took = clock::now() - began;
        thread::sleep(PAUSE);
        report::print(&Fields::new("phase", "measured"));
        thread::sleep(PAUSE);
        Ok((tally, took))
    };
    let (tally, took) = conduct().map_err(|error: std::io::Error| error.to_string())?;
    let seconds = took as f64 / 1e9;
    report::print(
        &Fields::new("phase", "result")
            .decimal("seconds", seconds)
            .number("joined", tally.done)
            .number("failed", tally.failed)
            .decimal("per_second", tally.done as f64 / seconds)
            .histogram("latency_us", &tally.latency)
            .texts("reasons", tally.reason.as_slice()),
    );
    Ok(())
}
