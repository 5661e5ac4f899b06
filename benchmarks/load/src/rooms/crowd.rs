//! Many guests that one thread looks after.

use std::io;
use std::time::Duration;

use crate::histogram::Histogram;
use crate::rooms::document;
use crate::rooms::frame::Opcode;
use crate::rooms::guest::{Door, Guest};
use crate::sys::clock;
use crate::sys::poll::Poll;
use crate::turn::seed::Seed;

/// Read at once, of whichever guest: more than a kernel has waiting of one that talks as people do.
const SPACE: usize = 64 * 1024;
/// A server that says nothing for so long while it is asked is no server.
const PATIENCE: u64 = 20_000_000_000;
/// How often nothing is looked at, where nothing has to happen in time.
const WAIT_MS: i32 = 20;

/// What a server has called somebody.
#[derive(Clone, Default)]
pub struct Name {
    pub id: String,
    pub token: String,
}

pub enum Heard<'a> {
    Text(&'a [u8]),
    /// And why.
    Closed(String),
}

/// What became of those who came, or went into a room.
pub struct Tally {
    pub done: usize,
    pub failed: usize,
    /// Microseconds that each took.
    pub latency: Histogram,
    /// The first failure.
    pub reason: Option<String>,
}

impl Tally {
    pub fn new() -> Self {
        Self { done: 0, failed: 0, latency: Histogram::new(), reason: None }
    }

    fn finish(&mut self, began: u64) {
        self.done += 1;
        self.latency.record((clock::now() - began) / 1000);
    }

    fn fail(&mut self, reason: String) {
        self.failed += 1;
        self.reason.get_or_insert(reason);
    }
}

pub struct Crowd<'a> {
    door: &'a Door,
    poll: Poll,
    guests: Vec<Guest>,
    /// What the server calls each of them.
    pub names: Vec<Name>,
    space: Box<[u8]>,
    ready: Vec<usize>,
    /// Who has more to say than the socket took.
    waiting: Vec<usize>,
    seed: Seed,
}

impl<'a> Crowd<'a> {
    pub fn new(door: &'a Door, seed: u64) -> io::Result<Self> {
        Ok(Self {
            door,
            poll: Poll::new()?,
            guests: Vec::new(),
            names: Vec::new(),
            space: vec![0; SPACE].into_boxed_slice(),
            ready: Vec::new(),
            waiting: Vec::new(),
            seed: Seed::new(seed),
        })
    }

    pub fn len(&self) -> usize {
        self.guests.len()
    }

    /// Connect so many more, `ways` at a time, and wait until each was greeted with Self or turned away.
    pub fn gather(&mut self, count: usize, ways: usize, tally: &mut Tally) -> io::Result<()> {
        let first = self.len();
        self.each(count, ways, tally, "Self", |crowd, turn| {
            let guest = Guest::connect(crowd.door, None)?;
            crowd.guests.push(guest);
            crowd.names.push(Name::default());
            crowd.watch(first + turn)?;
            Ok(first + turn)
        })
    }

    /// Send everybody into rooms of `size`, `ways` at a time, and wait for each one's Welcome.
    pub fn meet(&mut self, size: usize, ways: usize, tally: &mut Tally) -> io::Result<()> {
        self.each(self.len(), ways, tally, "Welcome", |crowd, who| {
            crowd.say(who, document::hello(&room_name(who, size)).as_bytes());
            Ok(who)
        })
    }

    /// Begin one after the other, and wait until each has got a document of the type `awaited`.
    fn each(
        &mut self,
        count: usize,
        ways: usize,
        tally: &mut Tally,
        awaited: &str,
        begin: impl Fn(&mut Self, usize) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut began = vec![None; self.len() + count];
        let (mut next, mut busy, mut last) = (0, 0, clock::now());
        while next < count || busy > 0 {
            while busy < ways && next < count {
                let now = clock::now();
                let who = begin(self, next)?;
                began[who] = Some(now);
                next += 1;
                busy += 1;
            }
            self.listen(WAIT_MS, |who, heard, names| {
                last = clock::now();
                match heard {
                    Heard::Text(text) if document::is(text, awaited) => {
                        name(&mut names[who], text);
                        if let Some(at) = began[who].take() {
                            tally.finish(at);
                            busy -= 1;
                        }
                    }
                    Heard::Text(text) if document::is(text, "Error") => {
                        if began[who].take().is_some() {
                            tally.fail(String::from_utf8_lossy(text).into_owned());
                            busy -= 1;
                        }
                    }
                    Heard::Text(_) => {}
                    Heard::Closed(reason) => {
                        if began[who].take().is_some() {
                            busy -= 1;
                        }
                        tally.fail(reason);
                    }
                }
            })?;
            if clock::now() > last + PATIENCE {
                return Err(io::Error::other(format!("no {awaited} comes any more: {busy} wait for it")));
            }
        }
        Ok(())
    }

