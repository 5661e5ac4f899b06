//! One run: publish, settle, let readers join, warm up, measure, report.
//!
//! Each step is printed as a line of JSON when it begins, so that whoever watches the server can read its
//! CPU time and memory at the same moments: `published`, `joined`, `measuring`, `measured`, `result`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::audience::{Attendance, Crowd, Share, attend};
use crate::notice::Notice;
use crate::publisher::{Programme, Sent, publish};
use crate::reader::Received;
use crate::report::{self, Fields};
use crate::sys::clock;
use crate::window::Window;

/// Time the last reader has to join, beyond its turn.
const JOIN_PATIENCE: Duration = Duration::from_secs(20);
/// Publishers connect one after the other.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(60);
/// The load goes on for this long after `measured`, so that the server is seen under it.
const COURTESY: Duration = Duration::from_millis(500);
/// Reasons printed with a result; the rest are counted only.
const REASONS: usize = 5;

pub struct Plan {
    pub programme: Option<Programme>,
    pub crowd: Option<Crowd>,
    /// Between the last publisher and the first reader.
    pub settle: Duration,
    /// Between the last reader and the first measurement.
    pub warm_up: Duration,
    pub measured: Duration,
    /// The publishing thread takes the first, reading threads one each of the others; one alone is shared.
    pub cpus: Vec<usize>,
    pub reading_threads: usize,
}

/// How joining went.
#[derive(Default)]
struct Turnout {
    joined: usize,
    failed: usize,
    reasons: Vec<String>,
}

/// Run `plan`, printing each step.
pub fn conduct(plan: &Plan) -> Result<(), String> {
    let window = Window::new();
    let (sender, notices) = channel();
    thread::scope(|scope| {
        let run = Run { plan, window: &window, notices };
        let result = run.conduct(scope, sender);
        // Threads end when the run is over; the scope waits for them.
        window.end();
        result
    })
}

struct Run<'a> {
    plan: &'a Plan,
    window: &'a Window,
    notices: Receiver<Notice>,
}

