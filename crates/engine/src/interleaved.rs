//! The flows that a connection carries itself: RTP and RTCP interleaved with its messages (RFC 2326 10.12).

use std::sync::Arc;
use std::time::Instant;

use crate::counters::Table;
use crate::outgoing::Entry;
use crate::publisher::Publisher;
use crate::reader::{self, Reader};
use crate::unit::{Kind, Unit};

/// The interleaved channels of each track, by track.
pub type Channels = Vec<Option<(u8, u8)>>;

#[derive(Debug)]
pub struct TcpPublisher {
    pub flow: Publisher,
    pub channels: Channels,
}

#[derive(Debug)]
pub struct TcpReader {
    pub flow: Reader,
    pub channels: Channels,
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
                    self.flow.rtp(track, packet, now, units);
                    return true;
                }
                Some((_, rtcp)) if *rtcp == channel => {
                    self.flow.rtcp(track, packet, now);
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
        reader::receiver_report(&self.flow.counters, &mut self.lost_by_track, track, packet);
        true
    }

    pub fn entry(&self, unit: &Arc<Unit>) -> Entry {
        let track = unit.track;
        let (rtp, rtcp) = self.channels[usize::from(track)].unwrap_or_default();
        let (channel, usual) = match unit.kind {
            Kind::Rtcp => (rtcp, track * 2 + 1),
            _ => (rtp, track * 2),
        };
        if u16::from(channel) == usual {
            Entry::Unit(Arc::clone(unit))
        } else {
            Entry::Own(Arc::clone(unit), unit.framed_for(channel))
        }
    }
}
