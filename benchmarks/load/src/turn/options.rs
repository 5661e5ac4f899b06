//! The command line of the TURN commands.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::options::Options;
use crate::sys::datagram::SEGMENTS;
use crate::turn::account::Account;
use crate::turn::allocate::{self, Allocate};
use crate::turn::flood::{self, Flood};
use crate::turn::floor::{self, Floor};
use crate::turn::hold::{self, Hold};
use crate::turn::parcel::{Carry, SMALLEST};
use crate::turn::relay::{self, Relay, Towards};

pub const USAGE: &str = "
  headgate-load turn-relay    SERVER [--towards peer|client] [--carry channel|send|direct] [--sessions N] [--rate R]
                              [--burst N] [--size BYTES] [--coalesced yes|no] [--warm-up S] [--seconds S]
  headgate-load turn-allocate SERVER [--count N] [--ways N] [--release yes|no]
  headgate-load turn-hold     SERVER [--steps 0,1000,…]
  headgate-load turn-flood    SERVER [--sources N] [--rate R] [--seconds S]
  headgate-load turn-floor    --listen ADDRESS:PORT         be a relay that decides nothing, until ended

SERVER      --server ADDRESS:PORT   IPv4, UDP
            --user U --password P   a static user                          (bench, bench)
            --seed N  --cpu LIST                                           (1)
TURN        --rate R                relay: parcels a second and session    (500)
                                    flood: messages a second in all        (5000)
            --burst N               parcels in one segmented send, to 64   (1)
            --coalesced yes|no      receive with UDP_GRO                   (no)";

/// Permissions last 300 s and are not refreshed: joining, warm-up and measuring must be over by then.
const LONGEST: Duration = Duration::from_secs(240);
/// Payload of one datagram that no loopback cuts.
const LARGEST: u64 = 1400;
/// Sources have addresses of one /16.
const MOST_SOURCES: u64 = 65_536;

/// What to do against a TURN server.
pub enum Turn {
    Relay(Relay),
    Allocate(Allocate),
    Hold(Hold),
    Flood(Flood),
    Floor(Floor),
}

impl Turn {
    /// None: not a TURN command.
    pub fn parse(command: &str, options: &mut Options) -> Option<Result<Self, String>> {
        match command {
            "turn-relay" => Some(relay(options).map(Self::Relay)),
            "turn-allocate" => Some(allocate(options).map(Self::Allocate)),
            "turn-hold" => Some(hold(options).map(Self::Hold)),
            "turn-flood" => Some(flood(options).map(Self::Flood)),
            "turn-floor" => Some(address(options, "listen").map(|listen| Self::Floor(Floor { listen }))),
            _ => None,
        }
    }

    pub fn measure(&self) -> Result<(), String> {
        match self {
            Self::Relay(plan) => relay::measure(plan),
            Self::Allocate(plan) => allocate::measure(plan),
            Self::Hold(plan) => hold::measure(plan),
            Self::Flood(plan) => flood::measure(plan),
            Self::Floor(plan) => floor::serve(plan),
        }
    }
}

fn relay(options: &mut Options) -> Result<Relay, String> {
    let burst = options.positive("burst", 1)? as usize;
    if burst > SEGMENTS {
        return Err(format!("--burst {burst}: at most {SEGMENTS}"));
    }
    let size = options.or("size", 160)?;
    if !(SMALLEST as u64..=LARGEST).contains(&size) || size * burst as u64 > 60_000 {
        return Err(format!("--size {size}: {SMALLEST} to {LARGEST}, and a burst at most 60000"));
    }
    let towards = [("peer", Towards::Peer), ("client", Towards::Client)];
    let carry = [("channel", Carry::Channel), ("send", Carry::Send), ("direct", Carry::Direct)];
    let (towards, carry) = (options.one_of("towards", &towards)?, options.one_of("carry", &carry)?);
    if carry == Carry::Direct && towards != Towards::Peer {
        return Err("--carry direct: is towards a peer".into());
    }
    Ok(Relay {
        server: address(options, "server")?,
        account: account(options)?,
        towards,
        carry,
        sessions: options.positive("sessions", 20)? as usize,
        rate: options.positive("rate", 500)?,
        burst,
        size: size as usize,
        coalesced: options.one_of("coalesced", &NO_YES)?,
        warm_up: options.seconds("warm-up", 2.0)?.min(LONGEST),
        measured: measured(options)?,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn allocate(options: &mut Options) -> Result<Allocate, String> {
    Ok(Allocate {
        server: address(options, "server")?,
        account: account(options)?,
        count: options.positive("count", 4000)? as usize,
        ways: options.positive("ways", 1)? as usize,
        releases: options.one_of("release", &NO_YES)?,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn hold(options: &mut Options) -> Result<Hold, String> {
    Ok(Hold {
        server: address(options, "server")?,
        account: account(options)?,
        steps: options.rising("steps", "0,1000,5000,10000")?,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn flood(options: &mut Options) -> Result<Flood, String> {
    let sources = options.positive("sources", 15_000)?;
    if sources > MOST_SOURCES {
        return Err(format!("--sources {sources}: at most {MOST_SOURCES}"));
    }
    Ok(Flood {
        server: address(options, "server")?,
        account: account(options)?,
        sources: sources as usize,
        rate: options.positive("rate", 5000)?,
        measured: measured(options)?,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

const NO_YES: [(&str, bool); 2] = [("no", false), ("yes", true)];

fn measured(options: &mut Options) -> Result<Duration, String> {
    let measured = options.seconds("seconds", 8.0)?;
    if measured > LONGEST { Err(format!("--seconds: at most {}", LONGEST.as_secs())) } else { Ok(measured) }
}

fn address(options: &mut Options, name: &str) -> Result<SocketAddrV4, String> {
    match options.required(name)? {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => Err(format!("--{name} {address}: IPv4 only")),
    }
}

fn account(options: &mut Options) -> Result<Account, String> {
    Ok(Account {
        user: options.or("user", "bench".to_owned())?,
        password: options.or("password", "bench".to_owned())?,
    })
}
