//! RTP sequence numbers of one stream, and what is missing among them.

/// Counts packets that never came. One that comes late is taken off again.
#[derive(Default)]
pub struct Sequence {
    next: Option<u16>,
    lost: u64,
}

impl Sequence {
    pub fn received(&mut self, number: u16) {
        let ahead = number.wrapping_sub(self.next.unwrap_or(number)).cast_signed();
        if ahead < 0 {
            self.lost = self.lost.saturating_sub(1);
        } else {
            self.lost += u64::from(ahead.cast_unsigned());
            self.next = Some(number.wrapping_add(1));
        }
    }

    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    fn lost(numbers: &[u16]) -> u64 {
        let mut sequence = Sequence::default();
        for number in numbers {
            sequence.received(*number);
        }
        sequence.lost()
    }

    #[test]
    fn an_unbroken_run_loses_nothing_past_the_wrap_either() {
        assert_eq!(lost(&[65_534, 65_535, 0, 1]), 0);
    }

    #[test]
    fn a_gap_counts_every_missing_packet() {
        assert_eq!(lost(&[10, 12, 16]), 4);
        assert_eq!(lost(&[65_535, 2]), 2);
    }

    #[test]
    fn a_late_packet_is_not_lost() {
        assert_eq!(lost(&[1, 2, 4, 3, 5]), 0);
    }
}
