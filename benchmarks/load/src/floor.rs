//! The floors: what the kernel alone asks for the same payload, sent in the ways a server could.
//!
//! One thread sends pictures at their pace to every reader; only its CPU time counts. On loopback
//! that includes the receiving half of the network stack, as it does for a server under test.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::picture::{FRAMING, Pictures};
use crate::report::{self, Fields};
use crate::sys::poll::Poll;
use crate::sys::socket::{self, Datagrams};
use crate::sys::{clock, cpu};
use crate::window::Window;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// TCP, one send per packet.
    Packet,
    /// TCP, one send per access unit.
    Frame,
    /// UDP, one send per packet.
    Datagram,
    /// UDP, one send per access unit, cut into packets by the kernel.
    Gso,
}

impl Mode {
    pub const ALL: [(&str, Self); 4] =
        [("packet", Self::Packet), ("frame", Self::Frame), ("datagram", Self::Datagram), ("gso", Self::Gso)];

    fn is_tcp(self) -> bool {
        matches!(self, Self::Packet | Self::Frame)
    }
}

pub struct Floor {
    pub mode: Mode,
    pub readers: usize,
    pub bitrate: u64,
    pub rate: u64,
    pub measured: Duration,
    /// The sender takes the first, the receiver the second.
    pub cpus: Vec<usize>,
}

const WARM_UP: Duration = Duration::from_secs(1);

/// Measure, and print one line.
pub fn measure(floor: &Floor) -> Result<(), String> {
    let (sinks, lines) = if floor.mode.is_tcp() { connected(floor.readers) } else { bound(floor) }
        .map_err(|error| format!("opening {} sockets: {error}", floor.readers))?;
    let window = Window::new();
    thread::scope(|scope| {
        let window = &window;
        let receiving = scope.spawn(move || drain(&sinks, window, floor.cpus.get(1..2).unwrap_or_default()));
        let sent = send(floor, lines, window);
        window.end();
        let received = receiving.join().map_err(|_| "the receiving thread panicked".to_owned())?;
        let (sent, received) =
            (sent.map_err(|error| error.to_string())?, received.map_err(|error| error.to_string())?);
        let mode = Mode::ALL.iter().find(|(_, mode)| *mode == floor.mode).map_or("", |(name, _)| *name);
        report::print(
            &Fields::new("floor", mode)
                .number("readers", floor.readers)
                .number("packets", sent.packets)
                .number("bytes", sent.bytes)
                .number("received_bytes", received)
                .decimal("cpu_s", sent.cpu as f64 / 1e9)
                .decimal("cpu_s_per_gb", sent.cpu as f64 / sent.bytes as f64)
                .decimal("us_per_packet", sent.cpu as f64 / 1000.0 / sent.packets as f64),
        );
        Ok(())
    })
}

#[derive(Default)]
struct Sent {
    packets: u64,
    bytes: u64,
    cpu: u64,
}

enum Lines {
    Tcp(Vec<TcpStream>),
    Udp(UdpSocket, Vec<SocketAddr>),
}

enum Sinks {
    Tcp(Vec<TcpStream>),
    Udp(Vec<UdpSocket>),
}

fn connected(readers: usize) -> io::Result<(Sinks, Lines)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..readers {
        let stream = TcpStream::connect(listener.local_addr()?)?;
        stream.set_nodelay(true)?;
        near.push(stream);
        let (sink, _) = listener.accept()?;
        sink.set_nonblocking(true)?;
        far.push(sink);
    }
    Ok((Sinks::Tcp(far), Lines::Tcp(near)))
}

fn bound(floor: &Floor) -> io::Result<(Sinks, Lines)> {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (mut sinks, mut addresses) = (Vec::new(), Vec::new());
    for _ in 0..floor.readers {
        let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        sink.set_nonblocking(true)?;
        addresses.push(sink.local_addr()?);
        sinks.push(sink);
    }
    Ok((Sinks::Udp(sinks), Lines::Udp(sender, addresses)))
}

/// Send until the time is up; the first second is not counted.
fn send(floor: &Floor, mut lines: Lines, window: &Window) -> io::Result<Sent> {
    cpu::pin(floor.cpus.get(..1).unwrap_or_default())?;
    clock::sharpen_timers();
    // One group never ends, so every unit but the first has the same packets, as GSO needs.
    let mut pictures = Pictures::new(floor.bitrate, floor.rate, u64::MAX, 1);
    let (mut sent, mut cpu_began) = (Sent::default(), 0);
    let began = clock::now();
    let opens = began + WARM_UP.as_nanos() as u64;
    let closes = opens + floor.measured.as_nanos() as u64;
    window.open(opens, closes);
    let mut packed = Vec::new();
    for index in 1.. {
        let due = began + index * 1_000_000_000 / floor.rate;
        clock::sleep_until(due);
        let now = clock::now();
        if now >= closes {
            break;
        }
        if cpu_began == 0 && window.contains(now) {
            cpu_began = clock::thread_cpu();
        }
        let unit = pictures.picture(index, due);
        match &mut lines {
            Lines::Tcp(streams) => {
                for stream in streams {
                    if floor.mode == Mode::Frame {
                        stream.write_all(unit.interleaved())?;
                        continue;
                    }
                    let mut rest = unit.interleaved();
                    for packet in unit.packets() {
                        let (framed, after) = rest.split_at(FRAMING + packet.len());
                        stream.write_all(framed)?;
                        rest = after;
                    }
                }
            }
            Lines::Udp(sender, addresses) => {
                packed.clear();
                unit.packets().for_each(|packet| packed.extend_from_slice(packet));
                // The first packets may be one byte longer; the kernel wants equal ones, and any cut will do here.
                let segment = packed.len().div_ceil(unit.packets().len());
                if floor.mode == Mode::Gso {
                    socket::set_segment_size(sender, segment as i32)?;
                }
                for address in addresses {
                    if floor.mode == Mode::Gso {
                        sender.send_to(&packed, *address)?;
                        continue;
                    }
                    for packet in packed.chunks(segment) {
                        sender.send_to(packet, *address)?;
                    }
                }
            }
        }
        if cpu_began != 0 {
            sent.packets += (unit.packets().len() * floor.readers) as u64;
            sent.bytes += (unit.rtp_bytes() * floor.readers) as u64;
            sent.cpu = clock::thread_cpu() - cpu_began;
        }
    }
    Ok(sent)
}

/// Read and drop everything; returns the bytes that came inside the window.
fn drain(sinks: &Sinks, window: &Window, cpus: &[usize]) -> io::Result<u64> {
    cpu::pin(cpus)?;
    let mut poll = Poll::new()?;
    match sinks {
        Sinks::Tcp(streams) => {
            for (index, stream) in streams.iter().enumerate() {
                poll.watch(stream, index as u64)?;
            }
        }
        Sinks::Udp(sockets) => {
            for (index, socket) in sockets.iter().enumerate() {
                poll.watch(socket, index as u64)?;
            }
        }
    }
    let mut scratch = vec![0; 256 * 1024];
    let mut datagrams = Datagrams::new();
    let mut received = 0;
    loop {
        let ready: Vec<usize> = poll.wait(20)?.map(|token| token as usize).collect();
        let now = clock::now();
        if window.is_over() {
            return Ok(received);
        }
        for index in ready {
            let count = match sinks {
                Sinks::Tcp(streams) => (&streams[index]).read(&mut scratch)?,
                Sinks::Udp(sockets) => {
                    datagrams.receive(&sockets[index])?;
                    datagrams.iter().map(<[u8]>::len).sum()
                }
            };
            received += if window.contains(now) { count as u64 } else { 0 };
        }
    }
}
