//! What waits to be sent on one TCP connection: answers and units, in order.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use crate::unit::Unit;
use crate::websocket::Head;

#[derive(Debug)]
pub enum Entry {
    /// Protocol bytes from Python, or a goodbye.
    Answer(Vec<u8>),
    Unit(Arc<Unit>),
    /// A unit framed for this reader's own channels.
    Own(Arc<Unit>, Vec<u8>),
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Answer(bytes) | Self::Own(_, bytes) => bytes,
            Self::Unit(unit) => &unit.framed,
        }
    }

    fn unit(&self) -> Option<&Unit> {
        match self {
            Self::Answer(_) => None,
            Self::Unit(unit) | Self::Own(unit, _) => Some(unit),
        }
    }
}

/// An entry with what stands before it on the wire.
#[derive(Debug)]
struct Slot {
    head: Head,
    entry: Entry,
}

impl Slot {
    fn len(&self) -> usize {
        self.head.bytes().len() + self.entry.bytes().len()
    }
}

/// Bounded by whoever pushes: units by the reader's limits, answers by `answer_bytes`.
#[derive(Debug, Default)]
pub struct Outgoing {
    entries: VecDeque<Slot>,
    /// How much of the first entry is sent.
    sent: usize,
    /// Whether each entry that is pushed from now on is a WebSocket message.
    pub messages: bool,
    pub bytes: usize,
    pub packets: usize,
    pub answer_bytes: usize,
}

/// Entries gathered for one system call.
const GATHER: usize = 16;

impl Outgoing {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn push(&mut self, entry: Entry) {
        let head = if self.messages { Head::binary(entry.bytes().len()) } else { Head::default() };
        self.push_slot(Slot { head, entry });
    }

    /// Queue a WebSocket frame that is whole already.
    pub fn push_frame(&mut self, frame: Vec<u8>) {
        self.push_slot(Slot { head: Head::default(), entry: Entry::Answer(frame) });
    }

    fn push_slot(&mut self, slot: Slot) {
        self.bytes += slot.len();
        match slot.entry.unit() {
            Some(unit) => self.packets += unit.packets as usize,
            None => self.answer_bytes += slot.len(),
        }
        self.entries.push_back(slot);
    }

    /// Write as much as `to` takes. `done` is told of every unit that went out whole.
    /// Returns the bytes written; `WouldBlock` is no error, but ends it.
    pub fn write(&mut self, to: &mut impl Write, mut done: impl FnMut(&Unit)) -> io::Result<usize> {
        let mut total = 0;
        while !self.entries.is_empty() {
            let mut slices = [IoSlice::new(&[]); 2 * GATHER];
            let mut count = 0;
            let mut skip = self.sent;
            let first = self.entries.iter().take(GATHER);
            for part in first.flat_map(|slot| [slot.head.bytes(), slot.entry.bytes()]) {
                if skip >= part.len() {
                    skip -= part.len(); // sent, or empty
                    continue;
                }
                slices[count] = IoSlice::new(&part[skip..]);
                skip = 0;
                count += 1;
            }
            let result = match &slices[..count] {
                [only] => to.write(only),
                several => to.write_vectored(several),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    total += written;
                    self.advance(written, &mut done);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn advance(&mut self, written: usize, done: &mut impl FnMut(&Unit)) {
        self.sent += written;
        while let Some(first) = self.entries.front()
            && self.sent >= first.len()
        {
            let size = first.len();
            self.sent -= size;
            self.bytes -= size;
            match first.entry.unit() {
                Some(unit) => {
                    self.packets -= unit.packets as usize;
                    done(unit);
                }
                None => self.answer_bytes -= size,
            }
            self.entries.pop_front();
        }
        if self.entries.is_empty() && self.entries.capacity() > GATHER {
            self.entries = VecDeque::new();
        }
    }

    /// Forget the units that are not begun; `dropped` is told of each.
    pub fn drop_units(&mut self, mut dropped: impl FnMut(&Unit)) {
        let begun = usize::from(self.sent > 0);
        let mut kept = VecDeque::new();
        for (i, slot) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            match slot.entry.unit() {
                Some(unit) if i >= begun => {
                    self.bytes -= slot.len();
                    self.packets -= unit.packets as usize;
                    dropped(unit);
                }
                _ => kept.push_back(slot),
            }
        }
        self.entries = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Kind;

    /// Takes `room` bytes, then would block.
    struct Pipe {
        room: usize,
        seen: Vec<u8>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.seen.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn unit(byte: u8, size: usize) -> Entry {
        let framed = vec![byte; size];
        Entry::Unit(Arc::new(Unit {
            track: 0,
            kind: Kind::Key,
            packets: 2,
            framed,
            raw: vec![],
            runs: vec![],
            arrived: None,
        }))
    }

    #[test]
    fn everything_goes_out_in_order_however_little_is_taken() {
        for room in [1, 3, 7, 100] {
            let mut outgoing = Outgoing::default();
            for i in 0..40 {
                outgoing.push(unit(i, 5));
                outgoing.push(Entry::Answer(vec![100 + i; 3]));
            }
            let mut pipe = Pipe { room: 0, seen: vec![] };
            let mut done = 0;
            while !outgoing.is_empty() {
                pipe.room = room;
                outgoing.write(&mut pipe, |_| done += 1).expect("no error");
            }
            let expected: Vec<u8> = (0..40).flat_map(|i| [vec![i; 5], vec![100 + i; 3]].concat()).collect();
            assert_eq!(pipe.seen, expected);
            assert_eq!((done, outgoing.bytes, outgoing.packets, outgoing.answer_bytes), (40, 0, 0, 0));
        }
    }

    #[test]
    fn what_is_pushed_as_a_message_is_one_and_frames_stay_as_they_are() {
        for room in [1, 2, 5, 1000] {
            let mut outgoing = Outgoing::default();
            outgoing.push(Entry::Answer(vec![b'1'; 3])); // the handshake
            outgoing.messages = true;
            for i in 0..20 {
                outgoing.push(unit(i, 200));
            }
            outgoing.push_frame(vec![0x88, 0]);
            let mut pipe = Pipe { room: 0, seen: vec![] };
            while !outgoing.is_empty() {
                pipe.room = room;
                outgoing.write(&mut pipe, |_| ()).expect("no error");
            }
            let units = (0..20).flat_map(|i| [vec![0x82, 126, 0, 200], vec![i; 200]].concat());
            let expected: Vec<u8> = b"111".iter().copied().chain(units).chain([0x88, 0]).collect();
            assert_eq!(pipe.seen, expected, "room {room}");
            assert_eq!((outgoing.bytes, outgoing.packets, outgoing.answer_bytes), (0, 0, 0));
        }
    }

    #[test]
    fn a_begun_unit_is_finished_though_the_rest_is_dropped() {
        let mut outgoing = Outgoing::default();
        outgoing.push(unit(1, 5));
        outgoing.push(unit(2, 5));
        outgoing.push(Entry::Answer(vec![9]));
        let mut pipe = Pipe { room: 2, seen: vec![] };
        outgoing.write(&mut pipe, |_| ()).expect("no error");
        let mut dropped = 0;
        outgoing.drop_units(|_| dropped += 1);
        pipe.room = 100;
        outgoing.write(&mut pipe, |_| ()).expect("no error");
        assert_eq!((pipe.seen, dropped), (vec![1, 1, 1, 1, 1, 9], 1));
        assert_eq!((outgoing.bytes, outgoing.packets), (0, 0));
    }
}
