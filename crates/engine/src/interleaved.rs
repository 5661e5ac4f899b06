//! The flows that a connection carries itself: RTP and RTCP interleaved with its messages (RFC 2326 10.12).

use std::sync::Arc;
use std::time::Instant;

use crate::counters::Table;
use crate::outgoing::Entry;
use crate::publisher::Publisher;
use crate::reader::{self, Reader};
use crate::srtp::Protection;
use crate::unit::{Kind, Unit};

/// The interleaved channels of each track, by track.
pub type Channels = Vec<Option<(u8, u8)>>;

#[derive(Debug)]
pub struct TcpPublisher {
    pub flow: Publisher,
    pub channels: Channels,
    pub protection: Option<Box<Protection>>,
}

#[derive(Debug)]
pub struct TcpReader {
    pub flow: Reader,
    pub channels: Channels,
    pub protection: Option<Box<Protection>>,
    pub queue_packets: usize,
    pub queue_bytes: usize,
    pub lost_by_track: Vec<u32>,
}

impl TcpPublisher {
    /// Whether the channel is one of ours.
    pub fn frame(&mut self, channel: u8, packet: &[u8], now: Instant, units: &mut Vec<Arc<Unit>>) -> bool {
        for (track, channels) in self.channels.iter().enumerate() {
            match channels {
                Some((rtp, _)) if *rtp == channel => {
                    match self.protection.as_mut().map_or(Some(packet), |it| it.open_rtp(track, packet)) {
                        Some(packet) => self.flow.rtp(track, packet, now, units),
                        None => self.flow.counters.packets_in_error.add(1),
                    }
                    return true;
                }
                Some((_, rtcp)) if *rtcp == channel => {
                    match self.protection.as_mut().map_or(Some(packet), |it| it.open_rtcp(track, packet)) {
                        Some(packet) => self.flow.rtcp(track, packet, now),
                        None => self.flow.counters.rtcp_packets_in_error.add(1),
                    }
                    return true;
                }
                _ => {}
            }
        }
        false
    }
}

impl TcpReader {
    /// Readers send RTCP only.
    pub fn frame(&mut self, channel: u8, packet: &[u8], table: &Table, now: Instant) -> bool {
        let track =
            self.channels.iter().position(|channels| channels.is_some_and(|(_, rtcp)| rtcp == channel));
        let Some(track) = track else { return false };
        table.heard(&self.flow.counters, now);
        match self.protection.as_mut().map_or(Some(packet), |it| it.open_rtcp(track, packet)) {
            Some(packet) => {
                reader::receiver_report(&self.flow.counters, &mut self.lost_by_track, track, packet);
            }
            None => self.flow.counters.rtcp_packets_in_error.add(1),
        }
        true
    }

    /// The unit on this reader's channels and under its keys. `None`: the keys are used up.
    pub fn entry(&mut self, unit: &Arc<Unit>) -> Option<Entry> {
        let track = unit.track;
        let (rtp, rtcp) = self.channels[usize::from(track)].unwrap_or_default();
        let (channel, usual) = match unit.kind {
            Kind::Rtcp => (rtcp, track * 2 + 1),
            _ => (rtp, track * 2),
        };
        if let Some(protection) = &mut self.protection {
            return protection.seal_framed(unit, channel).map(|framed| Entry::Own(Arc::clone(unit), framed));
        }
        Some(if u16::from(channel) == usual {
            Entry::Unit(Arc::clone(unit))
        } else {
            Entry::Own(Arc::clone(unit), unit.framed_for(channel))
        })
    }
}
