//! Multicast: sockets that send to groups or hear one, and whose reports are heard there.
//!
//! IPv4 alone. Every group is a socket of its own, so that the kernel keeps them apart, and every
//! interface that is sent on another, so that one that cannot segment costs no other anything.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::Handle;
use crate::datagram::ReaderReports;

/// What a port is there for, and so which addresses make sense with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    Unicast,
    /// Sends to groups.
    ToGroups,
    /// Hears this group, from anybody; its own reports go there too.
    OfGroup(SocketAddr),
}

impl Cast {
    /// Whether a flow of such a port can have this remote host.
    ///
    /// An address the kernel refuses as an argument costs every reader of the port its segmentation
    /// (quinn-udp takes that for a kernel without). A link-local one is nothing without its interface.
    pub fn takes(self, host: IpAddr) -> bool {
        match (self, host) {
            (Self::ToGroups, _) => host.is_multicast(),
            (Self::OfGroup(_), IpAddr::V4(host)) => !host.is_multicast() && !host.is_broadcast(),
            (Self::Unicast, IpAddr::V4(host)) => {
                !host.is_unspecified() && !host.is_broadcast() && !host.is_multicast()
            }
            (Self::Unicast, IpAddr::V6(host)) => {
                !host.is_unspecified() && !host.is_multicast() && !host.is_unicast_link_local()
            }
            (Self::OfGroup(_), IpAddr::V6(_)) => false,
        }
    }
}

/// A group to hear. Interfaces are named by an address of theirs.
#[derive(Debug, Clone)]
pub struct Join {
    pub group: SocketAddrV4,
    /// None: the one that the system's routes lead to.
    pub interfaces: Vec<Ipv4Addr>,
    /// Only what this host sends (RFC 4607).
    pub source: Option<Ipv4Addr>,
    /// Of our reports.
    pub ttl: u32,
}

impl Join {
    /// One interface that cannot is no failure, as long as another can.
    pub fn socket(&self) -> io::Result<UdpSocket> {
        if !self.group.ip().is_multicast() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?; // whoever else hears the group on this machine
        socket.set_multicast_all_v4(false)?; // not what others joined
        socket.bind(&SocketAddr::from(self.group).into())?;
        socket.set_multicast_ttl_v4(self.ttl)?;
        let anywhere = [Ipv4Addr::UNSPECIFIED];
        let interfaces = if self.interfaces.is_empty() { &anywhere[..] } else { &self.interfaces };
        let mut joined = None;
        let mut failed = None;
        for interface in interfaces {
            match self.join(&socket, *interface) {
                Ok(()) => joined = joined.or(Some(interface)),
                Err(error) => failed = Some(error),
            }
        }
        match (joined, failed) {
            (Some(interface), _) => socket.set_multicast_if_v4(interface)?,
            (None, Some(error)) => return Err(error),
            (None, None) => {}
        }
        Ok(socket.into())
    }

    fn join(&self, socket: &Socket, interface: Ipv4Addr) -> io::Result<()> {
        match &self.source {
            Some(source) => socket.join_ssm_v4(source, self.group.ip(), &interface),
            None => socket.join_multicast_v4(self.group.ip(), &interface),
        }
    }
}

/// For one interface, named by an address of its own, which the packets have as their source.
pub fn sender(interface: Ipv4Addr, ttl: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SocketAddr::from((interface, 0)).into())?;
    socket.set_multicast_if_v4(&interface)?;
    socket.set_multicast_ttl_v4(ttl)?;
    Ok(socket.into())
}

/// Whoever hears a group, as far as its host's reports tell.
#[derive(Debug)]
pub struct Member {
    pub flow: Handle,
    pub connection: Handle,
    pub host: IpAddr,
    /// Where the reports about each track come, in the order of the tracks.
    pub ports: Vec<Handle>,
    pub reports: Arc<ReaderReports>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_port_takes_what_makes_sense_with_it() {
        let group = SocketAddr::from(([239, 1, 2, 3], 5004));
        let taken = |cast: Cast| -> Vec<&str> {
            ["10.0.0.1", "0.0.0.0", "255.255.255.255", "239.1.2.3", "fe80::1", "ff02::1", "fd00::1"]
                .into_iter()
                .filter(|host| cast.takes(host.parse().expect("an address")))
                .collect()
        };
        assert_eq!(taken(Cast::Unicast), ["10.0.0.1", "fd00::1"]);
        assert_eq!(taken(Cast::ToGroups), ["239.1.2.3", "ff02::1"]);
        assert_eq!(taken(Cast::OfGroup(group)), ["10.0.0.1", "0.0.0.0"]);
    }

    #[test]
    fn what_is_no_group_is_not_joined() {
        let join = |group: [u8; 4]| Join {
            group: SocketAddrV4::new(group.into(), 0),
            interfaces: vec![],
            source: None,
            ttl: 1,
        };
        assert!(join([10, 0, 0, 1]).socket().is_err());
        let nowhere = Join { interfaces: vec![[198, 51, 100, 1].into()], ..join([239, 1, 2, 3]) };
        assert!(nowhere.socket().is_err());
    }
}
