//! Messages in a stream (RFC 8489 6.2.2, RFC 8656 12.5): each says its own length.

use super::{channel_data, stun};

/// The stream is neither STUN nor `ChannelData`, and so nobody knows where the next message begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Splits a stream. It keeps what is left of what it was fed: less than a message, or what it was
/// told to wait with.
#[derive(Debug, Default)]
pub struct Framing {
    carried: Vec<u8>,
}

impl Framing {
    /// Give each whole message to `message`, without padding, until that says `false`.
    pub fn feed(&mut self, bytes: &[u8], message: &mut impl FnMut(&[u8]) -> bool) -> Result<(), Refused> {
        if self.carried.is_empty() {
            let taken = split(bytes, message)?;
            self.carried.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        } else {
            self.carried.extend_from_slice(bytes);
            let taken = split(&self.carried, message)?;
            self.carried.drain(..taken);
        }
        if self.carried.is_empty() {
            self.carried = Vec::new(); // most connections are idle most of the time
        }
        Ok(())
    }

    /// What it keeps, where that is no message but data (RFC 6062 5.4).
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.carried)
    }

    /// How much it keeps.
    pub fn carried(&self) -> usize {
        self.carried.len()
    }
}

/// The size of the message that begins here, with its padding; of what is none, all of it.
pub fn first(bytes: &[u8]) -> usize {
    size(bytes).ok().flatten().map_or(bytes.len(), |(_, padded)| padded.min(bytes.len()))
}

/// How many bytes were whole messages.
fn split(bytes: &[u8], message: &mut impl FnMut(&[u8]) -> bool) -> Result<usize, Refused> {
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..)
        && let Some((size, padded)) = size(rest)?
        && let Some(whole) = rest.get(..padded)
    {
        taken += padded;
        if !message(&whole[..size]) {
            break;
        }
    }
    Ok(taken)
}

/// The size of the message that begins here, without and with padding; `None`: not known yet.
fn size(bytes: &[u8]) -> Result<Option<(usize, usize)>, Refused> {
    let Some(first) = bytes.first() else { return Ok(None) };
    if channel_data::is_channel_data(*first) {
        let Some(header) = bytes.first_chunk::<{ channel_data::HEADER }>() else { return Ok(None) };
        let size = channel_data::HEADER + usize::from(u16::from_be_bytes([header[2], header[3]]));
        return Ok(Some((size, channel_data::padded(size))));
    }
    if first >> 6 != 0 {
        return Err(Refused);
    }
    // As soon as it can be seen, so that a stranger's protocol is not waited for.
    if !stun::COOKIE.starts_with(bytes.get(4..bytes.len().min(8)).unwrap_or_default()) {
        return Err(Refused);
    }
    let Some(header) = bytes.first_chunk::<4>() else { return Ok(None) };
    let size = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if size % 4 != 0 {
        return Err(Refused);
    }
    Ok(Some((stun::HEADER + size, stun::HEADER + size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(size: u16) -> Vec<u8> {
        let header = [&[0, 3][..], &size.to_be_bytes(), &stun::COOKIE, &[7; 12]].concat();
        [header, vec![9; usize::from(size)]].concat()
    }

    fn padded(number: u16, data: &[u8]) -> Vec<u8> {
        let mut message = [&channel_data::header(number, data.len() as u16)[..], data].concat();
        message.resize(message.len().next_multiple_of(4), 0xee);
        message
    }

    fn split_in(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), Refused>) {
        let (mut framing, mut messages) = (Framing::default(), Vec::new());
        for piece in pieces {
            let result = framing.feed(piece, &mut |message| {
                messages.push(message.to_vec());
                true
            });
            if result.is_err() {
                return (messages, result);
            }
        }
        (messages, Ok(()))
    }

    #[test]
    fn the_same_messages_however_the_stream_is_cut() {
        let stream =
            [request(0), padded(0x4000, b"abcde"), request(8), padded(0x4fff, b""), padded(0x4001, b"abcd")];
        let whole = stream.concat();
        let (messages, result) = split_in(&[&whole]);
        assert_eq!(result, Ok(()));
        let sizes: Vec<usize> = messages.iter().map(Vec::len).collect();
        assert_eq!(sizes, [20, 9, 28, 4, 8]);
        for i in 0..whole.len() {
            for j in i..whole.len() {
                assert_eq!(split_in(&[&whole[..i], &whole[i..j], &whole[j..]]).0, messages);
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused_at_once() {
        for first in 0x80..=u8::MAX {
            assert!(split_in(&[&[first]]).1.is_err());
        }
        assert!(split_in(&[b"\x00\x03\x00\x02"]).1.is_err());
        assert!(split_in(&[b"\x00\x03\x00\x04\x21\x12\xa4\x43"]).1.is_err());
        assert!(split_in(&[b"\x00\x03\x00\x04\x22"]).1.is_err());
        assert!(split_in(&[b"\x00\x03\x00\x04\x21\x12\xa4\x42"]).1.is_ok());
        assert!(split_in(&[b"GET / HTTP/1.1\r\n"]).0.is_empty());
        assert!(split_in(&[b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"]).1.is_err());
    }

    #[test]
    fn it_waits_when_it_is_told_to() {
        let stream = [request(0), request(4), request(8)].concat();
        let (mut framing, mut seen) = (Framing::default(), Vec::new());
        let mut one = |message: &[u8]| {
            seen.push(message.len());
            false
        };
        framing.feed(&stream, &mut one).expect("STUN");
        assert_eq!(framing.carried(), 52);
        framing.feed(&[], &mut one).expect("STUN");
        framing.feed(&[], &mut one).expect("STUN");
        assert_eq!((framing.carried(), seen), (0, vec![20, 24, 28]));
    }
}
