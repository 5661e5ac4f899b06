//! Flows over UDP: a publisher whose datagrams come to our ports, a reader who gets them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::Handle;
use crate::counters::{Counters, Table};
use crate::group::Cast;
use crate::publisher::Publisher;
use crate::reader::{self, Reader};
use crate::srtp::{Inbound, Protection, Sealed};
use crate::udp::{Port, Position};
use crate::unit::{Kind, Unit};

/// Units kept for a reader while the socket is full: a second of video.
const BACKLOG: usize = 32;

/// Where a track's RTP and RTCP come from or go to.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    pub track: usize,
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
}

/// The two ports of a flow and its remote addresses, which are its own until dropped.
#[derive(Debug)]
pub struct Path {
    flow: Handle,
    pub rtp: Arc<Port>,
    pub rtcp: Arc<Port>,
    pub remotes: Vec<Remote>,
}

impl Path {
    /// `None`: another flow has one of the addresses.
    pub fn claim(flow: Handle, rtp: Arc<Port>, rtcp: Arc<Port>, remotes: Vec<Remote>) -> Option<Self> {
        let mut path = Self { flow, rtp, rtcp, remotes: Vec::with_capacity(remotes.len()) };
        for remote in remotes {
            if !path.rtp.claim(remote.rtp, flow) {
                return None;
            }
            if !path.rtcp.claim(remote.rtcp, flow) {
                path.rtp.release(remote.rtp, flow);
                return None;
            }
            path.remotes.push(remote);
        }
        Some(path)
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        for remote in &self.remotes {
            self.rtp.release(remote.rtp, self.flow);
            self.rtcp.release(remote.rtcp, self.flow);
        }
    }
}

#[derive(Debug)]
pub struct DatagramPublisher {
    pub flow: Publisher,
    pub path: Path,
    pub protection: Option<Box<Protection>>,
    pub connection: Handle,
    pub read_timeout: Duration,
}

impl DatagramPublisher {
    pub fn is_silent(&self, table: &Table, now: Instant) -> bool {
        u128::from(table.idle_ms(&self.flow.counters, now)) >= self.read_timeout.as_millis()
    }

    pub fn rtp(&mut self, track: usize, packet: &[u8], now: Instant, units: &mut Vec<Arc<Unit>>) {
        match self.protection.as_mut().map_or(Some(packet), |it| it.open_rtp(track, packet)) {
            Some(packet) => self.flow.rtp(track, packet, now, units),
            // Nor is it a sign of life: anybody could have sent it.
            None => self.flow.counters.packets_in_error.add(1),
        }
    }

    pub fn rtcp(&mut self, track: usize, packet: &[u8], now: Instant) {
        match self.protection.as_mut().map_or(Some(packet), |it| it.open_rtcp(track, packet)) {
            Some(packet) => self.flow.rtcp(track, packet, now),
            None => self.flow.counters.rtcp_packets_in_error.add(1),
        }
    }

    pub fn send_reports(&mut self, now: Instant) {
        for (track, report) in self.flow.reports(now) {
            let known = self.path.remotes.iter().find(|remote| remote.track == track);
            let to = match self.path.rtcp.cast {
                Cast::OfGroup(group) => known.map(|_| group),
                _ => known.map(|remote| remote.rtcp).filter(|rtcp| rtcp.port() != 0),
            };
            let report = match &mut self.protection {
                Some(protection) => protection.seal_rtcp(track, report),
                None => Some(report),
            };
            if let (Some(to), Some(report)) = (to, report) {
                self.path.rtcp.send_one(to, &report);
                self.flow.counters.rtcp_packets_sent.add(1);
                self.flow.counters.bytes_sent.add(report.len());
            }
        }
    }
}

#[derive(Debug)]
pub struct DatagramReader {
    pub flow: Reader,
    pub path: Path,
    pub connection: Handle,
    pub reports: Arc<ReaderReports>,
    backlog: VecDeque<(Arc<Unit>, Position)>,
    protection: Option<Box<Protection>>,
    /// The first unit of the backlog as this reader gets it, where the socket took a part of it only.
    begun: Option<Sealed>,
}

impl DatagramReader {
    pub fn new(
        flow: Reader,
        path: Path,
        connection: Handle,
        reports: Arc<ReaderReports>,
        protection: Option<Box<Protection>>,
    ) -> Self {
        Self { flow, path, connection, reports, backlog: VecDeque::new(), protection, begun: None }
    }

    /// `sealed` is room to work in, as for `resume`; what is in it means nothing.
    pub fn unit(&mut self, unit: &Arc<Unit>, sealed: &mut Sealed, now: Instant) {
        // Laid out before this reader was attached: not for datagrams, and so no key frame to begin with.
        if unit.raw.is_empty() || !self.flow.admits(unit) {
            return;
        }
        if self.backlog.len() >= BACKLOG {
            self.flow.discard(unit);
            return;
        }
        self.backlog.push_back((Arc::clone(unit), Position::default()));
        if self.backlog.len() == 1 {
            self.resume(sealed, now);
        }
    }

