//! A client's UDP ports: RTP on an even port, RTCP on the next (RFC 3550 section 11).

use std::io;
use std::net::{IpAddr, UdpSocket};

/// Ephemeral ports are even every second time and their neighbour is nearly always free.
const ATTEMPTS: usize = 200;

pub struct Pair {
    pub rtp: UdpSocket,
    /// Held so that the server's reports find a socket; nobody reads them.
    _rtcp: UdpSocket,
}

impl Pair {
    /// Bind two neighbouring ports of `host`; the RTP socket does not block.
    pub fn bind(host: IpAddr) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let rtp = UdpSocket::bind((host, 0))?;
            let port = rtp.local_addr()?.port();
            if !port.is_multiple_of(2) {
                continue;
            }
            if let Ok(rtcp) = UdpSocket::bind((host, port + 1)) {
                rtp.set_nonblocking(true)?;
                return Ok(Self { rtp, _rtcp: rtcp });
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no two neighbouring UDP ports are free"))
    }

    /// What a Transport header says of this pair.
    pub fn client_ports(&self) -> io::Result<String> {
        let port = self.rtp.local_addr()?.port();
        Ok(format!("client_port={port}-{}", port + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::Pair;

    #[test]
    fn rtp_is_even_and_rtcp_the_next() {
        let pair = Pair::bind([127, 0, 0, 1].into()).unwrap();
        let rtp = pair.rtp.local_addr().unwrap().port();
        assert_eq!(rtp % 2, 0);
        assert!(UdpSocket::bind(("127.0.0.1", rtp + 1)).is_err(), "the next port is held");
        assert_eq!(pair.client_ports().unwrap(), format!("client_port={rtp}-{}", rtp + 1));
    }
}
