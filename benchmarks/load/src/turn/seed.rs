//! Repeatable randomness: transaction ids, and the order of sessions. Nothing here is secret.

use crate::turn::message::Transaction;

/// `SplitMix64`.
#[derive(Clone)]
pub struct Seed(u64);

impl Seed {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn transaction(&mut self) -> Transaction {
        let mut transaction = [0; 12];
        transaction[..8].copy_from_slice(&self.next().to_be_bytes());
        transaction[8..].copy_from_slice(&(self.next() as u32).to_be_bytes());
        transaction
    }

    /// 0 to `count` - 1 in some order.
    pub fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for end in (1..count).rev() {
            order.swap(end, self.next() as usize % (end + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn the_same_seed_gives_the_same_run() {
        assert_eq!(Seed::new(7).transaction(), Seed::new(7).transaction());
        assert_ne!(Seed::new(7).transaction(), Seed::new(8).transaction());
        let mut order = Seed::new(7).shuffled(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
