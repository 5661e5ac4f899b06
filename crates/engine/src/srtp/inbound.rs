//! What comes on one track, unprotected: whose tag is right, and only once.

use super::transform::{Place, Purpose, Transform};
use super::window::Window;
use super::{INDEX_LIMIT, MKI_SIZE_LIMIT, MasterKey, SOURCE_LIMIT};
use crate::rtp::Header;

#[derive(Debug)]
pub struct Inbound {
    rtp: Transform,
    rtcp: Transform,
    mki: Vec<u8>,
    rollovers: Vec<(u32, u32)>,
    rtp_sources: Vec<(u32, Window)>,
    rtcp_sources: Vec<(u32, Window)>,
}

impl Inbound {
    pub fn new(master: &MasterKey) -> Result<Self, String> {
        if master.mki.len() > MKI_SIZE_LIMIT {
            return Err(format!("a master key identifier of {} bytes", master.mki.len()));
        }
        Ok(Self {
            rtp: Transform::derive(master, Purpose::Rtp)?,
            rtcp: Transform::derive(master, Purpose::Rtcp)?,
            mki: master.mki.clone(),
            rollovers: master.rollovers.iter().take(SOURCE_LIMIT).copied().collect(),
            rtp_sources: Vec::new(),
            rtcp_sources: Vec::new(),
        })
    }

    /// The RTP packet inside, in `plain`. `None`: not of this key, a repetition, or of one source too many.
    pub fn rtp(&mut self, packet: &[u8], plain: &mut Vec<u8>) -> Option<()> {
        let (header, head) = read_head(packet)?;
        let known = self.rtp_sources.iter().position(|(ssrc, _)| *ssrc == header.ssrc);
        let index = match known {
            Some(i) => {
                let window = &self.rtp_sources[i].1;
                guess(header.sequence, window.highest).filter(|index| window.is_new(*index))?
            }
            None if self.rtp_sources.len() == SOURCE_LIMIT => return None,
            None => {
                let rollovers = self.rollovers.iter().find(|(ssrc, _)| *ssrc == header.ssrc);
                u64::from(rollovers.map_or(0, |(_, count)| *count)) << 16 | u64::from(header.sequence)
            }
        };
        let place = Place { ssrc: header.ssrc, index };
        self.rtp.unprotect_rtp(packet, &self.mki, head, place, plain)?;
        note(&mut self.rtp_sources, known, place);
        Some(())
    }

    /// As `rtp`, for a compound RTCP packet.
    pub fn rtcp(&mut self, packet: &[u8], plain: &mut Vec<u8>) -> Option<()> {
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let index = u64::from(self.rtcp.rtcp_index(packet, &self.mki)?);
        let known = self.rtcp_sources.iter().position(|(known, _)| *known == ssrc);
        match known {
            Some(i) if !self.rtcp_sources[i].1.is_new(index) => return None,
            None if self.rtcp_sources.len() == SOURCE_LIMIT => return None,
            _ => {}
        }
        let place = Place { ssrc, index };
        self.rtcp.unprotect_rtcp(packet, &self.mki, place, plain)?;
        note(&mut self.rtcp_sources, known, place);
        Some(())
    }
}

/// After authentication only: a stranger's packet changes nothing.
fn note(sources: &mut Vec<(u32, Window)>, known: Option<usize>, place: Place) {
    match known {
        Some(i) => sources[i].1.take(place.index),
        None => sources.push((place.ssrc, Window::new(place.index))),
    }
}

