//! A thread's time as a worker: whether it moves, and whether it is over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Written by its worker, read by the watch; ended once, under the lock of the events.
#[derive(Debug, Default)]
pub struct Term {
    /// Pieces of work. Odd: within one.
    pulse: AtomicU64,
    over: AtomicBool,
}

impl Term {
    /// The next piece of work begins.
    pub fn beat(&self) {
        self.pulse.store((self.pulse.load(Relaxed) + 1) | 1, Relaxed);
    }

    /// Nothing to do: it sleeps.
    pub fn rest(&self) {
        self.pulse.store((self.pulse.load(Relaxed) | 1) + 1, Relaxed);
    }

    /// What is the same as long as one piece of work goes on; `None`: it sleeps.
    pub fn work(&self) -> Option<u64> {
        Some(self.pulse.load(Relaxed)).filter(|pulse| pulse & 1 == 1)
    }

    pub fn end(&self) {
        self.over.store(true, Release);
    }

    /// Whether another has its place: then it says and does nothing more.
    pub fn is_over(&self) -> bool {
        self.over.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_of_work_is_another_and_sleep_is_none() {
        let term = Term::default();
        assert_eq!(term.work(), None);
        term.beat();
        let first = term.work();
        assert!(first.is_some());
        term.beat();
        assert!(term.work().is_some() && term.work() != first);
        let second = term.work();
        term.rest();
        assert_eq!(term.work(), None);
        term.rest();
        assert_eq!(term.work(), None);
        term.beat();
        assert!(term.work().is_some() && term.work() != second);
    }
}
