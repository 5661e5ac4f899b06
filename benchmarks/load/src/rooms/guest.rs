//! One client of the rooms: its socket, the opening handshake, and whole messages in both directions.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use crate::rooms::frame::{self, LONGEST, Opcode, Parsed};

/// The nonce of RFC 6455, section 1.3, and its answer: the load need not be unpredictable.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEAD_LIMIT: usize = 8192;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that may wait for a server that does not read; beyond it nothing more is said.
const OUTBOX_LIMIT: usize = 64 * 1024;

/// Where web sockets are opened.
pub struct Door {
    pub server: SocketAddrV4,
    pub path: String,
}

pub struct Guest {
    /// None once it is closed, by whomever.
    stream: Option<TcpStream>,
    is_open: bool,
    /// Received, and not a whole frame yet.
    tail: Vec<u8>,
    outbox: Vec<u8>,
}

impl Guest {
    /// Connect and ask for a WebSocket; `token` brings somebody back.
    pub fn connect(door: &Door, token: Option<&str>) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&door.server.into(), CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let query = token.map(|token| format!("?t={token}")).unwrap_or_default();
        let request = format!(
            "GET {}{query} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
            door.path, door.server
        );
        let mut guest =
            Self { stream: Some(stream), is_open: false, tail: Vec::new(), outbox: request.into_bytes() };
        guest.flush().map_err(io::Error::other)?;
        Ok(guest)
    }

    pub fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// Close at once, without a goodbye. What it had is given back.
    pub fn hang_up(&mut self) -> Option<TcpStream> {
        self.outbox.clear();
        self.tail.clear();
        self.stream.take()
    }

    /// Send, or keep for later what the socket does not take. False: too much waits already, or it is closed.
    pub fn say(&mut self, opcode: Opcode, payload: &[u8], mask: [u8; 4]) -> bool {
        if self.stream.is_none() || self.outbox.len() > OUTBOX_LIMIT {
            return false;
        }
        frame::write(&mut self.outbox, opcode, payload, mask);
        self.flush().is_ok()
    }

    pub fn has_more_to_say(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The error is why it is closed now.
    pub fn flush(&mut self) -> Result<(), String> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        match stream.write(&self.outbox) {
            Ok(count) if count == self.outbox.len() => self.outbox.clear(),
            Ok(count) => drop(self.outbox.drain(..count)),
            Err(error) if is_later(&error) => {}
            // Whoever reads is told.
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    /// Hear all that has come; `space` is for any guest to use. The error is why it is closed now.
    pub fn read(&mut self, space: &mut [u8], mut heard: impl FnMut(&[u8])) -> Result<(), String> {
        loop {
            let Some(stream) = &mut self.stream else {
                return Ok(());
            };
            let count = match stream.read(space) {
                Ok(0) => return Err("closed by the server".to_owned()),
                Ok(count) => count,
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
            if self.tail.is_empty() {
                let used = self.take(&space[..count], &mut heard)?;
                self.tail.extend(&space[used..count]);
            } else {
                let mut whole = std::mem::take(&mut self.tail);
                whole.extend(&space[..count]);
                let used = self.take(&whole, &mut heard)?;
                whole.drain(..used);
                self.tail = whole;
            }
            if self.tail.is_empty() {
                // Of ten thousand only a few are in the middle of something.
                self.tail = Vec::new();
            }
            if count < space.len() {
                return Ok(());
            }
        }
    }

    /// How many of the bytes were whole frames.
    fn take(&mut self, bytes: &[u8], heard: &mut impl FnMut(&[u8])) -> Result<usize, String> {
        let mut at = 0;
        if !self.is_open {
            let Some(head) = head(bytes)? else {
                return Ok(0);
            };
            self.is_open = true;
            at = head;
        }
        loop {
            match frame::parse(&bytes[at..]) {
                Parsed::Frame { opcode, payload, length } => {
                    at += length;
                    match opcode {
                        Opcode::Text => heard(payload),
                        Opcode::Ping => {
                            self.say(Opcode::Pong, payload, [0; 4]);
                        }
                        Opcode::Pong => {}
                        Opcode::Close => return Err(goodbye(payload)),
                    }
                }
                Parsed::Part if bytes.len() - at > LONGEST + 16 => return Err("a message without end".into()),
                Parsed::Part => return Ok(at),
                Parsed::Broken(why) => return Err(why.to_owned()),
            }
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The length of the answer to the handshake; None: it is not whole.
fn head(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_LIMIT { Err("an answer without end".into()) } else { Ok(None) };
    };
    let answer = String::from_utf8_lossy(&bytes[..end]);
    let accepts = answer.lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT
        })
    });
    match answer.lines().next() {
        Some(line) if line.starts_with("HTTP/1.1 101 ") && accepts => Ok(Some(end + 4)),
        line => Err(format!("no WebSocket: {}", line.unwrap_or_default())),
    }
}

