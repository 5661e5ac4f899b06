//! One reader: an RTSP client that plays one stream and notes what arrives.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::histogram::Histogram;
use crate::pair::Pair;
use crate::picture::{RTP_HEADER, stamp};
use crate::rtsp::{Answer, Element, Transport, Url, request, split};
use crate::sequence::Sequence;
use crate::sys::socket;
use crate::window::Window;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Room for about half a second of video at 8 Mb/s, as players ask for.
const UDP_RECEIVE_BUFFER: i32 = 512 * 1024;

/// What readers of one thread received inside the window.
pub struct Received {
    pub packets: u64,
    /// RTP bytes, without framing.
    pub bytes: u64,
    /// Microseconds from when a picture was due until each of its packets was read.
    pub latency: Histogram,
    /// Microseconds from connecting until PLAY was answered, warm-up included.
    pub join: Histogram,
    /// Microseconds from connecting until the first packet, warm-up included.
    pub first_packet: Histogram,
}

impl Received {
    pub fn new() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            latency: Histogram::new(),
            join: Histogram::new(),
            first_packet: Histogram::new(),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.latency.merge(&other.latency);
        self.join.merge(&other.join);
        self.first_packet.merge(&other.first_packet);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Describing,
    SettingUp,
    Starting,
    Playing,
}

pub struct Reader {
    url: Url,
    transport: Transport,
    pub stream: TcpStream,
    pub pair: Option<Pair>,
    phase: Phase,
    /// The interleaved channel its packets come on.
    channel: u8,
    session: String,
    number: u32,
    /// Bytes of an element that is not whole yet.
    pub partial: Vec<u8>,
    pub sequence: Sequence,
    connected: u64,
    has_packet: bool,
}

impl Reader {
    /// Connect and ask for the stream's description.
    ///
    /// Connecting blocks: on loopback the kernel completes it at once, unless the listen queue is full.
    pub fn connect(url: Url, transport: Transport, now: u64) -> Result<Self, String> {
        let open = || -> io::Result<(TcpStream, Option<Pair>)> {
            let stream = TcpStream::connect_timeout(&url.address, CONNECT_TIMEOUT)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let pair = match transport {
                Transport::Tcp => None,
                Transport::Udp => Some(Pair::bind(stream.local_addr()?.ip())?),
            };
            if let Some(pair) = &pair {
                socket::set_receive_buffer(&pair.rtp, UDP_RECEIVE_BUFFER)?;
            }
            Ok((stream, pair))
        };
        let (stream, pair) = open().map_err(|error| format!("connecting: {error}"))?;
        let mut reader = Self {
            url,
            transport,
            stream,
            pair,
            phase: Phase::Describing,
            channel: 0,
            session: String::new(),
            number: 0,
            partial: Vec::new(),
            sequence: Sequence::default(),
            connected: now,
            has_packet: false,
        };
        let uri = reader.url.text.clone();
        reader.ask("DESCRIBE", &uri, &[("Accept", "application/sdp")])?;
        Ok(reader)
    }

    /// Whether media has arrived: the reader has joined.
    pub fn has_packet(&self) -> bool {
        self.has_packet
    }

    /// Take everything whole in `bytes`, read at `now`; the rest is kept in `partial`.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        now: u64,
        window: &Window,
        received: &mut Received,
    ) -> Result<(), String> {
        let mut rest = bytes;
        while let Some((element, length)) = split(rest)? {
            match element {
                Element::Packet { channel, packet } if channel == self.channel => {
                    self.receive_packet(packet, now, window, received)?;
                }
                Element::Packet { .. } => {}
                Element::Answer(answer) => self.receive_answer(&answer, now, received)?,
            }
            rest = &rest[length..];
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// One RTP packet, read at `now`.
    pub fn receive_packet(
        &mut self,
        packet: &[u8],
        now: u64,
        window: &Window,
        received: &mut Received,
    ) -> Result<(), String> {
        if packet.len() < RTP_HEADER {
            return Err(format!("an RTP packet of {} bytes", packet.len()));
        }
        self.sequence.received(u16::from_be_bytes([packet[2], packet[3]]));
        if !self.has_packet {
            self.has_packet = true;
            received.first_packet.record((now - self.connected) / 1000);
        }
        if window.contains(now) {
            received.packets += 1;
            received.bytes += packet.len() as u64;
            let due = stamp(packet).ok_or("an RTP packet without a stamp: another publisher's?")?;
            received.latency.record(now.saturating_sub(due) / 1000);
        }
        Ok(())
    }

    /// Keep a UDP session from timing out; over TCP the connection does that.
    pub fn keep_alive(&mut self) -> Result<(), String> {
        if self.pair.is_some() && self.phase == Phase::Playing {
            let (uri, session) = (self.url.text.clone(), self.session.clone());
            self.ask("GET_PARAMETER", &uri, &[("Session", &session)])?;
        }
        Ok(())
    }

    fn receive_answer(&mut self, answer: &Answer, now: u64, received: &mut Received) -> Result<(), String> {
        if answer.status != 200 {
            return Err(format!("{:?}: answered {}", self.phase, answer.status));
        }
        match self.phase {
            Phase::Describing => {
                let track = answer.first_control(&self.url.text).ok_or("a description without a track")?;
                let transport = match &self.pair {
                    None => "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned(),
                    Some(pair) => {
                        let ports = pair.client_ports().map_err(|error| error.to_string())?;
                        format!("RTP/AVP/UDP;unicast;{ports}")
                    }
                };
                self.ask("SETUP", &track, &[("Transport", &transport)])?;
                self.phase = Phase::SettingUp;
            }
            Phase::SettingUp => {
                answer.session().ok_or("SETUP was answered without a Session")?.clone_into(&mut self.session);
                if self.transport == Transport::Tcp {
                    let channel = answer.transport_number("interleaved").unwrap_or(0);
                    self.channel = u8::try_from(channel).map_err(|_| format!("interleaved={channel}"))?;
                }
                let (uri, session) = (self.url.text.clone(), self.session.clone());
                self.ask("PLAY", &uri, &[("Session", &session), ("Range", "npt=0.000-")])?;
                self.phase = Phase::Starting;
            }
            Phase::Starting => {
                received.join.record((now - self.connected) / 1000);
                self.phase = Phase::Playing;
            }
            Phase::Playing => {}
        }
        Ok(())
    }

    /// A request is far smaller than an empty send buffer, so it is taken whole.
    fn ask(&mut self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), String> {
        let bytes = request(method, uri, &mut self.number, headers, "");
        self.stream.write_all(&bytes).map_err(|error| format!("{method}: {error}"))
    }
}
