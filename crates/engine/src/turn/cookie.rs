//! The exchange that shows that a DTLS client is where it says (RFC 6347 4.2.1): whoever sends a
//! `ClientHello` without our cookie is sent one, and nothing is kept of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::SystemRandom;

const RECORD: usize = 13;
const HANDSHAKE: usize = 12;
const HELLO_VERIFY_REQUEST: usize = RECORD + HANDSHAKE + 3 + COOKIE;
pub const COOKIE: usize = 32;
pub const RANDOM: usize = 32;
/// A cookie is good in the period in which it was made, and in the next.
const PERIOD: Duration = Duration::from_secs(60);

const IS_HANDSHAKE: u8 = 22;
const IS_CLIENT_HELLO: u8 = 1;
const IS_HELLO_VERIFY_REQUEST: u8 = 3;
const DTLS_1_0: [u8; 2] = [0xfe, 0xff];
/// Fatal, `protocol_version` (RFC 5246 7.2), as the first record of a server.
pub const TOO_OLD: [u8; RECORD + 2] = [21, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 70];

/// A `ClientHello` that came in one piece, outside of any encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    pub random: [u8; RANDOM],
    pub cookie: &'a [u8],
    /// Its body, before the cookie's length and behind the cookie.
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> Hello<'a> {
    /// `None`: the datagram begins with something else. A client whose hello does not fit in one datagram
    /// is not heard; coturn's has 200 bytes, a browser's 300.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (record, rest) = datagram.split_at_checked(RECORD)?;
        if record[0] != IS_HANDSHAKE || record[1] != 0xfe || record[3..5] != [0, 0] {
            return None;
        }
        let size = usize::from(u16::from_be_bytes([record[11], record[12]]));
        let (handshake, body) = rest.get(..size)?.split_at_checked(HANDSHAKE)?;
        let size = [0, handshake[1], handshake[2], handshake[3]];
        let whole = handshake[6..9] == [0; 3] && handshake[9..12] == handshake[1..4];
        if handshake[0] != IS_CLIENT_HELLO || !whole || body.len() != u32::from_be_bytes(size) as usize {
            return None;
        }
        let random = *body.get(2..)?.first_chunk()?;
        let session = usize::from(*body.get(2 + RANDOM)?);
        let (before, rest) = body.split_at_checked(2 + RANDOM + 1 + session)?;
        let (size, rest) = rest.split_first()?;
        let (cookie, after) = rest.split_at_checked(usize::from(*size))?;
        Some(Self { random, cookie, before, after })
    }

    /// Whether its client speaks DTLS 1.0 only, which RFC 8996 forbids.
    pub fn is_too_old(&self) -> bool {
        self.before.starts_with(&DTLS_1_0)
    }

    /// The same as the client sent it first, without a cookie.
    pub fn first(&self) -> Vec<u8> {
        let body = self.before.len() + 1 + self.after.len();
        let mut hello = vec![IS_HANDSHAKE, DTLS_1_0[0], DTLS_1_0[1]];
        hello.extend_from_slice(&[0; 8]);
        hello.extend_from_slice(&((HANDSHAKE + body) as u16).to_be_bytes());
        let size = (body as u32).to_be_bytes();
        hello.extend_from_slice(&[IS_CLIENT_HELLO, size[1], size[2], size[3], 0, 0, 0, 0, 0]);
        hello.extend_from_slice(&size[1..]);
        hello.extend_from_slice(self.before);
        hello.push(0);
        hello.extend_from_slice(self.after);
        hello
    }
}

/// Makes cookies, and knows them again.
#[derive(Debug)]
pub struct Cookies {
    key: Key,
    epoch: Instant,
}

