//! One packet under one session key: what is encrypted, with which counter, and what the tag covers.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::{MasterKey, Suite};

/// RFC 3711 4.3.1: what a derived key is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    Rtp = 0,
    Rtcp = 3,
}

const AUTHENTICATION_KEY: usize = 20;
/// RFC 3711 3.4: the fixed part of an RTCP packet that stays readable.
pub const RTCP_HEAD: usize = 8;
/// RFC 3711 3.4: E flag and index.
pub const RTCP_TRAILER: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// The session keys of RTP or of RTCP in one direction.
#[derive(Debug)]
pub struct Transform(Cipher);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a flow has the one or the other, and many packets use it")]
enum Cipher {
    Counter { key: EncryptingKey, salt: [u8; 14], authentication: hmac::Key },
    Gcm { key: LessSafeKey, salt: [u8; 12] },
}

/// Where a packet stands in its source's sequence.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub ssrc: u32,
    /// RTP: roll-over counter and sequence number, 48 bits. RTCP: its own index, 31 bits.
    pub index: u64,
}

impl Transform {
    /// RFC 3711 4.3, without re-derivation. Errors: the key or the salt is not of the suite's size.
    pub fn derive(master: &MasterKey, purpose: Purpose) -> Result<Self, String> {
        let suite = master.suite;
        if master.key.len() != suite.key_size() || master.salt.len() != suite.salt_size() {
            let (key, salt) = (master.key.len(), master.salt.len());
            return Err(format!("{suite:?} has no key of {key} and salt of {salt} bytes"));
        }
        let first = purpose as u8;
        let generator = counter_key(&master.key)?;
        let mut key = vec![0; suite.key_size()];
        generate(&generator, &master.salt, first, &mut key)?;
        let mut authentication = [0; AUTHENTICATION_KEY];
        generate(&generator, &master.salt, first + 1, &mut authentication)?;
        let mut salt = [0; 14];
        generate(&generator, &master.salt, first + 2, &mut salt[..suite.salt_size()])?;
        Self::with_session_keys(suite, &key, &salt[..suite.salt_size()], &authentication)
    }

