//! What we send on one track, protected.

use super::transform::{Place, Purpose, Transform};
use super::{INDEX_LIMIT, MasterKey, RTCP_INDEX_LIMIT, SOURCE_LIMIT};
use crate::rtp::Header;

#[derive(Debug)]
pub struct Outbound {
    rtp: Transform,
    rtcp: Transform,
    sources: Vec<Source>,
    rtcp_index: u32,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    last: u64,
    /// Taken from every sequence number. Not 0 behind a gap that receivers could not tell the size of.
    shift: u16,
}

impl Outbound {
    pub fn new(master: &MasterKey) -> Result<Self, String> {
        Ok(Self {
            rtp: Transform::derive(master, Purpose::Rtp)?,
            rtcp: Transform::derive(master, Purpose::Rtcp)?,
            sources: Vec::new(),
            rtcp_index: 0,
        })
    }

    /// What an RTP packet grows by.
    pub fn tag_size(&self) -> usize {
        self.rtp.tag_size()
    }

    /// Append the packet, protected. `None`: it is no packet, or the key is used up; then `out` is as it was.
    pub fn rtp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let header = Header::parse(packet)?;
        let index = self.index(&header)?;
        let start = out.len();
        out.extend_from_slice(packet);
        out[start + 2..start + 4].copy_from_slice(&(index as u16).to_be_bytes());
        let place = Place { ssrc: header.ssrc, index };
        let done = self.rtp.protect_rtp(out, start, header.payload_start, place);
        if done.is_none() {
            out.truncate(start);
        }
        done
    }

    pub fn rtcp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        if self.rtcp_index == RTCP_INDEX_LIMIT {
            return None;
        }
        let start = out.len();
        out.extend_from_slice(packet);
        let place = Place { ssrc, index: u64::from(self.rtcp_index) };
        self.rtcp_index += 1;
        let done = self.rtcp.protect_rtcp(out, start, place);
        if done.is_none() {
            out.truncate(start);
        }
        done
    }

    /// Never the same twice under this key: two packets under one index would betray each other.
    fn index(&mut self, header: &Header) -> Option<u64> {
        let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == header.ssrc) else {
            if self.sources.len() == SOURCE_LIMIT {
                return None;
            }
            let last = u64::from(header.sequence);
            self.sources.push(Source { ssrc: header.ssrc, last, shift: 0 });
            return Some(last);
        };
        let ahead = header.sequence.wrapping_sub(source.shift).wrapping_sub(source.last as u16);
        let index = if (1..0x8000).contains(&ahead) {
            source.last + u64::from(ahead)
        } else {
            // After a long pause, or a step back. Receivers would guess another roll-over count than
            // ours, and never find back: for them the numbers just go on.
            source.shift = source.shift.wrapping_add(ahead.wrapping_sub(1));
            source.last + 1
        };
        if index >= INDEX_LIMIT {
            return None;
        }
        source.last = index;
        Some(index)
    }
}
