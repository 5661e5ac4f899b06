//! What the tests over real sockets share: a running engine and its clients.
#![allow(dead_code, reason = "no test file needs all of it")]

pub mod still;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use headgate_engine::Handle;
use headgate_engine::codec::Codec;
use headgate_engine::counters::Snapshot;
use headgate_engine::engine::{Channel, Engine, Listen};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Limits;
use headgate_engine::stream::TrackSpec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Bench {
    pub engine: Engine,
    pub listener: Handle,
    pub port: u16,
    pub seen: VecDeque<Event>,
}

impl Bench {
    pub fn start() -> Self {
        Self::with(PATIENCE, PATIENCE)
    }

    pub fn with(read_timeout: Duration, write_timeout: Duration) -> Self {
        let engine = Engine::start(2, 64).expect("two workers");
        let listen = Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            limits: Limits { head_size: 1024, body_size: 1024 },
            read_timeout,
            write_timeout,
            connection_limit: 100,
        };
        let (listener, port) = engine.listen(&listen).expect("a free port");
        Self { engine, listener, port, seen: VecDeque::new() }
    }

    /// See `event`.
    pub fn event<T>(&mut self, wanted: impl FnMut(&Event) -> Option<T>) -> T {
        event(&self.engine, &mut self.seen, wanted)
    }

    pub fn connect(&mut self) -> (TcpStream, Handle) {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("listening");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let me = socket.local_addr().expect("connected");
        let listener = self.listener;
        let connection = self.event(|event| match event {
            Event::Accepted { connection, remote, listener: l, .. } if *remote == me && *l == listener => {
                Some(*connection)
            }
            _ => None,
        });
        (socket, connection)
    }

    pub fn closed(&mut self, wanted: Handle) -> (CloseReason, Snapshot) {
        self.event(|event| match event {
            Event::Closed { handle, reason, counters } if *handle == wanted => {
                Some((*reason, counters.clone()))
            }
            _ => None,
        })
    }

    pub fn stream(&self) -> Handle {
        let video = TrackSpec { codec: Codec::H264, clock_rate: 90000 };
        let audio = TrackSpec { codec: Codec::Opaque, clock_rate: 48000 };
        self.engine.open_stream(&[video, audio], 1472).expect("a stream")
    }

    /// A publisher of `stream` on its own connection.
    pub fn publisher(&mut self, stream: Handle) -> (Publisher, Handle) {
        let (socket, connection) = self.connect();
        let flow = self.engine.publish_tcp(stream, connection, &usual()).expect("a flow");
        (Publisher { socket, sequence: 0, timestamp: 0 }, flow)
    }

    pub fn reader(
        &mut self,
        stream: Handle,
        channels: &[Channel],
        queue_packets: usize,
    ) -> (TcpStream, Handle, Handle) {
        let (socket, connection) = self.connect();
        let flow =
            self.engine.read_tcp(stream, connection, channels, queue_packets, 1 << 20).expect("a flow");
        self.engine.play(flow);
        // Verbs of one connection are obeyed in order: behind this answer the reader plays.
        self.engine.send(connection, b"!".to_vec());
        let mut socket = socket;
        socket.read_exact(&mut [0]).expect("the answer");
        (socket, connection, flow)
    }

    /// Waits until the counters of a handle are as wanted.
    pub fn counted(&self, handle: Handle, mut wanted: impl FnMut(&Snapshot) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counters = self.engine.counters(&[handle])[0].clone().expect("known");
            if wanted(&counters) {
                return;
            }
            assert!(Instant::now() < deadline, "{counters:?}");
            std::thread::yield_now();
        }
    }
}

pub fn usual() -> [Channel; 2] {
    [Channel { track: 0, rtp: 0, rtcp: 1 }, Channel { track: 1, rtp: 2, rtcp: 3 }]
}

pub struct Publisher {
    pub socket: TcpStream,
    pub sequence: u16,
    pub timestamp: u32,
}

impl Publisher {
    /// A picture of `count` packets of `size` bytes, sent in one piece; returns them.
    pub fn picture(&mut self, key: bool, count: usize, size: usize) -> Vec<Vec<u8>> {
        self.timestamp += 3000;
        let packets: Vec<Vec<u8>> = (0..count)
            .map(|i| {
                self.sequence = self.sequence.wrapping_add(1);
                let mut payload = vec![self.sequence as u8; size];
                payload[0] = if key { 0x65 } else { 0x41 };
                rtp(self.sequence, self.timestamp, i + 1 == count, &payload)
            })
            .collect();
        let frames: Vec<u8> = packets.iter().flat_map(|packet| framed(0, packet)).collect();
        self.socket.write_all(&frames).expect("connected");
        packets
    }

    pub fn frame(&mut self, channel: u8, packet: &[u8]) {
        self.socket.write_all(&framed(channel, packet)).expect("connected");
    }
}

fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![b'$', channel];
    frame.extend((packet.len() as u16).to_be_bytes());
    frame.extend(packet);
    frame
}

pub fn rtp(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96 | u8::from(marker) << 7];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend([1, 2, 3, 4]);
    packet.extend(payload);
    packet
}

/// The next frame on a channel other than RTCP's.
pub fn next_frame(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    loop {
        let mut head = [0; 4];
        socket.read_exact(&mut head).expect("a frame");
        assert_eq!(head[0], b'$');
        let mut packet = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
        socket.read_exact(&mut packet).expect("the whole frame");
        if !(200..=204).contains(&packet[1]) {
            return (head[1], packet);
        }
    }
}

/// The first event `wanted` knows, waiting for it; others are kept in `seen`.
pub fn event<T>(
    engine: &Engine,
    seen: &mut VecDeque<Event>,
    mut wanted: impl FnMut(&Event) -> Option<T>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(i) = seen.iter().position(|event| wanted(event).is_some()) {
            let event = seen.remove(i).expect("just found");
            return wanted(&event).expect("just matched");
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "no such event; seen: {seen:?}");
        // SAFETY: the engine is borrowed, and its eventfd lives as long as it does.
        #[expect(unsafe_code)]
        let fd = unsafe { BorrowedFd::borrow_raw(engine.events().fd()) };
        let timeout = Timespec::try_from(left).expect("a few seconds");
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).expect("an eventfd");
        seen.extend(engine.drain(16));
    }
}
