//! TURN on a worker that stands still.

mod relay;

use std::time::Duration;

use headgate_engine::event::{CloseReason, Event};
use headgate_engine::turn::five_tuple::Transport;
use headgate_engine::turn::verbs::{Allocate, BindRelay, RelayTransport};
use relay::stream::Listener;
use relay::{Bench, LOCALHOST, channel, receive, request, socket, usual};

const LATE: Duration = Duration::from_millis(4500);
const SOON: Duration = Duration::from_millis(300);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn its_clients_begin_again_and_the_others_go_on() {
    let mut bench = Bench::start();
    let tcp = Listener::new(&bench, Transport::Tcp, usual());
    let (mut clients, mut on) = (Vec::new(), [None, None]);
    while on.contains(&None) {
        let client = bench.client();
        on[client.five_tuple.worker] = Some(clients.len());
        clients.push(client);
    }
    let [Some(lost), Some(kept)] = on else { panic!("one on each worker") };
    let (lost, kept) = (&clients[lost], &clients[kept]);
    let peer = socket(LOCALHOST);
    let address = peer.local_addr().expect("bound");
    bench.bind_channel(kept, 0x4001, address);
    bench.bind_channel(lost, 0x4002, address);
    bench.barrier(kept);
    bench.barrier(lost);

    let mut gone = tcp.connect(); // the first of a listener is the first worker's
    gone.stream.write_all(&request(*b"a connection")).expect("connected");
    bench.request(|five_tuple| five_tuple.transport == Transport::Tcp);

    // What is there to be moved when it comes back is moved no more.
    bench.engine.stand_still(0, SOON).recv().expect("it does");
    peer.send_to(b"late", lost.relayed).expect("sent");
    lost.send(&channel(0x4002, b"late"));
    bench.engine.stand_still(0, LATE);
    let mut asked = tcp.connect();
    let me = asked.socket.local_addr().expect("connected");
    // Waits in the listener's socket until somebody hears it.
    lost.send(&request(*b"stands still"));
    kept.send(&channel(0x4001, b"goes on"));
    assert_eq!(receive(&peer).0, b"goes on");
    assert_eq!(bench.closed(lost.allocation).0, CloseReason::Fault);
    let (five_tuple, allocation, _) = bench.request(|five_tuple| *five_tuple == lost.five_tuple);
    assert_eq!(allocation, 0);
    let bind = BindRelay { transport: RelayTransport::Udp, address: (LOCALHOST, 0).into(), external: None };
    let (relay, _) = bench.engine.bind_relay(&bind).expect("a free port");
    let allocate =
        Allocate { five_tuple, relays: vec![relay], lifetime: MINUTE, bytes_per_second: 0, movable: false };
    let again = bench.engine.allocate(&allocate).expect("the five-tuple is free");
    bench.engine.answer(five_tuple, b"allocated".to_vec());
    assert_eq!(lost.receive(), b"allocated");
    // The listener over TCP is served again: its client's request comes up.
    asked.stream.write_all(&request(*b"over streams")).expect("connected");
    bench.request(|five_tuple| five_tuple.client == me);

    // The old thread comes back, and drops what it had. Its successor's allocation stands.
    gone.stream.read_to_end(&mut Vec::new()).expect("the end");
    kept.send(&channel(0x4001, b"goes on"));
    assert_eq!(receive(&peer).0, b"goes on");
    lost.send(&request(*b"still there "));
    let (_, allocation, _) = bench.request(|five_tuple| *five_tuple == lost.five_tuple);
    assert_eq!(allocation, again);
    bench.engine.answer(five_tuple, b"yes".to_vec());
    assert_eq!(lost.receive(), b"yes");
    peer.set_read_timeout(Some(SOON)).expect("a socket");
    assert!(peer.recv(&mut [0; 10]).is_err(), "something came late");
    let ended = bench.engine.drain(1000);
    assert!(!ended.iter().any(|event| matches!(event, Event::Closed { .. })), "{ended:?}");
    assert_eq!(bench.engine.workers_restarted(), 1);
}
