//! Puts datagrams of one source back into order before they are sent on over TCP.

use std::time::{Duration, Instant};

/// Packets held while one before them is missing: at 4 Mb/s some 150 ms.
const CAPACITY: u16 = 64;
/// How long a missing packet is waited for. Reordering on a path is a matter of
/// milliseconds; a lost packet should cost no more than half a frame's time.
const PATIENCE: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub struct Reorder {
    next: Option<u16>,
    /// In order of arrival; at most `CAPACITY`.
    held: Vec<(u16, Vec<u8>)>,
    since: Option<Instant>,
}

impl Reorder {
    /// Give `sink` what is in order now.
    pub fn packet(&mut self, sequence: u16, packet: &[u8], now: Instant, mut sink: impl FnMut(&[u8])) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        if ahead == 0 {
            sink(packet);
            self.next = Some(next.wrapping_add(1));
            self.release(&mut sink);
        } else if ahead < CAPACITY {
            if !self.held.iter().any(|(held, _)| *held == sequence) {
                self.held.push((sequence, packet.to_vec()));
                self.since.get_or_insert(now);
            }
        } else if ahead >= u16::MAX - CAPACITY {
            // Late: what it should have come before is gone already.
        } else {
            // A jump: the source began anew, or so much is lost that waiting is pointless.
            self.give_up(&mut sink);
            sink(packet);
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    /// Stop waiting for what is overdue.
    pub fn expire(&mut self, now: Instant, mut sink: impl FnMut(&[u8])) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            let Some(first) = self.next else { return };
            let Some(nearest) = self.held.iter().map(|(held, _)| held.wrapping_sub(first)).min() else {
                return;
            };
            self.next = Some(first.wrapping_add(nearest));
            self.release(&mut sink);
            self.since = (!self.held.is_empty()).then_some(now);
        }
    }

    fn release(&mut self, sink: &mut impl FnMut(&[u8])) {
        while let Some(next) = self.next
            && let Some(i) = self.held.iter().position(|(held, _)| *held == next)
        {
            sink(&self.held.swap_remove(i).1);
            self.next = Some(next.wrapping_add(1));
        }
        if self.held.is_empty() {
            self.since = None;
        }
    }

    fn give_up(&mut self, sink: &mut impl FnMut(&[u8])) {
        if let Some(next) = self.next {
            self.held.sort_by_key(|(held, _)| held.wrapping_sub(next));
        }
        for (_, packet) in self.held.drain(..) {
            sink(&packet);
        }
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(reorder: &mut Reorder, sequences: &[u16], now: Instant) -> Vec<u16> {
        let mut out = Vec::new();
        for sequence in sequences {
            reorder.packet(*sequence, &sequence.to_be_bytes(), now, |packet| {
                out.push(u16::from_be_bytes([packet[0], packet[1]]));
            });
        }
        out
    }

    #[test]
    fn order_is_restored_over_the_wrap() {
        let mut reorder = Reorder::default();
        let out = through(&mut reorder, &[65533, 65535, 65534, 1, 0, 0, 3, 2], Instant::now());
        assert_eq!(out, [65533, 65534, 65535, 0, 1, 2, 3]);
        assert_eq!(reorder.deadline(), None);
    }

    #[test]
    fn a_lost_packet_is_waited_for_once() {
        let now = Instant::now();
        let mut reorder = Reorder::default();
        assert_eq!(through(&mut reorder, &[1, 3, 4, 6], now), [1]);
        let mut out = Vec::new();
        reorder.expire(now + PATIENCE / 2, |_| panic!("too early"));
        reorder.expire(now + PATIENCE, |packet| out.push(packet[1]));
        assert_eq!(out, [3, 4]);
        assert_eq!(through(&mut reorder, &[2, 5], now), [5, 6], "2 is late and dropped");
    }

    #[test]
    fn a_jump_is_followed_at_once() {
        let mut reorder = Reorder::default();
        assert_eq!(through(&mut reorder, &[1, 3, 2000, 2001], Instant::now()), [1, 3, 2000, 2001]);
    }
}
