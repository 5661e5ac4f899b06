//! Counts of values in buckets that are at most 1/64 (1.6 %) wide.

/// Bits of a value that choose its bucket: 64 buckets per power of two.
const PRECISION: u32 = 6;
/// Values from here on (71 minutes in microseconds) share the last bucket.
const LIMIT: u64 = 1 << 32;
const BUCKETS: usize = (((LIMIT.ilog2() - PRECISION) as usize) + 1) << PRECISION;

/// Any non-negative quantity; this program uses microseconds.
#[derive(Clone)]
pub struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    largest: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: vec![0; BUCKETS].into_boxed_slice(), count: 0, largest: 0 }
    }

    pub fn record(&mut self, value: u64) {
        self.buckets[bucket(value.min(LIMIT - 1))] += 1;
        self.count += 1;
        self.largest = self.largest.max(value);
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.largest = self.largest.max(other.largest);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The smallest bucket's lower end with at least `share` (0 to 1) of all values at or below it.
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return lower_end(index);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    if value < 1 << PRECISION {
        return value as usize;
    }
    let shift = value.ilog2() - PRECISION;
    // The leading bit is dropped by adding the rest to the start of its power of two.
    ((shift as usize) << PRECISION) + (value >> shift) as usize
}

fn lower_end(bucket: usize) -> u64 {
    if bucket < 2 << PRECISION {
        return bucket as u64;
    }
    let shift = (bucket >> PRECISION) - 1;
    ((bucket - (shift << PRECISION)) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Histogram, LIMIT, bucket, lower_end};

    #[test]
    fn every_bucket_begins_where_the_one_before_ends() {
        for index in 0..BUCKETS {
            assert_eq!(bucket(lower_end(index)), index);
            if index > 0 {
                assert_eq!(bucket(lower_end(index) - 1), index - 1);
            }
        }
        assert_eq!(bucket(LIMIT - 1), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_within_a_bucket_of_the_truth() {
        let mut histogram = Histogram::new();
        for value in 1..=100_000 {
            histogram.record(value);
        }
        for (share, truth) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0)] {
            let found = histogram.quantile(share) as f64;
            assert!(found <= truth && found >= truth * (1.0 - 1.0 / 64.0), "{share}: {found}");
        }
        assert_eq!(histogram.largest(), 100_000);
    }

    #[test]
    fn a_value_past_the_limit_is_kept_as_the_largest() {
        let mut one = Histogram::new();
        one.record(LIMIT * 2);
        let mut all = Histogram::new();
        all.merge(&one);
        assert_eq!((all.count(), all.largest()), (1, LIMIT * 2));
    }

    #[test]
    fn an_empty_histogram_has_zero_quantiles() {
        assert_eq!(Histogram::new().quantile(0.99), 0);
    }
}