    /// Whether units wait for the socket: call `resume` in a millisecond.
    pub fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub fn resume(&mut self, sealed: &mut Sealed, now: Instant) {
        while let Some((unit, position)) = self.backlog.front() {
            let Some(remote) =
                self.path.remotes.iter().find(|remote| remote.track == usize::from(unit.track))
            else {
                self.backlog.pop_front();
                continue;
            };
            let (port, to) = match unit.kind {
                Kind::Rtcp => (&self.path.rtcp, remote.rtcp),
                _ => (&self.path.rtp, remote.rtp),
            };
            let begun = self.begun.take();
            let whole = match (&mut self.protection, &begun) {
                (Some(protection), None) => protection.seal_raw(unit, sealed),
                _ => Some(()),
            };
            let (raw, runs) = match (&self.protection, &begun) {
                (None, _) => (&unit.raw, &unit.runs),
                (Some(_), Some(begun)) => (&begun.raw, &begun.runs),
                (Some(_), None) => (&sealed.raw, &sealed.runs),
            };
            match whole.map(|()| port.send(to, raw, runs, *position)) {
                Some(Ok(None)) => self.flow.sent(unit, now),
                Some(Ok(Some(position))) => {
                    if self.protection.is_some() {
                        // Not again: its packets have had their numbers.
                        self.begun = Some(begun.unwrap_or_else(|| std::mem::take(sealed)));
                    }
                    self.backlog[0].1 = position;
                    return;
                }
                // No route, or refused by a firewall: as good as lost on the way. Or the key is used up.
                Some(Err(_)) | None => self.flow.discard(&Arc::clone(unit)),
            }
            self.backlog.pop_front();
        }
    }

    pub fn say_goodbye(&mut self, now: Instant) {
        if !self.flow.is_playing() {
            return;
        }
        for remote in &self.path.remotes {
            let Some(report) = self.flow.stream.sender_report(remote.track, now, true) else { continue };
            let report = match &mut self.protection {
                Some(protection) => protection.seal_rtcp(remote.track, report),
                None => Some(report),
            };
            if let Some(report) = report {
                self.path.rtcp.send_one(remote.rtcp, &report);
            }
        }
    }
}

/// What the worker that owns the RTCP port knows of a reader on any worker.
#[derive(Debug)]
pub struct ReaderReports {
    pub counters: Arc<Counters>,
    tracks: Mutex<ReportedTracks>,
}

#[derive(Debug)]
struct ReportedTracks {
    lost: Vec<u32>,
    /// By track; empty for a reader in the clear.
    inbound: Vec<Option<Inbound>>,
    plain: Vec<u8>,
}

impl ReaderReports {
    pub fn new(counters: Arc<Counters>, tracks: usize, inbound: Vec<Option<Inbound>>) -> Self {
        let tracks = ReportedTracks { lost: vec![0; tracks], inbound, plain: Vec::new() };
        Self { counters, tracks: Mutex::new(tracks) }
    }

    pub fn receive(&self, track: usize, packet: &[u8], table: &Table, now: Instant) {
        let mut tracks = self.tracks.lock().expect("no holder panics");
        let ReportedTracks { lost, inbound, plain } = &mut *tracks;
        let packet = match inbound.get_mut(track) {
            Some(Some(inbound)) => match inbound.rtcp(packet, plain) {
                Some(()) => plain,
                None => return self.counters.rtcp_packets_in_error.add(1),
            },
            _ => packet,
        };
        table.heard(&self.counters, now);
        reader::receiver_report(&self.counters, lost, track, packet);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;
    use crate::codec::Codec;
    use crate::stream::{Stream, TrackSpec};

    #[test]
    fn a_key_frame_laid_out_before_the_reader_came_is_no_beginning() {
        let now = Instant::now();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let client = UdpSocket::bind(any).expect("a free port");
        let to = client.local_addr().expect("bound");
        let (rtp, rtcp) = (Port::bind(2, any, None).expect("free"), Port::bind(3, any, None).expect("free"));
        let remotes = vec![Remote { track: 0, rtp: to, rtcp: to }];
        let path = Path::claim(2, rtp, rtcp, remotes).expect("free addresses");
        let table = Table::new(now);
        let specs = [TrackSpec { codec: Codec::H264, clock_rate: 90000 }];
        let stream = Arc::new(Stream::new(1, &specs, 1472, table.add(1, now), 1));
        let flow = Reader::new(2, stream, table.add(2, now), 0, true, Arc::default(), [0].into_iter());
        let reports = Arc::new(ReaderReports::new(Arc::clone(&flow.counters), 1, Vec::new()));
        let mut reader = DatagramReader::new(flow, path, 3, reports, None);
        let mut room = Sealed::default();
        reader.flow.play();
        let unit = |kind: Kind, laid_out: bool| {
            let unit = Unit { kind, ..Unit::rtcp(0, &[0x80; 20]) };
            Arc::new(if laid_out { unit } else { Unit { raw: vec![], runs: vec![], ..unit } })
        };
        reader.unit(&unit(Kind::Key, false), &mut room, now);
        reader.unit(&unit(Kind::Delta, true), &mut room, now);
        assert_eq!(reader.flow.counters.packets_sent.get(), 0);
        reader.unit(&unit(Kind::Key, true), &mut room, now);
        reader.unit(&unit(Kind::Delta, true), &mut room, now);
        assert_eq!(reader.flow.counters.packets_sent.get(), 2);
    }
}
