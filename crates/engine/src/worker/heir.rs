//! A worker that has the place of one that stood still, and the others who had to do with that.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use mio::Waker;
use mio::net::TcpListener;
use socket2::Socket;

use super::Worker;
use super::ports::Route;
use crate::Handle;
use crate::command::{Command, FIRST};
use crate::connection::Listener;
use crate::event::CloseReason;
use crate::term::Term;
use crate::udp::Port;

impl Worker {
    /// Take over from whoever had this place `before`, and go on with its commands.
    pub fn succeed(mut self, before: &Term, waker: Waker) {
        self.shared.workers_restarted.fetch_add(1, Relaxed); // whoever hears of an end sees it counted
        let lost = self.shared.abandon(self.index, before);
        self.inherit(Instant::now());
        self.shared.inboxes[self.index].hand_over(waker);
        let index = self.index;
        self.shared
            .stderr
            .say(format!("worker {index} was replaced: {lost} connections, flows and allocations ended"));
        self.run();
    }

    /// What outlives a worker: what listens.
    fn inherit(&mut self, now: Instant) {
        if self.index == FIRST {
            for port in self.ports_of_all() {
                self.open(&port);
            }
            for (socket, listener) in self.doors() {
                self.listen(socket, listener, now);
            }
        }
        self.turn.inherit();
    }

    fn ports_of_all(&self) -> Vec<Arc<Port>> {
        self.shared.ports.lock().expect("no holder panics").values().map(Arc::clone).collect()
    }

    fn doors(&self) -> Vec<(TcpListener, Arc<Listener>)> {
        let mut listening = self.shared.listening.lock().expect("no holder panics");
        // Whoever was to close it is gone, and has a descriptor that keeps it open.
        for (_, door) in listening.extract_if(|_, door| door.closing) {
            door.shut();
        }
        let again = |socket: &Socket| match socket.try_clone() {
            Ok(socket) => Some(TcpListener::from_std(socket.into())),
            Err(error) => {
                self.shared.stderr.listener_lost(&error);
                None
            }
        };
        listening
            .values()
            .filter_map(|door| Some((again(&door.socket)?, Arc::clone(&door.listener))))
            .collect()
    }

    /// Another worker has lost these: end what was tied to them, and tell its successor what it cannot know.
    pub(super) fn bereave(&mut self, worker: usize, lost: &HashSet<Handle>, now: Instant) {
        self.turn.bereave(worker, now);
        for (_, connection) in &mut self.connections {
            connection.datagram_flows.retain(|flow| !lost.contains(flow));
        }
        for (_, bound) in &mut self.ports {
            bound.routes.retain(|_, route| !matches!(route, Route::Reports(to, _) if to.counters.is_ended()));
        }
        let readers = self.readers.iter().map(|(_, reader)| (reader.connection, reader.flow.handle));
        let publishers = self.publishers.iter().map(|(_, it)| (it.connection, it.flow.handle));
        let members = self.members.iter().map(|(_, member)| (member.connection, member.flow));
        let tied = readers.chain(publishers).chain(members);
        let flows: Vec<Handle> =
            tied.filter(|(connection, _)| lost.contains(connection)).map(|(_, flow)| flow).collect();
        for flow in flows {
            self.close(flow, CloseReason::Fault, now);
        }
        if worker == FIRST {
            for (_, reader) in &self.readers {
                let port = reader.path.rtcp.handle;
                for remote in &reader.path.remotes {
                    let to = Some((Arc::clone(&reader.reports), remote.track));
                    self.tell(port, Command::Route { port, remote: remote.rtcp, to });
                }
            }
        }
    }
}
