//! The frozen dataclasses of `headgate.engine`, as they come down.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use headgate_engine::client;
use headgate_engine::codec::Codec;
use headgate_engine::engine as verbs;
use headgate_engine::rtsp::Limits;
use headgate_engine::srtp::{MasterKey, Suite, TrackKeys};
use headgate_engine::stream::TrackSpec;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[derive(FromPyObject)]
pub struct Tls {
    pub certificate_pem: Vec<u8>,
    pub key_pem: Vec<u8>,
}

#[derive(FromPyObject)]
pub struct Listen {
    host: String,
    port: u16,
    tls: Option<Tls>,
    head_size: usize,
    body_size: usize,
    read_timeout: f64,
    write_timeout: f64,
    connection_limit: usize,
    beside: Option<u64>,
}

#[derive(FromPyObject)]
pub struct ClientTls {
    server_name: String,
    fingerprint: Option<Vec<u8>>,
}

#[derive(FromPyObject)]
pub struct Connect {
    host: String,
    port: u16,
    tls: Option<ClientTls>,
    head_size: usize,
    body_size: usize,
    read_timeout: f64,
    write_timeout: f64,
}

#[derive(FromPyObject)]
pub struct Track {
    codec: u8,
    clock_rate: u32,
}

#[derive(FromPyObject)]
pub struct OpenStream {
    tracks: Vec<Track>,
    pub payload_size: usize,
}

#[derive(FromPyObject)]
pub struct SrtpKey {
    suite: u8,
    key: Vec<u8>,
    salt: Vec<u8>,
    mki: Vec<u8>,
    rollovers: Vec<(u32, u32)>,
}

#[derive(FromPyObject)]
pub struct Srtp {
    send: SrtpKey,
    receive: SrtpKey,
}

#[derive(FromPyObject)]
pub struct Channel {
    track: usize,
    rtp: u8,
    rtcp: u8,
    srtp: Option<Srtp>,
}

#[derive(FromPyObject)]
pub struct Remote {
    track: usize,
    host: String,
    rtp_port: u16,
    rtcp_port: u16,
    srtp: Option<Srtp>,
}

#[derive(FromPyObject)]
pub struct PublishTcp {
    pub stream: u64,
    pub connection: u64,
    channels: Vec<Channel>,
}

#[derive(FromPyObject)]
pub struct PublishUdp {
    stream: u64,
    connection: u64,
    rtp: u64,
    rtcp: u64,
    remotes: Vec<Remote>,
    read_timeout: f64,
}

#[derive(FromPyObject)]
pub struct ReadTcp {
    pub stream: u64,
    pub connection: u64,
    channels: Vec<Channel>,
    pub queue_packets: usize,
    pub queue_bytes: usize,
}

#[derive(FromPyObject)]
pub struct ReadUdp {
    stream: u64,
    connection: u64,
    rtp: u64,
    rtcp: u64,
    remotes: Vec<Remote>,
}

impl Tls {
    pub fn pem(self) -> (Vec<u8>, Vec<u8>) {
        (self.certificate_pem, self.key_pem)
    }
}

impl Listen {
    /// The listener whose port it shares.
    pub fn beside(&self) -> Option<u64> {
        self.beside
    }

    pub fn convert(self) -> PyResult<verbs::Listen> {
        Ok(verbs::Listen {
            address: address(&self.host, self.port)?,
            tls: self.tls.map(Tls::pem),
            limits: Limits { head_size: self.head_size, body_size: self.body_size },
            read_timeout: seconds(self.read_timeout)?,
            write_timeout: seconds(self.write_timeout)?,
            connection_limit: self.connection_limit,
        })
    }
}

impl Connect {
    pub fn convert(self) -> PyResult<client::Connect> {
        let tls = self.tls.map(|ClientTls { server_name, fingerprint }| {
            let fingerprint = fingerprint.map(client::Fingerprint::try_from).transpose();
            let fingerprint = fingerprint
                .map_err(|other| PyValueError::new_err(format!("a fingerprint of {} bytes", other.len())))?;
            PyResult::Ok(client::ClientTls { server_name, fingerprint })
        });
        Ok(client::Connect {
            address: address(&self.host, self.port)?,
            tls: tls.transpose()?,
            limits: Limits { head_size: self.head_size, body_size: self.body_size },
            read_timeout: seconds(self.read_timeout)?,
            write_timeout: seconds(self.write_timeout)?,
        })
    }
}

