//! WebSocket frames (RFC 6455, section 5.2), the client's side: what is sent is masked, what is read is not.

/// A message a server of rooms may send; ours takes none that is longer.
pub const LONGEST: usize = 1 << 20;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opcode {
    Text = 0x1,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// The first frame of some bytes.
#[derive(PartialEq, Eq, Debug)]
pub enum Parsed<'a> {
    /// `length` bytes of them are this frame.
    Frame {
        opcode: Opcode,
        payload: &'a [u8],
        length: usize,
    },
    /// More bytes are wanted.
    Part,
    Broken(&'static str),
}

/// Append a whole message in one frame.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    out.push(FIN | opcode as u8);
    match payload.len() {
        short @ ..126 => out.push(MASKED | short as u8),
        middle @ ..65536 => {
            out.push(MASKED | 126);
            out.extend((middle as u16).to_be_bytes());
        }
        long => {
            out.push(MASKED | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    let begin = out.len();
    out.extend(payload);
    for chunk in out[begin..].chunks_mut(mask.len()) {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}

pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let [first, second, rest @ ..] = bytes else {
        return Parsed::Part;
    };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        _ => return Parsed::Broken("a frame that no server of rooms sends"),
    };
    let (size, head) = match (second, rest) {
        (..126, _) => (usize::from(*second), 2),
        (126, [high, low, ..]) => (usize::from(u16::from_be_bytes([*high, *low])), 4),
        (127, rest) => match rest.first_chunk() {
            Some(size) => (usize::try_from(u64::from_be_bytes(*size)).unwrap_or(usize::MAX), 10),
            None => return Parsed::Part,
        },
        (126, _) => return Parsed::Part,
        _ => return Parsed::Broken("a frame of a server is masked"),
    };
    if size > LONGEST {
        return Parsed::Broken("a message is too long");
    }
    match bytes.get(head..head + size) {
        Some(payload) => Parsed::Frame { opcode, payload, length: head + size },
        None => Parsed::Part,
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Opcode, Parsed, parse, write};

    fn sent(size: usize) -> Vec<u8> {
        // What a server sends is what a client sends, without a mask.
        let mut head = Vec::new();
        write(&mut head, Opcode::Text, &vec![0; size], [0; 4]);
        head[1] &= 0x7f;
        let begin = head.len() - size - 4;
        head.drain(begin..begin + 4);
        head
    }

    #[test]
    fn the_masked_example_of_rfc_6455_5_7() {
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn the_unmasked_example_of_rfc_6455_5_7() {
        let bytes = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x81];
        assert_eq!(parse(&bytes), Parsed::Frame { opcode: Opcode::Text, payload: b"Hello", length: 7 });
    }

    #[test]
    fn every_form_of_length_is_read_and_every_beginning_of_a_frame_is_a_part() {
        for size in [0, 1, 125, 126, 65535, 65536, LONGEST] {
            let bytes = sent(size);
            let Parsed::Frame { payload, length, .. } = parse(&bytes) else { panic!("{size}") };
            assert_eq!((payload.len(), length), (size, bytes.len()));
            for cut in (0..bytes.len().min(20)).chain([bytes.len() - 1]) {
                assert_eq!(parse(&bytes[..cut]), Parsed::Part, "{size} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_no_server_may_send_is_broken() {
        for bytes in [&[0x81, 0x85, 0, 0][..], &[0x01, 0x01], &[0xc1, 0x01], &sent(LONGEST + 1)] {
            assert!(matches!(parse(bytes), Parsed::Broken(_)), "{:?}", &bytes[..2]);
        }
    }
}