impl Cookies {
    /// `None`: the system has no randomness.
    pub fn new(now: Instant) -> Option<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key, epoch: now })
    }

    fn cookie(&self, client: SocketAddr, random: &[u8; RANDOM], period: u64) -> [u8; COOKIE] {
        let octets = match client.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let mut input = [0; 16 + 2 + RANDOM + 8];
        input[..16].copy_from_slice(&octets);
        input[16..18].copy_from_slice(&client.port().to_be_bytes());
        input[18..18 + RANDOM].copy_from_slice(random);
        input[18 + RANDOM..].copy_from_slice(&period.to_be_bytes());
        let tag = sign(&self.key, &input);
        let mut cookie = [0; COOKIE];
        cookie.copy_from_slice(&tag.as_ref()[..COOKIE]);
        cookie
    }

    fn period(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_secs() / PERIOD.as_secs()
    }

    /// The cookie, if it is one of ours for this client.
    pub fn known(&self, client: SocketAddr, hello: &Hello<'_>, now: Instant) -> Option<[u8; COOKIE]> {
        let period = self.period(now);
        let mut expected = [Some(period), period.checked_sub(1)].into_iter().flatten();
        expected.find_map(|period| {
            let cookie = self.cookie(client, &hello.random, period);
            verify_slices_are_equal(&cookie, hello.cookie).ok().map(|()| cookie)
        })
    }

    /// What a client without a cookie is sent: shorter than any hello. The record's number is always 0, as
    /// the answer to the second hello begins with 1.
    pub fn request(&self, client: SocketAddr, hello: &Hello<'_>, now: Instant) -> [u8; HELLO_VERIFY_REQUEST] {
        let mut request = [0; HELLO_VERIFY_REQUEST];
        let body = (3 + COOKIE) as u8;
        request[..3].copy_from_slice(&[IS_HANDSHAKE, DTLS_1_0[0], DTLS_1_0[1]]);
        request[12] = HANDSHAKE as u8 + body;
        request[RECORD] = IS_HELLO_VERIFY_REQUEST;
        request[RECORD + 3] = body;
        request[RECORD + 11] = body;
        request[RECORD + HANDSHAKE..][..2].copy_from_slice(&DTLS_1_0);
        request[RECORD + HANDSHAKE + 2] = COOKIE as u8;
        let cookie = self.cookie(client, &hello.random, self.period(now));
        request[RECORD + HANDSHAKE + 3..].copy_from_slice(&cookie);
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(cookie: &[u8]) -> Vec<u8> {
        let mut body = [&[0xfe, 0xfd][..], &[7; RANDOM], &[2, 8, 8, cookie.len() as u8], cookie].concat();
        body.extend_from_slice(&[0, 2, 0xc0, 0x2b, 1, 0]);
        let size = (body.len() as u32).to_be_bytes();
        let mut hello = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        hello.extend_from_slice(&((HANDSHAKE + body.len()) as u16).to_be_bytes());
        hello.extend_from_slice(&[1, size[1], size[2], size[3], 0, 0, 0, 0, 0, size[1], size[2], size[3]]);
        hello.extend_from_slice(&body);
        hello
    }

    #[test]
    fn a_cookie_is_of_one_client_one_hello_and_two_periods() {
        let start = Instant::now();
        let cookies = Cookies::new(start).expect("randomness");
        let client = SocketAddr::from(([192, 0, 2, 1], 5000));
        let first = hello(&[]);
        let parsed = Hello::parse(&first).expect("a hello");
        assert_eq!(cookies.known(client, &parsed, start), None);
        let request = cookies.request(client, &parsed, start);
        assert!(request.len() < first.len() + COOKIE);
        let second = hello(&request[request.len() - COOKIE..]);
        let parsed = Hello::parse(&second).expect("a hello");
        assert!(cookies.known(client, &parsed, start + PERIOD).is_some());
        assert!(cookies.known(client, &parsed, start + 2 * PERIOD).is_none());
        assert!(cookies.known(SocketAddr::new(client.ip(), 5001), &parsed, start).is_none());
        assert_eq!(parsed.first(), first);
    }

    #[test]
    fn nothing_but_a_whole_hello_is_one() {
        let whole = hello(&[1; COOKIE]);
        assert!(Hello::parse(&whole).is_some());
        for size in 0..whole.len() {
            assert!(Hello::parse(&whole[..size]).is_none(), "{size}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                if let Some(hello) = Hello::parse(&changed) {
                    let _ = hello.first();
                }
            }
        }
    }
}
