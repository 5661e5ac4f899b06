//! A thread's time as a worker: whether it moves, and whether it is over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Written by its worker, read by the watch; ended once, under the lock of the events.
#[derive(Debug, Default)]
pub struct Term {
    /// Pieces of work. It sleeps no longer than a tick, so that this changes all the time.
    pulse: AtomicU64,
    over: AtomicBool,
}

impl Term {
    /// The next piece of work begins, or it has slept.
    pub fn beat(&self) {
        self.pulse.store(self.pulse.load(Relaxed) + 1, Relaxed);
    }

    /// As `beat`; whether there is to be a next piece.
    pub fn goes_on(&self) -> bool {
        self.beat();
        !self.is_over()
    }

    /// What is the same only while it stands still; `None`: it has not begun.
    pub fn pulse(&self) -> Option<u64> {
        Some(self.pulse.load(Relaxed)).filter(|pulse| *pulse > 0)
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
    fn it_goes_on_until_it_is_ended() {
        let term = Term::default();
        assert_eq!(term.pulse(), None);
        assert!(term.goes_on());
        let first = term.pulse();
        assert!(first.is_some());
        term.beat();
        assert!(term.pulse().is_some() && term.pulse() != first);
        term.end();
        assert!(!term.goes_on());
    }
}
