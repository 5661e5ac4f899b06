//! The floor: the least a relay asks of the kernel. It knows no user, no permission and no time.
//!
//! One thread, one socket for clients and one for each allocation. Runs of equal datagrams come in coalesced and go
//! out segmented; what is meant for another allocation goes straight to its client. Who asks for an allocation without
//! a signature is sent for one, which nobody checks.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use crate::report::{self, Fields};
use crate::sys::datagram::{self, Datagram, Inbox};
use crate::sys::poll::Poll;
use crate::sys::socket;
use crate::turn::echo::{BUFFER, send_runs};
use crate::turn::message::{Arrived, Message, attribute, kind};
use crate::turn::parcel::{CHANNEL, opened};

/// The token of the clients' socket; an allocation's is its place.
const CLIENTS: u64 = u64::MAX;
const UNAUTHENTICATED: &[u8] = &[0, 0, 4, 1];
const REALM: &[u8] = b"floor";
/// As long as headgate's.
const NONCE: &[u8] = &[b'n'; 24];

pub struct Floor {
    pub listen: SocketAddrV4,
}

struct Allocation {
    relay: UdpSocket,
    client: SocketAddrV4,
    /// Where the channel leads.
    peer: Option<SocketAddrV4>,
}

struct Server {
    clients: UdpSocket,
    poll: Poll,
    allocations: Vec<Allocation>,
    by_client: HashMap<SocketAddrV4, usize>,
    by_relayed: HashMap<SocketAddrV4, usize>,
    framed: Vec<u8>,
}

/// Serve until the process is ended.
pub fn serve(plan: &Floor) -> Result<(), String> {
    let mut server = Server::open(plan.listen).map_err(|error| format!("{}: {error}", plan.listen))?;
    report::print(&Fields::new("phase", "listening"));
    let mut inbox = Inbox::new(true);
    let mut ready = Vec::new();
    loop {
        let mut turn = || -> io::Result<()> {
            ready.clear();
            ready.extend(server.poll.wait(1000)?);
            for &token in &ready {
                if token == CLIENTS {
                    inbox.receive(&server.clients)?;
                    server.take_from_clients(&inbox)?;
                } else {
                    inbox.receive(&server.allocations[token as usize].relay)?;
                    server.take_from_peers(&inbox, token as usize)?;
                }
            }
            Ok(())
        };
        turn().map_err(|error| error.to_string())?;
    }
}

impl Server {
    fn open(listen: SocketAddrV4) -> io::Result<Self> {
        let clients = bound(listen)?;
        widen(&clients)?;
        let poll = Poll::new()?;
        poll.watch(&clients, CLIENTS)?;
        Ok(Self {
            clients,
            poll,
            allocations: Vec::new(),
            by_client: HashMap::new(),
            by_relayed: HashMap::new(),
            framed: Vec::new(),
        })
    }

    fn take_from_clients(&mut self, inbox: &Inbox) -> io::Result<()> {
        let all: Vec<Datagram<'_>> = inbox.iter().collect();
        for run in all.chunk_by(|one, other| one.from == other.from) {
            if let Some(message) = Arrived::parse(run[0].bytes) {
                self.answer(message, run[0].from)?;
                continue;
            }
            let Some(allocation) = self.by_client.get(&run[0].from).map(|&place| &self.allocations[place])
            else {
                continue;
            };
            let Some(peer) = allocation.peer else {
                continue;
            };
            if let Some(&other) = self.by_relayed.get(&peer) {
                // All channels of this program have one number, so the header may stay.
                let whole: Vec<&[u8]> = run.iter().map(|datagram| datagram.bytes).collect();
                send_runs(&self.clients, &whole, self.allocations[other].client)?;
            } else {
                let payloads: Vec<&[u8]> = run.iter().filter_map(|datagram| opened(datagram.bytes)).collect();
                send_runs(&allocation.relay, &payloads, peer)?;
            }
        }
        Ok(())
    }

    fn take_from_peers(&mut self, inbox: &Inbox, place: usize) -> io::Result<()> {
        let mut ends = vec![0];
        self.framed.clear();
        for datagram in inbox.iter() {
            self.framed.extend_from_slice(&CHANNEL.to_be_bytes());
            self.framed.extend_from_slice(&(datagram.bytes.len() as u16).to_be_bytes());
            self.framed.extend_from_slice(datagram.bytes);
            ends.push(self.framed.len());
        }
        let parts: Vec<&[u8]> = ends.windows(2).map(|pair| &self.framed[pair[0]..pair[1]]).collect();
        send_runs(&self.clients, &parts, self.allocations[place].client)
    }

    /// Every request succeeds, but an Allocate without a signature.
    fn answer(&mut self, request: Arrived<'_>, client: SocketAddrV4) -> io::Result<()> {
        let Ok(transaction) = request.transaction().try_into() else {
            return Ok(());
        };
        let mut response = Message::new(request.kind() | kind::SUCCESS, transaction);
        match request.kind() {
            kind::ALLOCATE if request.get(attribute::MESSAGE_INTEGRITY).is_none() => {
                response = Message::new(kind::ALLOCATE | kind::ERROR, transaction)
                    .with(attribute::ERROR_CODE, UNAUTHENTICATED)
                    .with(attribute::REALM, REALM)
                    .with(attribute::NONCE, NONCE);
            }
            kind::ALLOCATE => {
                let relayed = self.allocate(client)?;
                response = response.with_address(attribute::XOR_RELAYED_ADDRESS, relayed);
            }
            kind::CHANNEL_BIND => {
                if let Some(&place) = self.by_client.get(&client) {
                    let allocation = &mut self.allocations[place];
                    widen(&allocation.relay)?;
                    allocation.peer = request.address(attribute::XOR_PEER_ADDRESS);
                }
            }
            _ => {}
        }
        send_runs(&self.clients, &[response.bytes()], client)
    }

    fn allocate(&mut self, client: SocketAddrV4) -> io::Result<SocketAddrV4> {
        // Most allocations never carry anything: what that needs has time until a channel is bound.
        let relay = bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let SocketAddr::V4(relayed) = relay.local_addr()? else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        let place = self.allocations.len();
        self.poll.watch(&relay, place as u64)?;
        self.by_client.insert(client, place);
        self.by_relayed.insert(relayed, place);
        self.allocations.push(Allocation { relay, client, peer: None });
        Ok(relayed)
    }
}

fn bound(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn widen(socket: &UdpSocket) -> io::Result<()> {
    socket::set_receive_buffer(socket, BUFFER)?;
    datagram::coalesce(socket)
}