    /// Keys that are used as they are. The last is of no meaning to AES-GCM.
    pub fn with_session_keys(
        suite: Suite,
        key: &[u8],
        salt: &[u8],
        authentication: &[u8],
    ) -> Result<Self, String> {
        let wrong = |_| String::from("a salt of another suite");
        Ok(Self(if suite.is_aead() {
            let algorithm = if suite.key_size() == 16 { &AES_128_GCM } else { &AES_256_GCM };
            let key = UnboundKey::new(algorithm, key).map_err(|_| "a key of another suite")?;
            Cipher::Gcm { key: LessSafeKey::new(key), salt: salt.try_into().map_err(wrong)? }
        } else {
            let authentication = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, authentication);
            Cipher::Counter { key: counter_key(key)?, salt: salt.try_into().map_err(wrong)?, authentication }
        }))
    }

    /// Bytes between the end of a packet and the end of the protected one.
    pub fn tag_size(&self) -> usize {
        match self.0 {
            Cipher::Counter { .. } => 10,
            Cipher::Gcm { .. } => 16,
        }
    }

    /// Protect the RTP packet that `out` has from `start` on, whose payload begins `head` bytes later.
    pub fn protect_rtp(&self, out: &mut Vec<u8>, start: usize, head: usize, place: Place) -> Option<()> {
        match &self.0 {
            Cipher::Counter { key, salt, authentication } => {
                count(key, salt, place, &mut out[start + head..])?;
                let tag = sign(authentication, &out[start..], &rollovers(place));
                out.extend_from_slice(&tag.as_ref()[..10]);
            }
            Cipher::Gcm { key, salt } => {
                let (clear, rest) = out[start..].split_at_mut(head);
                let nonce = nonce(salt, place);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(clear), rest).ok()?;
                out.extend_from_slice(tag.as_ref());
            }
        }
        Some(())
    }

    /// The RTP packet inside `packet`, in `plain`. `None`: nobody with the key has made it.
    pub fn unprotect_rtp(
        &self,
        packet: &[u8],
        mki: &[u8],
        head: usize,
        place: Place,
        plain: &mut Vec<u8>,
    ) -> Option<()> {
        plain.clear();
        match &self.0 {
            Cipher::Counter { key, salt, authentication } => {
                let (body, tag) = packet.split_at_checked(packet.len().checked_sub(10)?)?;
                let body = body.strip_suffix(mki)?;
                let ours = sign(authentication, body, &rollovers(place));
                verify_slices_are_equal(&ours.as_ref()[..10], tag).ok()?;
                plain.extend_from_slice(body);
                count(key, salt, place, plain.get_mut(head..)?)?;
            }
            Cipher::Gcm { key, salt } => {
                plain.extend_from_slice(packet.strip_suffix(mki)?);
                let (clear, rest) = plain.split_at_mut_checked(head)?;
                let size = key.open_in_place(nonce(salt, place), Aad::from(clear), rest).ok()?.len();
                plain.truncate(head + size);
            }
        }
        Some(())
    }

    /// Protect the RTCP packet that `out` has from `start` on.
    pub fn protect_rtcp(&self, out: &mut Vec<u8>, start: usize, place: Place) -> Option<()> {
        let trailer = (place.index as u32 | ENCRYPTED).to_be_bytes();
        match &self.0 {
            Cipher::Counter { key, salt, authentication } => {
                count(key, salt, place, out.get_mut(start + RTCP_HEAD..)?)?;
                out.extend_from_slice(&trailer);
                let tag = sign(authentication, &out[start..], &[]);
                out.extend_from_slice(&tag.as_ref()[..10]);
            }
            Cipher::Gcm { key, salt } => {
                let (clear, rest) = out[start..].split_at_mut_checked(RTCP_HEAD)?;
                let aad = rtcp_aad(clear, trailer)?;
                let nonce = nonce(salt, place);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), rest).ok()?;
                out.extend_from_slice(tag.as_ref());
                out.extend_from_slice(&trailer);
            }
        }
        Some(())
    }

    /// The index an RTCP packet says it has. `None`: it is too short, or not encrypted.
    pub fn rtcp_index(&self, packet: &[u8], mki: &[u8]) -> Option<u32> {
        let behind = match self.0 {
            Cipher::Counter { .. } => 10,
            Cipher::Gcm { .. } => 0,
        };
        let end = packet.len().checked_sub(behind + mki.len())?;
        let word = packet.get(end.checked_sub(RTCP_TRAILER)?..end)?;
        let word = u32::from_be_bytes(word.try_into().ok()?);
        (word & ENCRYPTED != 0).then_some(word & !ENCRYPTED)
    }

    /// As `unprotect_rtp`, for an RTCP packet with the index that `rtcp_index` found in it.
    pub fn unprotect_rtcp(&self, packet: &[u8], mki: &[u8], place: Place, plain: &mut Vec<u8>) -> Option<()> {
        plain.clear();
        match &self.0 {
            Cipher::Counter { key, salt, authentication } => {
                let (body, tag) = packet.split_at_checked(packet.len().checked_sub(10)?)?;
                let body = body.strip_suffix(mki)?;
                let ours = sign(authentication, body, &[]);
                verify_slices_are_equal(&ours.as_ref()[..10], tag).ok()?;
                plain.extend_from_slice(&body[..body.len().checked_sub(RTCP_TRAILER)?]);
                count(key, salt, place, plain.get_mut(RTCP_HEAD..)?)?;
            }
            Cipher::Gcm { key, salt } => {
                let body = packet.strip_suffix(mki)?;
                let (sealed, trailer) = body.split_at_checked(body.len().checked_sub(RTCP_TRAILER)?)?;
                plain.extend_from_slice(sealed);
                let (clear, rest) = plain.split_at_mut_checked(RTCP_HEAD)?;
                let aad = rtcp_aad(clear, trailer.try_into().ok()?)?;
                let size = key.open_in_place(nonce(salt, place), Aad::from(aad), rest).ok()?.len();
                plain.truncate(RTCP_HEAD + size);
            }
        }
        Some(())
    }
}

