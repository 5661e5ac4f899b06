//! What of sockets no safe binding offers. The only `unsafe` of the engine.

use std::io;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use socket2::{MsgHdrMut, SockAddr, SockRef};

/// Control messages of one error: what it is, and who said so.
pub const ERROR_CONTROL: usize = 256;

/// Let the kernel cut datagrams that are larger than the path takes (RFC 3542 11.2), which
/// quinn-udp forbids: with an Ethernet's 1500 bytes an IPv6 datagram holds 1452, RTP is up to 1472.
pub fn allow_ipv6_fragments(socket: &UdpSocket) -> io::Result<()> {
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0)?;
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT)
}

/// Let datagrams of one source arrive in one piece (GRO): `UDP_GRO` says where to cut.
pub fn receive_coalesced(socket: &impl AsRawFd) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, 1)
}

/// Have datagrams say which of our addresses they were sent to.
pub fn receive_destination(socket: &impl AsRawFd, v6: bool) -> io::Result<()> {
    if v6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Keep what ICMP says of datagrams that were sent, for `receive_error` (ip(7), ipv6(7)).
pub fn receive_errors(socket: &impl AsRawFd, v6: bool) -> io::Result<()> {
    if v6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)
    }
}

/// The next of a socket's error queue: `peer` is whom the datagram was for, and an address of the socket's
/// family before. Returns how many bytes of `control` are control messages (cmsg(3)).
pub fn receive_error(
    socket: &UdpSocket,
    peer: &mut SockAddr,
    control: &mut [u8; ERROR_CONTROL],
) -> io::Result<usize> {
    let mut buffer = [MaybeUninit::new(0_u8); ERROR_CONTROL];
    let mut message = MsgHdrMut::new().with_addr(peer).with_control(&mut buffer);
    SockRef::from(socket).recvmsg(&mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)?;
    let size = message.control_len();
    // SAFETY: every byte was made above, and the kernel writes nothing but bytes over them.
    #[expect(unsafe_code)]
    let bytes = buffer.map(|byte| unsafe { byte.assume_init() });
    *control = bytes;
    Ok(size)
}

fn set(socket: &impl AsRawFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open while `socket` is borrowed, and the kernel reads `size_of(value)`
    // bytes at the address of a value that lives until the call returns.
    #[expect(unsafe_code)]
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use quinn_udp::{UdpSockRef, UdpSocketState};

    use super::*;

    fn get(socket: &UdpSocket, option: libc::c_int) -> libc::c_int {
        let mut value = -1;
        let mut size = size_of_val(&value) as libc::socklen_t;
        // SAFETY: both addresses are of locals that live until the call returns, `size` is the first's.
        #[expect(unsafe_code)]
        let result = unsafe {
            let value = (&raw mut value).cast();
            libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_IPV6, option, value, &raw mut size)
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        value
    }

    #[test]
    fn what_quinn_forbids_is_allowed_again() {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a free port");
        UdpSocketState::new(UdpSockRef::from(&socket)).expect("a socket");
        assert_eq!(get(&socket, libc::IPV6_DONTFRAG), 1);
        allow_ipv6_fragments(&socket).expect("a socket");
        assert_eq!(get(&socket, libc::IPV6_DONTFRAG), 0);
        assert_eq!(get(&socket, libc::IPV6_MTU_DISCOVER), libc::IPV6_PMTUDISC_WANT);
    }
}
