//! RTP headers and the receiver's statistics of RFC 3550.

use std::time::Instant;

/// A parsed header (RFC 3550 5.1) over the packet it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Where the payload begins and ends; padding is outside.
    pub payload_start: usize,
    pub payload_end: usize,
    /// The fixed header and its contributing sources, without an extension.
    pub fixed_size: usize,
}

pub const FIXED: usize = 12;

impl Header {
    /// `None` when the bytes are shorter than their own header says, or not version 2.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        if packet.len() < FIXED || packet[0] >> 6 != 2 {
            return None;
        }
        let fixed_size = FIXED + 4 * usize::from(packet[0] & 0x0f);
        let mut payload_start = fixed_size;
        if packet[0] & 0x10 != 0 {
            let words = packet.get(fixed_size + 2..fixed_size + 4)?;
            payload_start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let mut payload_end = packet.len();
        if packet[0] & 0x20 != 0 {
            let padding = usize::from(packet[packet.len() - 1]);
            if padding == 0 {
                return None;
            }
            payload_end = payload_end.checked_sub(padding)?;
        }
        if payload_start > payload_end {
            return None;
        }
        Some(Self {
            marker: packet[1] & 0x80 != 0,
            payload_type: packet[1] & 0x7f,
            sequence: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
            ssrc: u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]),
            payload_start,
            payload_end,
            fixed_size,
        })
    }
}

/// What a receiver knows of one source: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter).
#[derive(Debug)]
pub struct Reception {
    clock_rate: f64,
    epoch: Instant,
    ssrc: u32,
    base: u32,
    max: u16,
    cycles: u32,
    received: u32,
    /// Packets that never came from the sources before this one.
    lost_before: u64,
    bad: Option<u16>,
    expected_prior: u32,
    received_prior: u32,
    transit: Option<f64>,
    /// In clock ticks.
    jitter: f64,
}

const MAX_DROPOUT: u16 = 3000;
const MAX_MISORDER: u16 = 100;

impl Reception {
    /// Begin with a source's first packet.
    pub fn new(first: &Header, clock_rate: u32, now: Instant) -> Self {
        Self {
            clock_rate: f64::from(clock_rate),
            epoch: now,
            ssrc: first.ssrc,
            base: u32::from(first.sequence),
            max: first.sequence,
            cycles: 0,
            received: 0,
            lost_before: 0,
            bad: None,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter: 0.0,
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub fn packet(&mut self, header: &Header, now: Instant) {
        if header.ssrc != self.ssrc {
            self.begin_anew(header, now);
        }
        let ahead = header.sequence.wrapping_sub(self.max);
        if ahead < MAX_DROPOUT {
            if header.sequence < self.max {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.max = header.sequence;
        } else if ahead <= u16::MAX - MAX_MISORDER {
            // A jump: believed once the packet after it comes as well.
            if self.bad == Some(header.sequence) {
                self.begin_anew(header, now);
            } else {
                self.bad = Some(header.sequence.wrapping_add(1));
                return;
            }
        }
        self.received = self.received.wrapping_add(1);
        // A.8
        let arrival = (now - self.epoch).as_secs_f64() * self.clock_rate;
        let transit = arrival - f64::from(header.timestamp);
        if let Some(before) = self.transit {
            let difference = (transit - before).abs();
            // A timestamp that wraps or jumps is not jitter.
            if difference < self.clock_rate * 10.0 {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
        self.transit = Some(transit);
    }

    fn begin_anew(&mut self, first: &Header, now: Instant) {
        let lost_before = self.lost_in_all();
        *self = Self { lost_before, ..Self::new(first, self.clock_rate as u32, now) };
    }

    /// Losses of this source and of those before it.
    pub fn lost_in_all(&self) -> u64 {
        self.lost_before + u64::from(self.lost())
    }

    pub fn extended_max(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.max))
    }

    fn expected(&self) -> u32 {
        self.extended_max().wrapping_sub(self.base).wrapping_add(1)
    }

    /// Packets that never came. Duplicates make RFC 3550's count negative; here that is 0.
    pub fn lost(&self) -> u32 {
        (self.expected().wrapping_sub(self.received) as i32).max(0) as u32
    }

    pub fn jitter_ticks(&self) -> u32 {
        self.jitter as u32
    }

    pub fn jitter_seconds(&self) -> f64 {
        if self.clock_rate > 0.0 { self.jitter / self.clock_rate } else { 0.0 }
    }

    /// A.3: the fraction lost since the last call, in 1/256.
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected();
        let interval = expected.wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost = interval.saturating_sub(received);
        if interval == 0 { 0 } else { ((u64::from(lost) << 8) / u64::from(interval)).min(255) as u8 }
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;

    pub fn packet(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 96 | u8::from(marker) << 7];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(0x1234_5678_u32.to_be_bytes());
        packet.extend(payload);
        packet
    }

    #[test]
    fn a_header_longer_than_its_packet_is_refused() {
        let mut whole = packet(1, 2, true, b"payload");
        whole[0] |= 0x12; // extension and two contributing sources
        whole.splice(12..12, [0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        let header = Header::parse(&whole).expect("valid");
        assert_eq!(&whole[header.payload_start..header.payload_end], b"payload");
        for size in 0..header.payload_start {
            assert_eq!(Header::parse(&whole[..size]), None, "{size} bytes");
        }
    }

    #[test]
    fn padding_is_not_payload() {
        let mut padded = packet(1, 2, false, b"data\0\0\x03");
        padded[0] |= 0x20;
        let header = Header::parse(&padded).expect("valid");
        assert_eq!(&padded[header.payload_start..header.payload_end], b"data");
        for bad in [0, 20] {
            *padded.last_mut().expect("not empty") = bad;
            assert_eq!(Header::parse(&padded), None);
        }
    }

    fn receive(sequences: impl IntoIterator<Item = u16>) -> Reception {
        let start = Instant::now();
        let mut reception = None;
        for (i, sequence) in sequences.into_iter().enumerate() {
            let now = start + Duration::from_millis(10 * i as u64);
            let bytes = packet(sequence, 900 * i as u32, false, b"");
            let header = Header::parse(&bytes).expect("valid");
            reception.get_or_insert_with(|| Reception::new(&header, 90000, now)).packet(&header, now);
        }
        reception.expect("at least one packet")
    }

    #[test]
    fn losses_are_counted_over_a_wrap() {
        let mut reception = receive((65000_u32..67000).filter(|n| n % 100 != 50).map(|n| n as u16));
        assert_eq!(reception.lost(), 20);
        assert_eq!(reception.extended_max(), 66999);
        assert_eq!(reception.fraction_lost(), (20 * 256 / 2000) as u8);
        assert_eq!(reception.fraction_lost(), 0);
    }

    #[test]
    fn reordered_and_repeated_packets_are_no_loss() {
        assert_eq!(receive([0, 1, 3, 2, 4, 4, 5]).lost(), 0);
        assert_eq!(receive([65535, 0, 1]).lost(), 0);
    }

    #[test]
    fn a_source_that_starts_anew_is_followed() {
        let mut sequences: Vec<u16> = (0..100).collect();
        sequences.extend(30000..30100);
        let reception = receive(sequences);
        assert_eq!(reception.lost(), 0);
        assert_eq!(reception.extended_max(), 30099);
    }

    #[test]
    fn an_even_clock_has_no_jitter() {
        assert_eq!(receive(0..200).jitter_ticks(), 0);
    }
}
