//! Messages at an even pace: from each to one other, or to everybody in its room.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::report::{self, Fields};
use crate::rooms::crowd::{Crowd, Heard, Tally};
use crate::rooms::document::{self, Stamped};
use crate::rooms::guest::Door;
use crate::sys::{clock, cpu};
use crate::turn::seed::Seed;
use crate::window::{Meter, Window};

/// Connecting and joining at a time.
const WAYS: usize = 64;
/// How often a thread sends what is due and reads what has come: nobody is woken by a message, which would be the server's work.
const LOOK: u64 = 250_000;
/// What has not come so long after the last was sent is lost.
const LATEST: Duration = Duration::from_secs(10);
/// How often it is looked whether all has come.
const GLANCE: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Towards {
    /// An Offer to the neighbour.
    One,
    /// A Chat message to all in the room.
    Room,
}

pub struct Say {
    pub door: Door,
    pub towards: Towards,
    pub clients: usize,
    /// People in a room.
    pub room: usize,
    /// Messages a second of all together.
    pub rate: u64,
    /// Bytes of what is said.
    pub size: usize,
    pub warm_up: Duration,
    pub measured: Duration,
    pub seed: u64,
    /// A thread on each.
    pub cpus: Vec<usize>,
}

/// One thread's guests and what they say: those whose turn is every `of`-th from `first` on.
struct Part<'a> {
    crowd: Crowd<'a>,
    words: Vec<Stamped>,
    first: usize,
    of: usize,
}

struct Said {
    messages: u64,
    /// Not even offered: the server did not read what was said before.
    refused: u64,
    /// Microseconds from when a message was due until it is handed to the kernel.
    lateness: Histogram,
    /// Messages heard that were due in the window.
    heard: u64,
    /// Messages heard in the window.
    arrived: u64,
    /// Microseconds from when a message was due until it was read.
    latency: Histogram,
    closed: u64,
    reason: Option<String>,
    /// Of the busiest thread.
    cpu: u64,
}

/// Connect, join, speak, measure; prints `joined`, `measuring`, `measured`, `result`.
pub fn measure(plan: &Say) -> Result<(), String> {
    let parts = open(plan).map_err(|error| error.to_string())?;
    report::print(&Fields::new("phase", "joined").number("clients", plan.clients));
    let (window, heard, sent) = (Window::new(), AtomicU64::new(0), AtomicU64::new(0));
    let began = clock::now();
    thread::scope(|scope| {
        let (window, heard, sent) = (&window, &heard, &sent);
        let speaking: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || speak(plan, part, began, window, sent, heard)))
            .collect();
        thread::sleep(plan.warm_up);
        let opens = clock::now();
        let closes = opens + plan.measured.as_nanos() as u64;
        window.open(opens, closes);
        report::print(&Fields::new("phase", "measuring"));
        clock::sleep_until(closes);
        report::print(&Fields::new("phase", "measured"));
        let latest = closes + LATEST.as_nanos() as u64;
        let is_all_here = || heard.load(Ordering::Relaxed) >= sent.load(Ordering::Relaxed) * fan_out(plan);
        thread::sleep(GLANCE);
        while clock::now() < latest && !is_all_here() {
            thread::sleep(GLANCE);
        }
        window.end();
        let mut all = Said::new();
        for thread in speaking {
            all.merge(finish(thread)?);
        }
        report_result(plan, &all);
        Ok(())
    })
}

/// Everybody in their rooms, dealt to the threads, with what each will say.
fn open(plan: &Say) -> io::Result<Vec<Part<'_>>> {
    let mut crowd = Crowd::new(&plan.door, plan.seed)?;
    let mut tally = Tally::new();
    crowd.gather(plan.clients, WAYS, &mut tally)?;
    crowd.meet(plan.room, WAYS, &mut tally)?;
    if let Some(reason) = tally.reason {
        return Err(io::Error::other(format!("{} could not join: {reason}", tally.failed)));
    }
    let mut words: Vec<Stamped> = (0..plan.clients)
        .map(|who| match plan.towards {
            Towards::One => Stamped::offer(&crowd.names[who ^ 1].id, plan.size),
            Towards::Room => Stamped::chat(plan.size),
        })
        .collect();
    let of = plan.cpus.len().max(1);
    let parts = crowd.split(plan.clients.div_ceil(of))?;
    let of = parts.len();
    Ok(parts
        .into_iter()
        .enumerate()
        .map(|(first, crowd)| {
            let words = words.drain(..crowd.len()).collect();
            Part { crowd, words, first, of }
        })
        .collect())
}

