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

    const KEY: &[u8] = b"Jefe";
    const MESSAGE: &[u8] = b"what do ya want for nothing?";

    #[test]
    fn the_second_case_of_rfc_2202() {
        let expected = 0xeffc_df6a_e5eb_2fa2_d274_16d5_f184_df9c_u128;
        let tag = hmac_sha1(KEY, MESSAGE);
        assert_eq!((&tag.as_ref()[..16], tag.as_ref().len()), (&expected.to_be_bytes()[..], 20));
    }

    #[test]
    fn the_second_case_of_rfc_4231() {
        let expected = 0x5bdc_c146_bf60_754e_6a04_2426_0895_75c7_u128;
        let tag = hmac_sha256(KEY, MESSAGE);
        assert_eq!((&tag.as_ref()[..16], tag.as_ref().len()), (&expected.to_be_bytes()[..], 32));
    }

    #[test]
    fn keys_and_messages_may_be_empty_or_long() {
        assert_eq!(hmac_sha1(b"", b"").as_ref().len(), 20);
        assert_eq!(hmac_sha256(&[7; 200], &vec![9; 70_000]).as_ref().len(), 32);
    }
}
