//! People who go and come back all the time: does everybody hear of each one, and is nobody left who is gone?

use std::collections::HashSet;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use crate::histogram::Histogram;
use crate::report::{self, Fields};
use crate::rooms::crowd::{Crowd, Heard, Name, Tally, name, room_name};
use crate::rooms::document;
use crate::rooms::guest::Door;
use crate::sys::{clock, cpu};
use crate::turn::seed::Seed;

/// Connecting and joining at a time.
const WAYS: usize = 64;
const WAIT_MS: i32 = 5;
/// What was not heard by then is never heard: the server's own timers are shorter.
const LATEST: u64 = 15_000_000_000;
/// In which the watcher asks the server who is there.
const REST: Duration = Duration::from_secs(2);
/// Of the time: from here on memory is expected not to grow.
const SETTLED: f64 = 0.2;

pub struct Churn {
    pub door: Door,
    pub clients: usize,
    /// People in a room.
    pub room: usize,
    /// Clients that go and come back, a second.
    pub rate: u64,
    pub measured: Duration,
    pub seed: u64,
    pub cpus: Vec<usize>,
}

/// How somebody goes, and comes back. One after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// With a close frame; and back as somebody new.
    Goodbye,
    /// The connection is just gone; back as somebody new.
    Cut,
    /// The connection is just gone; back with the token, as who it was.
    Return,
    /// With the token while the old connection still stands, as after a change of network.
    TakeOver,
}

const EVERY_WAY: [Way; 4] = [Way::Goodbye, Way::Cut, Way::Return, Way::TakeOver];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The others are to hear Left.
    Going,
    /// Connected, and to be greeted.
    Coming,
    /// To be welcomed, and the others are to hear Joined.
    Joining { is_welcome: bool },
}

/// One client's way out of a room and in again; one at a time in each room.
struct Change {
    who: usize,
    way: Way,
    step: Step,
    /// Of the others in the room, who has heard what this step waits for.
    told: usize,
    began: u64,
    /// The connection that was taken over, until it is over.
    old: Option<TcpStream>,
}

struct Counts {
    changes: u64,
    /// Not begun: the one before in that room was not over.
    postponed: u64,
    lefts: u64,
    lefts_expected: u64,
    joineds: u64,
    joineds_expected: u64,
    /// Changes that never came to their end.
    stuck: u64,
    /// Closed by the server without having asked for it.
    closed: u64,
    refused: u64,
    reason: Option<String>,
    /// Microseconds from going until all the others have heard of it.
    gone: Histogram,
    /// Microseconds from connecting anew until it is welcome and all the others have heard of it.
    back: Histogram,
}

struct Churning<'a> {
    plan: &'a Churn,
    crowd: Crowd<'a>,
    /// Whom each client believes to be in its room, itself included.
    views: Vec<HashSet<String>>,
    /// By room.
    changes: Vec<Option<Change>>,
    counts: Counts,
}

/// Print `joined`, `measuring` once it has gone on for a while, `measured` with everybody at rest and connected, `result`.
pub fn measure(plan: &Churn) -> Result<(), String> {
    conduct(plan).map_err(|error| error.to_string())
}

fn conduct(plan: &Churn) -> io::Result<()> {
    cpu::pin(&plan.cpus)?;
    let mut churning = Churning::open(plan)?;
    report::print(&Fields::new("phase", "joined").number("clients", plan.clients));
    let began = clock::now();
    let length = plan.measured.as_nanos() as u64;
    let settled = began + (length as f64 * SETTLED) as u64;
    let mut is_settled = false;
    let mut order = Seed::new(plan.seed);
    for turn in 0.. {
        let due = began + (turn as u128 * 1_000_000_000 / u128::from(plan.rate)) as u64;
        if due >= began + length {
            break;
        }
        churning.listen_until(due)?;
        if !is_settled && due >= settled {
            is_settled = true;
            report::print(&Fields::new("phase", "measuring").number("changes", churning.counts.changes));
        }
        let room = turn % churning.changes.len();
        let who = room * plan.room + order.next() as usize % plan.room;
        churning.go(room, who, EVERY_WAY[order.next() as usize % EVERY_WAY.len()])?;
    }
    let latest = clock::now() + LATEST;
    while churning.changes.iter().any(Option::is_some) && clock::now() < latest {
        churning.listen_until(clock::now() + 1)?;
    }
    churning.listen_until(clock::now() + REST.as_nanos() as u64)?;
    report::print(
        &Fields::new("phase", "measured")
            .number("changes", churning.counts.changes)
            .number("clients", plan.clients),
    );
    churning.listen_until(clock::now() + REST.as_nanos() as u64)?;
    churning.report(clock::now() - began);
    Ok(())
}

