//! The way of units: from their publisher to every worker that has readers, and there to each of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::{Place, Ready, Worker};
use crate::Handle;
use crate::command::Command;
use crate::publisher::Publisher;
use crate::stream::{Delivery, Missed, Stream};
use crate::unit::Unit;

/// RFC 3550 6.2 would vary this with the number of members; here it is one to one.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// A stream's readers on this worker.
#[derive(Debug)]
pub(super) struct Shard {
    pub stream: Arc<Stream>,
    pub connections: Vec<usize>,
    pub readers: Vec<usize>,
    pub next_report: Instant,
}

impl Worker {
    /// Give units to every worker that has readers of the stream.
    pub(super) fn distribute(&mut self, stream: &Arc<Stream>, units: &[Arc<Unit>], now: Instant) {
        if units.is_empty() || self.term.is_over() {
            return;
        }
        for (worker, readers) in stream.readers.iter().enumerate() {
            if worker != self.index
                && readers.load(SeqCst) > 0
                && let Some(delivery) = Delivery::begin(stream, worker, units)
            {
                self.shared.inboxes[worker].push(Command::Deliver(delivery));
            }
        }
        self.fan_out(stream.handle, units, &[], now);
    }

    pub(super) fn deliver(&mut self, delivery: &Delivery, now: Instant) {
        delivery.end(self.index);
        self.fan_out(delivery.stream.handle, &delivery.units, &delivery.missed, now);
    }

    /// Give units to this worker's own readers of a stream, who `missed` what was before them.
    pub(super) fn fan_out(&mut self, stream: Handle, units: &[Arc<Unit>], missed: &[Missed], now: Instant) {
        let Self { shards, connections, readers, backlogged, doomed, clock, sealed, term, .. } = self;
        let Some(shard) = shards.get(&stream) else { return };
        for i in &shard.connections {
            if !term.goes_on() {
                return;
            }
            let Some(connection) = connections.get_mut(*i) else { continue };
            if let Some(reader) = &mut connection.reader {
                reader.flow.missed(missed);
            }
            if let Err(reason) = connection.units(units, clock.send(now)) {
                doomed.push((*i, reason));
            }
        }
        for i in &shard.readers {
            if !term.goes_on() {
                return;
            }
            if let Some(reader) = readers.get_mut(*i) {
                reader.flow.missed(missed);
                let waited = reader.is_waiting();
                let now = clock.send(now);
                for unit in units {
                    reader.unit(unit, sealed, now);
                }
                if reader.is_waiting() && !waited {
                    backlogged.push(*i);
                }
            }
        }
    }

    pub(super) fn publisher(&self, place: Place) -> Option<&Publisher> {
        match place {
            Place::OnConnection(i) => Some(&self.connections.get(i)?.publisher.as_ref()?.flow),
            Place::Publisher(i) => Some(&self.publishers.get(i)?.flow),
            _ => None,
        }
    }

    pub(super) fn publisher_mut(&mut self, place: Place) -> Option<&mut Publisher> {
        match place {
            Place::OnConnection(i) => Some(&mut self.connections.get_mut(i)?.publisher.as_mut()?.flow),
            Place::Publisher(i) => Some(&mut self.publishers.get_mut(i)?.flow),
            _ => None,
        }
    }

    /// Look at a publisher again when the unit it holds has waited long enough.
    pub(super) fn await_end(&mut self, place: Place) {
        if self.publisher(place).is_some_and(|publisher| publisher.deadline().is_some())
            && !self.waiting.contains(&place)
        {
            self.waiting.push(place);
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        for place in std::mem::take(&mut self.waiting) {
            let ready = match place {
                Place::OnConnection(i) => Ready::Connection(i),
                _ => Ready::Waker,
            };
            self.guarded(ready, |worker| {
                let mut units = Vec::new();
                let Some(publisher) = worker.publisher_mut(place) else { return };
                publisher.expire(now, &mut units);
                if publisher.deadline().is_some() {
                    worker.waiting.push(place); // each was there once, so it is not there yet
                }
                if !units.is_empty()
                    && let Some(publisher) = worker.publisher(place)
                {
                    let stream = Arc::clone(&publisher.stream);
                    worker.distribute(&stream, &units, now);
                }
            });
        }
        for i in std::mem::take(&mut self.backlogged) {
            if !self.term.goes_on() {
                return;
            }
            if let Some(reader) = self.readers.get_mut(i) {
                reader.resume(&mut self.sealed, now);
                if reader.is_waiting() {
                    self.backlogged.push(i);
                }
            }
        }
    }

    pub(super) fn report(&mut self, now: Instant) {
        let mut due: Vec<Arc<Stream>> = Vec::new();
        for shard in self.shards.values_mut().filter(|shard| shard.next_report <= now) {
            shard.next_report = now + REPORT_INTERVAL;
            due.push(Arc::clone(&shard.stream));
        }
        for stream in due {
            self.fan_out(stream.handle, &reports(&stream, now), &[], now);
        }
        if self.next_report <= now {
            self.next_report = now + REPORT_INTERVAL;
            for (_, publisher) in &mut self.publishers {
                if self.term.goes_on() {
                    publisher.send_reports(now);
                }
            }
            for (i, connection) in &mut self.connections {
                if self.term.goes_on()
                    && let Err(reason) = connection.send_reports(now)
                {
                    self.doomed.push((i, reason));
                }
            }
        }
    }
}

/// A sender report for each track that has sent.
pub(super) fn reports(stream: &Stream, now: Instant) -> Vec<Arc<Unit>> {
    (0..stream.tracks.len())
        .filter_map(|i| Some(Arc::new(Unit::rtcp(i as u16, &stream.sender_report(i, now, false)?))))
        .collect()
}
