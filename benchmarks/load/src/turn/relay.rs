//! Parcels through a relay at an even pace: to a peer that echoes them, or to another client.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::report::{self, Fields};
use crate::sys::datagram::{self, Inbox, send_segmented};
use crate::sys::poll::Poll;
use crate::sys::{clock, cpu, socket};
use crate::turn::account::Account;
use crate::turn::client::{Client, connected};
use crate::turn::echo::{BUFFER, Echoed, LOOK, Peers, record};
use crate::turn::parcel::{self, Carry, Parcel};
use crate::turn::seed::Seed;
use crate::window::{Meter, Window};

/// Sending threads.
const SENDERS: usize = 2;
/// The load goes on for this long after `measured`, so that what is on its way arrives.
const COURTESY: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Towards {
    /// Client, relay, a peer that echoes, relay, client.
    Peer,
    /// From one client's allocation to another's.
    Client,
}

pub struct Relay {
    pub server: SocketAddrV4,
    pub account: Account,
    pub towards: Towards,
    pub carry: Carry,
    /// Clients that send.
    pub sessions: usize,
    /// Parcels a second and session.
    pub rate: u64,
    /// Parcels sent at once, with one segmented send.
    pub burst: usize,
    /// Bytes of payload.
    pub size: usize,
    /// Receiving sockets of this program take runs of datagrams whole.
    pub coalesced: bool,
    pub warm_up: Duration,
    pub measured: Duration,
    pub seed: u64,
    /// Receiving and peers share the last; the sending threads take the others.
    pub cpus: Vec<usize>,
}

/// A client that sends, and what it sends.
struct Lane {
    socket: UdpSocket,
    parcels: Vec<Parcel>,
}

/// One thread's lanes: those whose turn is every `of`-th from `first` on.
struct Part {
    first: usize,
    of: usize,
    lanes: Vec<Lane>,
    cpus: Vec<usize>,
}

struct Sent {
    packets: u64,
    refused: u64,
    /// Microseconds from when a burst was due until it is handed to the kernel.
    lateness: Histogram,
    /// Of the busiest thread.
    cpu: u64,
}

impl Sent {
    fn new() -> Self {
        Self { packets: 0, refused: 0, lateness: Histogram::new(), cpu: 0 }
    }

    fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.refused += other.refused;
        self.lateness.merge(&other.lateness);
        self.cpu = self.cpu.max(other.cpu);
    }
}

struct Received {
    packets: u64,
    /// Microseconds from when a parcel was due until it arrived: there and back, or one way to a client.
    latency: Histogram,
    cpu: u64,
}

/// Allocate, bind, send, measure; prints `joined`, `measuring`, `measured`, `result`.
pub fn measure(plan: &Relay) -> Result<(), String> {
    let peers = match plan.towards {
        Towards::Peer => Peers::bind(plan.sessions, plan.coalesced).map_err(|error| error.to_string())?,
        Towards::Client => Peers::bind(0, false).map_err(|error| error.to_string())?,
    };
    let (lanes, sinks) = open(plan, &peers)?;
    for sink in &sinks {
        prepare(sink, plan.coalesced).map_err(|error| error.to_string())?;
    }
    report::print(&Fields::new("phase", "joined").number("sessions", plan.sessions));
    let window = Window::new();
    let parts = deal(plan, lanes);
    let began = clock::now();
    thread::scope(|scope| {
        let window = &window;
        let last = plan.cpus.last().map(std::slice::from_ref).unwrap_or_default();
        let echoing = scope.spawn(|| peers.echo(window, last));
        let receiving = scope.spawn(|| receive(plan, &sinks, window, last));
        let sending: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(move || send(plan, part, began, window))).collect();
        thread::sleep(plan.warm_up);
        let opens = clock::now();
        let closes = opens + plan.measured.as_nanos() as u64;
        window.open(opens, closes);
        report::print(&Fields::new("phase", "measuring"));
        clock::sleep_until(closes);
        report::print(&Fields::new("phase", "measured"));
        thread::sleep(COURTESY);
        window.end();
        let mut sent = Sent::new();
        for thread in sending {
            sent.merge(&finish(thread)?);
        }
        let (echoed, received) = (finish(echoing)?, finish(receiving)?);
        report_result(plan, &sent, &echoed, &received);
        Ok(())
    })
}

