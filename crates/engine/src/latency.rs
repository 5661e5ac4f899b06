//! How long units were on their way through here: from the arrival of their first packet until they
//! were given to the kernel for a reader.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Upper bounds in microseconds: a unit goes out within a millisecond, and waits 5 ms at most for its end;
/// what is longer is a reader's own slowness, or a machine that is overloaded.
pub const BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
];

/// One worker's; no other writes to it, so that the additions cost next to nothing.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

/// The latencies of all workers. `counts` has one for each bound, and one for what is above them all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    pub counts: [u64; BOUNDS_US.len() + 1],
    pub sum: Duration,
}

impl Latency {
    pub fn observe(&self, latency: Duration) {
        let bucket = BOUNDS_US.partition_point(|bound| u128::from(*bound) * 1000 < latency.as_nanos());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl Distribution {
    pub fn add(&mut self, latency: &Latency) {
        for (count, bucket) in self.counts.iter_mut().zip(&latency.buckets) {
            *count += bucket.load(Relaxed);
        }
        self.sum += Duration::from_nanos(latency.sum_ns.load(Relaxed));
    }
}

/// The time of a turn, read anew after so many sends: a clock for each of them would be felt, and one
/// alone would not see what a long turn costs those at its end.
#[derive(Debug)]
pub struct Clock {
    turn: Instant,
    now: Instant,
    sends: u32,
}

impl Clock {
    const SENDS: u32 = 16;

    pub fn new(turn: Instant) -> Self {
        Self { turn, now: turn, sends: 0 }
    }

    /// When the next reader is given its units.
    pub fn send(&mut self, turn: Instant) -> Instant {
        if self.turn != turn {
            *self = Self::new(turn);
        }
        self.sends += 1;
        if self.sends > Self::SENDS {
            *self = Self { turn, now: Instant::now(), sends: 1 };
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_what_is_below_it() {
        let latency = Latency::default();
        for micros in [0, 100, 101, 2_500_000, 2_500_001] {
            latency.observe(Duration::from_micros(micros));
        }
        let mut seen = Distribution::default();
        seen.add(&latency);
        seen.add(&Latency::default());
        assert_eq!((seen.counts[0], seen.counts[1]), (2, 1));
        assert_eq!((seen.counts[13], seen.counts[14]), (1, 1));
        assert_eq!(seen.counts.iter().sum::<u64>(), 5);
        assert_eq!(seen.sum, Duration::from_micros(5_000_202));
    }

    #[test]
    fn the_clock_goes_on_within_a_long_turn() {
        let turn = Instant::now();
        std::thread::sleep(Duration::from_millis(1));
        let mut clock = Clock::new(turn);
        let times: Vec<_> = (0..=Clock::SENDS).map(|_| clock.send(turn)).collect();
        assert!(times[..Clock::SENDS as usize].iter().all(|time| *time == turn));
        assert!(times[Clock::SENDS as usize] > turn);
        let next = Instant::now();
        assert_eq!(clock.send(next), next);
    }
}
