//! Base64 (RFC 4648 4) as a stream: what a client POSTs into a tunnel.
//!
//! Sans-IO, and without a buffer: it is decoded where it was read.

use crate::rtsp::Refusal;
use crate::tunnel::{End, Inside};

/// Clients encode each message by itself, so that padding ends a group and not the stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The bits of the group that is not complete yet, and how many characters they came in.
    bits: u32,
    count: u8,
    /// The first of two padding characters was seen.
    padding: bool,
}

impl Decoder {
    /// Decode in place. Each character yields a byte at most, so nothing is written before it was read.
    /// After a refusal nothing more may be fed.
    pub fn decode(&mut self, bytes: &mut [u8]) -> Inside {
        let mut size = 0;
        for at in 0..bytes.len() {
            match self.take(bytes[at]) {
                Ok(Some(byte)) => {
                    bytes[size] = byte;
                    size += 1;
                }
                Ok(None) => {}
                Err(refusal) => return Inside { size, end: Some(End::Refused(refusal)) },
            }
        }
        Inside { size, end: None }
    }

    fn take(&mut self, character: u8) -> Result<Option<u8>, Refusal> {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\r' | b'\n' | b' ' | b'\t' => return Ok(None), // encoders that break lines
            b'=' => {
                self.padding = match (self.count, self.padding) {
                    (2, false) => true,
                    (2, true) | (3, false) => false,
                    _ => return Err(Refusal::BadBase64),
                };
                if !self.padding {
                    self.count = 0;
                }
                return Ok(None);
            }
            _ => return Err(Refusal::BadBase64),
        };
        if self.padding {
            return Err(Refusal::BadBase64);
        }
        self.bits = self.bits << 6 | u32::from(value);
        self.count = (self.count + 1) % 4;
        Ok(match self.count {
            1 => None,
            2 => Some((self.bits >> 4) as u8),
            3 => Some((self.bits >> 2) as u8),
            _ => Some(self.bits as u8),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(chunk: usize, text: &[u8]) -> (Vec<u8>, bool) {
        let (mut decoder, mut plain) = (Decoder::default(), Vec::new());
        for piece in text.chunks(chunk) {
            let mut bytes = piece.to_vec();
            let inside = decoder.decode(&mut bytes);
            plain.extend(&bytes[..inside.size]);
            if inside.end.is_some() {
                return (plain, false);
            }
        }
        (plain, true)
    }

    #[test]
    fn the_vectors_of_rfc_4648_one_behind_the_other_however_they_are_cut() {
        // Section 10, each padded by itself as RTSP messages are.
        let text = b"Zg==Zm8=Zm9vZm9vYg==\r\nZm9vYmE=Zm9vYmFy";
        for chunk in 1..=text.len() {
            assert_eq!(decoded(chunk, text), (b"ffofoofoobfoobafoobar".to_vec(), true), "chunk {chunk}");
        }
    }

    #[test]
    fn what_is_not_base64_is_refused_behind_what_was() {
        for (text, plain) in [
            (&b"Zm9v*"[..], &b"foo"[..]),
            (b"=", b""),
            (b"Z=", b""),
            (b"Zg=A", b"f"),
            (b"Zg===", b"f"),
            (b"Zm8==", b"fo"),
            (b"Zm9v\0", b"foo"),
            (b"Zm-_", b"f"),
        ] {
            for chunk in [1, text.len()] {
                let (seen, whole) = decoded(chunk, text);
                assert!(!whole, "{}", String::from_utf8_lossy(text));
                assert_eq!(seen, plain, "{}", String::from_utf8_lossy(text));
            }
        }
    }
}
