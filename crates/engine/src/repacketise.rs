//! Cuts RTP packets that are too large for a datagram into smaller ones.
//!
//! Once a track needed it, its sequence numbers differ from the publisher's for
//! good; timestamps and sources stay.

use crate::codec::Codec;
use crate::rtp::Header;

/// NAL unit types of fragments: RFC 6184 5.8, RFC 7798 4.4.3.
const FU_A: u8 = 0x1c;
const FU: u8 = 0x31;

/// Cuts one track's packets and renumbers them.
#[derive(Debug)]
pub struct Repacketiser {
    /// The largest RTP packet to send, in bytes.
    size: usize,
    /// How many packets were added so far.
    added: u16,
}

/// What the fragments of a unit carry before its bytes.
enum Fragment {
    /// RFC 6184 5.8: FU indicator and header.
    H264 { indicator: u8, kind: u8 },
    /// RFC 7798 4.4.3: payload header and FU header.
    H265 { payload_header: [u8; 2], kind: u8 },
}

impl Repacketiser {
    pub fn new(size: usize) -> Self {
        Self { size, added: 0 }
    }

    /// Give `sink` the packets that stand for this one. `false`: it is too large and cannot be cut.
    pub fn packet(
        &mut self,
        codec: Codec,
        packet: &[u8],
        header: &Header,
        mut sink: impl FnMut(&[u8]),
    ) -> bool {
        if packet.len() <= self.size {
            let mut renumbered = packet.to_vec();
            renumbered[2..4].copy_from_slice(&header.sequence.wrapping_add(self.added).to_be_bytes());
            sink(&renumbered);
            return true;
        }
        let payload = &packet[header.payload_start..header.payload_end];
        let mut cut = Cut {
            head: &packet[..header.fixed_size],
            marker: header.marker,
            sequence: header.sequence.wrapping_add(self.added),
            room: self.size.saturating_sub(header.fixed_size),
            out: Vec::with_capacity(self.size),
            sent: 0,
            sink: &mut sink,
        };
        if cut.room < 64 {
            return false; // contributing sources leave no room
        }
        let done = match codec {
            Codec::H264 => cut.h264(payload),
            Codec::H265 => cut.h265(payload),
            _ => false,
        };
        self.added = self.added.wrapping_add(cut.sent.saturating_sub(1));
        done
    }
}

struct Cut<'a, S: FnMut(&[u8])> {
    head: &'a [u8],
    marker: bool,
    sequence: u16,
    room: usize,
    out: Vec<u8>,
    sent: u16,
    sink: &'a mut S,
}

