//! Flows: who publishes a stream, who reads it, and how.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::{Engine, VerbError, value};
use crate::Handle;
use crate::command::{Command, FIRST, PublishUdp, ReadTcp, ReadUdp};
use crate::counters::Counters;
use crate::datagram::{Path, ReaderReports, Remote};
use crate::group::{Cast, Member};
use crate::interleaved::Channels;
use crate::srtp::{Protection, TrackKeys};
use crate::stream::Stream;

const EADDRINUSE: i32 = 98;

/// One track's interleaved channels.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    pub track: usize,
    pub rtp: u8,
    pub rtcp: u8,
}

/// One track's remote address.
#[derive(Debug, Clone, Copy)]
pub struct RemotePorts {
    pub track: usize,
    pub host: IpAddr,
    pub rtp_port: u16,
    pub rtcp_port: u16,
}

/// Where a UDP flow belongs.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub stream: Handle,
    pub connection: Handle,
    pub rtp: Handle,
    pub rtcp: Handle,
}

impl Engine {
    pub fn publish_tcp(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
    ) -> Result<Handle, VerbError> {
        self.publish_tcp_protected(stream, connection, channels, &[])
    }

    /// As the verb without keys, for the tracks that have some.
    pub fn publish_tcp_protected(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
        keys: &[TrackKeys],
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(stream)?;
        let channels = by_track(&stream, channels)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        let flow = self.shared.handle(self.shared.worker_of(connection));
        let counters = self.shared.table.add(flow, Instant::now());
        for (track, _) in stream.tracks.iter().zip(&channels).filter(|(_, channels)| channels.is_some()) {
            track.give_to(flow);
        }
        self.shared
            .tell(flow, Command::PublishTcp { flow, stream, counters, connection, channels, protection });
        Ok(flow)
    }

    pub fn publish_udp(
        &self,
        ports: Ports,
        remotes: &[RemotePorts],
        read_timeout: Duration,
    ) -> Result<Handle, VerbError> {
        self.publish_udp_protected(ports, remotes, &[], read_timeout)
    }

    pub fn publish_udp_protected(
        &self,
        ports: Ports,
        remotes: &[RemotePorts],
        keys: &[TrackKeys],
        read_timeout: Duration,
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(ports.stream)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        let flow = self.shared.handle(FIRST);
        let (counters, path) = self.claim(flow, &stream, ports, remotes)?;
        let connection = ports.connection;
        for remote in remotes {
            stream.tracks[remote.track].give_to(flow);
        }
        let publish = PublishUdp { flow, stream, counters, connection, path, protection, read_timeout };
        self.shared.tell(flow, Command::PublishUdp(Box::new(publish)));
        Ok(flow)
    }

    pub fn read_tcp(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
        queue_packets: usize,
        queue_bytes: usize,
    ) -> Result<Handle, VerbError> {
        self.read_tcp_protected(stream, connection, channels, &[], queue_packets, queue_bytes)
    }

    pub fn read_tcp_protected(
        &self,
        stream: Handle,
        connection: Handle,
        channels: &[Channel],
        keys: &[TrackKeys],
        queue_packets: usize,
        queue_bytes: usize,
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(stream)?;
        let channels = by_track(&stream, channels)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        let flow = self.shared.handle(self.shared.worker_of(connection));
        let counters = self.shared.table.add(flow, Instant::now());
        let read =
            ReadTcp { flow, stream, counters, connection, channels, protection, queue_packets, queue_bytes };
        self.shared.tell(flow, Command::ReadTcp(Box::new(read)));
        Ok(flow)
    }

    pub fn read_udp(&self, ports: Ports, remotes: &[RemotePorts]) -> Result<Handle, VerbError> {
        self.read_udp_protected(ports, remotes, &[])
    }

    pub fn read_udp_protected(
        &self,
        ports: Ports,
        remotes: &[RemotePorts],
        keys: &[TrackKeys],
    ) -> Result<Handle, VerbError> {
        self.running()?;
        let stream = self.stream(ports.stream)?;
        let protection = Protection::new(stream.tracks.len(), keys).or_else(value)?;
        // A publisher's may come from any port; what goes out goes to one.
        if let Some(remote) = remotes.iter().find(|remote| remote.rtp_port == 0 || remote.rtcp_port == 0) {
            return value(format!("nothing can be sent to {} port 0", remote.host));
        }
        let workers = self.shared.inboxes.len();
        let flow = self.shared.handle(self.next_reader_worker.fetch_add(1, SeqCst) % workers);
        let (counters, path) = self.claim(flow, &stream, ports, remotes)?;
        if [&path.rtp, &path.rtcp].iter().any(|port| matches!(port.cast, Cast::OfGroup(_))) {
            self.shared.table.forget(flow);
            return value("a port that hears a group sends to nobody");
        }
        let connection = ports.connection;
        let read = ReadUdp { flow, stream, counters, connection, path, protection };
        self.shared.tell(flow, Command::ReadUdp(Box::new(read)));
        Ok(flow)
    }

