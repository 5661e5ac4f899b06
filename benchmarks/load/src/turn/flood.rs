//! Thousands of sources that never authenticate, while one client does.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::histogram::Histogram;
use crate::report::{self, Fields};
use crate::sys::datagram::{Inbox, send_from};
use crate::sys::poll::Poll;
use crate::sys::{clock, cpu, socket};
use crate::turn::account::{self, Account};
use crate::turn::client::Client;
use crate::turn::echo::BUFFER;
use crate::turn::message::{Arrived, Message, kind};
use crate::turn::seed::Seed;
use crate::window::Window;

/// Sources are 127.100.0.0 and up, all with one port.
const FIRST_SOURCE: u32 = u32::from_be_bytes([127, 100, 0, 0]);
/// Before counting, so that what a server makes once is made: from this many sources, so often.
const WARM_UP: (usize, usize) = (16, 100);
/// The rightful client comes anew this long after it last left.
const VISIT: Duration = Duration::from_millis(20);
/// Memory is read at rest, and answers still on their way are counted.
const REST: Duration = Duration::from_millis(500);

pub struct Flood {
    pub server: SocketAddrV4,
    pub account: Account,
    pub sources: usize,
    /// Messages a second, over all sources.
    pub rate: u64,
    pub measured: Duration,
    pub seed: u64,
    /// The flood's sender takes the first, its receiver the second, the rightful client the third.
    pub cpus: Vec<usize>,
}

/// What the flood asks, in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    Allocate,
    Binding,
    /// Starts like a STUN message and is none; nobody answers it.
    Garbage,
}

impl Ask {
    /// Nine questions and one piece of garbage in ten. Each source asks everything in time, as its number of
    /// messages moves on by one with each pass.
    fn of(index: usize, sources: usize) -> Self {
        match (index + index / sources) % 10 {
            9 => Self::Garbage,
            even if even % 2 == 0 => Self::Allocate,
            _ => Self::Binding,
        }
    }
}

#[derive(Default)]
struct Asked {
    questions: u64,
    garbage: u64,
    refused: u64,
}

struct Visits {
    tried: u64,
    served: u64,
    /// Microseconds for 401, Allocate and Refresh 0 together.
    latency: Histogram,
    reason: Option<String>,
}

/// Print `measuring`, flood, print `measured`, then the result.
pub fn measure(plan: &Flood) -> Result<(), String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|error| error.to_string())?;
    socket::set_receive_buffer(&socket, 2 * BUFFER).map_err(|error| error.to_string())?;
    let (sources, passes) = WARM_UP;
    let window = Window::new();
    let mut seed = Seed::new(plan.seed);
    thread::scope(|scope| {
        let cpus = |place: usize| match plan.cpus.len() {
            0 => &[][..],
            count => std::slice::from_ref(&plan.cpus[place % count]),
        };
        let (socket, window) = (&socket, &window);
        let answering = scope.spawn(move || count_answers(socket, window, cpus(1)));
        let flood = |count, sources, seed: &mut Seed| ask(plan, socket, count, sources, seed);
        let mut run = || -> Result<_, String> {
            cpu::pin(cpus(0)).map_err(|error| error.to_string())?;
            visit(plan, 0)?;
            flood(sources * passes, sources, &mut seed).map_err(|error| error.to_string())?;
            thread::sleep(REST);
            window.open(clock::now(), u64::MAX);
            report::print(&Fields::new("phase", "measuring"));
            thread::sleep(REST);
            let visiting = scope.spawn(move || visit_until_over(plan, window, cpus(2)));
            let count = (plan.rate as f64 * plan.measured.as_secs_f64()) as usize;
            let asked = flood(count, plan.sources, &mut seed).map_err(|error| error.to_string())?;
            thread::sleep(REST);
            report::print(&Fields::new("phase", "measured"));
            thread::sleep(REST);
            window.end();
            let visits = visiting.join().map_err(|_| "a thread panicked".to_owned())?;
            Ok((asked, visits))
        };
        let ran = run();
        window.end();
        let answered = answering
            .join()
            .map_err(|_| "a thread panicked".to_owned())?
            .map_err(|error| error.to_string())?;
        let (asked, visits) = ran?;
        report_result(plan, &asked, answered, &visits);
        Ok(())
    })
}

