//! Peers that send back what they get, at their own address: the far side of a relay.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use crate::histogram::Histogram;
use crate::sys::datagram::{self, Inbox, SEGMENTS, send_segmented};
use crate::sys::poll::Poll;
use crate::sys::{clock, cpu, socket};
use crate::turn::parcel;
use crate::window::{Meter, Window};

/// The peers' address: neither the server's nor the clients'.
const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Each side has the same socket buffers; coturn gives its own 2 MiB.
pub const BUFFER: i32 = 2 * 1024 * 1024;
/// How often sockets are looked at.
///
/// Nobody is woken by a datagram: on one machine the waking would be the *server's* work, an interrupt to another CPU with
/// each packet it sends, where on a network it sends and is done. Arrivals are noted by the kernel all the same.
pub const LOOK: u64 = 250_000;
/// The most one segmented send may hold.
const LONGEST: usize = 65_507;

pub struct Peers {
    sockets: Vec<UdpSocket>,
    coalesced: bool,
}

/// What the peers saw.
pub struct Echoed {
    /// Parcels that were due inside the window.
    pub packets: u64,
    /// Microseconds from when a parcel was due until it arrived here, one way.
    pub latency: Histogram,
    pub cpu: u64,
}

impl Peers {
    /// `coalesced`: the sockets take runs of datagrams as the kernel made them.
    pub fn bind(count: usize, coalesced: bool) -> io::Result<Self> {
        let mut sockets = Vec::with_capacity(count);
        for _ in 0..count {
            let peer = UdpSocket::bind((HOST, 0))?;
            peer.set_nonblocking(true)?;
            socket::set_receive_buffer(&peer, BUFFER)?;
            datagram::note_arrivals(&peer)?;
            if coalesced {
                datagram::coalesce(&peer)?;
            }
            sockets.push(peer);
        }
        Ok(Self { sockets, coalesced })
    }

    pub fn addresses(&self) -> io::Result<Vec<SocketAddrV4>> {
        let v4 = |address| match address {
            SocketAddr::V4(address) => Ok(address),
            SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        self.sockets.iter().map(|peer| peer.local_addr().and_then(v4)).collect()
    }

    /// Echo until the run is over. Runs of equal datagrams of one sender go back in one segmented send.
    pub fn echo(&self, window: &Window, cpus: &[usize]) -> io::Result<Echoed> {
        cpu::pin(cpus)?;
        clock::sharpen_timers();
        let mut poll = Poll::new()?;
        for (index, peer) in self.sockets.iter().enumerate() {
            poll.watch(peer, index as u64)?;
        }
        let mut inbox = Inbox::new(self.coalesced);
        let mut echoed = Echoed { packets: 0, latency: Histogram::new(), cpu: 0 };
        let mut meter = Meter::default();
        let mut ready = Vec::new();
        loop {
            let now = clock::now();
            meter.tick(window, now);
            if window.is_over() {
                echoed.cpu = meter.used();
                return Ok(echoed);
            }
            clock::sleep_until(now + LOOK);
            ready.clear();
            ready.extend(poll.wait(0)?);
            for &token in &ready {
                let peer = &self.sockets[token as usize];
                inbox.receive(peer)?;
                for datagram in inbox.iter() {
                    echoed.packets +=
                        record(parcel::due(datagram.bytes), datagram.arrived, window, &mut echoed.latency);
                }
                for (to, parts) in runs(&inbox) {
                    send_runs(peer, &parts, to)?;
                }
            }
        }
    }
}

/// Count a parcel that was due inside the window, and how late it arrived; returns 1 for it, or 0.
pub fn record(due: Option<u64>, arrived: Option<u64>, window: &Window, latency: &mut Histogram) -> u64 {
    match (due, arrived) {
        (Some(due), Some(arrived)) if window.contains(due) => {
            latency.record(arrived.saturating_sub(due) / 1000);
            1
        }
        _ => 0,
    }
}

/// The datagrams of each sender, in order.
fn runs(inbox: &Inbox) -> HashMap<SocketAddrV4, Vec<&[u8]>> {
    let mut runs: HashMap<SocketAddrV4, Vec<&[u8]>> = HashMap::new();
    for datagram in inbox.iter() {
        runs.entry(datagram.from).or_default().push(datagram.bytes);
    }
    runs
}

/// Runs that one segmented send may hold: of equal length, neither too many nor too long together.
pub fn segments<'a, 'b>(parts: &'a [&'b [u8]]) -> impl Iterator<Item = &'a [&'b [u8]]> {
    parts.chunk_by(|one, other| one.len() == other.len()).flat_map(|run| {
        let most = (LONGEST / run[0].len().max(1)).clamp(1, SEGMENTS);
        run.chunks(most)
    })
}

/// Send each run; what a full buffer or a socket that is gone does not take is lost, and counted where it is missed.
pub fn send_runs(socket: &UdpSocket, parts: &[&[u8]], to: SocketAddrV4) -> io::Result<()> {
    for run in segments(parts) {
        match send_segmented(socket, run, Some(to)) {
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn a_run_ends_where_the_length_changes_and_where_the_kernel_would_refuse_it() {
        let lengths = |parts: &[&[u8]]| segments(parts).map(<[&[u8]]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[&[0; 10], &[0; 10], &[0; 9], &[0; 10]]), [2, 1, 1]);
        assert_eq!(lengths(&[&[0; 160][..]; 100]), [64, 36]);
        assert_eq!(lengths(&[&[0; 1400][..]; 50]), [46, 4]);
    }
}
