//! When a run measures: the stretch of time all threads of a run agree on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::clock;

/// Opened once by the conductor of a run; everything before is warm-up, everything after is not counted.
pub struct Window {
    opens: AtomicU64,
    closes: AtomicU64,
    is_over: AtomicBool,
}

impl Window {
    pub const fn new() -> Self {
        Self {
            opens: AtomicU64::new(u64::MAX),
            closes: AtomicU64::new(u64::MAX),
            is_over: AtomicBool::new(false),
        }
    }

    /// Measure from `opens` to `closes`, both monotonic nanoseconds. The load goes on after that.
    pub fn open(&self, opens: u64, closes: u64) {
        self.closes.store(closes, Ordering::Release);
        self.opens.store(opens, Ordering::Release);
    }

    /// End the run, measured or not: everybody leaves.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub fn contains(&self, now: u64) -> bool {
        now >= self.opens.load(Ordering::Acquire) && now < self.closes.load(Ordering::Acquire)
    }

    /// Whether what is due from now on is not measured any more.
    pub fn has_closed(&self, now: u64) -> bool {
        now >= self.closes.load(Ordering::Acquire)
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

/// CPU time a thread uses inside the window.
#[derive(Default)]
pub struct Meter {
    began: Option<u64>,
    used: u64,
}

impl Meter {
    /// Called often by the thread itself; it reads the thread's clock.
    pub fn tick(&mut self, window: &Window, now: u64) {
        if window.contains(now) {
            let cpu = clock::thread_cpu();
            self.used = cpu - *self.began.get_or_insert(cpu);
        }
    }

    /// Nanoseconds between the first and the last tick in the window.
    pub fn used(&self) -> u64 {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn nothing_is_inside_before_it_opens_or_after_it_closes() {
        let window = Window::new();
        assert!(!window.contains(5));
        window.open(10, 20);
        assert_eq!([9, 10, 19, 20].map(|now| window.contains(now)), [false, true, true, false]);
        assert_eq!([9, 19, 20].map(|now| window.has_closed(now)), [false, false, true]);
    }

    #[test]
    fn it_is_over_only_when_it_was_ended() {
        let window = Window::new();
        window.open(0, 1);
        assert!(!window.is_over());
        window.end();
        assert!(window.is_over());
    }
}