fn goodbye(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            format!("closed with {code} {}", String::from_utf8_lossy(reason)).trim_end().to_owned()
        }
        _ => "closed without a code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::{ACCEPT, Door, Guest};
    use crate::rooms::frame::Opcode;

    fn pair() -> (Guest, TcpStream, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(server) = listener.local_addr().unwrap() else { panic!() };
        let guest = Guest::connect(&Door { server, path: "/ws".to_owned() }, Some("t0ken")).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        (guest, stream, String::from_utf8_lossy(&bytes[..count]).into_owned())
    }

    /// Loopback delivers before the write returns.
    fn heard(guest: &mut Guest, server: &mut TcpStream, bytes: &[u8]) -> Result<Vec<String>, String> {
        server.write_all(bytes).unwrap();
        let mut texts = Vec::new();
        guest.read(&mut [0; 256], |text| texts.push(String::from_utf8_lossy(text).into_owned()))?;
        Ok(texts)
    }

    fn answer() -> Vec<u8> {
        format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {ACCEPT}\r\n\r\n").into_bytes()
    }

    #[test]
    fn it_asks_for_a_socket_and_hears_what_comes_in_pieces() {
        let (mut guest, mut server, request) = pair();
        assert!(request.starts_with("GET /ws?t=t0ken HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"));
        let mut bytes = answer();
        bytes.extend(b"\x81\x03one\x81\x7e\x00\x80");
        let (last, bytes) = bytes.split_last().unwrap();
        assert_eq!(heard(&mut guest, &mut server, &bytes[..20]).unwrap(), Vec::<String>::new());
        assert_eq!(heard(&mut guest, &mut server, &bytes[20..]).unwrap(), ["one"]);
        assert_eq!(heard(&mut guest, &mut server, &[*last]).unwrap(), Vec::<String>::new());
        // More than one read, and another frame at once behind it.
        let long = "y".repeat(128);
        let rest = format!("{long}\u{1}").into_bytes();
        let (_, rest) = rest.split_last().unwrap();
        assert_eq!(heard(&mut guest, &mut server, rest).unwrap(), [long]);
    }

    #[test]
    fn a_ping_is_answered_and_a_close_is_an_end_that_says_why() {
        let (mut guest, mut server, _) = pair();
        heard(&mut guest, &mut server, &answer()).unwrap();
        heard(&mut guest, &mut server, b"\x89\x02hi").unwrap();
        let mut pong = [0; 8];
        server.read_exact(&mut pong).unwrap();
        assert_eq!(pong, *b"\x8a\x82\0\0\0\0hi");
        let end = heard(&mut guest, &mut server, b"\x88\x04\x03\xf1ab");
        assert_eq!(end.unwrap_err(), "closed with 1009 ab");
    }

    #[test]
    fn an_answer_that_is_no_websocket_is_an_end() {
        for (bytes, why) in [
            (
                &b"HTTP/1.1 503 Service Unavailable\r\n\r\n"[..],
                "no WebSocket: HTTP/1.1 503 Service Unavailable",
            ),
            (b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: x\r\n\r\n", "no WebSocket: HTTP/1.1 101 Yes"),
            (&[b'x'; 9000], "an answer without end"),
        ] {
            let (mut guest, mut server, _) = pair();
            assert_eq!(heard(&mut guest, &mut server, bytes).unwrap_err(), why);
        }
    }

    #[test]
    fn a_server_that_does_not_read_is_told_no_more_at_some_point() {
        let (mut guest, mut server, _) = pair();
        let text = vec![b'x'; 32 * 1024];
        let said = (0..1000).take_while(|_| guest.say(Opcode::Text, &text, [1; 4])).count();
        assert!((1..1000).contains(&said) && guest.has_more_to_say());
        // Nothing is lost of what was said.
        let mut left = said * (text.len() + 8);
        let mut space = vec![0; 1 << 20];
        while left > 0 {
            left -= server.read(&mut space).unwrap();
            guest.flush().unwrap();
        }
        assert!(!guest.has_more_to_say());
        guest.hang_up();
        assert!(!guest.say(Opcode::Text, b"", [0; 4]));
    }
}
