//! Datagrams many at a time: in with sender and time of arrival, out segmented or from any of our addresses. IPv4 only.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;

use crate::sys::clock;

/// Datagrams, or coalesced runs of them, taken by one `recvmmsg`.
const BATCH: usize = 32;
/// Larger than any datagram a TURN journey sends.
const DATAGRAM: usize = 2048;
/// The most a socket with `UDP_GRO` hands over at once.
const COALESCED: usize = 65_535;
/// Segments of one send: what every kernel with `UDP_SEGMENT` takes.
pub const SEGMENTS: usize = 64;
/// Room for control messages, aligned as the kernel wants: a timestamp (32 bytes) and a segment size (24), or one
/// `in_pktinfo`.
type Control = [u64; 8];

/// Let the kernel note when each datagram arrived, so that whoever reads it later still knows.
pub fn note_arrivals(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Let the kernel hand over runs of equal datagrams as one (UDP generic receive offload).
pub fn coalesce(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket, libc::SOL_UDP, libc::UDP_GRO, 1)
}

/// Room for one batch, used again for every socket of a thread.
pub struct Inbox {
    bytes: Box<[u8]>,
    /// Length of each place in `bytes`.
    room: usize,
    taken: Vec<Taken>,
    /// The system's clock, which arrivals are noted in, is this far ahead of the monotonic one.
    ahead: u64,
}

/// One datagram of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    pub bytes: &'a [u8],
    pub from: SocketAddrV4,
    /// Monotonic nanoseconds, where [`note_arrivals`] was asked for.
    pub arrived: Option<u64>,
}

#[derive(Clone, Copy)]
struct Taken {
    length: usize,
    segment: usize,
    from: SocketAddrV4,
    arrived: Option<u64>,
}

impl Inbox {
    /// `coalesced`: for sockets that [`coalesce`] was called on.
    pub fn new(coalesced: bool) -> Self {
        let room = if coalesced { COALESCED } else { DATAGRAM };
        Self {
            bytes: vec![0; room * BATCH].into_boxed_slice(),
            room,
            taken: Vec::with_capacity(BATCH),
            ahead: clock::ahead(),
        }
    }

    /// Take what waits on `socket`, at most one batch; nothing waiting is an empty batch.
    pub fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<()> {
        self.taken.clear();
        let mut names = [no_name(); BATCH];
        let mut controls: [Control; BATCH] = [[0; 8]; BATCH];
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: self.room }; BATCH];
        // SAFETY: all zeroes is a valid msghdr: no name, no control data, no flags.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let places = self.bytes.chunks_exact_mut(self.room);
        for (index, (header, place)) in headers.iter_mut().zip(places).enumerate() {
            vectors[index].iov_base = place.as_mut_ptr().cast();
            header.msg_hdr.msg_name = (&raw mut names[index]).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut vectors[index];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut controls[index]).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: each header names one address, one vector with one place of `self` and one control buffer,
        // with their sizes; all outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            // A port that is closed is said on a connected socket once; what was sent there is lost and counted.
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {
                    Ok(())
                }
                _ => Err(error),
            };
        }
        for (header, name) in headers[..count as usize].iter().zip(&names) {
            let length = header.msg_len as usize;
            let told = told(&header.msg_hdr);
            self.taken.push(Taken {
                length,
                segment: told.segment.unwrap_or(length).max(1),
                from: address(name),
                arrived: told.arrived.map(|system| system.saturating_sub(self.ahead)),
            });
        }
        Ok(())
    }

    /// The datagrams of the last `receive`.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.bytes.chunks_exact(self.room).zip(&self.taken).flat_map(|(place, taken)| {
            place[..taken.length].chunks(taken.segment).map(|bytes| Datagram {
                bytes,
                from: taken.from,
                arrived: taken.arrived,
            })
        })
    }
}

/// Send `parts`, all as long as the first but perhaps the last, as datagrams with one call.
///
/// At most [`SEGMENTS`] parts and 65,507 bytes. `to` is needed where the socket is not connected.
pub fn send_segmented(socket: &impl AsRawFd, parts: &[&[u8]], to: Option<SocketAddrV4>) -> io::Result<()> {
    let Some(first) = parts.first() else {
        return Ok(());
    };
    let segment = (parts.len() > 1).then_some(first.len() as u16);
    send(socket, parts, to, |header, control| {
        if let Some(segment) = segment {
            put_control(header, control, libc::SOL_UDP, libc::UDP_SEGMENT, segment);
        }
    })
}

/// Send one datagram with `from` as its source address; the socket is bound to every address.
pub fn send_from(socket: &impl AsRawFd, bytes: &[u8], from: Ipv4Addr, to: SocketAddrV4) -> io::Result<()> {
    let source = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr { s_addr: u32::from(from).to_be() },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    send(socket, &[bytes], Some(to), |header, control| {
        put_control(header, control, libc::IPPROTO_IP, libc::IP_PKTINFO, source);
    })
}

