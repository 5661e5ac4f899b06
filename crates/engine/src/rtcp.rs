//! RTCP (RFC 3550 6): the reports the engine writes and the few fields it reads.

/// RFC 3550 6.4.1, without report blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: u32,
    /// Seconds since 1900 in the upper 32 bits, their fraction in the lower.
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// RFC 3550 6.4.1: one report block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    pub ssrc: u32,
    pub fraction_lost: u8,
    /// 24 bits, signed: duplicates make it negative.
    pub lost: i32,
    pub extended_max: u32,
    pub jitter: u32,
    pub last_sr: u32,
    pub delay_since_last_sr: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Sender(SenderReport),
    Block(ReportBlock),
    Bye,
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const BLOCK: usize = 24;

pub fn is_sender_report(packet: &[u8]) -> bool {
    packet.get(1) == Some(&SENDER_REPORT)
}

impl SenderReport {
    pub fn write(&self, out: &mut Vec<u8>) {
        head(out, 0, SENDER_REPORT, 6);
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.ntp.to_be_bytes());
        out.extend(self.rtp_timestamp.to_be_bytes());
        out.extend(self.packets.to_be_bytes());
        out.extend(self.octets.to_be_bytes());
    }
}

/// A receiver report with one block.
pub fn write_receiver_report(out: &mut Vec<u8>, reporter: u32, block: &ReportBlock) {
    head(out, 1, RECEIVER_REPORT, 7);
    out.extend(reporter.to_be_bytes());
    out.extend(block.ssrc.to_be_bytes());
    let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
    out.extend((u32::from(block.fraction_lost) << 24 | lost).to_be_bytes());
    out.extend(block.extended_max.to_be_bytes());
    out.extend(block.jitter.to_be_bytes());
    out.extend(block.last_sr.to_be_bytes());
    out.extend(block.delay_since_last_sr.to_be_bytes());
}

/// RFC 3550 6.5: every compound packet names its source.
pub fn write_name(out: &mut Vec<u8>, ssrc: u32) {
    const NAME: &[u8; 8] = b"headgate";
    head(out, 1, SOURCE_DESCRIPTION, 4);
    out.extend(ssrc.to_be_bytes());
    out.extend([1, NAME.len() as u8]);
    out.extend(NAME);
    out.extend([0, 0]); // the list's end, padded to a word
}

pub fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    head(out, 1, BYE, 1);
    out.extend(ssrc.to_be_bytes());
}

fn head(out: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    out.extend([0x80 | count, kind]);
    out.extend(words.to_be_bytes());
}

/// Walks a compound packet (RFC 3550 6.1, A.2). `None` when its lengths or versions are wrong.
pub fn read(mut packet: &[u8], mut found: impl FnMut(Report)) -> Option<()> {
    if packet.is_empty() {
        return None;
    }
    while !packet.is_empty() {
        let [first, kind, high, low, ..] = *packet else { return None };
        let size = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        if first >> 6 != 2 || packet.len() < size {
            return None;
        }
        let (this, rest) = packet.split_at(size);
        let count = usize::from(first & 0x1f);
        match kind {
            SENDER_REPORT => {
                if size < 28 + count * BLOCK {
                    return None;
                }
                found(Report::Sender(SenderReport {
                    ssrc: word(this, 4),
                    ntp: u64::from(word(this, 8)) << 32 | u64::from(word(this, 12)),
                    rtp_timestamp: word(this, 16),
                    packets: word(this, 20),
                    octets: word(this, 24),
                }));
                blocks(&this[28..28 + count * BLOCK], &mut found);
            }
            RECEIVER_REPORT => {
                if size < 8 + count * BLOCK {
                    return None;
                }
                blocks(&this[8..8 + count * BLOCK], &mut found);
            }
            BYE => found(Report::Bye),
            _ => {} // SDES, APP and feedback say nothing the engine acts on
        }
        packet = rest;
    }
    Some(())
}

fn blocks(bytes: &[u8], found: &mut impl FnMut(Report)) {
    for block in bytes.chunks_exact(BLOCK) {
        let lost = word(block, 4);
        found(Report::Block(ReportBlock {
            ssrc: word(block, 0),
            fraction_lost: (lost >> 24) as u8,
            lost: (lost << 8) as i32 >> 8,
            extended_max: word(block, 8),
            jitter: word(block, 12),
            last_sr: word(block, 16),
            delay_since_last_sr: word(block, 20),
        }));
    }
}

/// The caller has checked that the four bytes are there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let sender =
            SenderReport { ssrc: 7, ntp: 0x1122_3344_5566_7788, rtp_timestamp: 9, packets: 10, octets: 11 };
        let block = ReportBlock {
            ssrc: 1,
            fraction_lost: 200,
            lost: -3,
            extended_max: 70000,
            jitter: 5,
            last_sr: 6,
            delay_since_last_sr: 7,
        };
        let mut compound = Vec::new();
        sender.write(&mut compound);
        write_receiver_report(&mut compound, 99, &block);
        write_name(&mut compound, 7);
        write_bye(&mut compound, 7);
        let mut seen = Vec::new();
        assert_eq!(read(&compound, |report| seen.push(report)), Some(()));
        assert_eq!(seen, [Report::Sender(sender), Report::Block(block), Report::Bye]);
        for size in (0..compound.len()).filter(|size| ![28, 60, 80].contains(size)) {
            assert_eq!(read(&compound[..size], |_| ()), None, "cut to {size}");
        }
    }

    #[test]
    fn a_count_beyond_the_packet_is_refused() {
        let mut report = Vec::new();
        write_receiver_report(&mut report, 1, &ReportBlock::default());
        report[0] = 0x9f;
        assert_eq!(read(&report, |_| panic!("nothing to find")), None);
    }
}