/// All allocations, permissions and channels; returns who sends and on which sockets it comes back.
fn open(plan: &Relay, peers: &Peers) -> Result<(Vec<Lane>, Vec<UdpSocket>), String> {
    let mut seed = Seed::new(plan.seed);
    let mut client = || -> Result<(Client<'_>, SocketAddrV4), String> {
        let mut client =
            Client::connect(plan.server, &plan.account, seed.next()).map_err(|error| error.to_string())?;
        let relayed = client.allocate()?;
        Ok((client, relayed))
    };
    let (mut lanes, mut sinks) = (Vec::new(), Vec::new());
    let copy = |socket: &UdpSocket| socket.try_clone().map_err(|error| error.to_string());
    let mut addresses = peers.addresses().map_err(|error| error.to_string())?.into_iter();
    let parcels = |peer| {
        let new = |_| Parcel::new(plan.carry, peer, plan.size, Seed::new(plan.seed).transaction());
        (0..plan.burst).map(new).collect::<Vec<_>>()
    };
    if plan.carry == Carry::Direct {
        for peer in addresses {
            let socket = connected(peer).map_err(|error| error.to_string())?;
            sinks.push(copy(&socket)?);
            lanes.push(Lane { socket, parcels: parcels(peer) });
        }
        return Ok((lanes, sinks));
    }
    for _ in 0..plan.sessions {
        let (mut near, relayed) = client()?;
        let peer = if let Some(address) = addresses.next() {
            sinks.push(copy(&near.socket)?);
            address
        } else {
            // No peers: towards another client.
            let (mut far, far_relayed) = client()?;
            far.permit(relayed)?;
            if plan.carry == Carry::Channel {
                far.bind_channel(relayed)?;
            }
            sinks.push(copy(&far.socket)?);
            far_relayed
        };
        near.permit(peer)?;
        if plan.carry == Carry::Channel {
            near.bind_channel(peer)?;
        }
        lanes.push(Lane { socket: near.socket, parcels: parcels(peer) });
    }
    Ok((lanes, sinks))
}

fn prepare(socket: &UdpSocket, coalesced: bool) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket::set_receive_buffer(socket, BUFFER)?;
    datagram::note_arrivals(socket)?;
    if coalesced { datagram::coalesce(socket) } else { Ok(()) }
}

/// Sessions in a shuffled order, dealt to the sending threads.
///
/// A send is dear where it wakes the server, so one thread alone would be late at rates a relay does with ease.
fn deal(plan: &Relay, lanes: Vec<Lane>) -> Vec<Part> {
    let own = &plan.cpus[..plan.cpus.len().saturating_sub(1)];
    // Turns only stay even where each thread has as many sessions.
    let of = if plan.sessions.is_multiple_of(SENDERS) { SENDERS } else { 1 };
    let cpu = |part: usize| own.get(part % own.len().max(1)).or(plan.cpus.first()).copied();
    let mut parts: Vec<Part> = (0..of)
        .map(|part| Part { first: part, of, lanes: Vec::new(), cpus: cpu(part).into_iter().collect() })
        .collect();
    let mut lanes: Vec<Option<Lane>> = lanes.into_iter().map(Some).collect();
    for (place, session) in Seed::new(plan.seed).shuffled(lanes.len()).into_iter().enumerate() {
        parts[place % of].lanes.extend(lanes[session].take());
    }
    parts
}

