//! WebSocket frames (RFC 6455 5) on the server's side: a stream of bytes in binary messages.
//!
//! Sans-IO, and without a buffer: what a client sent is unmasked where it was read. Where messages
//! begin and end means nothing here, as RTSP finds its own ends.

use crate::rtsp::Refusal;
use crate::tunnel::{End, Inside};

/// The largest thing within is a head and body of 144 kB; a client may put several into one message.
const MESSAGE_LIMIT: u64 = 1024 * 1024;
/// No client cuts a message so small; past it, it only keeps us busy.
const FRAGMENT_LIMIT: u32 = 1024;
/// RFC 6455 5.5: of a ping, pong or close.
const CONTROL_LIMIT: usize = 125;
/// FIN, opcode, MASK, 64 bits of length, mask.
const LONGEST_HEAD: usize = 14;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

// RFC 6455 7.4.1
const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const TOO_BIG: u16 = 1009;

/// What stands before the bytes of a message that we send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head {
    bytes: [u8; 10],
    size: u8,
}

impl Head {
    /// Of a whole binary message.
    pub fn binary(size: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = FIN | BINARY;
        let taken = match size {
            0..=125 => {
                bytes[1] = size as u8;
                2
            }
            126..=0xFFFF => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(size as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&(size as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, size: taken }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.size)]
    }
}

/// Reads what one client sends.
#[derive(Debug)]
pub struct Reader {
    head: [u8; LONGEST_HEAD],
    /// How much of `head` is there.
    have: usize,
    frame: Option<Frame>,
    /// The message that is under way: its size so far and its fragments.
    message: Option<(u64, u32)>,
    /// The payload of the control frame that is under way.
    control: Vec<u8>,
    pong: Option<Vec<u8>>,
    /// What our own close frame will say.
    code: u16,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: u8,
    last: bool,
    mask: [u8; 4],
    /// How much of the payload is unmasked, modulo 4.
    at: usize,
    left: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            head: [0; LONGEST_HEAD],
            have: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            pong: None,
            code: NORMAL,
        }
    }
}

impl Reader {
    /// Unwrap in place. After an end nothing more may be fed.
    pub fn unwrap(&mut self, bytes: &mut [u8]) -> Inside {
        let (mut from, mut size) = (0, 0);
        let end = loop {
            if let Some(frame) = &mut self.frame {
                let count = frame.left.min((bytes.len() - from) as u64) as usize;
                let payload = &mut bytes[from..from + count];
                for (byte, mask) in payload.iter_mut().zip(frame.mask.iter().cycle().skip(frame.at)) {
                    *byte ^= mask;
                }
                if frame.opcode >= CLOSE {
                    self.control.extend_from_slice(payload);
                } else {
                    bytes.copy_within(from..from + count, size);
                    size += count;
                }
                from += count;
                frame.at = (frame.at + count) % 4;
                frame.left -= count as u64;
                if frame.left > 0 {
                    break None;
                }
                if let Some(end) = self.finish() {
                    break Some(end);
                }
            } else if from == bytes.len() {
                break None;
            } else {
                let wanted = self.head_size() - self.have;
                let count = wanted.min(bytes.len() - from);
                self.head[self.have..self.have + count].copy_from_slice(&bytes[from..from + count]);
                self.have += count;
                from += count;
                if count == wanted
                    && let Err(refusal) = self.advance()
                {
                    break Some(End::Refused(refusal));
                }
            }
        };
        Inside { size, end }
    }

    /// The answer to the last ping, which is the only one that has to be answered (RFC 6455 5.5.3).
    pub fn pong(&mut self) -> Option<Vec<u8>> {
        let payload = self.pong.take()?;
        Some([&[FIN | PONG, payload.len() as u8], &payload[..]].concat())
    }

    /// Our goodbye, or the answer to the client's.
    pub fn close_frame(&self) -> Vec<u8> {
        [[FIN | CLOSE, 2], self.code.to_be_bytes()].concat()
    }

