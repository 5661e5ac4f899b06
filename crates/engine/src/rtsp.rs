//! Splits a TCP connection into RTSP messages and interleaved frames.
//!
//! Sans-IO: bytes in, items out. What a message means is Python's; the engine
//! finds its end (RFC 2326 4, 4.4) and keeps interleaved frames (10.12) to itself.

/// One thing a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Head, blank line and body.
    Message(&'a [u8]),
    /// RFC 2326 10.12: `$`, channel, length, packet.
    Interleaved { channel: u8, packet: &'a [u8] },
    /// The head of an HTTP request; what follows it is not looked at.
    Http(&'a [u8]),
}

/// Why the bytes cannot be a message. The twin is `Refusal` in `engine/rtsp.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    HeadTooLarge = 1,
    BodyTooLarge = 2,
    BadContentLength = 3,
    NotRtsp = 4,
    /// Of a tunnel in WebSocket.
    BadFrame = 5,
    FrameTooLarge = 6,
    /// Of a tunnel in HTTP.
    BadBase64 = 7,
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub head_size: usize,
    pub body_size: usize,
}

/// Holds at most one incomplete item: `head_size + body_size`, or 65,539 bytes of a frame.
#[derive(Debug)]
pub struct Splitter {
    limits: Limits,
    carry: Vec<u8>,
    /// Where in `carry` the item begins that is next.
    start: usize,
    /// How much of the item was searched for the end of the head, so that a head
    /// which arrives byte by byte costs linear time.
    searched: usize,
    /// Whether an HTTP request may be next: only as the first thing a client says.
    http: bool,
}

enum Parsed {
    /// An item of so many bytes.
    Whole(usize),
    /// At least so many bytes are needed in all; the head's end is not within the first `searched`.
    Needs { total: usize, searched: usize },
}

const FRAME_HEAD: usize = 4;

impl Splitter {
    pub fn new(limits: Limits) -> Self {
        Self { limits, carry: Vec::new(), start: 0, searched: 0, http: false }
    }

    /// As `new`, for a server, to which a client may also say HTTP first.
    pub fn with_http(limits: Limits) -> Self {
        Self { http: true, ..Self::new(limits) }
    }

    /// Bytes held of an item that is not complete yet.
    pub fn carried(&self) -> usize {
        self.carry.len() - self.start
    }

    /// Feed what was read. After an error nothing more may be fed.
    pub fn feed(&mut self, data: &[u8], sink: &mut impl FnMut(Item<'_>)) -> Result<(), Refusal> {
        let taken = self.feed_while(data, &mut |item| {
            sink(item);
            true
        })?;
        debug_assert_eq!(taken, data.len());
        Ok(())
    }

    /// As `feed`, but ends behind the item to which `sink` says `false`. Returns how much of `data`
    /// was taken. The rest is fed later, even if it is nothing: there may be whole items within.
    pub fn feed_while(
        &mut self,
        data: &[u8],
        sink: &mut impl FnMut(Item<'_>) -> bool,
    ) -> Result<usize, Refusal> {
        let mut left = data;
        // Finish the item begun in an earlier read with just the bytes it lacks, so that
        // everything behind it is parsed where it was read.
        while self.start < self.carry.len() {
            let carried = &self.carry[self.start..];
            match parse(carried, self.searched, self.limits, self.http)? {
                Parsed::Whole(size) => {
                    let more = emit(&carried[..size], &mut self.http, sink);
                    self.start += size;
                    self.searched = 0;
                    if !more {
                        return Ok(data.len() - left.len());
                    }
                }
                Parsed::Needs { total, searched } => {
                    self.searched = searched;
                    // Not at every item: an append may have brought thousands of small ones.
                    let lacking = total.saturating_sub(carried.len()).max(1);
                    self.carry.drain(..self.start);
                    self.start = 0;
                    if left.is_empty() {
                        return Ok(data.len());
                    }
                    let (now, later) = left.split_at(lacking.min(left.len()));
                    self.carry.extend_from_slice(now);
                    left = later;
                }
            }
        }
        self.carry.clear();
        self.start = 0;
        while !left.is_empty() {
            match parse(left, 0, self.limits, self.http)? {
                Parsed::Whole(size) => {
                    let more = emit(&left[..size], &mut self.http, sink);
                    left = &left[size..];
                    if !more {
                        break;
                    }
                }
                Parsed::Needs { searched, .. } => {
                    self.carry.extend_from_slice(left);
                    self.searched = searched;
                    left = &[];
                }
            }
        }
        if self.carry.is_empty() && self.carry.capacity() > 4096 {
            self.carry = Vec::new(); // an idle connection keeps no buffer
        }
        Ok(data.len() - left.len())
    }
}

/// Whether the sink wants more.
fn emit(item: &[u8], http: &mut bool, sink: &mut impl FnMut(Item<'_>) -> bool) -> bool {
    let first = std::mem::take(http);
    match item[0] {
        b'$' => sink(Item::Interleaved { channel: item[1], packet: &item[FRAME_HEAD..] }),
        _ if first && is_http(item) => sink(Item::Http(item)),
        b'\r' | b'\n' => true, // blank lines between messages: RFC 2326 4.1 tells servers to skip them
        _ => sink(Item::Message(item)),
    }
}

fn parse(buf: &[u8], searched: usize, limits: Limits, http: bool) -> Result<Parsed, Refusal> {
    match buf[0] {
        b'$' => {
            if buf.len() < FRAME_HEAD {
                return Ok(Parsed::Needs { total: FRAME_HEAD, searched: 0 });
            }
            let size = FRAME_HEAD + usize::from(u16::from_be_bytes([buf[2], buf[3]]));
            Ok(if buf.len() < size {
                Parsed::Needs { total: size, searched: 0 }
            } else {
                Parsed::Whole(size)
            })
        }
        b'\r' | b'\n' => {
            let size = buf.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            Ok(Parsed::Whole(size))
        }
        b'A'..=b'Z' | b'a'..=b'z' => parse_message(buf, searched, limits, http),
        _ => Err(Refusal::NotRtsp),
    }
}

fn parse_message(buf: &[u8], searched: usize, limits: Limits, http: bool) -> Result<Parsed, Refusal> {
    let Some(head) = end_of_head(buf, searched) else {
        if buf.len() >= limits.head_size {
            return Err(Refusal::HeadTooLarge);
        }
        // One byte more may already complete it: take what there is.
        return Ok(Parsed::Needs { total: limits.head_size, searched: buf.len().saturating_sub(3) });
    };
    if head > limits.head_size {
        return Err(Refusal::HeadTooLarge);
    }
    if http && is_http(&buf[..head]) {
        return Ok(Parsed::Whole(head)); // how long its body says it is means nothing in a tunnel
    }
    let body = content_length(&buf[..head])?;
    if body > limits.body_size as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    let size = head + body as usize;
    Ok(if buf.len() < size { Parsed::Needs { total: size, searched } } else { Parsed::Whole(size) })
}

/// The length of the head with its blank line. A bare LF ends a line as well: old cameras send it.
fn end_of_head(buf: &[u8], searched: usize) -> Option<usize> {
    let mut at = searched;
    while let Some(found) = buf[at..].iter().position(|b| *b == b'\n') {
        let next = at + found + 1;
        match buf.get(next..) {
            Some([b'\n', ..]) => return Some(next + 1),
            Some([b'\r', b'\n', ..]) => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

/// Whether the request line says so. RTSP's end in RTSP/1.0.
fn is_http(head: &[u8]) -> bool {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii_end();
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// RFC 2326 12.14. Two lengths that differ are refused, as is anything that is not a plain number.
fn content_length(head: &[u8]) -> Result<u64, Refusal> {
    const NAME: &[u8] = b"content-length";
    let mut length = None;
    for line in head.split(|b| *b == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        if !line[..colon].trim_ascii().eq_ignore_ascii_case(NAME) {
            continue;
        }
        let digits = line[colon + 1..].trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::BadContentLength);
        }
        // More digits than any length we accept: too large, whatever its value.
        let value = digits
            .iter()
            .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
            .ok_or(Refusal::BodyTooLarge)?;
        if length.is_some_and(|known| known != value) {
            return Err(Refusal::BadContentLength);
        }
        length = Some(value);
    }
    Ok(length.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { head_size: 16 * 1024, body_size: 128 * 1024 };

    fn split_in(chunk: usize, data: &[u8]) -> (Vec<String>, Result<(), Refusal>) {
        let mut splitter = Splitter::new(LIMITS);
        let mut seen = Vec::new();
        for piece in data.chunks(chunk) {
            let result = splitter.feed(piece, &mut |item| {
                seen.push(match item {
                    Item::Message(m) => format!("M{}", String::from_utf8_lossy(m)),
                    Item::Interleaved { channel, packet } => format!("I{channel}:{}", packet.len()),
                    Item::Http(head) => format!("H{}", String::from_utf8_lossy(head)),
                });
            });
            if result.is_err() {
                return (seen, result);
            }
        }
        (seen, Ok(()))
    }

    #[test]
    fn the_same_items_however_the_bytes_are_cut() {
        let mut data = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec();
        data.extend(b"$\x00\x00\x05hello$\x01\x00\x00");
        data.extend(b"\r\nSET_PARAMETER a RTSP/1.0\r\ncontent-length : 4\r\n\r\nbody");
        data.extend(b"$\x02\xff\xff");
        data.extend(vec![7; 65535]);
        data.extend(b"TEARDOWN a RTSP/1.0\n\n");
        let whole = split_in(data.len(), &data).0;
        assert_eq!(
            whole,
            [
                "MOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
                "I0:5",
                "I1:0",
                "MSET_PARAMETER a RTSP/1.0\r\ncontent-length : 4\r\n\r\nbody",
                "I2:65535",
                "MTEARDOWN a RTSP/1.0\n\n",
            ]
        );
        for chunk in [1, 2, 3, 5, 7, 31, 64, 1000, 65536] {
            assert_eq!(split_in(chunk, &data), (whole.clone(), Ok(())), "chunk {chunk}");
        }
    }

    #[test]
    fn the_same_items_however_often_the_sink_stops() {
        let data = b"A\n\n$\x07\0\x02hi\r\nB a RTSP/1.0\nContent-Length: 3\n\nxyzC\n\n".repeat(3);
        let whole = split_in(data.len(), &data).0;
        for chunk in [1, 2, 5, 11, 64, data.len()] {
            let (mut splitter, mut seen) = (Splitter::new(LIMITS), Vec::new());
            for mut piece in data.chunks(chunk) {
                loop {
                    let mut stopped = false;
                    let taken = splitter.feed_while(piece, &mut |item| {
                        assert!(!stopped, "an item behind the end");
                        stopped = true;
                        seen.push(match item {
                            Item::Message(m) => format!("M{}", String::from_utf8_lossy(m)),
                            Item::Interleaved { channel, packet } => format!("I{channel}:{}", packet.len()),
                            Item::Http(head) => format!("H{}", String::from_utf8_lossy(head)),
                        });
                        false
                    });
                    piece = &piece[taken.expect("valid")..];
                    if !stopped {
                        break;
                    }
                }
                assert!(piece.is_empty());
            }
            assert_eq!(seen, whole, "chunk {chunk}");
        }
    }

    #[test]
    fn http_comes_first_or_not_at_all() {
        let request = b"POST /cam HTTP/1.0\r\nContent-Length: 32767\r\n\r\n";
        for chunk in [1, 7, request.len()] {
            let (mut splitter, mut seen) = (Splitter::with_http(LIMITS), Vec::new());
            for piece in request.chunks(chunk) {
                let fed = splitter.feed(piece, &mut |item| seen.push(matches!(item, Item::Http(_))));
                fed.expect("valid");
            }
            assert_eq!(seen, [true], "chunk {chunk}: the head alone");
        }
        let (mut splitter, mut seen) = (Splitter::with_http(LIMITS), Vec::new());
        let both = [&b"OPTIONS * RTSP/1.0\r\n\r\nGET / HTTP/1.1\r\n\r\n"[..]].concat();
        splitter.feed(&both, &mut |item| seen.push(matches!(item, Item::Http(_)))).expect("messages");
        assert_eq!(seen, [false, false]);
    }

    #[test]
    fn refuses_what_cannot_be_a_message() {
        let cases: [(&[u8], Refusal); 7] = [
            (b"\x16\x03\x01\x02\x00", Refusal::NotRtsp),
            (b"A RTSP/1.0\r\nContent-Length: -1\r\n\r\n", Refusal::BadContentLength),
            (b"A RTSP/1.0\r\nContent-Length:\r\n\r\n", Refusal::BadContentLength),
            (b"A RTSP/1.0\r\nContent-Length: 9223372036854775808\r\n\r\n", Refusal::BodyTooLarge),
            (b"A RTSP/1.0\r\nContent-Length: 99999999999999999999999\r\n\r\n", Refusal::BodyTooLarge),
            (b"A RTSP/1.0\r\nContent-Length: 131073\r\n\r\n", Refusal::BodyTooLarge),
            (b"A RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Refusal::BadContentLength),
        ];
        for (data, refusal) in cases {
            for chunk in [1, data.len()] {
                assert_eq!(split_in(chunk, data).1, Err(refusal), "{}", String::from_utf8_lossy(data));
            }
        }
    }

    #[test]
    fn a_head_without_an_end_is_refused_at_its_limit() {
        let mut data = b"OPTIONS * RTSP/1.0\r\nX: ".to_vec();
        data.extend(vec![b'x'; 64 * 1024]);
        for chunk in [1, 1000, data.len()] {
            let mut splitter = Splitter::new(LIMITS);
            let mut held = 0;
            let result = data.chunks(chunk).try_for_each(|piece| {
                let result = splitter.feed(piece, &mut |_| panic!("no item"));
                held = held.max(splitter.carried());
                result
            });
            assert_eq!(result, Err(Refusal::HeadTooLarge), "chunk {chunk}");
            assert!(held <= LIMITS.head_size);
        }
    }
}
