//! RTSP in HTTP and in WebSocket: what carries it changes nothing else.

mod bench;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bench::{Bench, PATIENCE, usual};
use headgate_engine::Handle;
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Refusal;

const GET: &[u8] = b"GET /cam HTTP/1.0\r\nx-sessioncookie: c\r\n\r\n";
const POST: &[u8] = b"POST /cam HTTP/1.0\r\nx-sessioncookie: c\r\nContent-Length: 32767\r\n\r\n";
const OPTIONS: &[u8] = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
const MASK: [u8; 4] = [1, 2, 3, 4];
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const BINARY: u8 = 0x82;

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let sextet = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= group.len() { sextet } else { b'=' });
        }
    }
    text
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [first, 0x80 | payload.len() as u8].into_iter().chain(MASK).chain(masked).collect()
}

/// One message or control frame from the server.
fn message(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("a frame");
    let size = match head[1] {
        126 => {
            let mut long = [0; 2];
            socket.read_exact(&mut long).expect("a length");
            usize::from(u16::from_be_bytes(long))
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; size];
    socket.read_exact(&mut payload).expect("the whole frame");
    (head[0], payload)
}

trait Tunnels {
    /// A connection whose first words are these, once they are told.
    fn says(&mut self, head: &[u8], more: &[u8]) -> (TcpStream, Handle);
    fn received(&mut self, connection: Handle) -> Vec<u8>;
    fn malformed(&mut self, connection: Handle) -> Refusal;
    fn http(&mut self, body: &[u8]) -> (TcpStream, TcpStream, Handle);
    fn websocket(&mut self, early: &[u8]) -> (TcpStream, Handle);
}

impl Tunnels for Bench {
    fn says(&mut self, head: &[u8], more: &[u8]) -> (TcpStream, Handle) {
        let (mut socket, connection) = self.connect();
        socket.write_all(&[head, more].concat()).expect("connected");
        let seen = self.event(|event| match event {
            Event::HttpReceived { connection: c, head } if *c == connection => Some(head.clone()),
            _ => None,
        });
        assert_eq!(seen, head);
        (socket, connection)
    }

    fn received(&mut self, wanted: Handle) -> Vec<u8> {
        self.event(|event| match event {
            Event::Received { connection, message, .. } if *connection == wanted => Some(message.clone()),
            _ => None,
        })
    }

    fn malformed(&mut self, wanted: Handle) -> Refusal {
        self.event(|event| match event {
            Event::Malformed { connection, refusal } if *connection == wanted => Some(*refusal),
            _ => None,
        })
    }

    fn http(&mut self, body: &[u8]) -> (TcpStream, TcpStream, Handle) {
        let (down, get) = self.says(GET, b"");
        let (up, post) = self.says(POST, body);
        self.engine.tunnel_http(get, post);
        assert_eq!(self.closed(post).0, CloseReason::Joined);
        (down, up, get)
    }

    fn websocket(&mut self, early: &[u8]) -> (TcpStream, Handle) {
        let (mut socket, connection) = self.says(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", early);
        self.engine.send(connection, b"yes".to_vec());
        self.engine.tunnel_websocket(connection);
        socket.read_exact(&mut [0; 3]).expect("the handshake");
        (socket, connection)
    }
}

#[test]
fn what_is_posted_is_of_the_get_and_is_answered_there() {
    let mut bench = Bench::start();
    let encoded = base64(OPTIONS);
    for early in [0, 7, encoded.len()] {
        let (mut down, mut up, get) = bench.http(&encoded[..early]);
        up.write_all(&encoded[early..]).expect("connected");
        assert_eq!(bench.received(get), OPTIONS);
        bench.engine.send(get, b"RTSP/1.0 200 OK\r\n\r\n".to_vec());
        let mut answer = [0; 19];
        down.read_exact(&mut answer).expect("the answer");
        assert_eq!(&answer, b"RTSP/1.0 200 OK\r\n\r\n");
        let totals = bench.engine.counters(&[get])[0].clone().expect("known");
        assert!(totals.bytes_received as usize >= GET.len() + encoded.len() - early, "both sockets count");
    }
}

#[test]
fn one_post_may_follow_another() {
    let mut bench = Bench::start();
    let (_down, up, get) = bench.http(&base64(b"A 1\n\n"));
    assert_eq!(bench.received(get), b"A 1\n\n");
    let mut ups = vec![up];
    for n in 2..6 {
        let (up, post) = bench.says(POST, &base64(format!("A {n}\n\n").as_bytes()));
        if n % 2 == 0 {
            ups.clear(); // gone before the next is there, or after it
        }
        bench.engine.tunnel_http(get, post);
        assert_eq!(bench.closed(post).0, CloseReason::Joined);
        assert_eq!(bench.received(get), format!("A {n}\n\n").into_bytes());
        ups.push(up);
    }
}

#[test]
fn the_last_words_of_a_post_are_heard_before_the_next() {
    let mut bench = Bench::start();
    let (_down, mut up, get) = bench.http(b"");
    let (_next, post) = bench.says(POST, &base64(b"B\n\n"));
    up.write_all(&base64(b"A\n\n")).expect("connected");
    drop(up);
    bench.engine.tunnel_http(get, post);
    assert_eq!((bench.received(get), bench.received(get)), (b"A\n\n".to_vec(), b"B\n\n".to_vec()));
}

#[test]
fn streams_are_published_and_read_through_http() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (_answers, mut up, publisher) = bench.http(b"");
    bench.engine.publish_tcp(stream, publisher, &usual()).expect("a flow");
    let (mut down, _reports, reader) = bench.http(b"");
    let flow = bench.engine.read_tcp(stream, reader, &usual(), 512, 1 << 20).expect("a flow");
    bench.engine.play(flow);
    bench.engine.send(reader, b"!".to_vec());
    down.read_exact(&mut [0]).expect("the answer");

    let mut sent = Vec::new();
    for n in 0..50 {
        let packet = bench::rtp(n, u32::from(n) * 3000, true, &[&[0x65][..], &[n as u8; 200]].concat());
        let mut interleaved = vec![b'$', 0, 0, packet.len() as u8];
        interleaved.extend(&packet);
        up.write_all(&base64(&interleaved)).expect("connected");
        sent.push(packet);
    }
    for packet in sent {
        assert_eq!(bench::next_frame(&mut down), (0, packet));
    }
}

#[test]
fn a_get_waits_for_its_post_as_long_as_for_a_message() {
    let mut bench = Bench::with(Duration::from_millis(300), PATIENCE);
    let (_down, get) = bench.says(GET, b"");
    assert_eq!(bench.closed(get).0, CloseReason::ReadTimeout);
}

#[test]
fn a_client_that_leaves_takes_both_connections_with_it() {
    let mut bench = Bench::start();
    let (down, mut up, get) = bench.http(b"");
    drop(down);
    assert_eq!(bench.closed(get).0, CloseReason::Peer);
    assert!(matches!(up.read(&mut [0]), Ok(0) | Err(_)), "the POST is closed");
    let (down, get) = bench.says(GET, b"");
    drop(down);
    assert_eq!(bench.closed(get).0, CloseReason::Peer, "before its POST too");
}

#[test]
fn a_post_whose_get_is_gone_is_closed() {
    let mut bench = Bench::start();
    let (mut up, post) = bench.says(POST, b"");
    bench.engine.tunnel_http(12345 << 6, post);
    assert_eq!(bench.closed(post).0, CloseReason::Joined);
    assert!(matches!(up.read(&mut [0]), Ok(0) | Err(_)));
    let (mut plain, connection) = bench.connect();
    let (mut up, post) = bench.says(POST, b"");
    bench.engine.tunnel_http(connection, post); // no GET, and untouched
    bench.closed(post);
    assert!(matches!(up.read(&mut [0]), Ok(0) | Err(_)));
    plain.write_all(OPTIONS).expect("connected");
    assert_eq!(bench.received(connection), OPTIONS);
}

#[test]
fn what_does_not_belong_into_a_tunnel_ends_it() {
    let mut bench = Bench::start();
    let (_down, mut up, get) = bench.http(b"");
    up.write_all(b"QSAx*").expect("connected");
    assert_eq!(bench.malformed(get), Refusal::BadBase64);
    let (_down, mut up, get) = bench.http(b"");
    up.write_all(OPTIONS).expect("connected"); // in the clear: letters, and so base64 of something
    assert_eq!(bench.malformed(get), Refusal::NotRtsp);
    let (mut down, _up, get) = bench.http(b"");
    down.write_all(OPTIONS).expect("connected");
    assert_eq!(bench.malformed(get), Refusal::NotRtsp);
    let (mut socket, connection) = bench.websocket(b"");
    socket.write_all(OPTIONS).expect("connected");
    assert_eq!(bench.malformed(connection), Refusal::BadFrame);
    bench.engine.send(connection, b"RTSP/1.0 400 Bad Request\r\n\r\n".to_vec());
    bench.engine.close(connection);
    assert_eq!(message(&mut socket), (BINARY, b"RTSP/1.0 400 Bad Request\r\n\r\n".to_vec()));
    assert_eq!(message(&mut socket), (CLOSE, 1002_u16.to_be_bytes().to_vec()));
}

#[test]
fn messages_carry_rtsp_however_they_are_cut() {
    let mut bench = Bench::start();
    let (first, second) = OPTIONS.split_at(9);
    let (mut socket, connection) = bench.websocket(&frame(BINARY, first));
    socket.write_all(&[frame(PING, b"hi"), frame(BINARY, second)].concat()).expect("connected");
    assert_eq!(bench.received(connection), OPTIONS);
    assert_eq!(message(&mut socket), (0x8A, b"hi".to_vec()));
    bench.engine.send(connection, b"answer".to_vec());
    assert_eq!(message(&mut socket), (BINARY, b"answer".to_vec()));
    socket.write_all(&frame(CLOSE, &1001_u16.to_be_bytes())).expect("connected");
    assert_eq!(message(&mut socket), (CLOSE, 1001_u16.to_be_bytes().to_vec()));
    drop(socket);
    assert_eq!(bench.closed(connection).0, CloseReason::Peer);
}

#[test]
fn a_unit_is_one_message() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let (mut socket, connection) = bench.websocket(b"");
    let flow = bench.engine.read_tcp(stream, connection, &usual(), 512, 1 << 20).expect("a flow");
    bench.engine.play(flow);
    bench.engine.send(connection, b"!".to_vec());
    assert_eq!(message(&mut socket), (BINARY, b"!".to_vec()));
    let expected: Vec<u8> = publisher
        .picture(true, 30, 1000)
        .iter()
        .flat_map(|packet| [&[b'$', 0][..], &(packet.len() as u16).to_be_bytes(), packet].concat())
        .collect();
    loop {
        let (first, payload) = message(&mut socket);
        assert_eq!(first, BINARY);
        if payload[1] == 0 {
            assert_eq!(payload, expected);
            break; // before it come reports
        }
    }
}