    /// As far as it is known yet.
    fn head_size(&self) -> usize {
        let more = match self.head[1] & !MASKED {
            _ if self.have < 2 => return 2,
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + more + 4
    }

    /// Look at the head, once its first two bytes are there and once it is whole.
    fn advance(&mut self) -> Result<(), Refusal> {
        let (opcode, last) = (self.head[0] & 0x0F, self.head[0] & FIN != 0);
        let length = usize::from(self.head[1] & !MASKED);
        if self.have == 2 {
            self.code = PROTOCOL_ERROR;
            let fits = match opcode {
                CONTINUATION => self.message.is_some(),
                BINARY => self.message.is_none(),
                CLOSE | PING | PONG => last && length <= CONTROL_LIMIT,
                TEXT => {
                    self.code = UNSUPPORTED_DATA; // RTSP's packets are none
                    false
                }
                _ => false,
            };
            // No extension was agreed on, so that the reserved bits mean nothing (RFC 6455 5.2).
            if !fits || self.head[0] & 0x70 != 0 || self.head[1] & MASKED == 0 {
                return Err(Refusal::BadFrame);
            }
            self.code = NORMAL;
            return Ok(());
        }
        let (left, shortest) = match length {
            126 => (u64::from(u16::from_be_bytes([self.head[2], self.head[3]])), 126),
            127 => {
                let mut long = [0; 8];
                long.copy_from_slice(&self.head[2..10]);
                (u64::from_be_bytes(long), 0x1_0000)
            }
            _ => (length as u64, 0),
        };
        if left < shortest {
            self.code = PROTOCOL_ERROR; // RFC 6455 5.2: the minimal number of bytes MUST be used
            return Err(Refusal::BadFrame);
        }
        if opcode < CLOSE {
            let (size, fragments) = self.message.unwrap_or_default();
            let message = (size.saturating_add(left), fragments + 1);
            if message.0 > MESSAGE_LIMIT || message.1 > FRAGMENT_LIMIT {
                self.code = TOO_BIG;
                return Err(Refusal::FrameTooLarge);
            }
            self.message = Some(message);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.head[self.have - 4..self.have]);
        self.have = 0;
        self.frame = Some(Frame { opcode, last, mask, at: 0, left });
        Ok(())
    }

    /// The frame is whole. Whether the stream ends with it.
    fn finish(&mut self) -> Option<End> {
        let frame = self.frame.take()?;
        match frame.opcode {
            CLOSE => {
                self.code = match self.control[..] {
                    [] => NORMAL,
                    [high, low, ..] => match u16::from_be_bytes([high, low]) {
                        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => code,
                        _ => PROTOCOL_ERROR,
                    },
                    [_] => PROTOCOL_ERROR,
                };
                return Some(End::Goodbye);
            }
            PING => self.pong = Some(std::mem::take(&mut self.control)),
            PONG => self.control.clear(),
            _ if frame.last => self.message = None,
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Head::binary(payload.len()).bytes().to_vec();
        frame[0] = first;
        frame[1] |= MASKED;
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    struct Seen {
        plain: Vec<u8>,
        end: Option<End>,
        pong: Option<Vec<u8>>,
        close: Vec<u8>,
    }

    fn read(chunk: usize, data: &[u8]) -> Seen {
        let (mut reader, mut plain, mut end) = (Reader::default(), Vec::new(), None);
        for piece in data.chunks(chunk) {
            let mut bytes = piece.to_vec();
            let inside = reader.unwrap(&mut bytes);
            plain.extend(&bytes[..inside.size]);
            end = inside.end;
            if end.is_some() {
                break;
            }
        }
        Seen { plain, end, pong: reader.pong(), close: reader.close_frame() }
    }

    #[test]
    fn the_masked_hello_of_rfc_6455() {
        // Section 5.7, as a binary message.
        let data = [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(read(data.len(), &data).plain, b"Hello");
        assert_eq!(data.to_vec(), frame(FIN | BINARY, b"Hello"));
    }

    #[test]
    fn the_same_bytes_however_they_are_framed_and_cut() {
        let large: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
        let mut data = frame(FIN | BINARY, b"one");
        data.extend(frame(BINARY, b"two"));
        data.extend(frame(FIN | PING, b"are you there"));
        data.extend(frame(CONTINUATION, b""));
        data.extend(frame(FIN | CONTINUATION, &large[..200]));
        data.extend(frame(FIN | PONG, b"yes"));
        data.extend(frame(FIN | BINARY, &large));
        let whole = [b"onetwo", &large[..200], &large[..]].concat();
        for chunk in [1, 2, 3, 5, 7, 13, 64, 1000, data.len()] {
            let seen = read(chunk, &data);
            assert_eq!(seen.plain, whole, "chunk {chunk}");
            assert_eq!(seen.end, None);
            assert_eq!(seen.pong, Some([&[0x8A, 13], &b"are you there"[..]].concat()));
        }
    }

    #[test]
    fn what_a_client_may_not_send_is_refused_with_its_code() {
        let mut flood = frame(BINARY, b"x");
        flood.extend(frame(CONTINUATION, b"").repeat(FRAGMENT_LIMIT as usize));
        let huge = |length: u64| [&[0x82, 0xFF][..], &length.to_be_bytes(), &MASK].concat();
        let cases: [(&str, Vec<u8>, Refusal, u16); 14] = [
            ("unmasked", vec![0x82, 1, b'x'], Refusal::BadFrame, PROTOCOL_ERROR),
            ("text", frame(FIN | TEXT, b"x"), Refusal::BadFrame, UNSUPPORTED_DATA),
            ("an unknown opcode", frame(FIN | 0xB, b"x"), Refusal::BadFrame, PROTOCOL_ERROR),
            ("a reserved bit", frame(FIN | 0x40 | BINARY, b"x"), Refusal::BadFrame, PROTOCOL_ERROR),
            ("a continuation of nothing", frame(FIN, b"x"), Refusal::BadFrame, PROTOCOL_ERROR),
            ("a message within one", frame(BINARY, b"x").repeat(2), Refusal::BadFrame, PROTOCOL_ERROR),
            ("a ping in pieces", frame(PING, b"x"), Refusal::BadFrame, PROTOCOL_ERROR),
            ("a ping of 126", frame(FIN | PING, &[0; 126]), Refusal::BadFrame, PROTOCOL_ERROR),
            ("16 bits for 5", [&[0x82, 0xFE, 0, 5], &MASK[..]].concat(), Refusal::BadFrame, PROTOCOL_ERROR),
            ("64 bits for 5", huge(5), Refusal::BadFrame, PROTOCOL_ERROR),
            ("2^63", huge(1 << 63), Refusal::FrameTooLarge, TOO_BIG),
            ("every bit", huge(u64::MAX), Refusal::FrameTooLarge, TOO_BIG),
            ("over 1 MiB", huge(MESSAGE_LIMIT + 1), Refusal::FrameTooLarge, TOO_BIG),
            ("a flood of fragments", flood, Refusal::FrameTooLarge, TOO_BIG),
        ];
        for (what, data, refusal, code) in cases {
            for chunk in [1, data.len()] {
                let seen = read(chunk, &data);
                assert_eq!(seen.end, Some(End::Refused(refusal)), "{what}");
                assert_eq!(seen.close, [&[0x88, 2][..], &code.to_be_bytes()].concat(), "{what}");
            }
        }
    }

    #[test]
    fn a_goodbye_is_answered_with_its_own_code() {
        for (payload, code) in [
            (&b""[..], NORMAL),
            (b"\x03\xe9bye", 1001),
            (b"\x0f\xa0", 4000),
            (b"\x03\xed", PROTOCOL_ERROR), // 1005 is never sent
            (b"\x03", PROTOCOL_ERROR),
        ] {
            let seen = read(100, &[frame(FIN | BINARY, b"x"), frame(FIN | CLOSE, payload)].concat());
            assert_eq!((seen.plain, seen.end), (b"x".to_vec(), Some(End::Goodbye)));
            assert_eq!(seen.close[2..], code.to_be_bytes());
        }
    }

    #[test]
    fn heads_have_the_shortest_form() {
        assert_eq!(Head::binary(125).bytes(), [0x82, 125]);
        assert_eq!(Head::binary(126).bytes(), [0x82, 126, 0, 126]);
        assert_eq!(Head::binary(65_535).bytes(), [0x82, 126, 255, 255]);
        assert_eq!(Head::binary(65_536).bytes(), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert!(Head::default().bytes().is_empty());
    }
}
