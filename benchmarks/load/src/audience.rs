//! Many readers on one thread: they join at a bounded rate, then read whatever is ready.

use std::io::{self, Read};
use std::sync::mpsc::Sender;

use crate::notice::Notice;
use crate::reader::{Reader, Received};
use crate::rtsp::{Transport, Url};
use crate::sys::poll::Poll;
use crate::sys::socket::{self, Datagrams};
use crate::sys::{clock, cpu};
use crate::window::{Meter, Window};

/// Bytes one read may take: some hundred packets, should a reader have fallen behind.
const READ: usize = 256 * 1024;
/// Well below the 60 s after which servers end a silent UDP session.
const KEEP_ALIVE: u64 = 20_000_000_000;
/// A reader that stops reading keeps this little in its own kernel buffer.
const STALLED_RECEIVE_BUFFER: i32 = 16 * 1024;

/// Who is to join, over all threads.
#[derive(Clone)]
pub struct Crowd {
    pub url: String,
    /// Paths that `{i}` in `url` stands for; readers take them in turn.
    pub paths: usize,
    pub readers: usize,
    pub transport: Transport,
    /// Joins per second.
    pub join_rate: u64,
    /// The last this many readers stop reading once they have their first packet (TCP only).
    pub stalled: usize,
}

/// The part of a crowd one thread takes: every `of`-th reader from `part` on.
#[derive(Clone, Copy)]
pub struct Share {
    pub part: usize,
    pub of: usize,
}

/// What became of one thread's readers.
pub struct Attendance {
    pub received: Received,
    pub lost: u64,
    pub readers_with_loss: usize,
    /// Readers that had joined and were closed before the end.
    pub closed: usize,
    pub cpu: u64,
}

/// Join and read until the run is over.
pub fn attend(
    crowd: &Crowd,
    share: Share,
    window: &Window,
    notices: &Sender<Notice>,
    cpus: &[usize],
) -> Result<Attendance, String> {
    cpu::pin(cpus).map_err(|error| format!("CPUs {cpus:?}: {error}"))?;
    clock::sharpen_timers();
    let mut audience = Audience {
        crowd,
        share,
        window,
        notices,
        poll: Poll::new().map_err(|error| format!("epoll: {error}"))?,
        seats: Vec::new(),
        scratch: vec![0; READ].into_boxed_slice(),
        datagrams: Datagrams::new(),
        attendance: Attendance {
            received: Received::new(),
            lost: 0,
            readers_with_loss: 0,
            closed: 0,
            cpu: 0,
        },
    };
    audience.run().map_err(|error| error.to_string())?;
    Ok(audience.leave())
}

/// A reader's place. A token is its index times two, plus one for its UDP socket.
struct Seat {
    reader: Option<Reader>,
    lost: u64,
    stalls: bool,
}

struct Audience<'a> {
    crowd: &'a Crowd,
    share: Share,
    window: &'a Window,
    notices: &'a Sender<Notice>,
    poll: Poll,
    seats: Vec<Seat>,
    scratch: Box<[u8]>,
    datagrams: Datagrams,
    attendance: Attendance,
}

