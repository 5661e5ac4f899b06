//! FINGERPRINT (RFC 8489 14.7): the CRC-32 of what is before it.

/// What the check is mixed with.
const MASK: u32 = 0x5354_554e;
const KIND: [u8; 4] = [0x80, 0x28, 0, 4];
pub const SIZE: usize = 8;
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut value, mut bit) = (i as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[i] = value;
        i += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

/// Of a message up to it, whose length counts it already.
pub fn attribute(before: &[u8]) -> [u8; SIZE] {
    let mut attribute = [0; SIZE];
    attribute[..4].copy_from_slice(&KIND);
    attribute[4..].copy_from_slice(&(crc32(before) ^ MASK).to_be_bytes());
    attribute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_check() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(attribute(b"123456789")[..4], KIND);
    }
}
