//! How connections, flows and streams end: each once, with one `Closed` where one is due.

use std::os::fd::AsRawFd;
use std::time::Instant;

use mio::unix::SourceFd;

use super::units::Shard;
use super::{Place, Worker};
use crate::Handle;
use crate::command::Command;
use crate::datagram::DatagramPublisher;
use crate::event::CloseReason;
use crate::publisher::Publisher;
use crate::stream::Stream;

impl Worker {
    pub(super) fn close(&mut self, handle: Handle, reason: CloseReason, now: Instant) {
        if !self.term.goes_on() {
            return; // it ended with this worker
        }
        match self.places.get(&handle).copied() {
            Some(Place::Listener(i)) => {
                self.accept(i, now); // whom the kernel has let in already would be reset
                let mut accepting = self.listeners.remove(i);
                let _ = self.poll.registry().deregister(&mut accepting.socket);
                drop(accepting); // before its second descriptor, so that the port is free then
                if let Some(door) = self.shared.listening.lock().expect("no holder panics").remove(&handle) {
                    door.shut();
                }
                self.places.remove(&handle);
            }
            Some(Place::Port(i)) => {
                if !self.ports[i].twins.is_empty() {
                    self.receive(i, now); // what came here for a twin's flows would be lost
                }
                let bound = self.ports.remove(i);
                for twin in &bound.twins {
                    self.ports[*twin].twins.retain(|other| *other != i);
                }
                let fd = bound.port.socket.as_raw_fd();
                let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
                self.places.remove(&handle);
            }
            Some(Place::Connection(i)) => {
                self.end_interleaved(i, reason, now);
                self.end_datagram_flows(i, reason);
                self.connections[i].close(reason, now);
                if self.connections[i].say_goodbye(now).is_err() {
                    self.doomed.push((i, reason));
                }
            }
            Some(Place::OnConnection(i)) => {
                self.end_interleaved(i, reason, now);
                self.write(i, now);
            }
            Some(Place::Publisher(i)) => {
                let DatagramPublisher { flow, path, connection, .. } = self.publishers.remove(i);
                flow.measure();
                for remote in &path.remotes {
                    self.route(path.rtp.handle, remote.rtp, None);
                    self.route(path.rtcp.handle, remote.rtcp, None);
                }
                self.tell(connection, Command::Untie { connection, flow: handle });
                drop((flow, path)); // whoever hears `Closed` may use the addresses at once
                self.closed(handle, reason, now);
            }
            Some(Place::Reader(i)) => {
                let mut reader = self.readers.remove(i);
                reader.say_goodbye(now);
                self.leave_shard(&reader.flow.stream, |shard| shard.readers.retain(|reader| *reader != i));
                for remote in &reader.path.remotes {
                    let port = reader.path.rtcp.handle;
                    self.tell(port, Command::Route { port, remote: remote.rtcp, to: None });
                }
                let connection = reader.connection;
                self.tell(connection, Command::Untie { connection, flow: handle });
                // The addresses are free only behind their `Route` above, and before `Closed` says so.
                drop(reader);
                self.closed(handle, reason, now);
            }
            Some(Place::Member(i)) => self.end_member(i, reason, now),
            None => self.turn.close(handle, reason, now),
        }
    }

    pub(super) fn end_interleaved(&mut self, i: usize, reason: CloseReason, now: Instant) {
        let connection = &mut self.connections[i];
        let publisher = connection.publisher.take();
        let reader = connection.end_reader(now);
        if let Some(publisher) = publisher {
            publisher.flow.measure();
            self.closed(publisher.flow.handle, reason, now);
        }
        if let Some(reader) = reader {
            self.leave_shard(&reader.flow.stream, |shard| {
                shard.connections.retain(|connection| *connection != i)
            });
            self.closed(reader.flow.handle, reason, now);
        }
    }

    pub(super) fn end_datagram_flows(&mut self, i: usize, reason: CloseReason) {
        for flow in std::mem::take(&mut self.connections[i].datagram_flows) {
            self.tell(flow, Command::Close(flow, reason));
        }
    }

    pub(super) fn leave_shard(&mut self, stream: &Stream, leave: impl FnOnce(&mut Shard)) {
        if let Some(shard) = self.shards.get_mut(&stream.handle) {
            leave(shard);
            if shard.connections.is_empty() && shard.readers.is_empty() {
                self.shards.remove(&stream.handle);
            }
        }
    }

    pub(super) fn end_stream(&mut self, stream: Handle, now: Instant) {
        let is_of = |publisher: &Publisher| publisher.stream.handle == stream;
        let mut flows: Vec<Handle> = Vec::new();
        for (_, connection) in &self.connections {
            if let Some(publisher) = &connection.publisher
                && is_of(&publisher.flow)
            {
                flows.push(publisher.flow.handle);
            }
        }
        flows.extend(self.publishers.iter().filter(|(_, p)| is_of(&p.flow)).map(|(_, p)| p.flow.handle));
        if let Some(shard) = self.shards.get(&stream) {
            let on_connections =
                shard.connections.iter().filter_map(|i| self.connections[*i].reader.as_ref());
            flows.extend(on_connections.map(|reader| reader.flow.handle));
            flows.extend(shard.readers.iter().map(|i| self.readers[*i].flow.handle));
        }
        for flow in flows {
            self.close(flow, CloseReason::StreamClosed, now);
        }
    }

    /// Drop what failed during this turn.
    pub(super) fn reap(&mut self, now: Instant) {
        for (i, reason) in std::mem::take(&mut self.doomed) {
            if self.term.goes_on() && self.connections.contains(i) {
                self.end_interleaved(i, reason, now);
                self.end_datagram_flows(i, reason);
                let mut connection = self.connections.remove(i);
                let _ = self.poll.registry().deregister(&mut connection.wire.socket);
                self.closed(connection.handle, reason, now);
            }
        }
    }

    pub(super) fn closed(&mut self, handle: Handle, reason: CloseReason, now: Instant) {
        self.places.remove(&handle);
        self.shared.closed(&self.term, handle, reason, now);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        let handles: Vec<Handle> = self.places.keys().copied().collect();
        for handle in handles {
            self.close(handle, CloseReason::Shutdown, now);
        }
        self.doomed.extend(self.connections.iter().map(|(i, _)| (i, CloseReason::Shutdown)));
        self.reap(now);
        self.turn.stop(now);
    }
}