/// The header, and where what is encrypted begins. Padding is inside of that, and cannot be read yet.
fn read_head(packet: &[u8]) -> Option<(Header, usize)> {
    let mut head = [0; crate::rtp::FIXED];
    head.copy_from_slice(packet.get(..crate::rtp::FIXED)?);
    let extended = head[0] & 0x10 != 0;
    let fixed_size = crate::rtp::FIXED + 4 * usize::from(head[0] & 0x0f);
    head[0] &= 0xc0;
    let header = Header::parse(&head)?;
    let mut end = fixed_size;
    if extended {
        let words = packet.get(fixed_size + 2..fixed_size + 4)?;
        end += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (end <= packet.len()).then_some((header, end))
}

/// RFC 3711 appendix A: the index that is nearest to the highest seen.
fn guess(sequence: u16, highest: u64) -> Option<u64> {
    let (rollovers, last) = (highest >> 16, highest as u16);
    let rollovers = if last < 0x8000 && sequence > last && sequence - last > 0x8000 {
        rollovers.checked_sub(1)?
    } else if last >= 0x8000 && last - 0x8000 > sequence {
        rollovers + 1
    } else {
        rollovers
    };
    Some(rollovers << 16 | u64::from(sequence)).filter(|index| *index < INDEX_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::tests::packet;
    use crate::srtp::{Outbound, Suite};

    fn master(suite: Suite) -> MasterKey {
        MasterKey {
            suite,
            key: vec![7; suite.key_size()],
            salt: vec![9; suite.salt_size()],
            mki: vec![],
            rollovers: vec![],
        }
    }

    fn pair(suite: Suite) -> (Outbound, Inbound) {
        let master = master(suite);
        (Outbound::new(&master).expect("keys"), Inbound::new(&master).expect("keys"))
    }

    fn sealed(outbound: &mut Outbound, packet: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        outbound.rtp(packet, &mut out).expect("protected");
        out
    }

    const REPORT: [u8; 28] =
        [0x80, 200, 0, 6, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 0, 0, 0, 1, 0, 0, 0, 2];

    #[test]
    fn what_one_side_protects_the_other_reads_once() {
        for suite in Suite::ALL {
            let (mut outbound, mut inbound) = pair(suite);
            let mut plain = Vec::new();
            // Over the wrap of the sequence number.
            for number in 65_500_u32..65_600 {
                let original = packet(number as u16, number * 3000, true, &[number as u8; 50]);
                let wire = sealed(&mut outbound, &original);
                assert_eq!(wire.len(), original.len() + suite.tag_size());
                assert_eq!(inbound.rtp(&wire, &mut plain), Some(()), "{suite:?} {number}");
                assert_eq!(plain, original);
                assert_eq!(inbound.rtp(&wire, &mut plain), None, "a repetition");
            }
            for _ in 0..3 {
                let mut wire = Vec::new();
                outbound.rtcp(&REPORT, &mut wire).expect("protected");
                assert_eq!(inbound.rtcp(&wire, &mut plain), Some(()), "{suite:?}");
                assert_eq!(plain, REPORT);
                assert_eq!(inbound.rtcp(&wire, &mut plain), None, "a repetition");
            }
        }
    }

    #[test]
    fn one_bit_wrong_is_refused_and_changes_nothing() {
        for suite in Suite::ALL {
            let (mut outbound, mut inbound) = pair(suite);
            let original = packet(4, 5, false, b"payload");
            let wire = sealed(&mut outbound, &original);
            let mut report = Vec::new();
            outbound.rtcp(&REPORT, &mut report).expect("protected");
            let mut plain = Vec::new();
            for bit in 0..wire.len() * 8 {
                let mut bad = wire.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(inbound.rtp(&bad, &mut plain), None, "{suite:?} bit {bit}");
            }
            for bit in 0..report.len() * 8 {
                let mut bad = report.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(inbound.rtcp(&bad, &mut plain), None, "{suite:?} bit {bit}");
            }
            for size in 0..wire.len() {
                assert_eq!(inbound.rtp(&wire[..size], &mut plain), None, "{suite:?} cut to {size}");
            }
            for size in 0..report.len() {
                assert_eq!(inbound.rtcp(&report[..size], &mut plain), None, "{suite:?} cut to {size}");
            }
            assert_eq!(inbound.rtp(&wire, &mut plain), Some(()));
            assert_eq!(inbound.rtcp(&report, &mut plain), Some(()));
        }
    }

    #[test]
    fn extension_and_padding_are_where_they_were() {
        for suite in Suite::ALL {
            let (mut outbound, mut inbound) = pair(suite);
            let mut original = packet(1, 2, true, b"payload\0\0\x03");
            original[0] |= 0x32; // padding, extension, two contributing sources
            original.splice(12..12, [0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
            let wire = sealed(&mut outbound, &original);
            assert_eq!(wire[..28], original[..28], "readable");
            assert_ne!(wire[28..38], original[28..38], "encrypted");
            let mut plain = Vec::new();
            assert_eq!(inbound.rtp(&wire, &mut plain), Some(()));
            assert_eq!(plain, original);
        }
    }

    #[test]
    fn behind_a_long_pause_the_numbers_go_on() {
        let (mut outbound, mut inbound) = pair(Suite::AesCm128HmacSha1_80);
        let mut plain = Vec::new();
        let mut seen = Vec::new();
        for number in [10, 11, 15, 50_000, 50_001, 50_001, 49_000, 49_002] {
            let wire = sealed(&mut outbound, &packet(number, 0, false, b"x"));
            assert_eq!(inbound.rtp(&wire, &mut plain), Some(()), "{number}");
            seen.push(Header::parse(&plain).expect("a packet").sequence);
        }
        assert_eq!(seen, [10, 11, 15, 16, 17, 18, 19, 21]);
    }

    #[test]
    fn who_joins_late_knows_how_often_the_numbers_wrapped() {
        let suite = Suite::AesCm128HmacSha1_80;
        let (mut outbound, mut without) = pair(suite);
        let rollovers = vec![(0x1234_5678, 1)];
        let mut with = Inbound::new(&MasterKey { rollovers, ..master(suite) }).expect("keys");
        for number in (0..=65_535).step_by(1000) {
            sealed(&mut outbound, &packet(number, 0, false, b"x"));
        }
        let wire = sealed(&mut outbound, &packet(3, 0, false, b"x"));
        let mut plain = Vec::new();
        assert_eq!((without.rtp(&wire, &mut plain), with.rtp(&wire, &mut plain)), (None, Some(())));
    }

    #[test]
    fn a_key_identifier_must_be_there() {
        let suite = Suite::AesCm128HmacSha1_80;
        let (mut outbound, _) = pair(suite);
        let mut inbound = Inbound::new(&MasterKey { mki: vec![1, 2], ..master(suite) }).expect("keys");
        let mut wire = sealed(&mut outbound, &packet(3, 0, false, b"x"));
        let mut plain = Vec::new();
        assert_eq!(inbound.rtp(&wire, &mut plain), None);
        let tag = wire.len() - 10;
        wire.splice(tag..tag, [1, 2]);
        assert_eq!(inbound.rtp(&wire, &mut plain), Some(()));
        assert!(Inbound::new(&MasterKey { mki: vec![0; 17], ..master(suite) }).is_err());
    }

    #[test]
    fn sources_are_few() {
        let (mut outbound, mut inbound) = pair(Suite::AeadAes128Gcm);
        let mut plain = Vec::new();
        for ssrc in 0..=SOURCE_LIMIT as u8 {
            let mut original = packet(3, 0, false, b"x");
            original[11] = ssrc;
            let mut wire = Vec::new();
            let made = outbound.rtp(&original, &mut wire);
            assert_eq!(made.is_some(), usize::from(ssrc) < SOURCE_LIMIT);
            if made.is_some() {
                assert_eq!(inbound.rtp(&wire, &mut plain), Some(()));
            } else {
                assert!(wire.is_empty());
            }
        }
    }
}
