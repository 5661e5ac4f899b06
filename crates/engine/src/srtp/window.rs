//! Which packets of a source came already (RFC 3711 3.3.2).

/// Twice what RFC 3711 asks for at least: a burst on a bad way home.
const SIZE: u64 = 128;

#[derive(Debug)]
pub struct Window {
    pub highest: u64,
    /// Bit n: `highest - n` came.
    seen: u128,
}

impl Window {
    /// Begin with a source's first packet.
    pub fn new(first: u64) -> Self {
        Self { highest: first, seen: 1 }
    }

    /// `false`: it came already, or so long ago that nobody knows.
    pub fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < SIZE && self.seen >> behind & 1 == 0,
        }
    }

    /// Only for one that is new, and was authenticated.
    pub fn take(&mut self, index: u64) {
        if let Some(behind) = self.highest.checked_sub(index) {
            self.seen |= 1 << (behind % SIZE);
            return;
        }
        let ahead = index - self.highest;
        self.seen = if ahead < SIZE { self.seen << ahead | 1 } else { 1 };
        self.highest = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_in_any_order() {
        let mut window = Window::new(1000);
        for index in [1001, 1003, 1002, 1130, 1004, 1129, 999_999] {
            assert!(window.is_new(index), "{index}");
            window.take(index);
            assert!(!window.is_new(index), "{index} again");
        }
        assert!(!window.is_new(1131), "too old to be known");
        assert!(window.is_new(999_999 - 127) && !window.is_new(999_999 - 128));
    }
}