impl<'a> Churning<'a> {
    /// Everybody in their rooms, and with a view that is right.
    fn open(plan: &'a Churn) -> io::Result<Self> {
        let mut crowd = Crowd::new(&plan.door, plan.seed)?;
        let mut tally = Tally::new();
        crowd.gather(plan.clients, WAYS, &mut tally)?;
        crowd.meet(plan.room, WAYS, &mut tally)?;
        if let Some(reason) = tally.reason {
            return Err(io::Error::other(format!("{} could not join: {reason}", tally.failed)));
        }
        let views = crowd
            .names
            .chunks(plan.room)
            .flat_map(|room| room.iter().map(|_| room.iter().map(|one| one.id.clone()).collect()))
            .collect();
        let mut churning = Self {
            plan,
            crowd,
            views,
            changes: (0..plan.clients / plan.room).map(|_| None).collect(),
            counts: Counts::new(),
        };
        // What is still on its way of the joining is none of the churn's.
        churning.listen_until(clock::now() + REST.as_nanos() as u64)?;
        churning.counts = Counts::new();
        Ok(churning)
    }

    fn others(&self) -> usize {
        self.plan.room - 1
    }

    /// Somebody goes, unless its room is still busy with another.
    fn go(&mut self, room: usize, who: usize, way: Way) -> io::Result<()> {
        if self.changes[room].is_some() {
            self.counts.postponed += 1;
            return Ok(());
        }
        self.counts.changes += 1;
        self.counts.joineds_expected += self.others() as u64;
        let mut change = Change { who, way, step: Step::Going, told: 0, began: clock::now(), old: None };
        if way == Way::TakeOver {
            self.come_back(&mut change)?;
        } else {
            self.counts.lefts_expected += self.others() as u64;
            if way == Way::Goodbye {
                self.crowd.say_goodbye(who);
            } else {
                self.crowd.hang_up(who);
            }
        }
        self.changes[room] = Some(change);
        Ok(())
    }

    fn come_back(&mut self, change: &mut Change) -> io::Result<()> {
        let name = &mut self.crowd.names[change.who];
        let is_known = matches!(change.way, Way::Return | Way::TakeOver);
        let token = if is_known { Some(std::mem::take(&mut name.token)) } else { None };
        change.old = self.crowd.come_back(change.who, token.as_deref())?;
        self.views[change.who].clear();
        (change.step, change.told, change.began) = (Step::Coming, 0, clock::now());
        Ok(())
    }

    fn listen_until(&mut self, time: u64) -> io::Result<()> {
        loop {
            let now = clock::now();
            let left = (time.saturating_sub(now) / 1_000_000) as i32;
            let mut texts = Vec::new();
            self.crowd.listen(left.clamp(0, WAIT_MS), |who, heard, _| {
                texts.push((
                    who,
                    match heard {
                        Heard::Text(text) => Ok(text.to_vec()),
                        Heard::Closed(reason) => Err(reason),
                    },
                ));
            })?;
            for (who, text) in texts {
                match text {
                    Ok(text) => self.hear(who, &text),
                    Err(reason) => self.lose(who, reason),
                }
            }
            self.go_on()?;
            if clock::now() >= time {
                return Ok(());
            }
        }
    }