    /// Listen for so long.
    pub fn rest(&mut self, time: Duration, mut heard: impl FnMut(usize, Heard<'_>)) -> io::Result<()> {
        let until = clock::now() + time.as_nanos() as u64;
        while clock::now() < until {
            self.listen(WAIT_MS, |who, what, _| heard(who, what))?;
        }
        Ok(())
    }

    /// Hear whoever was told something, after waiting at most `milliseconds` for the first.
    pub fn listen(
        &mut self,
        milliseconds: i32,
        mut heard: impl FnMut(usize, Heard<'_>, &mut [Name]),
    ) -> io::Result<()> {
        for who in std::mem::take(&mut self.waiting) {
            // What it fails with is read below.
            let _ = self.guests[who].flush();
            self.keep_if_waiting(who);
        }
        self.ready.clear();
        self.ready.extend(self.poll.wait(milliseconds)?.map(|token| token as usize));
        for &who in &self.ready {
            let guest = &mut self.guests[who];
            let names = &mut self.names;
            if let Err(reason) =
                guest.read(&mut self.space, |text| heard(who, Heard::Text(text), names.as_mut_slice()))
            {
                guest.hang_up();
                heard(who, Heard::Closed(reason), names);
            }
        }
        Ok(())
    }

    /// False: it cannot be said, because the server reads too little or is gone.
    pub fn say(&mut self, who: usize, text: &[u8]) -> bool {
        self.send(who, Opcode::Text, text)
    }

    /// With the usual code; the server answers, and closes.
    pub fn say_goodbye(&mut self, who: usize) {
        self.send(who, Opcode::Close, &1000_u16.to_be_bytes());
    }

    fn send(&mut self, who: usize, opcode: Opcode, payload: &[u8]) -> bool {
        let mask = (self.seed.next() as u32).to_be_bytes();
        let is_said = self.guests[who].say(opcode, payload, mask);
        self.keep_if_waiting(who);
        is_said
    }

    fn keep_if_waiting(&mut self, who: usize) {
        if self.guests[who].has_more_to_say() && !self.waiting.contains(&who) {
            self.waiting.push(who);
        }
    }

    /// Close without a goodbye.
    pub fn hang_up(&mut self, who: usize) {
        self.guests[who].hang_up();
    }

    pub fn is_connected(&self, who: usize) -> bool {
        self.guests[who].stream().is_some()
    }

    /// Connect in the place of `who`. `token`: as the same one, whose old socket is returned as it is.
    pub fn come_back(&mut self, who: usize, token: Option<&str>) -> io::Result<Option<std::net::TcpStream>> {
        let old = self.guests[who].hang_up();
        if let Some(stream) = &old {
            self.poll.forget(stream)?;
        }
        self.guests[who] = Guest::connect(self.door, token)?;
        self.watch(who)?;
        Ok(old)
    }

    fn watch(&self, who: usize) -> io::Result<()> {
        match self.guests[who].stream() {
            Some(stream) => self.poll.watch(stream, who as u64),
            None => Ok(()),
        }
    }

    /// Parts of `size` guests each, in their order; the last may be smaller.
    pub fn split(mut self, size: usize) -> io::Result<Vec<Self>> {
        let mut parts = Vec::new();
        let mut names = self.names.into_iter();
        while !self.guests.is_empty() {
            let mut part = Self::new(self.door, self.seed.next())?;
            part.guests = self.guests.drain(..size.min(self.guests.len())).collect();
            part.names = names.by_ref().take(part.guests.len()).collect();
            for who in 0..part.len() {
                if let Some(stream) = part.guests[who].stream() {
                    self.poll.forget(stream)?;
                }
                part.watch(who)?;
            }
            parts.push(part);
        }
        Ok(parts)
    }
}

/// Where this one goes, if rooms are to have `size` people.
pub fn room_name(who: usize, size: usize) -> String {
    format!("room {}", who / size)
}

/// Keep what a Self says.
pub fn name(name: &mut Name, text: &[u8]) {
    if let (Some(id), Some(token)) = (document::field(text, "Id"), document::field(text, "Token")) {
        *name = Name { id: id.to_owned(), token: token.to_owned() };
    }
}
