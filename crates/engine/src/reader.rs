//! What every reader's flow has, however its packets travel: which units it gets.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use crate::Handle;
use crate::counters::Counters;
use crate::latency::Latency;
use crate::rtcp::{self, Report};
use crate::stream::{Missed, Stream};
use crate::unit::{Kind, Unit};

#[derive(Debug)]
pub struct Reader {
    pub handle: Handle,
    pub stream: Arc<Stream>,
    pub counters: Arc<Counters>,
    worker: usize,
    datagrams: bool,
    playing: bool,
    gates: Vec<Gate>,
    latency: Arc<Latency>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// The reader did not set this track up.
    Shut,
    Open,
    /// Until the next key frame.
    Waiting,
}

impl Reader {
    /// Counted as a reader of its stream on `worker` until dropped.
    pub fn new(
        handle: Handle,
        stream: Arc<Stream>,
        counters: Arc<Counters>,
        worker: usize,
        datagrams: bool,
        latency: Arc<Latency>,
        tracks: impl Iterator<Item = usize>,
    ) -> Self {
        stream.readers[worker].fetch_add(1, SeqCst);
        if datagrams {
            stream.datagram_readers.fetch_add(1, SeqCst);
        }
        let mut gates = vec![Gate::Shut; stream.tracks.len()];
        for track in tracks {
            gates[track] = Gate::Waiting;
        }
        Self { handle, stream, counters, worker, datagrams, playing: false, gates, latency }
    }

    /// Start, each track where it can be understood.
    pub fn play(&mut self) {
        self.playing = true;
        for gate in &mut self.gates {
            if *gate == Gate::Open {
                *gate = Gate::Waiting;
            }
        }
    }

    pub fn pause(&mut self) {
        self.playing = false;
    }

    pub fn is_playing(&self) -> bool {
        self.playing
    }

    pub fn has_track(&self, track: usize) -> bool {
        self.gates.get(track).is_some_and(|gate| *gate != Gate::Shut)
    }

    /// Whether the reader gets this unit now.
    pub fn admits(&mut self, unit: &Unit) -> bool {
        if !self.playing {
            return false;
        }
        let gate = &mut self.gates[usize::from(unit.track)];
        match (*gate, unit.kind) {
            (Gate::Open, _) | (Gate::Waiting, Kind::Rtcp) => true,
            (Gate::Waiting, Kind::Key) => {
                *gate = Gate::Open;
                true
            }
            (Gate::Shut, _) | (Gate::Waiting, Kind::Delta) => false,
        }
    }

    /// A unit could not be sent: nothing more of its track before the next key frame.
    pub fn discard(&mut self, unit: &Unit) {
        if unit.kind == Kind::Rtcp {
            return;
        }
        self.gates[usize::from(unit.track)] = Gate::Waiting;
        self.counters.packets_discarded.add(unit.packets as usize);
    }

    /// Packets did not get as far as here: nothing more of their tracks before the next key frame.
    pub fn missed(&mut self, missed: &[Missed]) {
        for (track, packets) in missed {
            let gate = &mut self.gates[usize::from(*track)];
            if self.playing && *gate == Gate::Open {
                *gate = Gate::Waiting;
                self.counters.packets_discarded.add(*packets as usize);
            }
        }
    }

    /// Count a unit that was sent whole.
    pub fn sent(&self, unit: &Unit, now: Instant) {
        if let Some(arrived) = unit.arrived {
            self.latency.observe(now.saturating_duration_since(arrived));
        }
        let packets = unit.packets as usize;
        match unit.kind {
            Kind::Rtcp => self.counters.rtcp_packets_sent.add(packets),
            Kind::Key | Kind::Delta => self.counters.packets_sent.add(packets),
        }
        self.counters.bytes_sent.add(unit.size());
        self.stream.counters.bytes_sent.add(unit.size());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.readers[self.worker].fetch_sub(1, SeqCst);
        if self.datagrams {
            self.stream.datagram_readers.fetch_sub(1, SeqCst);
        }
    }
}

/// A reader's own reports: what it lost, over all its tracks.
pub fn receiver_report(counters: &Counters, lost_by_track: &mut [u32], track: usize, packet: &[u8]) {
    counters.bytes_received.add(packet.len());
    let read = rtcp::read(packet, |report| {
        if let Report::Block(block) = report {
            lost_by_track[track] = block.lost.max(0) as u32;
        }
    });
    match read {
        Some(()) => counters.rtcp_packets_received.add(1),
        None => counters.rtcp_packets_in_error.add(1),
    }
    counters.packets_lost.set(lost_by_track.iter().map(|lost| u64::from(*lost)).sum());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::counters::Table;
    use crate::stream::TrackSpec;
    use Kind::{Delta, Key, Rtcp};

    fn unit(kind: Kind, track: u16) -> Unit {
        Unit { kind, packets: 3, ..Unit::rtcp(track, &[0; 20]) }
    }

    #[test]
    fn a_reader_begins_and_resumes_at_a_key_frame() {
        let now = Instant::now();
        let table = Table::new(now);
        let specs = [TrackSpec { codec: Codec::H264, clock_rate: 90000 }; 2];
        let stream = Arc::new(Stream::new(1, &specs, 1472, table.add(1, now), 1));
        let latency = Arc::default();
        let mut reader =
            Reader::new(2, Arc::clone(&stream), table.add(2, now), 0, false, latency, [0].into_iter());
        assert!(!reader.admits(&unit(Kind::Key, 0)), "paused");
        reader.play();
        let seen = |reader: &mut Reader, kinds: &[Kind]| -> Vec<bool> {
            kinds.iter().map(|kind| reader.admits(&unit(*kind, 0))).collect()
        };
        assert_eq!(seen(&mut reader, &[Delta, Rtcp, Key, Delta]), [false, true, true, true]);
        reader.discard(&unit(Delta, 0));
        assert_eq!(seen(&mut reader, &[Delta, Delta, Key, Delta]), [false, false, true, true]);
        assert_eq!(reader.counters.packets_discarded.get(), 3);
        assert!(!reader.admits(&unit(Key, 1)), "a track it did not set up");
        reader.pause();
        reader.play();
        assert_eq!(seen(&mut reader, &[Delta, Key]), [false, true]);
        assert!(stream.has_readers());
        drop(reader);
        assert!(!stream.has_readers());
    }
}