impl OpenStream {
    pub fn specs(&self) -> PyResult<Vec<TrackSpec>> {
        self.tracks
            .iter()
            .map(|track| match Codec::from_number(track.codec) {
                Some(codec) => Ok(TrackSpec { codec, clock_rate: track.clock_rate }),
                None => Err(PyValueError::new_err(format!("{} is not a codec", track.codec))),
            })
            .collect()
    }
}

impl SrtpKey {
    fn convert(&self) -> PyResult<MasterKey> {
        let Some(suite) = Suite::from_number(self.suite) else {
            return Err(PyValueError::new_err(format!("{} is not an SRTP suite", self.suite)));
        };
        let (key, salt, mki) = (self.key.clone(), self.salt.clone(), self.mki.clone());
        Ok(MasterKey { suite, key, salt, mki, rollovers: self.rollovers.clone() })
    }
}

fn keys<'a>(tracks: impl Iterator<Item = (usize, &'a Option<Srtp>)>) -> PyResult<Vec<TrackKeys>> {
    tracks
        .filter_map(|(track, srtp)| Some((track, srtp.as_ref()?)))
        .map(|(track, srtp)| {
            Ok(TrackKeys { track, send: srtp.send.convert()?, receive: srtp.receive.convert()? })
        })
        .collect()
}

impl PublishTcp {
    pub fn channels(&self) -> Vec<verbs::Channel> {
        channels(&self.channels)
    }

    pub fn keys(&self) -> PyResult<Vec<TrackKeys>> {
        keys(self.channels.iter().map(|channel| (channel.track, &channel.srtp)))
    }
}

impl ReadTcp {
    pub fn channels(&self) -> Vec<verbs::Channel> {
        channels(&self.channels)
    }

    pub fn keys(&self) -> PyResult<Vec<TrackKeys>> {
        keys(self.channels.iter().map(|channel| (channel.track, &channel.srtp)))
    }
}

impl PublishUdp {
    pub fn convert(&self) -> PyResult<(verbs::Ports, Vec<verbs::RemotePorts>, Duration)> {
        let Self { stream, connection, rtp, rtcp, .. } = *self;
        let ports = verbs::Ports { stream, connection, rtp, rtcp };
        Ok((ports, remotes(&self.remotes)?, seconds(self.read_timeout)?))
    }

    pub fn keys(&self) -> PyResult<Vec<TrackKeys>> {
        keys(self.remotes.iter().map(|remote| (remote.track, &remote.srtp)))
    }
}

impl ReadUdp {
    pub fn convert(&self) -> PyResult<(verbs::Ports, Vec<verbs::RemotePorts>)> {
        let Self { stream, connection, rtp, rtcp, .. } = *self;
        Ok((verbs::Ports { stream, connection, rtp, rtcp }, remotes(&self.remotes)?))
    }

    pub fn keys(&self) -> PyResult<Vec<TrackKeys>> {
        keys(self.remotes.iter().map(|remote| (remote.track, &remote.srtp)))
    }
}

pub fn address(host: &str, port: u16) -> PyResult<SocketAddr> {
    Ok(SocketAddr::new(ip(host)?, port))
}

pub fn ip(host: &str) -> PyResult<IpAddr> {
    host.parse().map_err(|_| PyValueError::new_err(format!("{host:?} is not an IP address")))
}

pub fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{value} is not a duration")))
}

fn channels(list: &[Channel]) -> Vec<verbs::Channel> {
    list.iter()
        .map(|Channel { track, rtp, rtcp, .. }| verbs::Channel { track: *track, rtp: *rtp, rtcp: *rtcp })
        .collect()
}

fn remotes(list: &[Remote]) -> PyResult<Vec<verbs::RemotePorts>> {
    list.iter()
        .map(|Remote { track, host, rtp_port, rtcp_port, .. }| {
            let host = ip(host)?;
            Ok(verbs::RemotePorts { track: *track, host, rtp_port: *rtp_port, rtcp_port: *rtcp_port })
        })
        .collect()
}
