//! What a worker does when it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use mio::Interest;
use mio::net::TcpListener;
use mio::unix::SourceFd;

use super::ports::{BoundPort, Route};
use super::units::{REPORT_INTERVAL, Shard, reports};
use super::{Accepting, Place, Ready, Worker, register};
use crate::Handle;
use crate::command::{Command, PublishUdp, ReadTcp, ReadUdp};
use crate::connection::{Connection, Listener};
use crate::datagram::{DatagramPublisher, DatagramReader, ReaderReports, Remote};
use crate::event::{CloseReason, Event};
use crate::interleaved::{TcpPublisher, TcpReader};
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::stream::Stream;
use crate::udp::Port;

/// The connection of a flow that is tied to none: one that sends to a group serves many.
const NONE: Handle = 0;

impl Worker {
    pub(super) fn obey(&mut self, now: Instant) {
        self.shared.inboxes[self.index].begin(&self.term);
        while let Some(command) = self.shared.inboxes[self.index].next(&self.term) {
            // Each guarded on its own, so that no other session loses its commands with it.
            let ready = match &command {
                Command::Answer(handle, _)
                | Command::Play(handle)
                | Command::Pause(handle)
                | Command::TunnelWebSocket(handle)
                | Command::Feed { get: handle, .. }
                | Command::Close(handle, _) => match self.places.get(handle) {
                    Some(Place::Connection(i) | Place::OnConnection(i)) => Ready::Connection(*i),
                    _ => Ready::Waker,
                },
                _ => Ready::Waker,
            };
            self.guarded(ready, |worker| worker.obey_one(command, now));
        }
    }

    fn obey_one(&mut self, command: Command, now: Instant) {
        match command {
            Command::Deliver(delivery) => self.deliver(&delivery, now),
            Command::Answer(handle, bytes) => self.answer(handle, bytes, now),
            Command::Resume(handle) => {
                if let Some(Place::Connection(i)) = self.places.get(&handle) {
                    self.again(Ready::Connection(*i));
                } else if let Some(i) = self.turn.resume(handle) {
                    self.again(Ready::Turn(i));
                }
            }
            Command::Listen(socket, listener) => self.listen(socket, listener, now),
            Command::Retune(handle, listener) => {
                if let Some(Place::Listener(i)) = self.places.get(&handle) {
                    self.listeners[*i].listener = listener;
                }
            }
            Command::Adopt { handle, mut socket, remote, local, admission } => {
                let counters = self.shared.table.add(handle, now);
                // From here on verbs find the connection: nobody may hear of it earlier.
                let canonical =
                    |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
                let accepted = Event::Accepted {
                    listener: admission.listener(),
                    connection: handle,
                    remote: canonical(remote),
                    local: canonical(local),
                };
                self.shared.events.tell(&self.term, accepted);
                let entry = self.connections.vacant_entry();
                let i = entry.key();
                let both = Interest::READABLE | Interest::WRITABLE;
                register(&self.poll, &self.shared.stderr, &mut socket, Ready::Connection(i), both);
                match Connection::new(handle, socket, admission, counters, now) {
                    Ok(connection) => {
                        entry.insert(connection);
                        self.places.insert(handle, Place::Connection(i));
                    }
                    Err(_) => self.closed(handle, CloseReason::Tls, now),
                }
            }
            // Of a flow or connection that ended with a predecessor.
            Command::Connect { counters, .. } if counters.is_ended() => {}
            Command::PublishUdp(publish) if publish.counters.is_ended() => {}
            Command::ReadUdp(read) if read.counters.is_ended() => {}
            Command::Hear(member) if member.reports.counters.is_ended() => {}
            Command::Connect { handle, counters, socket, tls, admission } => {
                self.connect(handle, socket, tls, admission, counters, now);
            }
            Command::Receive(port) => self.open(&port),
            Command::PublishTcp { flow, stream, counters, connection, channels, protection } => {
                let Some(i) = self.free_connection(connection, flow, now) else { return };
                let flow = Publisher::new(flow, stream, counters, false, now);
                self.places.insert(flow.handle, Place::OnConnection(i));
                self.connections[i].publisher = Some(Box::new(TcpPublisher { flow, channels, protection }));
            }
            Command::ReadTcp(read) => self.read_tcp(*read, now),
            Command::PublishUdp(publish) => self.publish_udp(*publish, now),
            Command::ReadUdp(read) => self.read_udp(*read, now),
            Command::Tie { connection, flow } => match self.places.get(&connection) {
                Some(Place::Connection(i)) if self.connections[*i].closing().is_none() => {
                    self.connections[*i].datagram_flows.push(flow);
                }
                _ => self.tell(flow, Command::Close(flow, CloseReason::Peer)),
            },
            Command::Untie { connection, flow } => {
                if let Some(Place::Connection(i)) = self.places.get(&connection) {
                    self.connections[*i].datagram_flows.retain(|tied| *tied != flow);
                }
            }
            Command::Route { port, remote, to } => {
                self.route(port, remote, to.map(|(reports, track)| Route::Reports(reports, track)));
            }
            Command::TunnelWebSocket(connection) => self.tunnel_websocket(connection),
            Command::TunnelHttp { get, post } => self.tunnel_http(get, post, now),
            Command::Feed { get, upstream } => self.feed(get, upstream, now),
            Command::Hear(member) => self.hear(member),
            Command::Play(flow) => self.play(flow, now),
            Command::Pause(flow) => self.pause(flow),
            Command::EndStream(stream) => self.end_stream(stream, now),
            Command::Close(handle, reason) => self.close(handle, reason, now),
            Command::Turn(command) => self.turn.obey(command, now),
            Command::Bereave { worker, lost } => self.bereave(worker, &lost, now),
            Command::StandStill(how_long, begun) => {
                let _ = begun.send(());
                std::thread::sleep(how_long);
            }
            Command::Stop => self.stopping = true,
        }
    }

