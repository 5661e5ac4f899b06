//! UDP sockets for RTP and RTCP, with segmentation offload where the kernel has it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, Weak};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::Handle;
use crate::beside::Ajar;
use crate::group::Cast;
use crate::sys;
use crate::unit::Run;

/// Asked for, not guaranteed: the kernel's limit may be smaller.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// Of an Ethernet's 1500 bytes without IP's and UDP's heads. Only an encrypted packet is larger.
const LARGEST_SEGMENT: usize = 1472;

/// Any worker sends, one receives.
#[derive(Debug)]
pub struct Port {
    pub handle: Handle,
    pub socket: UdpSocket,
    state: UdpSocketState,
    v6: bool,
    pub cast: Cast,
    /// What twins have in common.
    group: Arc<Mutex<Group>>,
}

/// Ports with one number at several addresses; most are alone.
#[derive(Debug, Default)]
struct Group {
    ports: Vec<Weak<Port>>,
    /// Remote addresses and the flows they belong to, so that no two share one.
    claims: HashMap<SocketAddr, Handle>,
}

impl Port {
    /// On the port of `other`, where there is one: its twin from then on, and what comes to either belongs to
    /// the flows of both.
    pub fn bind(handle: Handle, address: SocketAddr, other: Option<&Self>) -> io::Result<Arc<Self>> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        match other {
            Some(other) => other.bind_beside(&socket, address)?,
            None => socket.bind(&address.into())?,
        }
        Self::over(handle, socket.into(), Cast::Unicast, other)
    }

    /// Take a bound socket, a twin of the other's.
    pub fn over(
        handle: Handle,
        socket: UdpSocket,
        cast: Cast,
        other: Option<&Self>,
    ) -> io::Result<Arc<Self>> {
        let v6 = socket.local_addr()?.is_ipv6();
        let sizes = SockRef::from(&socket);
        let _ = sizes.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = sizes.set_send_buffer_size(KERNEL_BUFFER);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // That forbade fragments, as QUIC probes for what a path takes. RTP does not: over a tunnel
        // or PPPoE its largest packets would just be lost.
        let _ = set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::WANT);
        if v6 {
            let _ = sys::allow_ipv6_fragments(&socket);
        }
        let group = other.map(|other| Arc::clone(&other.group)).unwrap_or_default();
        let port = Arc::new(Self { handle, socket, state, v6, cast, group });
        let mut group = port.group.lock().expect("no holder panics");
        group.ports.retain(|other| other.strong_count() > 0);
        group.ports.push(Arc::downgrade(&port));
        drop(group);
        Ok(port)
    }

    /// One that is about to close may be there still.
    fn bind_beside(&self, socket: &Socket, address: SocketAddr) -> io::Result<()> {
        let others: Vec<_> =
            self.group.lock().expect("no holder panics").ports.iter().filter_map(Weak::upgrade).collect();
        let _this = Ajar::of(socket)?;
        let _others = others.iter().map(|other| Ajar::of(&other.socket)).collect::<io::Result<Vec<_>>>()?;
        socket.bind(&address.into())
    }

    pub fn is_twin_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.group, &other.group)
    }

    /// `false`: another flow has the address.
    pub fn claim(&self, remote: SocketAddr, flow: Handle) -> bool {
        match self.group.lock().expect("no holder panics").claims.entry(remote) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(flow);
                true
            }
        }
    }

    /// Nothing happens where the address is another flow's by now.
    pub fn release(&self, remote: SocketAddr, flow: Handle) {
        let mut group = self.group.lock().expect("no holder panics");
        if group.claims.get(&remote) == Some(&flow) {
            group.claims.remove(&remote);
        }
    }

    pub fn release_all(&self, flows: &HashSet<Handle>) {
        self.group.lock().expect("no holder panics").claims.retain(|_, flow| !flows.contains(flow));
    }

    /// Send a unit's packets from run `from` on, byte `offset` within it. Returns where to go on, if the socket is full.
    pub fn send(
        &self,
        remote: SocketAddr,
        raw: &[u8],
        runs: &[Run],
        from: Position,
    ) -> io::Result<Option<Position>> {
        let destination = self.mapped(remote);
        let Position { mut run, mut offset } = from;
        let mut most = usize::MAX;
        while let Some(this) = runs.get(run) {
            // The kernel cuts no segment into fragments, and one that is refused costs the port all segmentation.
            let limit = if this.segment > LARGEST_SEGMENT { 1 } else { usize::MAX };
            while this.start + offset < this.end {
                // The kernel takes so many segments a call, and no more bytes than a datagram may have.
                let segments = self.state.max_gso_segments().min(65_000 / this.segment.max(1));
                let segments = segments.min(most).min(limit).max(1);
                let start = this.start + offset;
                let end = this.end.min(start + segments * this.segment);
                let transmit = Transmit {
                    destination,
                    ecn: None,
                    contents: &raw[start..end],
                    segment_size: (end - start > this.segment).then_some(this.segment),
                    src_ip: None,
                };
                match self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
                    Ok(()) => offset += end - start,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Some(Position { run, offset }));
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // This way out cannot segment, or its packets are smaller: one at a time.
                    Err(_) if transmit.segment_size.is_some() => most = 1,
                    Err(error) => return Err(error),
                }
            }
            run += 1;
            offset = 0;
        }
        Ok(None)
    }

    /// Send one small packet; what the socket does not take is lost, as datagrams may be.
    pub fn send_one(&self, remote: SocketAddr, packet: &[u8]) {
        let run = Run { start: 0, end: packet.len(), segment: packet.len() };
        let _ = self.send(remote, packet, &[run], Position::default());
    }

    fn mapped(&self, remote: SocketAddr) -> SocketAddr {
        match remote.ip() {
            IpAddr::V4(ip) if self.v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), remote.port()),
            _ => remote,
        }
    }
}

/// Where in a unit sending stopped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Position {
    pub run: usize,
    pub offset: usize,
}

/// Receives batches of datagrams for one worker.
#[derive(Debug)]
pub struct Receiver {
    buffers: Vec<u8>,
}

/// With receive offload one buffer holds many datagrams of one source.
const BUFFER: usize = 64 * 1024;

impl Receiver {
    pub fn new() -> Self {
        Self { buffers: vec![0; BUFFER * BATCH_SIZE] }
    }

    /// One batch. `false`: nothing was waiting.
    pub fn receive(&mut self, port: &Port, mut datagram: impl FnMut(SocketAddr, &[u8])) -> io::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slices: Vec<IoSliceMut<'_>> = self.buffers.chunks_mut(BUFFER).map(IoSliceMut::new).collect();
        let count = match port.state.recv(UdpSockRef::from(&port.socket), &mut slices, &mut metas) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            // An ICMP error for something sent earlier: the flow's timeouts deal with it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(true),
            Err(error) => return Err(error),
        };
        for (meta, buffer) in metas[..count].iter().zip(self.buffers.chunks(BUFFER)) {
            let remote = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            for packet in buffer[..meta.len].chunks(meta.stride.max(1)) {
                datagram(remote, packet);
            }
        }
        Ok(true)
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rustix::net::sockopt::ip_mtu_discover;

    use super::*;

    #[test]
    fn a_path_that_takes_less_gets_fragments() {
        let port = Port::bind(1, (Ipv4Addr::LOCALHOST, 0).into(), None).expect("a free port");
        assert_eq!(ip_mtu_discover(&port.socket).expect("a socket"), Ipv4PathMtuDiscovery::WANT);
    }
}