fn send(
    socket: &impl AsRawFd,
    parts: &[&[u8]],
    to: Option<SocketAddrV4>,
    extra: impl FnOnce(&mut libc::msghdr, &mut Control),
) -> io::Result<()> {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; SEGMENTS];
    if parts.len() > SEGMENTS {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    for (vector, part) in vectors.iter_mut().zip(parts) {
        *vector = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
    }
    let mut name = to.map(name_of);
    let mut control: Control = [0; 8];
    // SAFETY: all zeroes is a valid msghdr.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    if let Some(name) = &mut name {
        header.msg_name = (&raw mut *name).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    }
    header.msg_iov = vectors.as_mut_ptr();
    header.msg_iovlen = parts.len() as _;
    extra(&mut header, &mut control);
    // SAFETY: name, vectors, control data and what the vectors name outlive the call; the kernel only reads them.
    match unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, 0) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn put_control<T: Copy>(
    header: &mut libc::msghdr,
    control: &mut Control,
    level: libc::c_int,
    kind: libc::c_int,
    value: T,
) {
    const { assert!(size_of::<T>() <= size_of::<libc::in_pktinfo>()) };
    header.msg_control = (&raw mut *control).cast();
    // SAFETY: CMSG_SPACE only computes.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<T>() as u32) } as _;
    // SAFETY: the control buffer is aligned, zeroed and larger than header and value together (64 bytes
    // against 16 + 12), so the first header and its data lie inside it.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(&raw const *header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
    }
}

/// What the kernel told beside the bytes: nothing that was not asked for, and no segment where nothing was coalesced.
#[derive(Default)]
struct Told {
    segment: Option<usize>,
    /// Nanoseconds of the system's clock.
    arrived: Option<u64>,
}

fn told(header: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: the kernel filled the control buffer and its length, and the buffer is still alive; the macros
    // stay inside it, and each value is read as what its type says it is.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(&raw const *header);
        while let Some(message) = next.as_ref() {
            let data = libc::CMSG_DATA(next);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    told.segment = Some(data.cast::<libc::c_int>().read_unaligned() as usize);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    told.arrived = Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64);
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(&raw const *header, next);
        }
    }
    told
}

fn name_of(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

fn no_name() -> libc::sockaddr_in {
    name_of(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))
}

fn address(name: &libc::sockaddr_in) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)), u16::from_be(name.sin_port))
}

fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the value is one int and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
    use std::time::Duration;

    use super::{Datagram, Inbox, coalesce, note_arrivals, send_from, send_segmented};
    use crate::sys::clock;

    fn bound(address: Ipv4Addr) -> (UdpSocket, SocketAddrV4) {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let SocketAddr::V4(name) = socket.local_addr().unwrap() else { panic!() };
        (socket, name)
    }

    #[test]
    fn a_segmented_send_arrives_as_its_parts_coalesced_or_not() {
        for coalesced in [false, true] {
            let (receiver, to) = bound(Ipv4Addr::LOCALHOST);
            if coalesced {
                coalesce(&receiver).unwrap();
            }
            let (sender, from) = bound(Ipv4Addr::LOCALHOST);
            let parts: [&[u8]; 3] = [&[1; 160], &[2; 160], &[3; 7]];
            send_segmented(&sender, &parts, Some(to)).unwrap();
            // Loopback delivers before the send returns.
            let mut inbox = Inbox::new(coalesced);
            inbox.receive(&receiver).unwrap();
            let found: Vec<_> = inbox.iter().collect();
            assert_eq!(found, parts.map(|bytes| Datagram { bytes, from, arrived: None }));
            inbox.receive(&receiver).unwrap();
            assert_eq!(inbox.iter().count(), 0);
        }
    }

    #[test]
    fn the_source_address_is_chosen_for_each_datagram() {
        let (receiver, to) = bound(Ipv4Addr::LOCALHOST);
        let (sender, name) = bound(Ipv4Addr::UNSPECIFIED);
        let mut inbox = Inbox::new(false);
        for from in [Ipv4Addr::new(127, 9, 8, 7), Ipv4Addr::new(127, 200, 0, 1)] {
            send_from(&sender, b"x", from, to).unwrap();
            inbox.receive(&receiver).unwrap();
            let found: Vec<_> = inbox.iter().collect();
            let from = SocketAddrV4::new(from, name.port());
            assert_eq!(found, [Datagram { bytes: b"x", from, arrived: None }]);
        }
    }

    #[test]
    fn the_time_of_arrival_is_when_it_came_and_not_when_it_is_read() {
        let (receiver, to) = bound(Ipv4Addr::LOCALHOST);
        note_arrivals(&receiver).unwrap();
        coalesce(&receiver).unwrap();
        let (sender, _) = bound(Ipv4Addr::LOCALHOST);
        let mut inbox = Inbox::new(true);
        let before = clock::now();
        send_segmented(&sender, &[&[1; 100], &[2; 100]], Some(to)).unwrap();
        let after = clock::now();
        inbox.receive(&receiver).unwrap();
        let found: Vec<_> = inbox.iter().map(|datagram| datagram.arrived.unwrap()).collect();
        // The two clocks are read one after the other, and the system's may be slewed: a millisecond of doubt.
        let doubt = 1_000_000;
        assert!(found.len() == 2 && found.iter().all(|&at| at + doubt >= before && at <= after + doubt));
    }
}
