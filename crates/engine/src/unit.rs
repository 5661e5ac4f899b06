//! A unit: the packets of one access unit of one track, laid out once for every reader.

use std::time::Instant;

use crate::rtp::{self, Header};
use crate::stream::Sent;

/// Sent on as soon as it grew to this, though it is not complete: a large key
/// frame should not wait for its last packet, and no buffer may grow without bound.
const SIZE_LIMIT: usize = 256 * 1024;
const FRAME_HEAD: usize = 4;

/// Shared by all readers, never changed.
#[derive(Debug)]
pub struct Unit {
    pub track: u16,
    pub kind: Kind,
    pub packets: u32,
    /// Each packet behind `$`, channel and length (RFC 2326 10.12); RTP on channel
    /// 2 × track, RTCP on the next.
    pub framed: Vec<u8>,
    /// The packets without framing, one behind the other; empty when no datagram reader was attached.
    pub raw: Vec<u8>,
    pub runs: Vec<Run>,
    /// When its first packet came; `None`: it is our own.
    pub arrived: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A reader may begin here.
    Key,
    /// Needs units before it.
    Delta,
    Rtcp,
}

/// Packets that one system call can send: all of `segment` bytes, but for a shorter last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub start: usize,
    pub end: usize,
    pub segment: usize,
}

impl Unit {
    pub fn rtcp(track: u16, packet: &[u8]) -> Self {
        let mut framed = Vec::with_capacity(FRAME_HEAD + packet.len());
        frame(&mut framed, (track * 2 + 1) as u8, packet);
        let runs = [Run { start: 0, end: packet.len(), segment: packet.len() }];
        let (raw, runs) = (packet.to_vec(), runs.to_vec());
        Self { track, kind: Kind::Rtcp, packets: 1, framed, raw, runs, arrived: None }
    }

    /// Bytes of packets, without framing.
    pub fn size(&self) -> usize {
        self.framed.len() - FRAME_HEAD * self.packets as usize
    }

    /// Memory it takes, all in all.
    pub fn weight(&self) -> usize {
        const SELF: usize = 256;
        SELF + self.framed.len() + self.raw.len()
    }

    /// The framed bytes for a reader that chose another channel for this track.
    pub fn framed_for(&self, channel: u8) -> Vec<u8> {
        let mut framed = self.framed.clone();
        let mut at = 0;
        while at < framed.len() {
            framed[at + 1] = channel;
            at += FRAME_HEAD + usize::from(u16::from_be_bytes([framed[at + 2], framed[at + 3]]));
        }
        framed
    }
}

pub fn frame(out: &mut Vec<u8>, channel: u8, packet: &[u8]) {
    let size = packet.len() as u16;
    out.extend([b'$', channel]);
    out.extend(size.to_be_bytes());
    out.extend(packet);
}

/// The packets of a unit's frames.
pub fn frames(mut framed: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, rest) = framed.split_first_chunk::<FRAME_HEAD>()?;
        let (packet, rest) = rest.split_at(usize::from(u16::from_be_bytes([head[2], head[3]])));
        framed = rest;
        Some(packet)
    })
}

/// Collects a track's packets until a unit is whole.
#[derive(Debug)]
pub struct UnitBuilder {
    track: u16,
    framed: Vec<u8>,
    packets: u32,
    octets: u32,
    key: bool,
    timestamp: u32,
    ssrc: u32,
    last_sequence: u16,
    started: Option<Instant>,
}

impl UnitBuilder {
    pub fn new(track: u16) -> Self {
        Self {
            track,
            framed: Vec::new(),
            packets: 0,
            octets: 0,
            key: false,
            timestamp: 0,
            ssrc: 0,
            last_sequence: 0,
            started: None,
        }
    }

    /// When the oldest packet that waits here came.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// Of what waits here, or was last.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Whether a packet with this timestamp belongs to another unit than what waits here.
    pub fn is_other(&self, timestamp: u32) -> bool {
        self.started.is_some() && self.timestamp != timestamp
    }

    pub fn is_key(&self) -> bool {
        self.key
    }