    /// Nothing happens where the listener was inherited.
    pub(super) fn listen(&mut self, mut socket: TcpListener, listener: Arc<Listener>, now: Instant) {
        if self.places.contains_key(&listener.handle) {
            return;
        }
        let entry = self.listeners.vacant_entry();
        let place = entry.key();
        register(&self.poll, &self.shared.stderr, &mut socket, Ready::Listener(place), Interest::READABLE);
        self.places.insert(listener.handle, Place::Listener(place));
        entry.insert(Accepting { socket, listener, paused_until: None });
        self.accept(place, now);
    }

    /// As `listen`, for a UDP port.
    pub(super) fn open(&mut self, port: &Arc<Port>) {
        if self.places.contains_key(&port.handle) {
            return;
        }
        let i = self.receive_at(port);
        let fd = port.socket.as_raw_fd();
        register(&self.poll, &self.shared.stderr, &mut SourceFd(&fd), Ready::Port(i), Interest::READABLE);
        self.places.insert(port.handle, Place::Port(i));
    }

    fn receive_at(&mut self, port: &Arc<Port>) -> usize {
        let twins = self.ports.iter().filter(|(_, other)| other.port.is_twin_of(port)).map(|(i, _)| i);
        let twins: Vec<usize> = twins.collect();
        let i = self.ports.vacant_key();
        for twin in &twins {
            self.ports[*twin].twins.push(i);
        }
        self.ports.insert(BoundPort { port: Arc::clone(port), routes: HashMap::new(), twins })
    }

    fn answer(&mut self, handle: Handle, bytes: Vec<u8>, now: Instant) {
        if let Some(Place::Connection(i)) = self.places.get(&handle)
            && let Err(reason) = self.connections[*i].answer(bytes, &self.shared.table, now)
        {
            self.doomed.push((*i, reason));
        }
    }

    /// The connection for a new flow, without one. If it is gone, so is the flow.
    fn free_connection(&mut self, connection: Handle, flow: Handle, now: Instant) -> Option<usize> {
        match self.places.get(&connection).copied() {
            Some(Place::Connection(i)) if self.connections[i].closing().is_none() => {
                self.end_interleaved(i, CloseReason::Requested, now);
                Some(i)
            }
            _ => {
                self.closed(flow, CloseReason::Peer, now);
                None
            }
        }
    }

    fn read_udp(&mut self, read: ReadUdp, now: Instant) {
        let ReadUdp { flow, stream, counters, connection, path, mut protection } = read;
        let tracks: Vec<usize> = path.remotes.iter().map(|remote| remote.track).collect();
        let inbound = protection.as_mut().map(|it| std::mem::take(&mut it.inbound)).unwrap_or_default();
        let reports = Arc::new(ReaderReports::new(Arc::clone(&counters), stream.tracks.len(), inbound));
        for Remote { track, rtcp, .. } in &path.remotes {
            let to = Some((Arc::clone(&reports), *track));
            let port = path.rtcp.handle;
            self.tell(port, Command::Route { port, remote: *rtcp, to });
        }
        let latency = Arc::clone(&self.shared.latency[self.index]);
        let at = self.index;
        let reader = Reader::new(flow, Arc::clone(&stream), counters, at, true, latency, tracks.into_iter());
        let i = self.readers.insert(DatagramReader::new(reader, path, connection, reports, protection));
        self.places.insert(flow, Place::Reader(i));
        self.shard(&stream, now).readers.push(i);
        if connection != NONE {
            self.tell(connection, Command::Tie { connection, flow });
        }
    }