fn ask(plan: &Flood, socket: &UdpSocket, count: usize, sources: usize, seed: &mut Seed) -> io::Result<Asked> {
    clock::sharpen_timers();
    let mut asked = Asked::default();
    let began = clock::now();
    for index in 0..count {
        clock::sleep_until(began + index as u64 * 1_000_000_000 / plan.rate);
        let source = Ipv4Addr::from(FIRST_SOURCE + (index % sources) as u32);
        let transaction = seed.transaction();
        let ask = Ask::of(index, sources);
        let sent = match ask {
            Ask::Allocate => send_from(socket, account::allocate(transaction).bytes(), source, plan.server),
            Ask::Binding => {
                let message = Message::new(kind::BINDING, transaction);
                send_from(socket, message.bytes(), source, plan.server)
            }
            Ask::Garbage => send_from(socket, &transaction, source, plan.server),
        };
        match (sent, ask) {
            (Ok(()), Ask::Garbage) => asked.garbage += 1,
            (Ok(()), _) => asked.questions += 1,
            (Err(error), _)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) =>
            {
                asked.refused += 1;
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(asked)
}

/// Answers inside the window: each question is asked once, so each answer is one question's.
fn count_answers(socket: &UdpSocket, window: &Window, cpus: &[usize]) -> io::Result<u64> {
    cpu::pin(cpus)?;
    let mut poll = Poll::new()?;
    poll.watch(socket, 0)?;
    let mut inbox = Inbox::new(false);
    let mut answered = 0;
    while !window.is_over() {
        if poll.wait(20)?.next().is_some() {
            inbox.receive(socket)?;
            let now = clock::now();
            let answers = inbox.iter().filter(|datagram| Arrived::parse(datagram.bytes).is_some()).count();
            answered += if window.contains(now) { answers as u64 } else { 0 };
        }
    }
    Ok(answered)
}

fn visit_until_over(plan: &Flood, window: &Window, cpus: &[usize]) -> Visits {
    let mut visits = Visits { tried: 0, served: 0, latency: Histogram::new(), reason: None };
    if let Err(error) = cpu::pin(cpus) {
        visits.reason = Some(error.to_string());
    }
    while !window.is_over() {
        let began = clock::now();
        visits.tried += 1;
        match visit(plan, visits.tried) {
            Ok(()) => {
                visits.served += 1;
                visits.latency.record((clock::now() - began) / 1000);
            }
            Err(reason) => {
                visits.reason.get_or_insert(reason);
            }
        }
        thread::sleep(VISIT);
    }
    visits
}

fn visit(plan: &Flood, number: u64) -> Result<(), String> {
    let mut client = Client::connect(plan.server, &plan.account, plan.seed ^ (number << 32))
        .map_err(|error| error.to_string())?;
    client.allocate()?;
    client.release()
}

fn report_result(plan: &Flood, asked: &Asked, answered: u64, visits: &Visits) {
    report::print(
        &Fields::new("phase", "result")
            .decimal("seconds", plan.measured.as_secs_f64())
            .number("sources", plan.sources)
            .number("questions", asked.questions)
            .number("garbage", asked.garbage)
            .number("refused", asked.refused)
            .number("answered", answered)
            .fields(
                "rightful",
                &Fields::default()
                    .number("tried", visits.tried)
                    .number("served", visits.served)
                    .histogram("latency_us", &visits.latency),
            )
            .texts("reasons", visits.reason.as_slice()),
    );
}

#[cfg(test)]
mod tests {
    use super::Ask;

    #[test]
    fn nine_of_ten_messages_are_questions_and_every_source_asks_them_all() {
        let garbage = (0..1000).filter(|&index| Ask::of(index, 1000) == Ask::Garbage).count();
        assert_eq!(garbage, 100);
        let of_one: Vec<_> = (0..10).map(|pass| Ask::of(pass * 1000, 1000)).collect();
        for ask in [Ask::Allocate, Ask::Binding, Ask::Garbage] {
            assert!(of_one.contains(&ask));
        }
    }
}
