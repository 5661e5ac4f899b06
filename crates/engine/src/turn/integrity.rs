//! What MESSAGE-INTEGRITY is made of (RFC 8489 14.5, 14.6). Whose key it is, Python knows.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, Key, Tag};

/// 20 bytes.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> Tag {
    hmac::sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message)
}

/// 32 bytes.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Tag {
    hmac::sign(&Key::new(HMAC_SHA256, key), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(tag: Tag) -> String {
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_second_case_of_rfc_2202_and_rfc_4231() {
        let (key, message) = (b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(hmac_sha1(key, message)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex(hmac_sha256(key, message)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn keys_and_messages_may_be_empty_or_long() {
        assert_eq!(hmac_sha1(b"", b"").as_ref().len(), 20);
        assert_eq!(hmac_sha256(&[7; 200], &[9; 70_000]).as_ref().len(), 32);
    }
}