    fn read_tcp(&mut self, read: ReadTcp, now: Instant) {
        let ReadTcp {
            flow: handle,
            stream,
            counters,
            connection,
            channels,
            protection,
            queue_packets,
            queue_bytes,
        } = read;
        let Some(i) = self.free_connection(connection, handle, now) else { return };
        let tracks = channels.iter().enumerate().filter_map(|(track, channels)| channels.map(|_| track));
        let latency = Arc::clone(&self.shared.latency[self.index]);
        let flow = Reader::new(handle, Arc::clone(&stream), counters, self.index, false, latency, tracks);
        let lost_by_track = vec![0; stream.tracks.len()];
        self.places.insert(handle, Place::OnConnection(i));
        let reader = TcpReader { flow, channels, protection, queue_packets, queue_bytes, lost_by_track };
        self.connections[i].reader = Some(Box::new(reader));
        self.shard(&stream, now).connections.push(i);
    }

    fn publish_udp(&mut self, publish: PublishUdp, now: Instant) {
        let PublishUdp { flow: handle, stream, counters, connection, path, protection, read_timeout } =
            publish;
        let flow = Publisher::new(handle, stream, counters, true, now);
        let (rtp, rtcp, remotes) = (path.rtp.handle, path.rtcp.handle, path.remotes.clone());
        let i =
            self.publishers.insert(DatagramPublisher { flow, path, protection, connection, read_timeout });
        for remote in remotes {
            self.route(rtp, remote.rtp, Some(Route::Rtp(i, remote.track)));
            self.route(rtcp, remote.rtcp, Some(Route::Rtcp(i, remote.track)));
        }
        self.places.insert(handle, Place::Publisher(i));
        self.tell(connection, Command::Tie { connection, flow: handle });
    }

    fn shard(&mut self, stream: &Arc<Stream>, now: Instant) -> &mut Shard {
        self.shards.entry(stream.handle).or_insert_with(|| Shard {
            stream: Arc::clone(stream),
            connections: Vec::new(),
            readers: Vec::new(),
            next_report: now + REPORT_INTERVAL,
        })
    }

    fn play(&mut self, flow: Handle, now: Instant) {
        match self.places.get(&flow).copied() {
            Some(Place::OnConnection(i)) => {
                let connection = &mut self.connections[i];
                if let Some(publisher) = &mut connection.publisher {
                    publisher.flow.pause(false);
                } else if let Some(reader) = &mut connection.reader {
                    reader.flow.play();
                    // The clock first, so that the client can put the tracks side by side at once.
                    let units = reports(&reader.flow.stream, now);
                    if let Err(reason) = connection.units(&units, now) {
                        self.doomed.push((i, reason));
                    }
                }
            }
            Some(Place::Publisher(i)) => self.publishers[i].flow.pause(false),
            Some(Place::Reader(i)) => {
                let reader = &mut self.readers[i];
                let waited = reader.is_waiting();
                if !reader.flow.is_playing() {
                    reader.flow.play(); // else whoever came late to a group gets the clock
                }
                for unit in reports(&reader.flow.stream, now) {
                    reader.unit(&unit, &mut self.sealed, now);
                }
                if reader.is_waiting() && !waited {
                    self.backlogged.push(i);
                }
            }
            _ => {}
        }
    }

    fn pause(&mut self, flow: Handle) {
        match self.places.get(&flow).copied() {
            Some(Place::OnConnection(i)) => {
                let connection = &mut self.connections[i];
                if let Some(publisher) = &mut connection.publisher {
                    publisher.flow.pause(true);
                } else if let Some(reader) = &mut connection.reader {
                    reader.flow.pause();
                }
            }
            Some(Place::Publisher(i)) => self.publishers[i].flow.pause(true),
            Some(Place::Reader(i)) => self.readers[i].flow.pause(),
            _ => {}
        }
    }
}
