//! The client's side of RTSP 1.0 (RFC 2326), as bytes: requests out, answers and packets in.

use std::fmt::Write;
use std::net::{SocketAddr, ToSocketAddrs};

/// No answer of a server under test comes near this; more is a fault, not something to wait for.
const HEAD_LIMIT: usize = 16 * 1024;

/// How media travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    Tcp,
    Udp,
}

/// The URL of one path, with the address to connect to.
#[derive(Clone, Debug)]
pub struct Url {
    pub text: String,
    pub address: SocketAddr,
}

impl Url {
    /// `text` with `{i}` replaced by `index`.
    pub fn numbered(text: &str, index: usize) -> Result<Self, String> {
        let text = text.replace("{i}", &index.to_string());
        let authority = text
            .strip_prefix("rtsp://")
            .and_then(|rest| rest.split('/').next())
            .ok_or_else(|| format!("{text}: not an rtsp:// URL"))?;
        let with_port = if authority.rsplit(']').next().is_some_and(|tail| tail.contains(':')) {
            authority.to_owned()
        } else {
            format!("{authority}:554")
        };
        let mut found = with_port.to_socket_addrs().map_err(|error| format!("{text}: {error}"))?;
        let address = found.next().ok_or_else(|| format!("{text}: no address"))?;
        Ok(Self { text, address })
    }
}

/// A request in bytes, numbered one up from the last.
pub fn request(method: &str, uri: &str, number: &mut u32, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    *number += 1;
    let mut text = format!("{method} {uri} RTSP/1.0\r\nCSeq: {number}\r\nUser-Agent: headgate-load\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    text.into_bytes()
}

/// A server's answer.
#[derive(PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// The first header of this name, without its surrounding blanks.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The session identifier, without its timeout (section 12.37).
    pub fn session(&self) -> Option<&str> {
        self.header("Session")?.split(';').next().map(str::trim)
    }

    /// The first of the pair of numbers a Transport header gives `name`, such as `interleaved=2-3`.
    pub fn transport_number(&self, name: &str) -> Option<u16> {
        let pair = self.header("Transport")?.split(';').find_map(|part| {
            let (found, value) = part.split_once('=')?;
            found.trim().eq_ignore_ascii_case(name).then_some(value)
        })?;
        pair.split('-').next()?.trim().parse().ok()
    }

    /// The URI to SETUP for the first media of a DESCRIBE answer (appendix C.1.1).
    pub fn first_control(&self, request_uri: &str) -> Option<String> {
        let media = &self.body[self.body.find("m=")?..];
        let control = media.lines().find_map(|line| line.strip_prefix("a=control:"))?.trim();
        if control.starts_with("rtsp://") {
            return Some(control.to_owned());
        }
        let root =
            self.header("Content-Base").or_else(|| self.header("Content-Location")).unwrap_or(request_uri);
        Some(format!("{}/{control}", root.trim_end_matches('/')))
    }
}

/// What stands at the head of a connection's bytes.
#[derive(PartialEq, Eq, Debug)]
pub enum Element<'a> {
    /// An interleaved packet (section 10.12).
    Packet {
        channel: u8,
        packet: &'a [u8],
    },
    Answer(Answer),
}

/// The first element of `bytes` with its length, or `None` while it is not whole.
pub fn split(bytes: &[u8]) -> Result<Option<(Element<'_>, usize)>, String> {
    match bytes {
        [b'$', channel, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            Ok(rest.get(..length).map(|packet| (Element::Packet { channel: *channel, packet }, 4 + length)))
        }
        [] | [b'$', ..] => Ok(None),
        _ => split_answer(bytes),
    }
}

fn split_answer(bytes: &[u8]) -> Result<Option<(Element<'_>, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_LIMIT { Err("an answer's head does not end".into()) } else { Ok(None) };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "an answer's head is not text")?;
    let status = head
        .strip_prefix("RTSP/1.0 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| format!("not an RTSP answer: {:?}", head.lines().next().unwrap_or_default()))?;
    let mut answer = Answer { status, head: head.to_owned(), body: String::new() };
    let length = match answer.header("Content-Length") {
        Some(text) => text.parse().map_err(|_| format!("Content-Length {text:?}"))?,
        None => 0,
    };
    let Some(body) = bytes.get(end + 4..).and_then(|rest| rest.get(..length)) else {
        return Ok(None);
    };
    answer.body = String::from_utf8_lossy(body).into_owned();
    Ok(Some((Element::Answer(answer), end + 4 + length)))
}

#[cfg(test)]
mod tests {
    use super::{Answer, Element, Url, request, split};

    fn answer(text: &str) -> Answer {
        match split(text.as_bytes()) {
            Ok(Some((Element::Answer(answer), length))) if length == text.len() => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_counts_its_number_and_its_body() {
        let mut number = 3;
        let bytes = request("SETUP", "rtsp://h/a", &mut number, &[("Session", "9")], "abc");
        let text = "SETUP rtsp://h/a RTSP/1.0\r\nCSeq: 4\r\nUser-Agent: headgate-load\r\n\
                    Session: 9\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
        assert_eq!(number, 4);
    }

    #[test]
    fn packets_and_answers_come_apart_wherever_the_bytes_were_cut() {
        let stream = b"$\x01\x00\x02hiRTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nok$\x00\x00\x00";
        let mut whole = Vec::new();
        for cut in 0..stream.len() {
            let (mut at, mut found) = (0, 0);
            while let Some((_, length)) = split(&stream[at..cut]).unwrap() {
                at += length;
                found += 1;
            }
            whole.push(found);
        }
        assert_eq!(whole.iter().max(), Some(&2));
        assert!(whole.is_sorted());
        let (element, length) = split(stream).unwrap().unwrap();
        assert_eq!((element, length), (Element::Packet { channel: 1, packet: b"hi" }, 6));
    }

    #[test]
    fn an_answer_gives_its_fields() {
        let answer = answer(
            "RTSP/1.0 200 OK\r\nCSeq: 3\r\nsession: 12ab;timeout=60\r\n\
             Transport: RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=00000007\r\n\r\n",
        );
        assert_eq!((answer.status, answer.session()), (200, Some("12ab")));
        assert_eq!(answer.transport_number("interleaved"), Some(2));
        assert_eq!(answer.transport_number("server_port"), None);
    }

    #[test]
    fn a_track_is_found_below_the_content_base() {
        let body = "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=0\r\n";
        for (base, uri) in
            [("Content-Base: rtsp://h/a/\r\n", "rtsp://h/a/trackID=0"), ("", "rtsp://h/b/trackID=0")]
        {
            let text = format!("RTSP/1.0 200 OK\r\n{base}Content-Length: {}\r\n\r\n{body}", body.len());
            assert_eq!(answer(&text).first_control("rtsp://h/b").as_deref(), Some(uri));
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(split(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(split(b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n").is_err());
        assert!(split(&vec![b'x'; 20_000]).is_err());
    }

    #[test]
    fn a_url_has_its_number_and_a_default_port() {
        let url = Url::numbered("rtsp://127.0.0.1/cam{i}", 12).unwrap();
        assert_eq!((url.text.as_str(), url.address.port()), ("rtsp://127.0.0.1/cam12", 554));
        assert_eq!(Url::numbered("rtsp://[::1]:8554/a", 0).unwrap().address.port(), 8554);
        assert!(Url::numbered("http://127.0.0.1/", 0).is_err());
    }
}
