//! The part of a nonce that only we can make (RFC 8489 9.2): nothing is kept of it.
//!
//! 11 characters of base64: 16 bits of seconds, 48 of a MAC over them and the client.

use std::sync::RwLock;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;

pub const SIZE: usize = 11;
const BYTES: usize = 8;
const TIME: usize = 2;
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Times are seconds of a clock that never goes back.
#[derive(Debug)]
pub struct Nonces {
    lifetime: f64,
    key_lifetime: f64,
    keys: RwLock<Keys>,
}

#[derive(Debug)]
struct Keys {
    current: Key,
    /// It holds until its nonces have run out.
    former: Key,
    changed: f64,
}

impl Nonces {
    /// `None`: the system has no randomness. A lifetime is below 65,536 seconds, as the time goes round.
    pub fn new(lifetime: f64, key_lifetime: f64, now: f64) -> Option<Self> {
        let (current, former) = (key()?, key()?);
        Some(Self { lifetime, key_lifetime, keys: RwLock::new(Keys { current, former, changed: now }) })
    }

    /// For one client: in any form that is always the same.
    pub fn make(&self, client: &[u8], now: f64) -> [u8; SIZE] {
        self.change_key(now);
        let keys = self.keys.read().expect("no holder panics");
        characters(signed(&keys.current, (now as u64 as u16).to_be_bytes(), client))
    }

    /// Whether we made it, for this client, not long ago.
    pub fn holds(&self, nonce: &[u8], client: &[u8], now: f64) -> bool {
        let Some(given) = nonce.try_into().ok().and_then(bytes) else { return false };
        let then = [given[0], given[1]];
        let age = (now as u64 as u16).wrapping_sub(u16::from_be_bytes(then));
        if f64::from(age) > self.lifetime {
            return false;
        }
        let keys = self.keys.read().expect("no holder panics");
        let is_of = |key| verify_slices_are_equal(&signed(key, then, client), &given).is_ok();
        is_of(&keys.current) || now - keys.changed <= self.lifetime && is_of(&keys.former)
    }

    fn change_key(&self, now: f64) {
        let is_due = |keys: &Keys| now - keys.changed >= self.key_lifetime;
        if !is_due(&self.keys.read().expect("no holder panics")) {
            return;
        }
        let mut keys = self.keys.write().expect("no holder panics");
        // Without randomness the present key goes on.
        if is_due(&keys)
            && let Some(new) = key()
        {
            keys.former = std::mem::replace(&mut keys.current, new);
            keys.changed = now;
        }
    }
}

fn key() -> Option<Key> {
    Key::generate(HMAC_SHA256, &SystemRandom::new()).ok()
}

fn signed(key: &Key, then: [u8; TIME], client: &[u8]) -> [u8; BYTES] {
    let mut context = Context::with_key(key);
    context.update(&then);
    context.update(client);
    let mut signed = [0; BYTES];
    signed[..TIME].copy_from_slice(&then);
    signed[TIME..].copy_from_slice(&context.sign().as_ref()[..BYTES - TIME]);
    signed
}

fn characters(bytes: [u8; BYTES]) -> [u8; SIZE] {
    let bits = u128::from(u64::from_be_bytes(bytes)) << 2;
    std::array::from_fn(|i| DIGITS[(bits >> (6 * (SIZE - 1 - i))) as usize & 63])
}

/// `None`: they are not what `characters` makes.
fn bytes(characters: [u8; SIZE]) -> Option<[u8; BYTES]> {
    let mut bits = 0_u128;
    for character in characters {
        let digit = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u128::from(digit);
    }
    (bits & 3 == 0).then(|| ((bits >> 2) as u64).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_back() {
        for n in [0, 1, 255, 0x0102_0304_0506_0708, u64::MAX / 3, u64::MAX] {
            assert_eq!(bytes(characters(n.to_be_bytes())), Some(n.to_be_bytes()));
        }
        assert_eq!(&characters(*b"nonsense"), b"bm9uc2Vuc2U");
        assert_eq!(bytes(*b"bm9uc2Vuc2V"), None, "bits behind the last byte");
        assert_eq!(bytes(*b"bm9uc2Vuc2="), None);
    }

    #[test]
    fn for_one_client_and_one_lifetime() {
        let nonces = Nonces::new(600.0, 3600.0, 0.0).expect("randomness");
        let nonce = nonces.make(b"a", 65_500.0);
        assert!(nonces.holds(&nonce, b"a", 66_100.0) && !nonces.holds(&nonce, b"a", 66_101.0));
        assert!(!nonces.holds(&nonce, b"b", 65_500.0));
        assert!(!nonces.holds(&nonce[..10], b"a", 65_500.0) && !nonces.holds(b"", b"a", 65_500.0));
    }

    #[test]
    fn a_former_key_holds_for_as_long_as_a_nonce_lives() {
        let nonces = Nonces::new(600.0, 3600.0, 0.0).expect("randomness");
        let old = nonces.make(b"a", 3599.0);
        nonces.make(b"a", 3600.0);
        assert!(nonces.holds(&old, b"a", 4199.0));
        nonces.make(b"a", 7200.0);
        assert!(!nonces.holds(&old, b"a", 3599.0 + 65_536.0));
    }
}
