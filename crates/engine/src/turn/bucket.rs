//! How many bytes a second an allocation may move.

use std::time::Instant;

/// The least that may be moved at once: one burst of segmented datagrams.
const LEAST_BURST: u64 = 64 * 1024;

/// Fills by `rate` a second, up to one second's worth.
#[derive(Debug)]
pub struct Bucket {
    /// 0: no limit.
    rate: u64,
    bytes: u64,
    filled: Instant,
}

impl Bucket {
    pub fn new(rate: u64, now: Instant) -> Self {
        Self { rate, bytes: rate.max(LEAST_BURST), filled: now }
    }

    /// `false`: more than there is, and nothing was taken.
    pub fn take(&mut self, bytes: usize, now: Instant) -> bool {
        if self.rate == 0 {
            return true;
        }
        if let Some(missing) = (bytes as u64).checked_sub(self.bytes).filter(|missing| *missing > 0) {
            let since = now.saturating_duration_since(self.filled);
            let new = (since.as_nanos() * u128::from(self.rate) / 1_000_000_000) as u64;
            if new < missing {
                return false; // the time is kept, so that small steps lose no fraction
            }
            self.bytes = (self.bytes + new).min(self.rate.max(LEAST_BURST));
            self.filled = now;
        }
        match self.bytes.checked_sub(bytes as u64) {
            Some(rest) => {
                self.bytes = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_s_worth_at_once_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1_000_000, start);
        assert!(bucket.take(1_000_000, start));
        assert!(!bucket.take(1, start));
        let mut taken = 0;
        for millisecond in 1..=1000 {
            let now = start + Duration::from_millis(millisecond);
            while bucket.take(150, now) {
                taken += 150;
            }
        }
        assert!((999_000..=1_000_000).contains(&taken), "{taken}");
        assert!(!bucket.take(1_000_001, start + Duration::from_secs(100)));
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        let now = Instant::now();
        assert!(Bucket::new(0, now).take(usize::MAX, now));
    }
}