impl Audience<'_> {
    fn run(&mut self) -> io::Result<()> {
        let began = clock::now();
        let mut keep_alive = began + KEEP_ALIVE;
        let mut meter = Meter::default();
        loop {
            let now = clock::now();
            meter.tick(self.window, now);
            if self.window.is_over() {
                break;
            }
            let joins = self.join_due(began, now);
            if now >= keep_alive {
                keep_alive = now + KEEP_ALIVE;
                self.each_reader(Reader::keep_alive);
            }
            let ready: Vec<_> = self.poll.wait(if joins { 1 } else { 50 })?.collect();
            // When it is over publishers leave, and their readers are rightly closed.
            if self.window.is_over() {
                break;
            }
            for token in ready {
                let index = (token / 2) as usize;
                let result =
                    if token % 2 == 1 { self.read_datagrams(index) } else { self.read_stream(index) };
                if let Err(reason) = result {
                    self.close(index, &reason);
                }
            }
        }
        self.attendance.cpu = meter.used();
        Ok(())
    }

    /// Let in whoever's turn has come; returns whether more are to follow.
    fn join_due(&mut self, began: u64, now: u64) -> bool {
        loop {
            let number = self.share.part + self.seats.len() * self.share.of;
            // A server that accepts nothing makes each connect wait, past the end of the run too.
            if number >= self.crowd.readers || self.window.is_over() {
                return false;
            }
            if now < began + number as u64 * 1_000_000_000 / self.crowd.join_rate {
                return true;
            }
            let index = self.seats.len();
            let stalls = number >= self.crowd.readers - self.crowd.stalled;
            self.seats.push(Seat { reader: None, lost: 0, stalls });
            match self.open(number, index as u64 * 2) {
                Ok(reader) => self.seats[index].reader = Some(reader),
                Err(reason) => self.notify(Notice::Failed(reason)),
            }
        }
    }

    fn open(&self, number: usize, token: u64) -> Result<Reader, String> {
        let url = Url::numbered(&self.crowd.url, number % self.crowd.paths)?;
        let reader = Reader::connect(url, self.crowd.transport, clock::now())?;
        let watch = || -> io::Result<()> {
            self.poll.watch(&reader.stream, token)?;
            match &reader.pair {
                Some(pair) => self.poll.watch(&pair.rtp, token + 1),
                None => Ok(()),
            }
        };
        watch().map_err(|error| error.to_string())?;
        Ok(reader)
    }

    fn read_stream(&mut self, index: usize) -> Result<(), String> {
        let Some(reader) = &mut self.seats[index].reader else {
            return Ok(());
        };
        let kept = reader.partial.len();
        if kept == self.scratch.len() {
            return Err("an answer too long to read".into());
        }
        self.scratch[..kept].copy_from_slice(&reader.partial);
        let count = match reader.stream.read(&mut self.scratch[kept..]) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let had_packet = reader.has_packet();
        let bytes = &self.scratch[..kept + count];
        reader.receive(bytes, clock::now(), self.window, &mut self.attendance.received)?;
        self.note_join(index, had_packet)
    }

    fn read_datagrams(&mut self, index: usize) -> Result<(), String> {
        let Some(reader) = &mut self.seats[index].reader else {
            return Ok(());
        };
        let had_packet = reader.has_packet();
        let Some(pair) = &reader.pair else {
            return Ok(());
        };
        self.datagrams.receive(&pair.rtp).map_err(|error| error.to_string())?;
        let now = clock::now();
        for packet in self.datagrams.iter() {
            reader.receive_packet(packet, now, self.window, &mut self.attendance.received)?;
        }
        self.note_join(index, had_packet)
    }

    /// Tell the conductor of a reader's first packet; one that stalls is read no more.
    fn note_join(&mut self, index: usize, had_packet: bool) -> Result<(), String> {
        if had_packet || !self.is_playing(index) {
            return Ok(());
        }
        let seat = &self.seats[index];
        if let (true, Some(reader)) = (seat.stalls, &seat.reader) {
            socket::set_receive_buffer(&reader.stream, STALLED_RECEIVE_BUFFER)
                .and_then(|()| self.poll.forget(&reader.stream))
                .map_err(|error| error.to_string())?;
        }
        self.notify(Notice::Joined);
        Ok(())
    }

    fn is_playing(&self, index: usize) -> bool {
        self.seats[index].reader.as_ref().is_some_and(Reader::has_packet)
    }

    fn each_reader(&mut self, mut verb: impl FnMut(&mut Reader) -> Result<(), String>) {
        for index in 0..self.seats.len() {
            if let Some(reader) = &mut self.seats[index].reader
                && let Err(reason) = verb(reader)
            {
                self.close(index, &reason);
            }
        }
    }

    fn close(&mut self, index: usize, reason: &str) {
        let seat = &mut self.seats[index];
        let Some(reader) = seat.reader.take() else {
            return;
        };
        seat.lost = reader.sequence.lost();
        if reader.has_packet() {
            self.attendance.closed += 1;
            self.notify(Notice::Closed(reason.to_owned()));
        } else {
            self.notify(Notice::Failed(reason.to_owned()));
        }
    }

    fn notify(&self, notice: Notice) {
        // The conductor may have given up already.
        let _ = self.notices.send(notice);
    }

    fn leave(mut self) -> Attendance {
        for seat in self.seats.iter().filter(|seat| !seat.stalls) {
            let lost = seat.reader.as_ref().map_or(seat.lost, |reader| reader.sequence.lost());
            self.attendance.lost += lost;
            self.attendance.readers_with_loss += usize::from(lost > 0);
        }
        self.attendance
    }
}