/// Speak on the absolute schedule until the window closes, and listen until the run is over.
fn speak(
    plan: &Say,
    mut part: Part<'_>,
    began: u64,
    window: &Window,
    all_sent: &AtomicU64,
    all_heard: &AtomicU64,
) -> io::Result<Said> {
    let own = plan.cpus.get(part.first).map(std::slice::from_ref).unwrap_or_default();
    cpu::pin(own)?;
    clock::sharpen_timers();
    let order = Seed::new(plan.seed).shuffled(part.crowd.len());
    let due_at = |step: usize| {
        let turn = step * part.of + part.first;
        began + (turn as u128 * 1_000_000_000 / u128::from(plan.rate)) as u64
    };
    let mut said = Said::new();
    let mut meter = Meter::default();
    let mut step = 0;
    loop {
        let now = clock::now();
        meter.tick(window, now);
        if window.is_over() {
            said.cpu = meter.used();
            return Ok(said);
        }
        while !window.has_closed(now) && due_at(step) <= now {
            let (due, who) = (due_at(step), order[step % order.len()]);
            step += 1;
            let is_said = part.crowd.say(who, part.words[who].at(due));
            if window.contains(due) {
                said.messages += 1;
                said.refused += u64::from(!is_said);
                said.lateness.record((clock::now() - due) / 1000);
                all_sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        let before = said.heard;
        part.crowd.listen(0, |_, heard, _| said.hear(&heard, window))?;
        all_heard.fetch_add(said.heard - before, Ordering::Relaxed);
        clock::sleep_until(now + LOOK);
    }
}

impl Said {
    fn new() -> Self {
        Self {
            messages: 0,
            refused: 0,
            lateness: Histogram::new(),
            heard: 0,
            arrived: 0,
            latency: Histogram::new(),
            closed: 0,
            reason: None,
            cpu: 0,
        }
    }

    fn hear(&mut self, heard: &Heard<'_>, window: &Window) {
        match heard {
            Heard::Text(text) => {
                let Some(due) = document::due(text) else {
                    return;
                };
                let now = clock::now();
                self.arrived += u64::from(window.contains(now));
                if window.contains(due) {
                    self.heard += 1;
                    self.latency.record(now.saturating_sub(due) / 1000);
                }
            }
            Heard::Closed(reason) => {
                self.closed += 1;
                self.reason.get_or_insert_with(|| reason.clone());
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.refused += other.refused;
        self.lateness.merge(&other.lateness);
        self.heard += other.heard;
        self.arrived += other.arrived;
        self.latency.merge(&other.latency);
        self.closed += other.closed;
        self.reason = self.reason.take().or(other.reason);
        self.cpu = self.cpu.max(other.cpu);
    }
}

/// How many hear each message.
fn fan_out(plan: &Say) -> u64 {
    match plan.towards {
        Towards::One => 1,
        Towards::Room => plan.room as u64 - 1,
    }
}

fn report_result(plan: &Say, all: &Said) {
    let seconds = plan.measured.as_secs_f64();
    let expected = all.messages * fan_out(plan);
    report::print(
        &Fields::new("phase", "result")
            .decimal("seconds", seconds)
            .number("clients", plan.clients)
            .decimal("cpu_share", all.cpu as f64 / 1e9 / seconds)
            .fields(
                "sent",
                &Fields::default()
                    .number("messages", all.messages)
                    .number("refused", all.refused)
                    .histogram("late_us", &all.lateness),
            )
            .fields(
                "heard",
                &Fields::default()
                    .number("expected", expected)
                    .number("messages", all.heard)
                    .number("lost", expected.saturating_sub(all.heard))
                    .decimal("per_second", all.arrived as f64 / seconds)
                    .number("closed", all.closed)
                    .histogram("latency_us", &all.latency),
            )
            .texts("reasons", all.reason.as_slice()),
    );
}

fn finish(thread: ScopedJoinHandle<'_, io::Result<Said>>) -> Result<Said, String> {
    thread.join().map_err(|_| "a thread panicked".to_owned())?.map_err(|error| error.to_string())
}