    /// Count the reports of a host about each of its tracks, which come to these ports.
    pub fn hear(&self, connection: Handle, host: IpAddr, ports: &[Handle]) -> Result<Handle, VerbError> {
        self.running()?;
        let bound = self.shared.ports.lock().expect("no holder panics");
        for port in ports {
            if !bound.get(port).is_some_and(|port| matches!(port.cast, Cast::OfGroup(_))) {
                return value(format!("{port} is not a port that hears a group"));
            }
        }
        let flow = self.shared.handle(FIRST);
        let counters = self.shared.table.add(flow, Instant::now());
        // A group is sent to in the clear.
        let in_the_clear = ports.iter().map(|_| None).collect();
        let reports = Arc::new(ReaderReports::new(counters, ports.len(), in_the_clear));
        let member = Member { flow, connection, host: host.to_canonical(), ports: ports.to_vec(), reports };
        self.shared.tell(flow, Command::Hear(member));
        Ok(flow)
    }

    pub fn play(&self, flow: Handle) {
        self.shared.tell(flow, Command::Play(flow));
    }

    pub fn pause(&self, flow: Handle) {
        self.shared.tell(flow, Command::Pause(flow));
    }

    /// The counters of a new flow and its addresses, in this order: a worker that is given up meanwhile leaves
    /// no address behind that nobody has.
    fn claim(
        &self,
        flow: Handle,
        stream: &Stream,
        ports: Ports,
        remotes: &[RemotePorts],
    ) -> Result<(Arc<Counters>, Path), VerbError> {
        let counters = self.shared.table.add(flow, Instant::now());
        match self.path(flow, stream, ports, remotes) {
            Ok(path) => Ok((counters, path)),
            Err(error) => {
                self.shared.table.forget(flow);
                Err(error)
            }
        }
    }

    fn path(
        &self,
        flow: Handle,
        stream: &Stream,
        ports: Ports,
        remotes: &[RemotePorts],
    ) -> Result<Path, VerbError> {
        let bound = self.shared.ports.lock().expect("no holder panics");
        let (Some(rtp), Some(rtcp)) = (bound.get(&ports.rtp), bound.get(&ports.rtcp)) else {
            return value("not a bound UDP port");
        };
        let mut by_track: Vec<Remote> = Vec::new();
        for remote in remotes {
            if remote.track >= stream.tracks.len() || by_track.iter().any(|known| known.track == remote.track)
            {
                return value(format!("track {} is not of the stream, or named twice", remote.track));
            }
            let host = remote.host.to_canonical();
            if !rtp.cast.takes(host) || !rtcp.cast.takes(host) {
                return value(format!("nothing can be sent to {}", remote.host));
            }
            by_track.push(Remote {
                track: remote.track,
                rtp: SocketAddr::new(host, remote.rtp_port),
                rtcp: SocketAddr::new(host, remote.rtcp_port),
            });
        }
        match Path::claim(flow, Arc::clone(rtp), Arc::clone(rtcp), by_track) {
            Some(path) => Ok(path),
            None => Err(VerbError::Io(io::Error::from_raw_os_error(EADDRINUSE))),
        }
    }
}

fn by_track(stream: &Stream, channels: &[Channel]) -> Result<Channels, VerbError> {
    let mut by_track: Channels = vec![None; stream.tracks.len()];
    let mut used = [false; 256];
    for channel in channels {
        let Some(entry) = by_track.get_mut(channel.track) else {
            return value(format!("the stream has no track {}", channel.track));
        };
        for number in [channel.rtp, channel.rtcp] {
            if std::mem::replace(&mut used[usize::from(number)], true) {
                return value(format!("channel {number} is used twice"));
            }
        }
        *entry = Some((channel.rtp, channel.rtcp));
    }
    Ok(by_track)
}
