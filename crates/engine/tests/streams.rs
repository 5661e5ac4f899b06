//! The verbs over real sockets: what clients of a running engine see.

mod bench;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bench::{Bench, PATIENCE, Publisher, next_frame, rtp, usual};
use headgate_engine::engine::{Channel, Ports, RemotePorts};
use headgate_engine::event::{CloseReason, Event};
use headgate_engine::rtsp::Refusal;

/// Requests in a flood.
const COUNT: usize = 20_000;

#[test]
fn every_reader_gets_the_same_packets_from_the_next_key_frame_on() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, flow) = bench.publisher(stream);
    let own = [Channel { track: 0, rtp: 200, rtcp: 201 }];
    // Connections go to the workers in turn: two readers on each.
    let mut readers: Vec<_> = [&usual()[..], &usual(), &own, &own]
        .map(|channels| (channels[0].rtp, bench.reader(stream, channels, 512)))
        .into();
    publisher.picture(false, 3, 1000);
    bench.counted(flow, |counters| counters.packets_received == 3);
    let mut sent = publisher.picture(true, 20, 1400);
    sent.extend(publisher.picture(false, 2, 700));
    for (channel, (socket, ..)) in &mut readers {
        let got: Vec<_> = sent.iter().map(|_| next_frame(socket)).collect();
        let expected: Vec<_> = sent.iter().map(|packet| (*channel, packet.clone())).collect();
        assert_eq!(got, expected);
    }
    for (_, (_, _, flow)) in &readers {
        bench.counted(*flow, |counters| counters.packets_sent == 22 && counters.packets_discarded == 0);
    }
    let size: usize = sent.iter().map(Vec::len).sum();
    bench.counted(stream, |counters| counters.bytes_sent >= 4 * size as u64);
    let track = bench.engine.tracks(stream)[0];
    assert_eq!((track.ssrc, track.next_sequence), (Some(0x0102_0304), 26));
}

#[test]
fn audio_passes_on_its_own_channel_and_only_where_it_was_set_up() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let (mut both, ..) = bench.reader(stream, &usual(), 512);
    let (mut video, ..) = bench.reader(stream, &usual()[..1], 512);
    let sound = rtp(9, 9, false, b"sound");
    publisher.frame(2, &sound);
    assert_eq!(next_frame(&mut both), (2, sound));
    let picture = publisher.picture(true, 1, 100).remove(0);
    assert_eq!(next_frame(&mut video), (0, picture));
}

#[test]
fn frames_nobody_set_up_and_broken_packets_are_counted_and_lost() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (socket, connection) = bench.connect();
    let flow = bench.engine.publish_tcp(stream, connection, &usual()).expect("a flow");
    let mut publisher = Publisher { socket, sequence: 0, timestamp: 0 };
    publisher.frame(0, b"short");
    publisher.frame(1, b"not rtcp");
    publisher.frame(255, b"nobody's");
    publisher.picture(true, 1, 100);
    bench.counted(connection, |counters| counters.frames_refused == 1);
    bench.counted(flow, |counters| {
        (counters.packets_in_error, counters.rtcp_packets_in_error, counters.packets_received) == (1, 1, 1)
    });
}

#[test]
fn datagrams_in_datagrams_out() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (rtp_handle, rtp_address) = bench.engine.bind_udp(any).expect("a free port");
    let (rtcp_handle, rtcp_address) = bench.engine.bind_udp(any).expect("a free port");
    let socket = || {
        let socket = UdpSocket::bind(any).expect("a free port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        (socket, port)
    };
    let ((from, from_port), (from_rtcp, from_rtcp_port)) = (socket(), socket());
    let ((to, to_port), (to_rtcp, to_rtcp_port)) = (socket(), socket());
    let host = Ipv4Addr::LOCALHOST.into();
    let (_publisher, connection) = bench.connect();
    let ports = Ports { stream, connection, rtp: rtp_handle, rtcp: rtcp_handle };
    let remote = RemotePorts { track: 0, host, rtp_port: from_port, rtcp_port: from_rtcp_port };
    let publish = bench.engine.publish_udp(ports, &[remote], PATIENCE).expect("a flow");
    assert!(bench.engine.publish_udp(ports, &[remote], PATIENCE).is_err(), "the address has a flow");
    let (reader, connection) = bench.connect();
    let ports = Ports { connection, ..ports };
    let remote = RemotePorts { track: 0, host, rtp_port: to_port, rtcp_port: to_rtcp_port };
    let read = bench.engine.read_udp(ports, &[remote]).expect("a flow");
    bench.engine.play(read);

    // Equal sizes, a shorter one, and a lone small one: several segmented sends.
    let mut sent: Vec<Vec<u8>> =
        (1..=70).map(|n| rtp(n, 10, false, &[[0x65].as_slice(), &[n as u8; 1399]].concat())).collect();
    sent.push(rtp(71, 10, false, &[1; 300]));
    sent.push(rtp(72, 10, true, &[2; 900]));
    // The reader's flow may not be there yet; until it is, key frames pass it by.
    let got = loop {
        for packet in &sent {
            from.send_to(packet, rtp_address).expect("sent");
        }
        to.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
        let mut buffer = [0; 2000];
        let mut got = Vec::new();
        while got.len() < sent.len()
            && let Ok((size, _)) = to.recv_from(&mut buffer)
        {
            got.push(buffer[..size].to_vec());
        }
        if !got.is_empty() {
            break got;
        }
    };
    assert_eq!(got, sent);

    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 5];
    report.extend([0; 16]);
    to_rtcp.send_to(&report, rtcp_address).expect("sent");
    bench.counted(read, |counters| counters.rtcp_packets_received == 1 && counters.packets_lost == 5);
    from_rtcp.send_to(b"\x80\xc8\0", rtcp_address).expect("sent");
    bench.counted(publish, |counters| counters.rtcp_packets_in_error == 1);

    drop(reader);
    assert_eq!(bench.closed(read).0, CloseReason::Peer, "the flow ends with its connection");
    to_rtcp.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut buffer = [0; 200];
    let goodbye = loop {
        let (size, _) = to_rtcp.recv_from(&mut buffer).expect("RTCP");
        if buffer[..size].windows(4).any(|words| words == [0x81, 203, 0, 1]) {
            break size;
        }
    };
    assert!(goodbye > 28);
}