/// Send on the absolute schedule until the run is over; sessions take turns.
fn send(plan: &Relay, mut part: Part, began: u64, window: &Window) -> io::Result<Sent> {
    cpu::pin(&part.cpus)?;
    clock::sharpen_timers();
    let mut sent = Sent::new();
    let mut meter = Meter::default();
    let parcels_a_second = plan.rate * plan.sessions as u64;
    for step in 0.. {
        // rate counts parcels, so a burst of them is due `burst` times as seldom.
        let turn = (step * part.of + part.first) * plan.burst;
        let due = began + (turn as u128 * 1_000_000_000 / u128::from(parcels_a_second)) as u64;
        clock::sleep_until(due);
        let now = clock::now();
        meter.tick(window, now);
        if window.is_over() {
            break;
        }
        let count = part.lanes.len();
        let lane = &mut part.lanes[step % count];
        let parts: Vec<&[u8]> = lane.parcels.iter_mut().map(|parcel| parcel.stamped(due)).collect();
        let is_counted = window.contains(due);
        match send_segmented(&lane.socket, &parts, None) {
            Ok(()) => {}
            // Offered all the same: an open loop does not wait.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) =>
            {
                sent.refused += u64::from(is_counted);
            }
            Err(error) => return Err(error),
        }
        if is_counted {
            sent.packets += parts.len() as u64;
            sent.lateness.record((now - due) / 1000);
        }
    }
    sent.cpu = meter.used();
    Ok(sent)
}

/// Read until the run is over.
fn receive(plan: &Relay, sinks: &[UdpSocket], window: &Window, cpus: &[usize]) -> io::Result<Received> {
    cpu::pin(cpus)?;
    clock::sharpen_timers();
    let mut poll = Poll::new()?;
    for (index, sink) in sinks.iter().enumerate() {
        poll.watch(sink, index as u64)?;
    }
    let mut inbox = Inbox::new(plan.coalesced);
    let mut received = Received { packets: 0, latency: Histogram::new(), cpu: 0 };
    let (mut meter, mut ready) = (Meter::default(), Vec::new());
    loop {
        let now = clock::now();
        meter.tick(window, now);
        if window.is_over() {
            received.cpu = meter.used();
            return Ok(received);
        }
        clock::sleep_until(now + LOOK);
        ready.clear();
        ready.extend(poll.wait(0)?);
        for &token in &ready {
            inbox.receive(&sinks[token as usize])?;
            for datagram in inbox.iter() {
                let due = parcel::carried(plan.carry, datagram.bytes).and_then(parcel::due);
                received.packets += record(due, datagram.arrived, window, &mut received.latency);
            }
        }
    }
}

fn report_result(plan: &Relay, sent: &Sent, echoed: &Echoed, received: &Received) {
    let seconds = plan.measured.as_secs_f64();
    let share = |nanoseconds: u64| nanoseconds as f64 / 1e9 / seconds;
    report::print(
        &Fields::new("phase", "result")
            .decimal("seconds", seconds)
            .number("sessions", plan.sessions)
            .fields(
                "sent",
                &Fields::default()
                    .number("packets", sent.packets)
                    .number("refused", sent.refused)
                    .histogram("late_us", &sent.lateness)
                    .decimal("cpu_share", share(sent.cpu)),
            )
            .fields(
                "echoed",
                &Fields::default()
                    .number("packets", echoed.packets)
                    .histogram("latency_us", &echoed.latency)
                    .decimal("cpu_share", share(echoed.cpu)),
            )
            .fields(
                "received",
                &Fields::default()
                    .number("packets", received.packets)
                    .number("lost", sent.packets.saturating_sub(received.packets))
                    .histogram("latency_us", &received.latency)
                    .decimal("cpu_share", share(received.cpu)),
            ),
    );
}

fn finish<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> Result<T, String> {
    thread.join().map_err(|_| "a thread panicked".to_owned())?.map_err(|error| error.to_string())
}
