//! An H.264 stream cut into RTP packets once (RFC 6184), so that sending one costs a patch and a write.
//!
//! Every access unit has the same number of bytes, as a constant bit rate encoder would have it.
//! Parameter sets are real; slice data is filler, for nobody here decodes it. The last 16 bytes
//! of every RTP payload are the unit's due time in hexadecimal: hex digits cannot look like a
//! start code, so they need no escaping inside a NAL unit.

use std::io::Write;
use std::ops::Range;

/// Ticks per second of an H.264 RTP clock (RFC 6184 section 8.2.1).
pub const CLOCK_RATE: u64 = 90_000;
/// Bytes of a due time in hex.
pub const STAMP: usize = 16;
/// Bytes of an RTP header without CSRCs and extensions.
pub const RTP_HEADER: usize = 12;
/// Bytes before a packet that is interleaved in RTSP (RFC 2326 section 10.12).
pub const FRAMING: usize = 4;

/// RTP packets are at most this long: with the framing of any transport they fit an Ethernet frame.
const PACKET_LIMIT: usize = 1400;
const PAYLOAD_TYPE: u8 = 96;
/// Baseline, level 3.1, 1280x720, picture order count type 2: output order is decoding order.
const SPS: [u8; 9] = [0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
const PPS: [u8; 4] = [0x68, 0xce, 0x38, 0x80];
/// A reserved NAL unit type, which decoders skip; it carries the stamp beside the parameter sets.
const RESERVED_NAL: u8 = 23;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const IDR_SLICE: u8 = 5;
const SLICE: u8 = 1;
/// `nal_ref_idc` 3, where it stands in a NAL unit's first byte.
const REFERENCE: u8 = 3 << 5;

/// The media description of an announced stream; `control` names its only track.
pub fn sdp(control: &str) -> String {
    format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=headgate-load\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
         m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_RATE}\r\n\
         a=fmtp:{PAYLOAD_TYPE} packetization-mode=1; profile-level-id=42C01F; \
         sprop-parameter-sets=Z0LAH9oBQBbk,aM44gA==\r\na=control:{control}\r\n"
    )
}

/// The due time in nanoseconds at the end of an RTP packet of this generator.
pub fn stamp(packet: &[u8]) -> Option<u64> {
    let digits = packet.get(packet.len().checked_sub(STAMP)?..)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | u64::from((*digit as char).to_digit(16)?)))
}

/// One coded picture as interleaved RTP packets, back to back.
pub struct AccessUnit {
    bytes: Vec<u8>,
    /// Where each RTP packet stands in `bytes`, behind its framing.
    packets: Vec<Range<usize>>,
}

impl AccessUnit {
    /// Framing included: what an interleaved connection sends.
    pub fn interleaved(&self) -> &[u8] {
        &self.bytes
    }

    pub fn packets(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.packets.iter().map(|range| &self.bytes[range.clone()])
    }

    /// RTP bytes: what `bitrate` counts.
    pub fn rtp_bytes(&self) -> usize {
        self.packets.iter().map(Range::len).sum()
    }

    fn of_size(key: bool, size: usize) -> Self {
        let mut unit = Self { bytes: Vec::with_capacity(size * 2), packets: Vec::new() };
        let mut left = size;
        if key {
            unit.push(&parameter_sets());
            left = left.saturating_sub(unit.rtp_bytes());
        }
        let count = left.div_ceil(PACKET_LIMIT).max(2);
        for index in 0..count {
            let packet = (left / count).max(RTP_HEADER + 2 + 2 + STAMP);
            // The remainder goes to the first packets, one byte each.
            let length = packet + usize::from(index < left % count) - RTP_HEADER;
            unit.push(&fragment(key, length, index == 0, index + 1 == count));
        }
        let last = unit.packets.last().expect("at least two fragments were pushed").start;
        unit.bytes[last + 1] |= 0x80;
        unit
    }

    fn push(&mut self, payload: &[u8]) {
        let length = (RTP_HEADER + payload.len()) as u16;
        self.bytes.extend_from_slice(&[b'$', 0]);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0x80, PAYLOAD_TYPE]);
        self.bytes.extend_from_slice(&[0; RTP_HEADER - 2]);
        self.bytes.extend_from_slice(payload);
        self.packets.push(start..self.bytes.len());
    }
}

/// One publisher's endless pictures: a key picture first in every group.
pub struct Pictures {
    key: AccessUnit,
    delta: AccessUnit,
    group: u64,
    rate: u64,
    ssrc: u32,
    sequence: u16,
}

impl Pictures {
    /// `bitrate` in bits of RTP per second, `rate` in pictures per second, `group` in pictures.
    pub fn new(bitrate: u64, rate: u64, group: u64, ssrc: u32) -> Self {
        let size = (bitrate / 8 / rate) as usize;
        Self {
            key: AccessUnit::of_size(true, size),
            delta: AccessUnit::of_size(false, size),
            group,
            rate,
            ssrc,
            sequence: 0,
        }
    }