fn counter_key(key: &[u8]) -> Result<EncryptingKey, String> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let key = UnboundCipherKey::new(algorithm, key).and_then(EncryptingKey::ctr);
    key.map_err(|_| String::from("a key of another suite"))
}

/// RFC 3711 4.3.1 and 4.3.3, RFC 7714 11: a shorter salt is filled up with zeros.
fn generate(generator: &EncryptingKey, salt: &[u8], label: u8, out: &mut [u8]) -> Result<(), String> {
    let mut counter = [0; 16];
    counter[..salt.len()].copy_from_slice(salt);
    counter[7] ^= label;
    out.fill(0);
    xor_stream(generator, counter, out).ok_or_else(|| String::from("the keys cannot be derived"))
}

/// RFC 3711 4.1.1: en- and decrypting are the same.
fn count(key: &EncryptingKey, salt: &[u8; 14], place: Place, data: &mut [u8]) -> Option<()> {
    let mut counter = [0; 16];
    counter[..14].copy_from_slice(salt);
    xor(&mut counter[4..8], &place.ssrc.to_be_bytes());
    xor(&mut counter[8..14], &place.index.to_be_bytes()[2..]);
    xor_stream(key, counter, data)
}

fn xor_stream(key: &EncryptingKey, counter: [u8; 16], data: &mut [u8]) -> Option<()> {
    let counter = EncryptionContext::Iv128(FixedLength::from(counter));
    key.less_safe_encrypt(data, counter).ok().map(|_| ())
}

fn sign(key: &hmac::Key, packet: &[u8], behind: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(behind);
    context.sign()
}

fn rollovers(place: Place) -> [u8; 4] {
    ((place.index >> 16) as u32).to_be_bytes()
}

