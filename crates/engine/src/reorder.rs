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
    /// At most `CAPACITY`.
    held: Vec<Held>,
    /// When the oldest of them came.
    since: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    sequence: u16,
    packet: Vec<u8>,
    at: Instant,
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
            if !self.held.iter().any(|held| held.sequence == sequence) {
                self.held.push(Held { sequence, packet: packet.to_vec(), at: now });
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
            let Some(nearest) = self.held.iter().map(|held| held.sequence.wrapping_sub(first)).min() else {
                return;
            };
            self.next = Some(first.wrapping_add(nearest));
            self.release(&mut sink);
        }
    }

    fn release(&mut self, sink: &mut impl FnMut(&[u8])) {
        while let Some(next) = self.next
            && let Some(i) = self.held.iter().position(|held| held.sequence == next)
        {
            sink(&self.held.swap_remove(i).packet);
            self.next = Some(next.wrapping_add(1));
        }
        // What still waits does so for another packet, and since it came itself.
        self.since = self.held.iter().map(|held| held.at).min();
    }

    fn give_up(&mut self, sink: &mut impl FnMut(&[u8])) {
        if let Some(next) = self.next {
            self.held.sort_by_key(|held| held.sequence.wrapping_sub(next));
        }
        for held in self.held.drain(..) {
            sink(&held.packet);
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
        assert_eq!(out, [3, 4, 6], "5 was waited for as long as 2");
        assert_eq!(through(&mut reorder, &[2, 5, 7], now), [7], "2 and 5 are late and dropped");
    }

    #[test]
    fn each_missing_packet_is_waited_for_on_its_own() {
        let start = Instant::now();
        let mut reorder = Reorder::default();
        // Every packet two places late for a while: there is a gap at every moment, but none is old.
        let mut order: Vec<u16> = (0..200).collect();
        for i in (1..197).step_by(2) {
            order.swap(i, i + 3);
        }
        let mut out = Vec::new();
        for (i, sequence) in order.iter().enumerate() {
            let now = start + Duration::from_millis(i as u64);
            let mut sink = |packet: &[u8]| out.push(u16::from_be_bytes([packet[0], packet[1]]));
            reorder.expire(now, &mut sink);
            reorder.packet(*sequence, &sequence.to_be_bytes(), now, &mut sink);
        }
        assert_eq!(out.len(), 200, "lost: {:?}", (0..200).filter(|n| !out.contains(n)).collect::<Vec<_>>());
    }

    #[test]
    fn a_jump_is_followed_at_once() {
        let mut reorder = Reorder::default();
        assert_eq!(through(&mut reorder, &[1, 3, 2000, 2001], Instant::now()), [1, 3, 2000, 2001]);
    }
}
