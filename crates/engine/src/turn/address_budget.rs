//! How much of something an address gets, whoever gives it: the engine or Python (S-06).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use super::budget::Budget;
use crate::counters::Total;

#[derive(Debug)]
pub struct AddressBudget {
    budget: Budget,
    per_second: AtomicU32,
    pub refused: Total,
}

impl AddressBudget {
    /// 0 a second: any number.
    pub fn new(per_second: u32) -> Self {
        let budget = Budget::new(Instant::now());
        Self { budget, per_second: AtomicU32::new(per_second), refused: Total::default() }
    }

    pub fn per_second(&self) -> u32 {
        self.per_second.load(Relaxed)
    }

    pub fn set_per_second(&self, per_second: u32) {
        self.per_second.store(per_second, Relaxed);
    }

    /// Take one from the address's budget. `now`: seconds of a clock that never goes back.
    pub fn admits(&self, address: IpAddr, now: f64) -> bool {
        let admitted = self.budget.admits_at(address, self.per_second(), now);
        if !admitted {
            self.refused.add(1);
        }
        admitted
    }
}