    /// Picture `index` (0, 1, 2 …, each asked for once), stamped with the time it is due.
    pub fn picture(&mut self, index: u64, due: u64) -> &AccessUnit {
        let unit = if index.is_multiple_of(self.group) { &mut self.key } else { &mut self.delta };
        let timestamp = (index * CLOCK_RATE / self.rate) as u32;
        for range in &unit.packets {
            let packet = &mut unit.bytes[range.clone()];
            packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
            packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
            let end = packet.len() - STAMP;
            write!(&mut packet[end..], "{due:016x}").expect("16 digits fit 16 bytes");
            self.sequence = self.sequence.wrapping_add(1);
        }
        unit
    }
}

/// SPS, PPS and the stamp's NAL unit in one aggregation packet (RFC 6184 section 5.7.1).
fn parameter_sets() -> Vec<u8> {
    let mut stamped = [0; 1 + STAMP];
    stamped[0] = RESERVED_NAL;
    let mut payload = vec![REFERENCE | STAP_A];
    for unit in [&SPS[..], &PPS[..], &stamped[..]] {
        payload.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        payload.extend_from_slice(unit);
    }
    payload
}

/// A fragment of a slice (RFC 6184 section 5.8), `length` bytes long with its two headers.
fn fragment(key: bool, length: usize, first: bool, last: bool) -> Vec<u8> {
    let kind = if key { IDR_SLICE } else { SLICE };
    let mut payload = vec![0xab; length];
    payload[0] = REFERENCE | FU_A;
    payload[1] = u8::from(first) << 7 | u8::from(last) << 6 | kind;
    if first {
        // first_mb_in_slice 0, slice_type I or P, pic_parameter_set_id 0, frame_num 0.
        payload[2..4].copy_from_slice(if key { &[0x88, 0x09] } else { &[0x9a, 0x09] });
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::{PACKET_LIMIT, Pictures, RTP_HEADER, stamp};

    const DUE: u64 = 0x0123_4567_89ab_cdef;

    #[test]
    fn a_group_has_the_bit_rate_asked_for() {
        let mut pictures = Pictures::new(4_000_000, 30, 30, 7);
        let bytes: usize = (0..30).map(|index| pictures.picture(index, DUE).rtp_bytes()).sum();
        assert!(bytes.abs_diff(4_000_000 / 8) <= 30, "{bytes}");
        assert_eq!(pictures.picture(31, DUE).packets().len(), 12);
    }

    #[test]
    fn every_packet_is_numbered_stamped_and_short_enough() {
        let mut pictures = Pictures::new(10_000_000, 25, 10, 7);
        let mut expected = 0_u16;
        for index in 0..20 {
            let unit = pictures.picture(index, DUE + index);
            let count = unit.packets().len();
            for (position, packet) in unit.packets().enumerate() {
                assert!(packet.len() <= PACKET_LIMIT);
                assert_eq!(u16::from_be_bytes([packet[2], packet[3]]), expected);
                assert_eq!(u32::from_be_bytes(packet[4..8].try_into().unwrap()), index as u32 * 3600);
                assert_eq!(stamp(packet), Some(DUE + index));
                assert_eq!(packet[1] & 0x80 != 0, position + 1 == count, "marker on the last packet only");
                expected += 1;
            }
        }
    }

    #[test]
    fn framing_gives_each_packet_its_length() {
        let mut pictures = Pictures::new(4_000_000, 30, 30, 7);
        let unit = pictures.picture(0, DUE);
        let mut rest = unit.interleaved();
        for packet in unit.packets() {
            assert_eq!(rest[..2], [b'$', 0]);
            assert_eq!(usize::from(u16::from_be_bytes([rest[2], rest[3]])), packet.len());
            assert_eq!(&rest[4..4 + packet.len()], packet);
            rest = &rest[4 + packet.len()..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_key_picture_begins_with_parameter_sets() {
        let mut pictures = Pictures::new(4_000_000, 30, 2, 7);
        let kinds: Vec<u8> = (0..4)
            .map(|index| pictures.picture(index, DUE).packets().next().unwrap()[RTP_HEADER] & 0x1f)
            .collect();
        assert_eq!(kinds, [24, 28, 24, 28]);
    }

    #[test]
    fn a_tiny_bit_rate_still_makes_whole_packets() {
        let mut pictures = Pictures::new(1_000, 30, 30, 7);
        for index in 0..2 {
            assert!(pictures.picture(index, DUE).packets().all(|packet| stamp(packet) == Some(DUE)));
        }
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        assert_eq!(stamp(b"0123"), None);
        assert_eq!(stamp(b"0123456789abcdeg"), None);
    }
}