impl<'a> Run<'a> {
    fn conduct<'s>(self, scope: &'s Scope<'s, 'a>, sender: Sender<Notice>) -> Result<(), String> {
        let publishing = self.plan.programme.as_ref().map(|programme| {
            let cpus = self.plan.cpus.get(..1).unwrap_or_default();
            let window = self.window;
            spawn(scope, sender.clone(), move |notices| publish(programme, window, notices, cpus))
        });
        if publishing.is_some() {
            self.await_publishers()?;
            report::print(&Fields::new("phase", "published"));
            thread::sleep(self.plan.settle);
        }
        let reading = self.plan.crowd.as_ref().map(|crowd| self.open_doors(scope, crowd, &sender));
        drop(sender);
        let turnout = self.await_readers()?;
        report::print(
            &Fields::new("phase", "joined").number("joined", turnout.joined).number("failed", turnout.failed),
        );
        thread::sleep(self.plan.warm_up);
        let opens = clock::now();
        let closes = opens + self.plan.measured.as_nanos() as u64;
        self.window.open(opens, closes);
        report::print(&Fields::new("phase", "measuring"));
        clock::sleep_until(closes);
        report::print(&Fields::new("phase", "measured"));
        thread::sleep(COURTESY);
        self.window.end();

        let sent = publishing.map(finish).transpose()?;
        let attended = reading.into_iter().flatten().map(finish).collect::<Result<Vec<_>, _>>()?;
        self.report(turnout, sent.as_ref(), &attended);
        Ok(())
    }

    fn open_doors<'s>(
        &self,
        scope: &'s Scope<'s, 'a>,
        crowd: &'a Crowd,
        sender: &Sender<Notice>,
    ) -> Vec<ScopedJoinHandle<'s, Result<Attendance, String>>> {
        let cpus = &self.plan.cpus;
        let own = if cpus.len() > 1 { &cpus[1..] } else { &cpus[..] };
        let of = self.plan.reading_threads;
        (0..of)
            .map(|part| {
                let cpu = if own.is_empty() { &[] } else { std::slice::from_ref(&own[part % own.len()]) };
                let window = self.window;
                spawn(scope, sender.clone(), move |notices| {
                    attend(crowd, Share { part, of }, window, notices, cpu)
                })
            })
            .collect()
    }

    fn await_publishers(&self) -> Result<(), String> {
        match self.notices.recv_timeout(PUBLISH_PATIENCE) {
            Ok(Notice::Published) => Ok(()),
            Ok(Notice::Broken(reason)) => Err(reason),
            Ok(_) | Err(_) => Err("the publishers did not all get to publish".into()),
        }
    }

    /// Wait until each reader has joined or failed, or patience ends: those left then have failed too.
    fn await_readers(&self) -> Result<Turnout, String> {
        let mut turnout = Turnout::default();
        let Some(crowd) = &self.plan.crowd else {
            return Ok(turnout);
        };
        let turns = Duration::from_secs_f64(crowd.readers as f64 / crowd.join_rate as f64);
        let deadline = Instant::now() + turns + JOIN_PATIENCE;
        while turnout.joined + turnout.failed < crowd.readers {
            match self.notices.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Notice::Joined) => turnout.joined += 1,
                Ok(Notice::Failed(reason)) => {
                    turnout.failed += 1;
                    turnout.reasons.push(reason);
                }
                Ok(Notice::Closed(reason)) => turnout.reasons.push(reason),
                Ok(Notice::Broken(reason)) => return Err(reason),
                Ok(Notice::Published) => {}
                Err(RecvTimeoutError::Timeout) => {
                    turnout.failed = crowd.readers - turnout.joined;
                    turnout.reasons.push("no packet in time".into());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the reading threads are gone".into());
                }
            }
        }
        match turnout.joined {
            0 => Err(format!("no reader could join: {}", turnout.reasons.first().map_or("", String::as_str))),
            _ => Ok(turnout),
        }
    }

    fn report(&self, mut turnout: Turnout, sent: Option<&Sent>, attended: &[Attendance]) {
        let seconds = self.plan.measured.as_secs_f64();
        for notice in self.notices.try_iter() {
            if let Notice::Failed(reason) | Notice::Closed(reason) = notice {
                turnout.reasons.push(reason);
            }
        }
        turnout.reasons.truncate(REASONS);
        let mut result = Fields::new("phase", "result").decimal("seconds", seconds);
        if let (Some(programme), Some(sent)) = (&self.plan.programme, sent) {
            result = result.fields(
                "sent",
                &Fields::default()
                    .number("publishers", programme.count)
                    .number("units", sent.units)
                    .number("packets", sent.packets)
                    .number("bytes", sent.bytes)
                    .histogram("late_us", &sent.lateness)
                    .decimal("cpu_share", sent.cpu as f64 / 1e9 / seconds),
            );
        }
        if let Some(crowd) = &self.plan.crowd {
            let mut received = Received::new();
            for part in attended {
                received.merge(&part.received);
            }
            let busiest = attended.iter().map(|part| part.cpu).max().unwrap_or_default();
            result = result.fields(
                "received",
                &Fields::default()
                    .number("readers", crowd.readers)
                    .number("joined", turnout.joined)
                    .number("failed", turnout.failed)
                    .number("closed", attended.iter().map(|part| part.closed).sum::<usize>())
                    .number("stalled", crowd.stalled)
                    .number("packets", received.packets)
                    .number("bytes", received.bytes)
                    .number("lost", attended.iter().map(|part| part.lost).sum::<u64>())
                    .number(
                        "readers_with_loss",
                        attended.iter().map(|part| part.readers_with_loss).sum::<usize>(),
                    )
                    .histogram("latency_us", &received.latency)
                    .histogram("join_us", &received.join)
                    .histogram("first_packet_us", &received.first_packet)
                    .decimal("busiest_cpu_share", busiest as f64 / 1e9 / seconds),
            );
        }
        report::print(&result.texts("reasons", &turnout.reasons));
    }
}

fn spawn<'s, 'a: 's, T: Send + 's>(
    scope: &'s Scope<'s, 'a>,
    notices: Sender<Notice>,
    work: impl FnOnce(&Sender<Notice>) -> Result<T, String> + Send + 's,
) -> ScopedJoinHandle<'s, Result<T, String>> {
    scope.spawn(move || {
        work(&notices).inspect_err(|reason| {
            let _ = notices.send(Notice::Broken(reason.clone()));
        })
    })
}

fn finish<T>(thread: ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    thread.join().map_err(|_| "a thread panicked".to_owned())?
}
