//! What became of TURN's datagrams: written by one worker each, read by anyone.

use crate::counters::Total;

/// The fields are those of `_engine.TurnCounters`.
#[derive(Debug, Default)]
pub struct Totals {
    pub malformed: Total,
    pub requests: Total,
    pub challenged: Total,
    pub requests_over_budget: Total,
    pub requests_looped: Total,
    pub no_allocation: Total,
    pub no_channel: Total,
    pub no_permission: Total,
    pub denied: Total,
    pub over_rate: Total,
    pub queue_full: Total,
    pub packets_relayed: Total,
    pub bytes_relayed: Total,
    pub packets_short_cut: Total,
}

/// One reading.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TurnCounters {
    pub malformed: u64,
    pub requests: u64,
    pub challenged: u64,
    pub requests_over_budget: u64,
    pub requests_looped: u64,
    pub no_allocation: u64,
    pub no_channel: u64,
    pub no_permission: u64,
    pub denied: u64,
    pub over_rate: u64,
    pub queue_full: u64,
    pub packets_relayed: u64,
    pub bytes_relayed: u64,
    pub packets_short_cut: u64,
}

impl TurnCounters {
    pub fn add(&mut self, totals: &Totals) {
        self.malformed += totals.malformed.get();
        self.requests += totals.requests.get();
        self.challenged += totals.challenged.get();
        self.requests_over_budget += totals.requests_over_budget.get();
        self.requests_looped += totals.requests_looped.get();
        self.no_allocation += totals.no_allocation.get();
        self.no_channel += totals.no_channel.get();
        self.no_permission += totals.no_permission.get();
        self.denied += totals.denied.get();
        self.over_rate += totals.over_rate.get();
        self.queue_full += totals.queue_full.get();
        self.packets_relayed += totals.packets_relayed.get();
        self.bytes_relayed += totals.bytes_relayed.get();
        self.packets_short_cut += totals.packets_short_cut.get();
    }
}
