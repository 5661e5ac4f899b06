//! Where a picture begins that needs no other: all the engine knows of codecs.

/// The twin is `Codec` in `engine/media.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    Opaque = 0,
    H264 = 1,
    H265 = 2,
    Vp8 = 3,
    Vp9 = 4,
    Av1 = 5,
    OpaqueVideo = 6,
}

impl Codec {
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Opaque, Self::H264, Self::H265, Self::Vp8, Self::Vp9, Self::Av1, Self::OpaqueVideo]
            .into_iter()
            .find(|codec| *codec as u8 == number)
    }

    /// Whether units span packets, so that the engine waits for the last one.
    pub fn is_video(self) -> bool {
        self != Self::Opaque
    }

    /// Whether the engine can tell a key frame; where it cannot, every unit is a start.
    pub fn has_key_frames(self) -> bool {
        !matches!(self, Self::Opaque | Self::OpaqueVideo)
    }

    /// Whether the packet with this payload begins (or belongs to the beginning of) a key frame.
    pub fn is_key(self, payload: &[u8]) -> bool {
        match self {
            Self::Opaque | Self::OpaqueVideo => true,
            Self::H264 => h264(payload),
            Self::H265 => h265(payload),
            Self::Vp8 => vp8(payload),
            Self::Vp9 => vp9(payload),
            Self::Av1 => payload.first().is_some_and(|aggregation| aggregation & 0x08 != 0), // N bit, AV1 RTP 4.4
        }
    }
}

/// H.264: an IDR slice (5), or the parameter set (7) that encoders put before one.
fn h264(payload: &[u8]) -> bool {
    let starts = |nal: u8| matches!(nal & 0x1f, 5 | 7);
    match payload {
        [first, header, ..] if first & 0x1f == 28 => header & 0x80 != 0 && starts(*header), // FU-A, 5.8
        [first, units @ ..] if first & 0x1f == 24 => aggregated(units).any(starts), // STAP-A, RFC 6184 5.7.1
        [first, ..] => starts(*first),
        [] => false,
    }
}

/// H.265: an IRAP picture (16 to 21), or a VPS or SPS (32, 33).
fn h265(payload: &[u8]) -> bool {
    let starts = |kind: u8| matches!(kind, 16..=21 | 32 | 33);
    match payload {
        [first, _, rest @ ..] => match (first >> 1) & 0x3f {
            48 => aggregated(rest).any(|nal| starts((nal >> 1) & 0x3f)), // AP, RFC 7798 4.4.2
            49 => rest.first().is_some_and(|header| header & 0x80 != 0 && starts(header & 0x3f)), // FU, 4.4.3
            kind => starts(kind),
        },
        _ => false,
    }
}

/// The first byte of each unit in an aggregation packet: 16-bit size, then the unit.
fn aggregated(mut units: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let [high, low, rest @ ..] = units else { return None };
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let first = *rest.first()?;
        units = rest.get(size.max(1)..).unwrap_or(&[]);
        Some(first)
    })
}

/// RFC 7741 4.2, 4.3: the start of partition 0 whose frame header has P = 0.
fn vp8(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return false };
    let starts = first & 0x10 != 0 && first & 0x07 == 0;
    let mut at = 1;
    if first & 0x80 != 0 {
        let Some(extension) = payload.get(1) else { return false };
        at = 2;
        if extension & 0x80 != 0 {
            at += if payload.get(2).is_some_and(|id| id & 0x80 != 0) { 2 } else { 1 };
        }
        at += usize::from(extension & 0x40 != 0) + usize::from(extension & 0x30 != 0);
    }
    starts && payload.get(at).is_some_and(|frame| frame & 1 == 0)
}

/// RFC 9628 4.2: the start of a frame (B) that is not predicted from another (P = 0).
fn vp9(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & 0x40 == 0 && first & 0x08 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_told_from_others() {
        let cases: [(Codec, &[u8], bool); 22] = [
            (Codec::H264, &[0x65, 0x88], true),
            (Codec::H264, &[0x67, 0x42], true),
            (Codec::H264, &[0x41, 0x9a], false),
            (Codec::H264, &[0x06, 0x05], false),
            (Codec::H264, &[0x7c, 0x85], true),
            (Codec::H264, &[0x7c, 0x05], false), // a later fragment of an IDR slice
            (Codec::H264, &[0x7c, 0x81], false),
            (Codec::H264, &[0x78, 0, 2, 0x09, 0x10, 0, 2, 0x65, 0x88], true),
            (Codec::H264, &[0x78, 0, 2, 0x09, 0x10, 0, 2, 0x41, 0x88], false),
            (Codec::H264, &[], false),
            (Codec::H265, &[0x26, 0x01, 0xaf], true), // IDR_W_RADL
            (Codec::H265, &[0x40, 0x01], true),       // VPS
            (Codec::H265, &[0x02, 0x01, 0xd0], false),
            (Codec::H265, &[0x62, 0x01, 0x93], true), // FU, start, type 19
            (Codec::H265, &[0x62, 0x01, 0x13], false),
            (Codec::H265, &[0x60, 0x01, 0, 2, 0x46, 0x01, 0, 2, 0x42, 0x01], true),
            (Codec::Vp8, &[0x10, 0x00], true),
            (Codec::Vp8, &[0x10, 0x01], false),
            (Codec::Vp8, &[0x90, 0x80, 0x81, 0x02, 0x00], true),
            (Codec::Vp9, &[0x08], true),
            (Codec::Vp9, &[0x48], false),
            (Codec::Av1, &[0x18], true),
        ];
        for (codec, payload, key) in cases {
            assert_eq!(codec.is_key(payload), key, "{codec:?} {payload:02x?}");
        }
    }

    #[test]
    fn no_payload_is_too_short_to_ask_about() {
        for number in 0..=6 {
            let codec = Codec::from_number(number).expect("a codec");
            for first in 0..=255_u8 {
                for size in 0..6 {
                    codec.is_key(&vec![first; size]);
                }
            }
        }
        assert_eq!(Codec::from_number(7), None);
    }
}
