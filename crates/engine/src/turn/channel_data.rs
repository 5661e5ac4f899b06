//! `ChannelData` messages (RFC 8656 12.4).

pub const HEADER: usize = 4;
/// The first number, and the first that is none: RFC 8656's, and RFC 5766's, which Debian's client uses.
pub const START: u16 = 0x4000;
pub const END: u16 = 0x5000;
pub const COMPATIBLE_END: u16 = 0x8000;

/// Whether a datagram's first byte says `ChannelData`, of whatever channel.
pub fn is_channel_data(first: u8) -> bool {
    first >> 6 == 0b01
}

/// The channel and its data. What follows the data is padding (12.5), which datagrams may have too.
pub fn parse(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let [a, b, c, d, rest @ ..] = datagram else { return None };
    let data = rest.get(..usize::from(u16::from_be_bytes([*c, *d])))?;
    is_channel_data(*a).then_some((u16::from_be_bytes([*a, *b]), data))
}

pub fn header(number: u16, size: u16) -> [u8; HEADER] {
    let ([a, b], [c, d]) = (number.to_be_bytes(), size.to_be_bytes());
    [a, b, c, d]
}

/// How much of a stream one message of `size` bytes of data takes (12.5).
pub fn padded(size: usize) -> usize {
    size.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let message = [&header(0x4abc, 3)[..], b"abc"].concat();
        assert_eq!(parse(&message), Some((0x4abc, &b"abc"[..])));
        assert_eq!(parse(&[&message[..], &[9]].concat()), Some((0x4abc, &b"abc"[..])));
    }

    #[test]
    fn every_length_and_every_first_byte_is_read_or_refused() {
        for first in 0..=u8::MAX {
            for declared in 0..=u16::from(u8::MAX) {
                for size in [0, 1, 3, 4, 5, 8, 64, 259, 260] {
                    let mut datagram = [&[first, 0][..], &declared.to_be_bytes(), &[7; 256]].concat();
                    datagram.truncate(size);
                    let whole = size >= HEADER + usize::from(declared) && first >> 6 == 1;
                    let data = parse(&datagram).map(|(_, data)| data.len());
                    assert_eq!(data, whole.then_some(usize::from(declared)), "{first} {declared} {size}");
                }
            }
        }
    }
}
