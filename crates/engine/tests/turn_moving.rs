//! Allocations that are taken along to another address (RFC 8016).

mod relay;

use std::net::UdpSocket;
use std::time::Duration;

use headgate_engine::engine::VerbError;
use headgate_engine::event::CloseReason;
use headgate_engine::turn::five_tuple::{FiveTuple, Transport};
use relay::stream::Listener;
use relay::{Bench, LOCALHOST, channel, receive, request, socket, usual};

/// Somebody new, and whom the engine takes them for.
fn stranger(bench: &mut Bench) -> (UdpSocket, FiveTuple) {
    let socket = socket(LOCALHOST);
    socket.connect(bench.server).expect("a route");
    socket.send(&request(*b"a refresh   ")).expect("sent");
    let me = socket.local_addr().expect("bound");
    let (five_tuple, ..) = bench.request(|five_tuple| five_tuple.client == me);
    (socket, five_tuple)
}

fn heard(socket: &UdpSocket) -> Vec<u8> {
    receive(socket).0
}

#[test]
fn what_a_client_has_goes_with_it() {
    let mut bench = Bench::start();
    let mut workers = std::collections::HashSet::new();
    // To and fro until it has been heard by every worker, and by its own again.
    let client = bench.client();
    let peer = socket(LOCALHOST);
    bench.bind_channel(&client, 0x4001, peer.local_addr().expect("bound"));
    bench.barrier(&client);
    let mut before = client.five_tuple;
    for round in 0..40_u8 {
        let (moved, five_tuple) = stranger(&mut bench);
        bench.engine.move_allocation(client.allocation, five_tuple).expect("free");
        bench.engine.answer(five_tuple, request(*b"the response"));
        assert_eq!(heard(&moved), request(*b"the response"));
        moved.send(&channel(0x4001, &[round; 40])).expect("sent");
        assert_eq!(receive(&peer), (vec![round; 40], client.relayed));
        peer.send_to(&[round; 50], client.relayed).expect("sent");
        assert_eq!(heard(&moved), channel(0x4001, &[round; 50]));
        moved.send(&request(*b"another one ")).expect("sent");
        let (_, allocation, _) = bench.request(|known| *known == five_tuple);
        assert_eq!(allocation, client.allocation);
        workers.insert(five_tuple.worker);
        assert_ne!(before, five_tuple);
        before = five_tuple;
        if workers.len() == 2 && five_tuple.worker == client.five_tuple.worker {
            break;
        }
    }
    assert_eq!(workers.len(), 2);
    // Whoever has its old address has nothing.
    client.send(&channel(0x4001, b"no"));
    bench.counted(|counters| counters.no_allocation == 1);
    bench.engine.close(client.allocation);
    assert_eq!(bench.closed(client.allocation).0, CloseReason::Requested);
}

#[test]
fn an_end_is_known_where_the_client_is_heard() {
    let mut bench = Bench::start();
    for _ in 0..8 {
        let client = bench.client();
        let (moved, five_tuple) = stranger(&mut bench);
        bench.engine.move_allocation(client.allocation, five_tuple).expect("free");
        bench.engine.close(client.allocation);
        bench.closed(client.allocation);
        // It may have another one there.
        moved.send(&request(*b"an allocate ")).expect("sent");
        let (again, allocation, _) = bench.request(|known| *known == five_tuple);
        assert_eq!((again, allocation), (five_tuple, 0));
    }
}

#[test]
fn not_everything_moves() {
    let mut bench = Bench::start();
    let (client, other) = (bench.client(), bench.client());
    let taken = bench.engine.move_allocation(client.allocation, other.five_tuple);
    assert!(matches!(taken, Err(VerbError::Io(_))));
    let listener = Listener::new(&bench, Transport::Tcp, usual());
    let (five_tuple, allocation, _) = listener.connect().allocate(&mut bench);
    bench.engine.close(allocation);
    bench.closed(allocation);
    let to_a_stream = bench.engine.move_allocation(client.allocation, five_tuple);
    assert!(matches!(to_a_stream, Err(VerbError::Value(_))));
    // One that is gone moves nowhere, and nothing happens.
    bench.engine.move_allocation(allocation, five_tuple).expect("nothing");
    bench.engine.refresh_allocation(client.allocation, Duration::from_secs(60));
    bench.barrier(&client);
}