/// RFC 7714 8.1 (RTP) and 9.1 (RTCP): both put the index behind the SSRC, in 48 bits.
fn nonce(salt: &[u8; 12], place: Place) -> Nonce {
    let mut bytes = *salt;
    xor(&mut bytes[2..6], &place.ssrc.to_be_bytes());
    xor(&mut bytes[6..12], &place.index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(bytes)
}

/// RFC 7714 9.2: the readable head, then flag and index.
fn rtcp_aad(head: &[u8], trailer: [u8; RTCP_TRAILER]) -> Option<[u8; RTCP_HEAD + RTCP_TRAILER]> {
    let mut aad = [0; RTCP_HEAD + RTCP_TRAILER];
    aad[..RTCP_HEAD].copy_from_slice(head.get(..RTCP_HEAD)?);
    aad[RTCP_HEAD..].copy_from_slice(&trailer);
    Some(aad)
}

fn xor(into: &mut [u8], with: &[u8]) {
    for (byte, other) in into.iter_mut().zip(with) {
        *byte ^= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn derived(key: &str, salt: &str, label: u8, size: usize) -> Vec<u8> {
        let mut out = vec![0; size];
        let generator = counter_key(&hex(key)).expect("a key");
        generate(&generator, &hex(salt), label, &mut out).expect("derived");
        out
    }

    /// RFC 3711 B.2.
    #[test]
    fn the_key_stream_is_the_rfcs() {
        let key = counter_key(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).expect("a key");
        let salt: [u8; 14] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().expect("14 bytes");
        let mut stream = vec![0; 16 * 0xff02];
        count(&key, &salt, Place { ssrc: 0, index: 0 }, &mut stream).expect("a stream");
        let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
            41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream[..48], hex(expected));
        let expected = "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
            6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[16 * 0xfeff..], hex(expected));
    }

    /// RFC 3711 B.3.
    #[test]
    fn keys_are_derived_as_the_rfc_does() {
        let (key, salt) = ("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
        assert_eq!(derived(key, salt, 0, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(key, salt, 2, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        let authentication = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4";
        assert_eq!(derived(key, salt, 1, 20), hex(authentication));
    }

    /// RFC 6188 7.3.
    #[test]
    fn long_keys_are_derived_as_the_rfc_does() {
        let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6";
        let salt = "3b04803de51ee7c96423ab5b78d2";
        let session = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
        assert_eq!(derived(key, salt, 0, 32), hex(session));
        assert_eq!(derived(key, salt, 2, 14), hex("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(derived(key, salt, 1, 20), hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
    }

    const GALLIA: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
        69736120 696e2070 61727465 73207472 6573";
    const REPORT: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef";
    const QUID: &str = "51756964 2070726f 2071756f";

    fn gcm(suite: Suite) -> Transform {
        let key: Vec<u8> = (0..suite.key_size() as u8).collect();
        Transform::with_session_keys(suite, &key, &hex(QUID), &[]).expect("keys")
    }

    /// RFC 7714 16.1 and 16.2.
    #[test]
    fn gcm_protects_rtp_as_the_rfc_does() {
        let vectors = [
            (
                Suite::AeadAes128Gcm,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
                 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            ),
            (
                Suite::AeadAes256Gcm,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
                 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ),
        ];
        let place = Place { ssrc: 0x5501_a0b2, index: 0xf17b };
        for (suite, expected) in vectors {
            let mut out = hex(GALLIA);
            gcm(suite).protect_rtp(&mut out, 0, 12, place).expect("protected");
            assert_eq!(out, hex(expected), "{suite:?}");
            let mut plain = Vec::new();
            gcm(suite).unprotect_rtp(&out, &[], 12, place, &mut plain).expect("unprotected");
            assert_eq!(plain, hex(GALLIA));
        }
    }

    /// RFC 7714 17.1.
    #[test]
    fn gcm_protects_rtcp_as_the_rfc_does() {
        let place = Place { ssrc: 0x4d61_7273, index: 0x5d4 };
        let transform = gcm(Suite::AeadAes128Gcm);
        let mut out = hex(REPORT);
        transform.protect_rtcp(&mut out, 0, place).expect("protected");
        let expected = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
            c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
        assert_eq!(out, hex(expected));
        assert_eq!(transform.rtcp_index(&out, &[]), Some(0x5d4));
        let mut plain = Vec::new();
        transform.unprotect_rtcp(&out, &[], place, &mut plain).expect("unprotected");
        assert_eq!(plain, hex(REPORT));
    }

    fn master() -> MasterKey {
        MasterKey {
            suite: Suite::AesCm128HmacSha1_80,
            key: hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
            salt: hex("0EC675AD498AFEEBB6960B3AABE6"),
            mki: vec![],
            rollovers: vec![],
        }
    }

    /// The packets libsrtp tests itself with, under the keys of RFC 3711 B.3.
    #[test]
    fn counter_mode_protects_as_libsrtp_does() {
        let mut packet = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
        let rtp = Transform::derive(&master(), Purpose::Rtp).expect("keys");
        let place = Place { ssrc: 0xcafe_babe, index: 0x1234 };
        rtp.protect_rtp(&mut packet, 0, 12, place).expect("protected");
        let expected =
            "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb";
        assert_eq!(packet, hex(expected));

        let mut packet = hex("81c8000b cafebabe abababab abababab abababab abababab");
        let rtcp = Transform::derive(&master(), Purpose::Rtcp).expect("keys");
        let place = Place { ssrc: 0xcafe_babe, index: 1 };
        rtcp.protect_rtcp(&mut packet, 0, place).expect("protected");
        let expected =
            "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798";
        assert_eq!(packet, hex(expected));
    }

    #[test]
    fn keys_of_another_size_are_refused() {
        for (key, salt) in [(15, 14), (32, 14), (16, 12), (0, 0)] {
            let master = MasterKey { key: vec![1; key], salt: vec![1; salt], ..master() };
            assert!(Transform::derive(&master, Purpose::Rtp).is_err(), "{key}, {salt}");
        }
        assert!(!format!("{:?}", master()).contains("225"), "the key is not for logs");
    }
}
