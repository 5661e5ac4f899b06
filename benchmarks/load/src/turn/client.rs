//! One client that asks one thing at a time and waits for the answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use crate::turn::account::{self, Account, Challenge};
use crate::turn::message::{Arrived, Message, Transaction, attribute, kind};
use crate::turn::parcel::CHANNEL;
use crate::turn::seed::Seed;

/// Clients' own address: a server's relayed addresses are on 127.0.0.1, and the two share no ports then.
pub const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// RFC 8489 6.2.1 begins with 500 ms for networks that lose; loopback only loses in full buffers.
const RETRANSMIT: Duration = Duration::from_millis(250);
const TRIES: usize = 8;

pub struct Client<'a> {
    pub socket: UdpSocket,
    account: &'a Account,
    challenge: Option<Challenge>,
    seed: Seed,
}

impl<'a> Client<'a> {
    pub fn connect(server: SocketAddrV4, account: &'a Account, seed: u64) -> io::Result<Self> {
        Ok(Self { socket: connected(server)?, account, challenge: None, seed: Seed::new(seed) })
    }

    /// 401, then the allocation. Returns the relayed address.
    pub fn allocate(&mut self) -> Result<SocketAddrV4, String> {
        let answer = self.signed("Allocate", account::allocate)?;
        let answer = Arrived::parse(&answer).ok_or("Allocate: no answer")?;
        answer.address(attribute::XOR_RELAYED_ADDRESS).ok_or_else(|| "Allocate: no relayed address".into())
    }

    pub fn permit(&mut self, peer: SocketAddrV4) -> Result<(), String> {
        self.signed("CreatePermission", |transaction| {
            Message::new(kind::CREATE_PERMISSION, transaction).with_address(attribute::XOR_PEER_ADDRESS, peer)
        })
        .map(drop)
    }

    /// Bind [`CHANNEL`] to the peer.
    pub fn bind_channel(&mut self, peer: SocketAddrV4) -> Result<(), String> {
        let [high, low] = CHANNEL.to_be_bytes();
        self.signed("ChannelBind", |transaction| {
            Message::new(kind::CHANNEL_BIND, transaction)
                .with(attribute::CHANNEL_NUMBER, &[high, low, 0, 0])
                .with_address(attribute::XOR_PEER_ADDRESS, peer)
        })
        .map(drop)
    }

    pub fn release(&mut self) -> Result<(), String> {
        self.signed("Refresh", account::release).map(drop)
    }

    /// Ask, answer a challenge as often as one can be expected, and take nothing but success.
    fn signed(&mut self, what: &str, build: impl Fn(Transaction) -> Message) -> Result<Vec<u8>, String> {
        let mut number = 0;
        // Unsigned, then signed, then once more where the nonce went stale between.
        for _ in 0..3 {
            let transaction = self.seed.transaction();
            let mut message = build(transaction);
            if let Some(challenge) = &self.challenge {
                message = self.account.sign(message, challenge);
            }
            let bytes = self.exchange(&message, transaction).map_err(|error| format!("{what}: {error}"))?;
            let answer = Arrived::parse(&bytes).ok_or("no message")?;
            if answer.is_success() {
                return Ok(bytes);
            }
            number = answer.error();
            match self.account.challenged(answer, self.challenge.as_ref()) {
                Some(challenge) if matches!(number, 401 | 438) => self.challenge = Some(challenge),
                _ => break,
            }
        }
        Err(format!("{what}: {number}"))
    }

    fn exchange(&self, message: &Message, transaction: Transaction) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 2048];
        for _ in 0..TRIES {
            self.socket.send(message.bytes())?;
            self.socket.set_read_timeout(Some(RETRANSMIT))?;
            loop {
                match self.socket.recv(&mut bytes) {
                    Ok(length) => match Arrived::parse(&bytes[..length]) {
                        Some(answer) if answer.transaction() == transaction => {
                            return Ok(bytes[..length].to_vec());
                        }
                        // Data, or the answer to what was sent twice.
                        _ => {}
                    },
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// A socket of a client of its own.
pub fn connected(server: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((HOST, 0))?;
    socket.connect(server)?;
    Ok(socket)
}
