//! Publishers: each announces one stream and sends its pictures when they are due.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::histogram::Histogram;
use crate::notice::Notice;
use crate::pair::Pair;
use crate::picture::{Pictures, sdp};
use crate::rtsp::{Answer, Element, Transport, Url, request, split};
use crate::sys::{clock, cpu, socket};
use crate::window::{Meter, Window};

/// A server that does not answer or take bytes for this long has failed the run.
const PATIENCE: Duration = Duration::from_secs(15);
const TRACK: &str = "trackID=0";

/// What publishers are to send.
#[derive(Clone)]
pub struct Programme {
    pub url: String,
    pub count: usize,
    pub transport: Transport,
    /// Bits of RTP per second and publisher.
    pub bitrate: u64,
    /// Pictures per second.
    pub rate: u64,
    /// Pictures from one key picture to the next.
    pub group: u64,
}

/// What was sent inside the window.
pub struct Sent {
    pub units: u64,
    pub packets: u64,
    pub bytes: u64,
    /// Microseconds from when a picture was due until its first byte was handed to the kernel.
    pub lateness: Histogram,
    pub cpu: u64,
}

/// Publish until the run is over. All publishers share the thread, their pictures spread over the interval.
///
/// A picture is stamped with the time it was due, so a server that makes the publisher wait pays for it.
pub fn publish(
    programme: &Programme,
    window: &Window,
    notices: &Sender<Notice>,
    cpus: &[usize],
) -> Result<Sent, String> {
    cpu::pin(cpus).map_err(|error| format!("CPUs {cpus:?}: {error}"))?;
    clock::sharpen_timers();
    let mut publishers = Vec::with_capacity(programme.count);
    for index in 0..programme.count {
        publishers.push(Publisher::connect(programme, index)?);
    }
    let _ = notices.send(Notice::Published);
    let mut sent = Sent { units: 0, packets: 0, bytes: 0, lateness: Histogram::new(), cpu: 0 };
    let mut meter = Meter::default();
    let began = clock::now();
    let slots = programme.rate * publishers.len() as u64;
    for slot in 0.. {
        let due = began + (u128::from(slot) * 1_000_000_000 / u128::from(slots)) as u64;
        clock::sleep_until(due);
        let now = clock::now();
        if window.is_over() {
            break;
        }
        meter.tick(window, now);
        let place = slot as usize % publishers.len();
        let publisher = &mut publishers[place];
        let (packets, bytes) = publisher
            .send(slot / programme.count as u64, due)
            .map_err(|error| format!("{}: publishing: {error}", publisher.url.text))?;
        if window.contains(now) {
            sent.units += 1;
            sent.packets += packets;
            sent.bytes += bytes;
            sent.lateness.record((now - due) / 1000);
        }
    }
    for publisher in &mut publishers {
        publisher.leave();
    }
    sent.cpu = meter.used();
    Ok(sent)
}

struct Publisher {
    url: Url,
    stream: TcpStream,
    media: Option<(Pair, SocketAddr)>,
    received: Vec<u8>,
    session: String,
    number: u32,
    pictures: Pictures,
}

impl Publisher {
    fn connect(programme: &Programme, index: usize) -> Result<Self, String> {
        let url = Url::numbered(&programme.url, index)?;
        let connect = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect_timeout(&url.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| format!("{}: {error}", url.text))?;
        let pictures =
            Pictures::new(programme.bitrate, programme.rate, programme.group, 0x6c6f_0000 + index as u32);
        let mut publisher = Self {
            url,
            stream,
            media: None,
            received: Vec::new(),
            session: String::new(),
            number: 0,
            pictures,
        };
        publisher.record(programme.transport)?;
        Ok(publisher)
    }

    fn record(&mut self, transport: Transport) -> Result<(), String> {
        let uri = self.url.text.clone();
        self.ask("OPTIONS", &uri, &[], "")?;
        self.ask("ANNOUNCE", &uri, &[("Content-Type", "application/sdp")], &sdp(TRACK))?;
        let track = format!("{uri}/{TRACK}");
        match transport {
            Transport::Tcp => {
                self.setup(&track, "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record")?;
            }
            Transport::Udp => {
                let host = self.stream.local_addr().map_err(|error| error.to_string())?.ip();
                let pair = Pair::bind(host).map_err(|error| error.to_string())?;
                let ports = pair.client_ports().map_err(|error| error.to_string())?;
                let answer = self.setup(&track, &format!("RTP/AVP/UDP;unicast;{ports};mode=record"))?;
                let port =
                    answer.transport_number("server_port").ok_or("SETUP was answered without server_port")?;
                self.media = Some((pair, SocketAddr::new(self.url.address.ip(), port)));
            }
        }
        let session = self.session.clone();
        self.ask("RECORD", &uri, &[("Session", &session), ("Range", "npt=0.000-")], "")?;
        Ok(())
    }

    fn setup(&mut self, track: &str, transport: &str) -> Result<Answer, String> {
        let answer = self.ask("SETUP", track, &[("Transport", transport)], "")?;
        answer.session().ok_or("SETUP was answered without a Session")?.clone_into(&mut self.session);
        Ok(answer)
    }

    /// One request, and its answer if it is 200.
    fn ask(
        &mut self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, String> {
        let place = |error: String| format!("{uri}: {method}: {error}");
        let bytes = request(method, uri, &mut self.number, headers, body);
        self.stream.write_all(&bytes).map_err(|error| place(error.to_string()))?;
        loop {
            let taken = match split(&self.received).map_err(place)? {
                Some((Element::Packet { .. }, length)) => length,
                Some((Element::Answer(answer), length)) => {
                    self.received.drain(..length);
                    return if answer.status == 200 {
                        Ok(answer)
                    } else {
                        Err(place(answer.status.to_string()))
                    };
                }
                None => {
                    let mut bytes = [0; 4096];
                    match self.stream.read(&mut bytes).map_err(|error| place(error.to_string()))? {
                        0 => return Err(place("the server closed the connection".into())),
                        count => self.received.extend_from_slice(&bytes[..count]),
                    }
                    0
                }
            };
            self.received.drain(..taken);
        }
    }

    /// Send a picture; returns its packets and RTP bytes.
    fn send(&mut self, index: u64, due: u64) -> io::Result<(u64, u64)> {
        let unit = self.pictures.picture(index, due);
        if let Some((pair, server)) = &self.media {
            for packet in unit.packets() {
                pair.rtp.send_to(packet, server)?;
            }
        } else {
            self.stream.write_all(unit.interleaved())?;
        }
        // Receiver reports are not used, but unread they would in the end block the server's writes.
        if index.is_multiple_of(30) && !socket::discard_waiting(&self.stream)? {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the server closed the connection"));
        }
        Ok((unit.packets().len() as u64, unit.rtp_bytes() as u64))
    }

    /// Say goodbye; a server that is already gone is no fault.
    fn leave(&mut self) {
        let bytes = request("TEARDOWN", &self.url.text, &mut self.number, &[("Session", &self.session)], "");
        let _ = self.stream.write_all(&bytes);
    }
}