#[test]
fn a_flood_of_pings_is_answered_now_and_then() {
    let mut bench = Bench::start();
    let (mut socket, connection) = bench.websocket(b"");
    let flood = frame(PING, &[7; 100]).repeat(20_000);
    let mut writer = socket.try_clone().expect("a socket");
    let writing = std::thread::spawn(move || {
        writer.write_all(&flood).expect("connected");
        writer.write_all(&frame(BINARY, OPTIONS)).expect("connected");
    });
    assert_eq!(bench.received(connection), OPTIONS);
    writing.join().expect("no panic");
    let totals = bench.engine.counters(&[connection])[0].clone().expect("known");
    assert!(totals.bytes_sent < totals.bytes_received / 2, "{totals:?}");
    assert_eq!(message(&mut socket), (0x8A, vec![7; 100]));
}

#[test]
fn messages_wait_in_the_clients_own_socket_and_none_is_lost() {
    let mut bench = Bench::start();
    let count = 20_000;
    let messages: Vec<u8> = (0..count).flat_map(|n| format!("A {n}\n\n").into_bytes()).collect();
    let (_down, up, get) = bench.http(b"");
    let (socket, connection) = bench.websocket(b"");
    let framed = messages.chunks(100).flat_map(|piece| frame(BINARY, piece)).collect();
    for (mut socket, connection, sent) in [(up, get, base64(&messages)), (socket, connection, framed)] {
        let writing = std::thread::spawn(move || {
            socket.write_all(&sent).expect("connected");
            socket
        });
        for n in 0..count {
            assert_eq!(bench.received(connection), format!("A {n}\n\n").into_bytes());
            assert!(bench.seen.len() <= 64, "{} events waited at once", bench.seen.len());
        }
        writing.join().expect("no panic");
    }
}

#[test]
fn who_says_http_and_more_is_not_read_before_it_is_decided() {
    let mut bench = Bench::start();
    let (mut socket, connection) = bench.says(POST, b"");
    socket.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let mut taken = 0;
    while let Ok(size) = socket.write(&[b'A'; 8192]) {
        taken += size;
        assert!(taken < 64 << 20, "only the kernel's buffers are filled");
    }
    let totals = bench.engine.counters(&[connection])[0].clone().expect("known");
    assert!(totals.bytes_received < 256 * 1024, "{totals:?}");
}
