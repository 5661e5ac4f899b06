//! The command line: `headgate-load COMMAND --name value …`.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use crate::audience::Crowd;
use crate::conductor::Plan;
use crate::floor::{Floor, Mode};
use crate::publisher::Programme;
use crate::rooms::options::{self as rooms, Rooms};
use crate::rtsp::Transport;
use crate::turn::options::{self as turn, Turn};

pub const USAGE: &str = "\
headgate-load: loads RTSP and TURN servers and rooms as clients would, and measures

  headgate-load publish --url URL [PUBLISHING] [RUN]
  headgate-load read    --url URL [READING] [RUN]
  headgate-load run     --url URL [PUBLISHING] [READING] [RUN]
  headgate-load floor   --mode packet|frame|datagram|gso [--readers N] [--bitrate B] [--fps F] [--seconds S] [--cpu LIST]

PUBLISHING  --count N               publishers; with more than one, URL holds {i} (1)
            --publish-transport tcp|udp                                    (tcp)
            --bitrate B             bits of RTP per second and publisher   (4000000)
            --fps F  --gop G        pictures per second, per group         (30, 30)
READING     --readers N             they take the paths of {i} in turn     (1; 0: none)
            --transport tcp|udp                                            (tcp)
            --join-rate R           joins per second                       (200)
            --stall K               of the readers, stop reading (TCP)     (0)
            --reading-threads T                          (CPUs less one, at least 1)
RUN         --settle S  --warm-up S  --seconds S                           (1, 2, 8)
            --cpu LIST              such as 1-3: the first publishes, the others read

Prints a line of JSON for each step, the last with the result. Exit status 1: the run is void, and why.";

/// What to do.
pub enum Command {
    Run(Plan),
    Floor(Floor),
    Turn(Turn),
    Rooms(Rooms),
}

/// Read the arguments behind the program's name.
pub fn parse(arguments: &[String]) -> Result<Command, String> {
    let (command, rest) = arguments.split_first().ok_or_else(usage)?;
    let mut options = Options::collect(rest)?;
    let parsed = match command.as_str() {
        "publish" => Command::Run(plan(&mut options, true, false)?),
        "read" => Command::Run(plan(&mut options, false, true)?),
        "run" => Command::Run(plan(&mut options, true, true)?),
        "floor" => Command::Floor(floor(&mut options)?),
        _ => match Turn::parse(command, &mut options) {
            Some(turn) => Command::Turn(turn?),
            None => Command::Rooms(Rooms::parse(command, &mut options).ok_or_else(usage)??),
        },
    };
    match options.0.keys().next() {
        Some(name) => Err(format!("--{name}: not an option of {command}")),
        None => Ok(parsed),
    }
}

fn plan(options: &mut Options, publishes: bool, reads: bool) -> Result<Plan, String> {
    let url: String = options.required("url")?;
    let count = options.positive("count", 1)? as usize;
    if count > 1 && !url.contains("{i}") {
        return Err("--count above 1 needs {i} in the URL".into());
    }
    let programme = if publishes {
        Some(Programme {
            url: url.clone(),
            count,
            transport: options.transport("publish-transport")?,
            bitrate: options.positive("bitrate", 4_000_000)?,
            rate: options.positive("fps", 30)?,
            group: options.positive("gop", 30)?,
        })
    } else {
        None
    };
    let cpus = options.cpus()?;
    let (mut crowd, mut reading_threads) = (None, 0);
    if reads {
        let readers = options.or("readers", 1)?;
        let transport = options.transport("transport")?;
        let stalled = options.or("stall", 0)?;
        if stalled > readers || (stalled > 0 && transport == Transport::Udp) {
            return Err("--stall: at most all readers, and over TCP only".into());
        }
        let join_rate = options.positive("join-rate", 200)?;
        reading_threads =
            options.positive("reading-threads", cpus.len().saturating_sub(1).max(1) as u64)? as usize;
        crowd = (readers > 0).then_some(Crowd { url, paths: count, readers, transport, join_rate, stalled });
    }
    Ok(Plan {
        programme,
        crowd,
        settle: options.seconds("settle", 1.0)?,
        warm_up: options.seconds("warm-up", 2.0)?,
        measured: options.seconds("seconds", 8.0)?,
        cpus,
        reading_threads,
    })
}

fn floor(options: &mut Options) -> Result<Floor, String> {
    let name: String = options.required("mode")?;
    let (_, mode) = Mode::ALL.into_iter().find(|(known, _)| *known == name).ok_or_else(usage)?;
    Ok(Floor {
        mode,
        readers: options.positive("readers", 100)? as usize,
        bitrate: options.positive("bitrate", 4_000_000)?,
        rate: options.positive("fps", 30)?,
        measured: options.seconds("seconds", 8.0)?,
        cpus: options.cpus()?,
    })
}

fn usage() -> String {
    format!("{USAGE}\n{}\n{}", turn::USAGE, rooms::USAGE)
}

/// Named values not yet taken.
pub struct Options(HashMap<String, String>);

impl Options {
    fn collect(arguments: &[String]) -> Result<Self, String> {
        let mut found = HashMap::new();
        for pair in arguments.chunks(2) {
            let (Some(name), [_, value]) = (pair[0].strip_prefix("--"), pair) else {
                return Err(format!("{}: expected --name value", pair[0]));
            };
            if found.insert(name.to_owned(), value.clone()).is_some() {
                return Err(format!("--{name} is given twice"));
            }
        }
        Ok(Self(found))
    }

    fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        self.0
            .remove(name)
            .map(|text| text.parse().map_err(|_| format!("--{name} {text}: not understood")))
            .transpose()
    }

    pub fn or<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.take(name)?.unwrap_or(default))
    }

    pub fn required<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        self.take(name)?.ok_or_else(|| format!("--{name} is missing"))
    }

    pub fn positive(&mut self, name: &str, default: u64) -> Result<u64, String> {
        match self.or(name, default)? {
            0 => Err(format!("--{name} 0: must be at least 1")),
            value => Ok(value),
        }
    }

    pub fn seconds(&mut self, name: &str, default: f64) -> Result<Duration, String> {
        let value: f64 = self.or(name, default)?;
        // An hour is already longer than anybody waits for a benchmark.
        if (0.0..=3600.0).contains(&value) {
            Ok(Duration::from_secs_f64(value))
        } else {
            Err(format!("--{name} {value}: must be 0 to 3600 seconds"))
        }
    }

    /// Numbers between commas, none smaller than the one before.
    pub fn rising(&mut self, name: &str, default: &str) -> Result<Vec<usize>, String> {
        let list = self.or(name, default.to_owned())?;
        let numbers: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
        let numbers = numbers.map_err(|_| format!("--{name} {list}: numbers"))?;
        if numbers.is_sorted() { Ok(numbers) } else { Err(format!("--{name} {list}: must rise")) }
    }

    fn transport(&mut self, name: &str) -> Result<Transport, String> {
        self.one_of(name, &[("tcp", Transport::Tcp), ("udp", Transport::Udp)])
    }

    /// The value of that name; the first is the default.
    pub fn one_of<T: Copy>(&mut self, name: &str, known: &[(&str, T)]) -> Result<T, String> {
        let [(default, _), ..] = known else {
            return Err(format!("--{name}: takes nothing"));
        };
        let given = self.or(name, (*default).to_owned())?;
        let found = known.iter().find(|(word, _)| *word == given);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            format!("--{name} {given}: {}", words.join(" or "))
        })
    }

    pub fn cpus(&mut self) -> Result<Vec<usize>, String> {
        let Some(list) = self.take::<String>("cpu")? else {
            return Ok(Vec::new());
        };
        let wrong = || format!("--cpu {list}: expected a list such as 1,3-5");
        let mut cpus = Vec::new();
        for part in list.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
                return Err(wrong());
            };
            if last < first || last >= 1024 {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        Ok(cpus)
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Rooms, parse};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_run_has_the_documented_defaults() {
        let Ok(Command::Run(plan)) = parsed("run --url rtsp://h/a --readers 50 --cpu 1,3-4") else {
            panic!()
        };
        let (programme, crowd) = (plan.programme.unwrap(), plan.crowd.unwrap());
        assert_eq!((programme.bitrate, programme.rate, programme.group), (4_000_000, 30, 30));
        assert_eq!((crowd.readers, crowd.join_rate, crowd.stalled), (50, 200, 0));
        assert_eq!((plan.cpus, plan.reading_threads), (vec![1, 3, 4], 2));
    }

    #[test]
    fn publishing_alone_has_no_crowd_and_reading_alone_no_programme() {
        let Ok(Command::Run(plan)) = parsed("publish --url rtsp://h/{i} --count 3") else { panic!() };
        assert!(plan.crowd.is_none() && plan.programme.is_some_and(|programme| programme.count == 3));
        let Ok(Command::Run(plan)) = parsed("read --url rtsp://h/a") else { panic!() };
        assert!(plan.programme.is_none() && plan.crowd.is_some());
    }

    #[test]
    fn rooms_have_the_documented_defaults() {
        let Ok(Command::Rooms(Rooms::Say(say))) = parsed("rooms-say --server 127.0.0.1:80") else { panic!() };
        assert_eq!((say.clients, say.room, say.rate, say.size), (2000, 10, 25_000, 1400));
        assert_eq!(say.door.path, "/ws");
        let Ok(Command::Rooms(Rooms::Churn(churn))) =
            parsed("rooms-churn --server 127.0.0.1:80 --clients 250")
        else {
            panic!()
        };
        assert_eq!((churn.clients, churn.rate), (250, 25));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, word) in [
            ("run", "--url"),
            ("run --url rtsp://h/a --reader 5", "--reader"),
            ("run --url rtsp://h/a --readers five", "five"),
            ("run --url rtsp://h/a --count 2", "{i}"),
            ("run --url rtsp://h/a --fps 0", "--fps"),
            ("run --url rtsp://h/a --stall 2", "--stall"),
            ("run --url rtsp://h/a --cpu 3-1", "--cpu"),
            ("run --url rtsp://h/a --url rtsp://h/b", "twice"),
            ("floor --mode none", "--mode"),
            ("read --url", "--url"),
            ("turn-relay", "--server"),
            ("turn-relay --server 127.0.0.1:1 --towards self", "--towards"),
            ("turn-relay --server 127.0.0.1:1 --size 1400 --burst 64", "--size"),
            ("turn-relay --server [::1]:1", "IPv4"),
            ("turn-hold --server 127.0.0.1:1 --steps 5,1", "--steps"),
            ("turn-flood --server 127.0.0.1:1 --seconds 300", "--seconds"),
            ("rooms-say", "--server"),
            ("rooms-say --server 127.0.0.1:1 --path ws", "--path"),
            ("rooms-say --server 127.0.0.1:1 --clients 15 --room 5", "--clients"),
            ("rooms-say --server 127.0.0.1:1 --size 100000", "--size"),
            ("rooms-say --server 127.0.0.1:1 --towards all", "--towards"),
            ("rooms-join --server 127.0.0.1:1 --clients 1001", "whole rooms"),
            ("rooms-churn --server 127.0.0.1:1 --room 1", "--room"),
            ("rooms-hold --server 127.0.0.1:1 --steps 9,8", "--steps"),
        ] {
            let error = parsed(line).err().unwrap_or_default();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
