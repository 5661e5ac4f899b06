//! UDP sockets of clients and peers.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use mio::net::TcpStream;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use socket2::{Domain, MsgHdr, Protocol, SockAddr, SockRef, Socket, Type};

use crate::descriptors::Bound;
use crate::sys;

/// Asked for, not guaranteed: the kernel's limit may be smaller.
const LISTENER_BUFFER: usize = 4 * 1024 * 1024;
const RELAY_BUFFER: usize = 1024 * 1024;
/// With receive offload one buffer holds many datagrams of one source. Not a power of two: all
/// buffers would begin in the same few lines of the processor's caches.
const BUFFER: usize = 64 * 1024 + 320;

fn open(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))
}

/// Make a socket fit for many packets. No option is necessary.
fn widen(socket: &SockRef<'_>, buffer: usize) {
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    let _ = sys::receive_coalesced(&**socket); // a kernel without takes them one by one
}

/// A socket for each worker, at one address; the kernel keeps a client with one of them.
pub fn listening(address: SocketAddr, workers: usize) -> io::Result<(Vec<UdpSocket>, SocketAddr)> {
    let mut address = address;
    let mut sockets = Vec::new();
    for _ in 0..workers {
        let socket = open(address)?;
        widen(&SockRef::from(&socket), LISTENER_BUFFER);
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        if address.ip().is_unspecified() {
            sys::receive_destination(&socket, address.is_ipv6())?;
        }
        // The first is bound alone, so that an address in use is found out. From then on it shares.
        if !sockets.is_empty() {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        socket.set_reuse_port(true)?;
        let socket = UdpSocket::from(socket);
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok((sockets, address))
}

/// Connections that nobody has accepted yet.
const BACKLOG: i32 = 1024;

pub fn accepting(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?; // connections in TIME_WAIT do not keep the port
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

/// A relayed address, and where it is. `prepare` it before anything is moved. EMFILE: this descriptor is for others.
pub fn relaying(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = open(address)?;
    Bound::of_relays().check(&socket)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    let bound = if address.port() == 0 { socket.local_addr()? } else { address };
    Ok((socket, bound))
}

/// What a relayed address needs once it has a peer; most that are allocated never get one. Its datagrams
/// may be cut on their way (RFC 8656 15: nobody asked otherwise), and what ICMP says of them is kept.
pub fn prepare(socket: &UdpSocket, local: SocketAddr) {
    widen(&SockRef::from(socket), RELAY_BUFFER);
    let _ = fragments(socket, local, Fragments::Allowed);
    let _ = sys::receive_errors(socket, local.is_ipv6());
}

/// A socket of a TCP allocation (RFC 6062), for a family of addresses. EMFILE: this descriptor is for others.
pub fn of_tcp_relay(family: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(family), Type::STREAM, Some(Protocol::TCP))?;
    Bound::of_relays().check(&socket)?;
    if family.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A relayed address for TCP, which does not listen yet.
pub fn inviting(address: SocketAddr) -> io::Result<Socket> {
    let socket = of_tcp_relay(address)?;
    // It is bound alone, so that an address in use is found out. From then on it shares, with `calling`.
    socket.bind(&address.into())?;
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Begin a connection from a relayed address, which goes on listening.
pub fn calling(socket: Socket, local: SocketAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    socket.set_reuse_port(true)?;
    socket.bind(&local.into())?;
    match socket.connect(&peer.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Whether datagrams may be cut on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragments {
    Allowed,
    /// RFC 8656 15: what a Send indication with DONT-FRAGMENT asks for.
    Forbidden,
    /// Again, after they were forbidden. The system tells a socket of IPv4 that just allows them nothing of a
    /// datagram that was too large before.
    AllowedAgain,
}

pub fn fragments(socket: &UdpSocket, local: SocketAddr, fragments: Fragments) -> io::Result<()> {
    if local.is_ipv6() {
        return Ok(set_ipv6_mtu_discover(
            socket,
            match fragments {
                Fragments::Allowed | Fragments::AllowedAgain => Ipv6PathMtuDiscovery::WANT,
                Fragments::Forbidden => Ipv6PathMtuDiscovery::DO,
            },
        )?);
    }
    Ok(set_ip_mtu_discover(
        socket,
        match fragments {
            Fragments::Allowed => Ipv4PathMtuDiscovery::DONT,
            Fragments::Forbidden => Ipv4PathMtuDiscovery::DO,
            Fragments::AllowedAgain => Ipv4PathMtuDiscovery::OMIT,
        },
    )?)
}

/// Receives batches of datagrams for one worker.
#[derive(Debug)]
pub struct Receiver {
    state: Arc<UdpSocketState>,
    buffers: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Receiver {
    pub const MOST: usize = BATCH_SIZE;

    /// What quinn-udp wants to know of a socket, and only of one, as it is the kernel's.
    pub fn state() -> io::Result<Arc<UdpSocketState>> {
        let any = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        Ok(Arc::new(UdpSocketState::new(UdpSockRef::from(&any))?))
    }

    pub fn new(state: Arc<UdpSocketState>) -> Self {
        Self { state, buffers: vec![0; BUFFER * BATCH_SIZE], metas: [RecvMeta::default(); BATCH_SIZE] }
    }

    /// How many of at most `most` there were: if fewer, no more is waiting. After an error there may be: it is of
    /// one datagram, and for a relayed address often of one that was sent. Nothing has arrived then.
    pub fn receive(&mut self, socket: &UdpSocket, most: usize) -> io::Result<usize> {
        let mut chunks = self.buffers.chunks_mut(BUFFER);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let slices = slices.get_mut(..most).unwrap_or_default();
        match self.state.recv(UdpSockRef::from(socket), slices, &mut self.metas) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    /// The first `count` of what was received.
    pub fn arrived(&self, count: usize) -> impl Iterator<Item = Arrived<'_>> {
        self.metas.iter().zip(self.buffers.chunks(BUFFER)).take(count).map(|(meta, buffer)| Arrived {
            from: SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port()),
            at: meta.dst_ip.map(|ip| ip.to_canonical()),
            bytes: buffer.get(..meta.len).unwrap_or_default(),
            stride: meta.stride,
        })
    }
}

/// Datagrams of one source.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    pub from: SocketAddr,
    /// Where the socket was asked to say.
    pub at: Option<IpAddr>,
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Arrived<'a> {
    pub fn datagrams(self) -> impl Iterator<Item = &'a [u8]> {
        let empty: &[&[u8]] = if self.bytes.is_empty() { &[&[]] } else { &[] };
        empty.iter().copied().chain(self.bytes.chunks(self.stride.max(1)))
    }
}

/// Send datagrams of `segment` bytes, the last one perhaps shorter, in one call.
pub fn send(
    socket: &UdpSocket,
    to: SocketAddr,
    from: Option<Via>,
    bytes: &[u8],
    segment: usize,
) -> io::Result<()> {
    let segmented = segment < bytes.len();
    if from.is_none() && !segmented {
        return socket.send_to(bytes, to).map(drop);
    }
    let mut control = Control { bytes: [0; 64], size: 0 };
    if segmented {
        control.put(libc::SOL_UDP, libc::UDP_SEGMENT, &(segment as u16).to_ne_bytes());
    }
    let to = match from {
        Some(Via { ip, v6: true }) => {
            let mut info = [0; 20];
            info[..16].copy_from_slice(&mapped(ip).octets());
            control.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            to
        }
        Some(Via { ip: IpAddr::V4(ip), .. }) => {
            let mut info = [0; 12];
            info[4..8].copy_from_slice(&ip.octets());
            control.put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            to
        }
        _ => to,
    };
    let (address, slices) = (SockAddr::from(to), [IoSlice::new(bytes)]);
    let message = MsgHdr::new().with_addr(&address).with_buffers(&slices).with_control(control.as_slice());
    SockRef::from(socket).sendmsg(&message, 0).map(drop)
}

/// The address to send from, of a socket bound to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via {
    pub ip: IpAddr,
    /// Whether the socket is IPv6's.
    pub v6: bool,
}

/// As a socket of IPv6 takes any address.
pub fn mapped(ip: IpAddr) -> std::net::Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Control messages (cmsg(3)), as the kernel reads them.
struct Control {
    bytes: [u8; 64],
    size: usize,
}

impl Control {
    fn put(&mut self, level: i32, kind: i32, data: &[u8]) {
        const WORD: usize = size_of::<usize>();
        let at = self.size;
        let size = WORD + 8 + data.len();
        self.bytes[at..at + WORD].copy_from_slice(&size.to_ne_bytes());
        self.bytes[at + WORD..at + WORD + 4].copy_from_slice(&level.to_ne_bytes());
        self.bytes[at + WORD + 4..at + WORD + 8].copy_from_slice(&kind.to_ne_bytes());
        self.bytes[at + WORD + 8..at + size].copy_from_slice(data);
        self.size += size.next_multiple_of(WORD);
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relayed_address_is_small_until_it_is_prepared() {
        let (socket, local) = relaying(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        assert_eq!(socket.local_addr().unwrap(), local);
        let before = SockRef::from(&socket).recv_buffer_size().unwrap();
        prepare(&socket, local);
        assert!(SockRef::from(&socket).recv_buffer_size().unwrap() > before);
        assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