#[test]
fn a_reader_that_stops_reading_loses_groups_and_nobody_else_loses_anything() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let (mut slow, _, slow_flow) = bench.reader(stream, &usual(), 64);
    let (mut other, _, other_flow) = bench.reader(stream, &usual(), 512);
    let mut sent = 0;
    // Until the kernel's buffers for the slow one are full, and its queue behind them.
    while bench.engine.counters(&[slow_flow])[0].as_ref().expect("known").packets_discarded == 0 {
        for i in 0..10 {
            for packet in publisher.picture(i == 0, 20, 1400) {
                assert_eq!(next_frame(&mut other), (0, packet));
                sent += 1;
            }
        }
        assert!(sent < 100_000, "the slow reader took everything");
    }
    bench.counted(other_flow, |counters| counters.packets_discarded == 0);
    // What it did get ends with a whole picture and goes on with a key frame.
    publisher.picture(false, 20, 1400);
    let (mut last, mut gap) = (None, false);
    for _ in 0..sent {
        let (_, packet) = next_frame(&mut slow);
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        if let Some(before) = last.replace(sequence)
            && sequence != before.wrapping_add(1)
        {
            assert_eq!(packet[12], 0x65, "goes on with a key frame");
            gap = true;
            break;
        }
        if sequence % 20 == 0 {
            publisher.picture(sequence % 200 == 0, 20, 1400).iter().for_each(|_| {
                next_frame(&mut other);
            });
        }
    }
    assert!(gap, "the slow reader caught up");
}

#[test]
fn a_stuck_reader_is_closed_after_the_write_timeout() {
    let mut bench = Bench::with(PATIENCE, Duration::from_millis(500));
    let stream = bench.stream();
    let (mut publisher, _) = bench.publisher(stream);
    let (_stuck, connection, flow) = bench.reader(stream, &usual(), 64);
    while bench.engine.counters(&[flow])[0].as_ref().is_some_and(|counters| counters.packets_discarded == 0) {
        publisher.picture(true, 20, 1400);
    }
    assert_eq!(bench.closed(flow).0, CloseReason::WriteTimeout);
    assert_eq!(bench.closed(connection).0, CloseReason::WriteTimeout);
}