impl<S: FnMut(&[u8])> Cut<'_, S> {
    fn h264(&mut self, payload: &[u8]) -> bool {
        match payload {
            [first, rest @ ..] if first & 0x1f == 24 => self.aggregate(rest, 1),
            [indicator, header, data @ ..] if indicator & 0x1f == 28 => {
                let fragment = Fragment::H264 { indicator: *indicator, kind: header & 0x1f };
                self.fragment(&fragment, data, header & 0x80 != 0, header & 0x40 != 0, true);
                true
            }
            [first, ..] if (1..=23).contains(&(first & 0x1f)) => self.unit(payload, 1, true),
            _ => false, // interleaved modes (STAP-B, MTAP, FU-B) need decoding order numbers
        }
    }

    fn h265(&mut self, payload: &[u8]) -> bool {
        match payload {
            [first, _, rest @ ..] if (first >> 1) & 0x3f == 48 => self.aggregate(rest, 2),
            [first, second, header, data @ ..] if (first >> 1) & 0x3f == 49 => {
                let fragment = Fragment::H265 { payload_header: [*first, *second], kind: header & 0x3f };
                self.fragment(&fragment, data, header & 0x80 != 0, header & 0x40 != 0, true);
                true
            }
            [first, _, ..] if (first >> 1) & 0x3f < 48 => self.unit(payload, 2, true),
            _ => false,
        }
    }

    /// Every unit of an aggregation packet on its own. `header`: the size of a unit's header.
    fn aggregate(&mut self, mut units: &[u8], header: usize) -> bool {
        while let [high, low, rest @ ..] = units {
            let size = usize::from(u16::from_be_bytes([*high, *low]));
            if size < header || rest.len() < size {
                return self.sent > 0;
            }
            let (unit, behind) = rest.split_at(size);
            self.unit(unit, header, behind.len() < 3);
            units = behind;
        }
        self.sent > 0
    }

    fn unit(&mut self, unit: &[u8], header: usize, last: bool) -> bool {
        if unit.len() <= self.room {
            self.send(&[], unit, last);
        } else if header == 1 {
            let fragment = Fragment::H264 { indicator: (unit[0] & 0xe0) | FU_A, kind: unit[0] & 0x1f };
            self.fragment(&fragment, &unit[1..], true, true, last);
        } else {
            let payload_header = [unit[0] & 0x81 | FU << 1, unit[1]];
            let fragment = Fragment::H265 { payload_header, kind: (unit[0] >> 1) & 0x3f };
            self.fragment(&fragment, &unit[2..], true, true, last);
        }
        true
    }

    fn fragment(&mut self, fragment: &Fragment, data: &[u8], starts: bool, ends: bool, last: bool) {
        let room = self.room - 3; // the larger of the two fragment headers
        let count = data.len().div_ceil(room);
        for (i, piece) in data.chunks(room).enumerate() {
            let start = u8::from(starts && i == 0) << 7;
            let end = u8::from(ends && i + 1 == count) << 6;
            let last = last && i + 1 == count;
            match *fragment {
                Fragment::H264 { indicator, kind } => {
                    self.send(&[indicator, start | end | kind], piece, last)
                }
                Fragment::H265 { payload_header: [a, b], kind } => {
                    self.send(&[a, b, start | end | kind], piece, last);
                }
            }
        }
    }

    fn send(&mut self, prefix: &[u8], data: &[u8], last: bool) {
        self.out.clear();
        self.out.extend_from_slice(self.head);
        self.out[0] &= 0xcf; // no padding, no extension
        self.out[1] = self.out[1] & 0x7f | u8::from(last && self.marker) << 7;
        self.out[2..4].copy_from_slice(&self.sequence.wrapping_add(self.sent).to_be_bytes());
        self.out.extend_from_slice(prefix);
        self.out.extend_from_slice(data);
        (self.sink)(&self.out);
        self.sent = self.sent.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::tests::packet;

    fn cut(codec: Codec, repacketiser: &mut Repacketiser, bytes: &[u8]) -> (bool, Vec<Vec<u8>>) {
        let mut out = Vec::new();
        let header = Header::parse(bytes).expect("valid");
        let done = repacketiser.packet(codec, bytes, &header, |p| out.push(p.to_vec()));
        (done, out)
    }

    /// Puts fragments together again, as RFC 6184 and RFC 7798 say a receiver does.
    fn units(codec: Codec, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut units: Vec<Vec<u8>> = Vec::new();
        for packet in packets {
            let payload = &packet[12..];
            match codec {
                Codec::H264 if payload[0] & 0x1f == 28 => {
                    if payload[1] & 0x80 != 0 {
                        units.push(vec![payload[0] & 0xe0 | payload[1] & 0x1f]);
                    }
                    units.last_mut().expect("started").extend(&payload[2..]);
                }
                Codec::H265 if payload[0] >> 1 & 0x3f == 49 => {
                    if payload[2] & 0x80 != 0 {
                        units.push(vec![payload[0] & 0x81 | (payload[2] & 0x3f) << 1, payload[1]]);
                    }
                    units.last_mut().expect("started").extend(&payload[3..]);
                }
                _ => units.push(payload.to_vec()),
            }
        }
        units
    }

    fn unit(first: &[u8], size: usize) -> Vec<u8> {
        first.iter().copied().chain((0..size).map(|i| i as u8)).collect()
    }

    #[test]
    fn the_units_survive_and_the_sequence_has_no_gap() {
        for (codec, idr, small) in [
            (Codec::H264, unit(&[0x65], 5000), unit(&[0x06], 20)),
            (Codec::H265, unit(&[0x26, 1], 5000), unit(&[0x4e, 1], 20)),
        ] {
            let mut repacketiser = Repacketiser::new(1472);
            let mut all = Vec::new();
            for (sequence, payload) in [(65534, &idr), (65535, &small), (0, &idr)] {
                let (done, out) = cut(codec, &mut repacketiser, &packet(sequence, 9, true, payload));
                assert!(done);
                all.extend(out);
            }
            assert_eq!(units(codec, &all), [idr.clone(), small, idr]);
            for (i, bytes) in all.iter().enumerate() {
                assert!(bytes.len() <= 1472);
                assert_eq!(Header::parse(bytes).expect("valid").sequence, 65534_u16.wrapping_add(i as u16));
            }
            let marked = all.iter().filter(|bytes| bytes[1] & 0x80 != 0).count();
            assert_eq!(marked, 3, "the marker stays on the last packet of each");
        }
    }

    #[test]
    fn an_aggregate_falls_apart() {
        let units_in = [unit(&[0x67], 30), unit(&[0x68], 10), unit(&[0x65], 3000)];
        let mut payload = vec![0x78];
        for unit in &units_in {
            payload.extend((unit.len() as u16).to_be_bytes());
            payload.extend(unit);
        }
        let (done, out) = cut(Codec::H264, &mut Repacketiser::new(1000), &packet(5, 9, true, &payload));
        assert!(done);
        assert_eq!(units(Codec::H264, &out), units_in);
    }

    #[test]
    fn a_large_fragment_is_cut_into_smaller_ones() {
        let idr = unit(&[0x65], 6000);
        let first = [&[0x7c, 0x85], &idr[1..3001]].concat();
        let second = [&[0x7c, 0x45], &idr[3001..]].concat();
        let mut repacketiser = Repacketiser::new(1200);
        let mut all = cut(Codec::H264, &mut repacketiser, &packet(1, 9, false, &first)).1;
        all.extend(cut(Codec::H264, &mut repacketiser, &packet(2, 9, true, &second)).1);
        assert_eq!(units(Codec::H264, &all), [idr]);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let (done, out) = cut(Codec::Opaque, &mut Repacketiser::new(1000), &packet(1, 9, false, &[1; 2000]));
        assert!(!done && out.is_empty());
    }

    #[test]
    fn lengths_that_lie_do_no_harm() {
        for codec in [Codec::H264, Codec::H265] {
            for first in 0..=255_u8 {
                let mut payload = vec![0xff; 1500];
                payload[0] = first;
                cut(codec, &mut Repacketiser::new(1000), &packet(1, 9, false, &payload));
            }
        }
    }
}