    fn hear(&mut self, who: usize, text: &[u8]) {
        let room = who / self.plan.room;
        if document::is(text, "Left") || document::is(text, "Joined") {
            let is_left = document::is(text, "Left");
            let id = document::field(text, "Id").unwrap_or_default();
            if is_left {
                self.counts.lefts += 1;
                self.views[who].remove(id);
            } else {
                self.counts.joineds += 1;
                self.views[who].insert(id.to_owned());
            }
            if let Some(change) = &mut self.changes[room] {
                let is_awaited = match change.step {
                    Step::Going => is_left,
                    Step::Coming => false,
                    Step::Joining { .. } => !is_left,
                };
                let is_it = self.crowd.names[change.who].id == id && change.who != who;
                change.told += usize::from(is_awaited && is_it);
            }
        } else if document::is(text, "Welcome") {
            self.views[who] = document::fields(text, "Id").map(str::to_owned).collect();
            if let Some(Change { who: other, step: Step::Joining { is_welcome }, .. }) =
                &mut self.changes[room]
            {
                *is_welcome |= *other == who;
            }
        } else if document::is(text, "Self") {
            name(&mut self.crowd.names[who], text);
            if let Some(change) = &mut self.changes[room]
                && change.who == who
                && change.step == Step::Coming
            {
                change.step = Step::Joining { is_welcome: false };
                self.crowd.say(who, document::hello(&room_name(who, self.plan.room)).as_bytes());
            }
        } else if document::is(text, "Error") {
            self.counts.refused += 1;
            self.counts.reason.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
        }
    }

    /// A connection is closed; who said goodbye expects it.
    fn lose(&mut self, who: usize, reason: String) {
        let change = self.changes[who / self.plan.room].as_ref();
        let is_expected = change.is_some_and(|change| {
            change.who == who && change.way == Way::Goodbye && change.step == Step::Going
        });
        if !is_expected {
            self.counts.closed += 1;
            self.counts.reason.get_or_insert(reason);
        }
    }

    /// Whatever has been heard by all, or by too few for too long.
    fn go_on(&mut self) -> io::Result<()> {
        let others = self.others();
        let now = clock::now();
        for room in 0..self.changes.len() {
            let Some(mut change) = self.changes[room].take() else {
                continue;
            };
            let took = (now - change.began) / 1000;
            let is_late = now > change.began + LATEST;
            self.counts.stuck += u64::from(is_late);
            match change.step {
                Step::Going => {
                    let is_closed = change.way != Way::Goodbye || !self.crowd.is_connected(change.who);
                    if is_late || (change.told >= others && is_closed) {
                        self.counts.gone.record(took);
                        self.come_back(&mut change)?;
                    }
                    self.changes[room] = Some(change);
                }
                Step::Joining { is_welcome: true } if change.told >= others => self.counts.back.record(took),
                Step::Coming | Step::Joining { .. } if is_late => {}
                Step::Coming | Step::Joining { .. } => self.changes[room] = Some(change),
            }
        }
        Ok(())
    }

    fn report(&self, took: u64) {
        let (mut ghosts, mut missing) = (0_usize, 0_usize);
        for (room, views) in self.crowd.names.chunks(self.plan.room).zip(self.views.chunks(self.plan.room)) {
            let present: HashSet<&str> = room.iter().map(|one: &Name| one.id.as_str()).collect();
            for view in views {
                ghosts += view.iter().filter(|id| !present.contains(id.as_str())).count();
                missing += present.iter().filter(|&&id| !view.contains(id)).count();
            }
        }
        let counts = &self.counts;
        report::print(
            &Fields::new("phase", "result")
                .decimal("seconds", took as f64 / 1e9)
                .number("clients", self.plan.clients)
                .number("changes", counts.changes)
                .number("postponed", counts.postponed)
                .fields("left", &heard(counts.lefts, counts.lefts_expected))
                .fields("joined", &heard(counts.joineds, counts.joineds_expected))
                .number("ghosts", ghosts)
                .number("missing", missing)
                .number("stuck", counts.stuck)
                .number("closed", counts.closed)
                .number("refused", counts.refused)
                .histogram("gone_us", &counts.gone)
                .histogram("back_us", &counts.back)
                .texts("reasons", counts.reason.as_slice()),
        );
    }
}

fn heard(heard: u64, expected: u64) -> Fields {
    Fields::default().number("heard", heard).number("expected", expected)
}

impl Counts {
    fn new() -> Self {
        Self {
            changes: 0,
            postponed: 0,
            lefts: 0,
            lefts_expected: 0,
            joineds: 0,
            joineds_expected: 0,
            stuck: 0,
            closed: 0,
            refused: 0,
            reason: None,
            gone: Histogram::new(),
            back: Histogram::new(),
        }
    }
}