    pub fn is_large(&self) -> bool {
        self.framed.len() >= SIZE_LIMIT
    }

    pub fn push(&mut self, packet: &[u8], header: &Header, key: bool, now: Instant) {
        self.started.get_or_insert(now);
        self.key |= key;
        self.timestamp = header.timestamp;
        self.ssrc = header.ssrc;
        self.last_sequence = u16::from_be_bytes([packet[2], packet[3]]);
        self.packets += 1;
        self.octets += (packet.len() - rtp::FIXED) as u32;
        frame(&mut self.framed, (self.track * 2) as u8, packet);
    }

    /// Take what is there. `raw`: lay it out for datagrams too.
    pub fn finish(&mut self, raw: bool) -> (Unit, Sent) {
        let sent = Sent {
            ssrc: self.ssrc,
            last_sequence: self.last_sequence,
            timestamp: self.timestamp,
            packets: self.packets,
            octets: self.octets,
        };
        // The next unit of the track is about as large.
        let next = Vec::with_capacity(self.framed.len().min(SIZE_LIMIT));
        let mut framed = std::mem::replace(&mut self.framed, next);
        if framed.capacity() / 4 > framed.len() {
            framed.shrink_to_fit(); // a small unit behind a large one: queues count bytes, not capacity
        }
        let (raw, runs) = if raw { datagrams(&framed) } else { (Vec::new(), Vec::new()) };
        let unit = Unit {
            track: self.track,
            kind: if self.key { Kind::Key } else { Kind::Delta },
            packets: self.packets,
            framed,
            raw,
            runs,
            arrived: self.started,
        };
        self.clear();
        (unit, sent)
    }

    /// Drop what is there, and say what was dropped: nobody reads the stream.
    pub fn skip(&mut self) -> Sent {
        let sent = Sent {
            ssrc: self.ssrc,
            last_sequence: self.last_sequence,
            timestamp: self.timestamp,
            packets: self.packets,
            octets: self.octets,
        };
        self.framed.clear();
        self.clear();
        sent
    }

    fn clear(&mut self) {
        self.packets = 0;
        self.octets = 0;
        self.key = false;
        self.started = None;
    }
}

fn datagrams(framed: &[u8]) -> (Vec<u8>, Vec<Run>) {
    let mut raw = Vec::with_capacity(framed.len());
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    while at < framed.len() {
        let size = usize::from(u16::from_be_bytes([framed[at + 2], framed[at + 3]]));
        at += FRAME_HEAD;
        let start = raw.len();
        raw.extend_from_slice(&framed[at..at + size]);
        at += size;
        match runs.last_mut() {
            // Open as long as every packet before was a full segment.
            Some(run) if size <= run.segment && (run.end - run.start) % run.segment == 0 => {
                run.end = raw.len()
            }
            _ => runs.push(Run { start, end: raw.len(), segment: size }),
        }
    }
    (raw, runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::tests::packet;

    fn unit(sizes: &[usize]) -> Unit {
        let mut builder = UnitBuilder::new(1);
        for (i, size) in sizes.iter().enumerate() {
            let bytes = packet(i as u16, 9, false, &vec![i as u8; size - 12]);
            builder.push(&bytes, &Header::parse(&bytes).expect("valid"), false, Instant::now());
        }
        builder.finish(true).0
    }

    #[test]
    fn packets_of_one_size_are_one_run() {
        let unit = unit(&[30, 20, 100, 100, 100, 40, 50, 50]);
        let runs: Vec<_> = unit.runs.iter().map(|run| (run.end - run.start, run.segment)).collect();
        assert_eq!(runs, [(50, 30), (340, 100), (100, 50)]);
        assert_eq!(unit.raw.len(), unit.size());
    }

    #[test]
    fn another_channel_is_written_into_every_frame() {
        let unit = unit(&[30, 20]);
        let framed = unit.framed_for(200);
        assert_eq!((framed[1], framed[34 + 1]), (200, 200));
        assert_eq!((unit.framed[1], unit.framed[34 + 1]), (2, 2));
        assert_eq!(framed.len(), unit.framed.len());
    }
}
