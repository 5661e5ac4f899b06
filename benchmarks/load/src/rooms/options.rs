//! The command line of the rooms' commands.

use crate::options::Options;
use crate::rooms::churn::{self, Churn};
use crate::rooms::guest::Door;
use crate::rooms::hold::{self, Hold};
use crate::rooms::join::{self, Join};
use crate::rooms::say::{self, Say, Towards};

pub const USAGE: &str = "
  headgate-load rooms-hold  DOOR [--steps 0,1000,…] [--ways N]
  headgate-load rooms-join  DOOR [--clients N] [--room N] [--ways N]
  headgate-load rooms-say   DOOR [--towards one|room] [--clients N] [--room N] [--rate R] [--size BYTES]
                                 [--warm-up S] [--seconds S]
  headgate-load rooms-churn DOOR [--clients N] [--room N] [--rate R] [--seconds S]

DOOR        --server ADDRESS:PORT   IPv4, without TLS
            --path PATH             of the WebSockets                      (/ws)
            --seed N  --cpu LIST    say: a thread on each                  (1)
ROOMS       --clients N             whole rooms of them                    (2000; join, churn: 1000)
            --room N                people in a room                       (10)
            --rate R                say: messages a second of all          (25000)
                                    churn: clients that go a second        (a tenth of them)
            --ways N                connecting or joining at a time        (64)";

/// Of a message; ours takes a megabyte.
const LARGEST: u64 = 64 * 1024;

/// What to do against a server of rooms.
pub enum Rooms {
    Hold(Hold),
    Join(Join),
    Say(Say),
    Churn(Churn),
}

impl Rooms {
    /// None: not a command of the rooms.
    pub fn parse(command: &str, options: &mut Options) -> Option<Result<Self, String>> {
        match command {
            "rooms-hold" => Some(hold(options).map(Self::Hold)),
            "rooms-join" => Some(join(options).map(Self::Join)),
            "rooms-say" => Some(say(options).map(Self::Say)),
            "rooms-churn" => Some(churn(options).map(Self::Churn)),
            _ => None,
        }
    }

    pub fn measure(&self) -> Result<(), String> {
        match self {
            Self::Hold(plan) => hold::measure(plan),
            Self::Join(plan) => join::measure(plan),
            Self::Say(plan) => say::measure(plan),
            Self::Churn(plan) => churn::measure(plan),
        }
    }
}

fn hold(options: &mut Options) -> Result<Hold, String> {
    Ok(Hold {
        door: door(options)?,
        steps: options.rising("steps", "0,1000,5000,10000")?,
        ways: options.positive("ways", 64)? as usize,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn join(options: &mut Options) -> Result<Join, String> {
    let (clients, room) = people(options, 1000)?;
    Ok(Join {
        door: door(options)?,
        clients,
        room,
        ways: options.positive("ways", 64)? as usize,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn say(options: &mut Options) -> Result<Say, String> {
    let (clients, room) = people(options, 2000)?;
    let towards = options.one_of("towards", &[("one", Towards::One), ("room", Towards::Room)])?;
    if !clients.is_multiple_of(2) {
        return Err(format!("--clients {clients}: must be even, each has a neighbour"));
    }
    let size = options.or("size", 1400)?;
    if size > LARGEST {
        return Err(format!("--size {size}: at most {LARGEST}"));
    }
    Ok(Say {
        door: door(options)?,
        towards,
        clients,
        room,
        rate: options.positive("rate", 25_000)?,
        size: size as usize,
        warm_up: options.seconds("warm-up", 2.0)?,
        measured: options.seconds("seconds", 8.0)?,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn churn(options: &mut Options) -> Result<Churn, String> {
    let (clients, room) = people(options, 1000)?;
    Ok(Churn {
        door: door(options)?,
        clients,
        room,
        rate: options.positive("rate", (clients as u64).div_ceil(10))?,
        measured: options.seconds("seconds", 8.0)?,
        seed: options.or("seed", 1)?,
        cpus: options.cpus()?,
    })
}

fn door(options: &mut Options) -> Result<Door, String> {
    let path = options.or("path", "/ws".to_owned())?;
    // It is put into a request as it is.
    if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("--path {path}: not a path"));
    }
    Ok(Door { server: options.required("server")?, path })
}

/// How many clients, and how many of them in a room.
fn people(options: &mut Options, default: u64) -> Result<(usize, usize), String> {
    let clients = options.positive("clients", default)? as usize;
    let room = options.or("room", 10)?;
    if room < 2 || !clients.is_multiple_of(room) {
        return Err(format!("--room {room}: at least 2, and --clients {clients} must be whole rooms"));
    }
    Ok((clients, room))
}
