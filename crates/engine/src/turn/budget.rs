//! How many requests a second are handed up from an address that has proved nothing.
//!
//! A table of fixed size, as its keys are whatever a stranger writes into a packet.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const SETS: usize = 1 << 14;
/// Addresses with the same place that are told apart; one more takes the place of the quietest.
const WAYS: usize = 4;
/// An entry: a tag, and when its address will have waited for everything it was given (in units, GCRA).
const TIME_BITS: u32 = 40;
const TIME: u64 = (1 << TIME_BITS) - 1;
const UNIT: Duration = Duration::from_micros(16);
const UNITS_A_SECOND: u64 = 62_500;
/// So many seconds' worth may come at once.
pub const BURST_S: u64 = 5;

#[derive(Debug)]
pub struct Budget {
    entries: Box<[AtomicU64]>,
    hasher: RandomState,
    epoch: Instant,
}

impl Budget {
    pub fn new(now: Instant) -> Self {
        let entries = (0..SETS * WAYS).map(|_| AtomicU64::new(0)).collect();
        Self { entries, hasher: RandomState::new(), epoch: now }
    }

    /// Whether one more request of `address` is within `rate` a second; 0: any is.
    pub fn admits(&self, address: IpAddr, rate: u32, now: Instant) -> bool {
        if rate == 0 {
            return true;
        }
        let elapsed = now.saturating_duration_since(self.epoch);
        self.take(address, rate, (elapsed.as_nanos() / UNIT.as_nanos()) as u64)
    }

    /// The same at a time that is counted from anywhere, in seconds.
    pub fn admits_at(&self, address: IpAddr, rate: u32, seconds: f64) -> bool {
        rate == 0 || self.take(address, rate, (seconds.max(0.0) * UNITS_A_SECOND as f64) as u64)
    }

    fn take(&self, address: IpAddr, rate: u32, now: u64) -> bool {
        let interval = (UNITS_A_SECOND / u64::from(rate)).max(1);
        let now = now & TIME;
        let latest = now + BURST_S * UNITS_A_SECOND;
        let key = match address {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            // Whoever has one address has its whole /64.
            IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
        };
        let hash = self.hasher.hash_one((address.is_ipv6(), key));
        let tag = (hash >> TIME_BITS).max(1);
        let first = (hash as usize % SETS) * WAYS;
        let set = &self.entries[first..first + WAYS];
        let known = set.iter().find(|entry| entry.load(Relaxed) >> TIME_BITS == tag);
        let Some(entry) = known.or_else(|| set.iter().min_by_key(|entry| entry.load(Relaxed) & TIME)) else {
            return false;
        };
        let admitted = entry.fetch_update(Relaxed, Relaxed, |old| {
            // What lies later than any that is given out is from before the time went round.
            let its = Some(old & TIME).filter(|its| old >> TIME_BITS == tag && *its <= latest);
            let next = its.map_or(now, |its| its.max(now)) + interval;
            (next <= latest).then_some(tag << TIME_BITS | next & TIME)
        });
        admitted.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let address = IpAddr::from([192, 0, 2, 1]);
        let admitted = |now| (0..10_000).filter(|_| budget.admits(address, 100, now)).count();
        assert_eq!(admitted(start), 500);
        assert_eq!(admitted(start + Duration::from_secs(1)), 100);
        assert_eq!(admitted(start + Duration::from_secs(60)), 500);
        assert!(budget.admits(IpAddr::from([192, 0, 2, 2]), 100, start));
        assert!((0..10_000).all(|_| budget.admits(address, 0, start)));
    }

    #[test]
    fn nobody_is_refused_because_the_time_went_round() {
        let budget = Budget::new(Instant::now());
        let address = IpAddr::from([192, 0, 2, 1]);
        let round = (TIME + 1) as f64 / UNITS_A_SECOND as f64;
        let admitted = |seconds| (0..10_000).filter(|_| budget.admits_at(address, 100, seconds)).count();
        assert_eq!(admitted(round - 60.0), 500);
        assert_eq!(admitted(round + 1.0), 500);
        assert_eq!(admitted(round + 2.0), 100);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let admitted = (0..10_000_u128)
            .filter(|n| budget.admits(IpAddr::V6((0x2001_0db8_u128 << 96 | n).into()), 10, start))
            .count();
        assert_eq!(admitted, 50);
    }

    #[test]
    fn fifteen_thousand_addresses_at_once_are_hardly_refused() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let mut refused = 0;
        for round in 0..20 {
            let now = start + Duration::from_millis(100 * round);
            for n in 0..15_000_u32 {
                refused +=
                    usize::from(!budget.admits(IpAddr::from((0x7f00_0000 + n).to_be_bytes()), 10, now));
            }
        }
        assert!(refused < 15_000 * 20 / 100, "{refused}");
    }
}