#[test]
fn silence_is_closed_after_the_read_timeout_but_a_reader_may_be_silent() {
    let timeout = Duration::from_millis(300);
    let mut bench = Bench::with(timeout, PATIENCE);
    let stream = bench.stream();
    let (_reader, reading, _) = bench.reader(stream, &usual(), 64);
    let (_silent, silent) = bench.connect();
    let (mut dripping, drip) = bench.connect();
    let started = Instant::now();
    dripping.write_all(b"OPTIONS * RTSP/1.0\r\nX: ").expect("connected");
    let (mut answering, answer) = bench.connect();
    answering.write_all(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n").expect("connected");
    assert_eq!(bench.closed(answer).0, CloseReason::ReadTimeout, "nobody owes an answer to an answer");
    assert_eq!(bench.closed(silent).0, CloseReason::ReadTimeout);
    assert_eq!(bench.closed(drip).0, CloseReason::ReadTimeout, "a head that never ends is silence");
    assert!(started.elapsed() >= timeout);
    bench.counted(reading, |counters| counters.idle_s >= 2.0 * timeout.as_secs_f64());
    assert!(
        !bench.seen.iter().any(|event| matches!(event, Event::Closed { handle, .. } if *handle == reading))
    );
}

#[test]
fn who_waits_for_an_answer_is_not_silent() {
    let timeout = Duration::from_millis(300);
    let mut bench = Bench::with(timeout, PATIENCE);
    let (mut asking, asked) = bench.connect();
    asking.write_all(b"DESCRIBE a RTSP/1.0\r\nCSeq: 1\r\n\r\n").expect("connected");
    bench.counted(asked, |counters| counters.idle_s >= 3.0 * timeout.as_secs_f64());
    bench.engine.send(asked, b"answer".to_vec());
    let answered = Instant::now();
    asking.read_exact(&mut [0; 6]).expect("still connected");
    assert_eq!(bench.closed(asked).0, CloseReason::ReadTimeout, "now it is the client's turn");
    assert!(answered.elapsed() >= timeout);
}

#[test]
fn an_answer_reaches_a_client_whose_bytes_were_refused() {
    let mut bench = Bench::start();
    let (mut socket, connection) = bench.connect();
    socket.write_all(&vec![b'A'; 100_000]).expect("connected");
    let refusal = bench.event(|event| match event {
        Event::Malformed { connection: c, refusal } if *c == connection => Some(*refusal),
        _ => None,
    });
    assert_eq!(refusal, Refusal::HeadTooLarge);
    bench.engine.send(connection, b"RTSP/1.0 400 Bad Request\r\n\r\n".to_vec());
    bench.engine.close(connection);
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("no reset");
    assert_eq!(answer, "RTSP/1.0 400 Bad Request\r\n\r\n");
    drop(socket);
    assert_eq!(bench.closed(connection).0, CloseReason::Requested);
}

#[test]
fn a_flood_of_requests_waits_in_the_clients_own_socket() {
    let mut bench = Bench::start();
    let (mut socket, connection) = bench.connect();
    let request = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    let flood = std::thread::spawn(move || {
        for _ in 0..COUNT {
            socket.write_all(request).expect("connected");
        }
        socket
    });
    let mut received = 0;
    while received < COUNT {
        bench.event(|event| match event {
            Event::Received { message, .. } => {
                assert_eq!(message, request);
                Some(())
            }
            _ => None,
        });
        received += 1;
        assert!(bench.seen.len() <= 32, "{} events wait", bench.seen.len());
    }
    let socket = flood.join().expect("the flood ends");
    drop(socket);
    assert_eq!(bench.closed(connection).0, CloseReason::Peer);
}

#[test]
fn answers_nobody_takes_end_the_connection() {
    let mut bench = Bench::start();
    let (_socket, connection) = bench.connect();
    for _ in 0..200 {
        bench.engine.send(connection, vec![b'x'; 100_000]);
    }
    assert_eq!(bench.closed(connection).0, CloseReason::Overflow);
}

#[test]
fn a_stream_takes_its_flows_with_it() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (_publisher, publishing) = bench.publisher(stream);
    let (mut socket, connection, reading) = bench.reader(stream, &usual(), 64);
    bench.engine.close(stream);
    assert_eq!(bench.closed(publishing).0, CloseReason::StreamClosed);
    assert_eq!(bench.closed(reading).0, CloseReason::StreamClosed);
    // The connection lives on.
    bench.engine.send(connection, b"still here".to_vec());
    let mut answer = [0; 10];
    socket.read_exact(&mut answer).expect("connected");
    assert!(bench.engine.tracks(stream).is_empty());
}

#[test]
fn connections_past_the_limit_are_refused_and_counted() {
    let mut bench = Bench::start();
    let held: Vec<_> = (0..100).map(|_| bench.connect()).collect();
    let mut one_more = TcpStream::connect((Ipv4Addr::LOCALHOST, bench.port)).expect("listening");
    one_more.set_read_timeout(Some(PATIENCE)).expect("a socket");
    assert_eq!(one_more.read(&mut [0; 1]).expect("closed, not reset"), 0);
    assert_eq!(bench.engine.events().refused_connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    drop(held);
}

#[test]
fn shutdown_closes_everything_once() {
    let mut bench = Bench::start();
    let stream = bench.stream();
    let (_publisher, publishing) = bench.publisher(stream);
    let (_socket, connection, reading) = bench.reader(stream, &usual(), 64);
    bench.engine.shutdown();
    for handle in [publishing, reading, connection] {
        assert_eq!(bench.closed(handle).0, CloseReason::Shutdown);
    }
    let closed = |event: &Event| matches!(event, Event::Closed { handle, .. } if [publishing, reading].contains(handle));
    assert!(!bench.seen.iter().any(closed));
    assert!(bench.engine.open_stream(&[], 1472).is_err());
}
