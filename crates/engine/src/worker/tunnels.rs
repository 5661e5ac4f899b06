//! Tunnels: what becomes of a connection that said HTTP first.

use std::time::Instant;

use mio::Interest;

use super::{Place, Ready, Worker, register};
use crate::Handle;
use crate::command::Command;
use crate::event::CloseReason;
use crate::tunnel::Upstream;

impl Worker {
    pub(super) fn tunnel_websocket(&mut self, handle: Handle) {
        if let Some(Place::Connection(i)) = self.places.get(&handle).copied() {
            self.connections[i].enter_websocket();
            self.again(Ready::Connection(i)); // the client may have sent messages already
        }
    }

    /// Give a POST's socket to the worker that owns its GET. The POST's own handle ends here.
    pub(super) fn tunnel_http(&mut self, get: Handle, post: Handle, now: Instant) {
        let Some(Place::Connection(i)) = self.places.get(&post).copied() else { return };
        let doomed = self.doomed.iter().any(|(dropped, _)| *dropped == i);
        if doomed || !self.connections[i].is_undecided() {
            return;
        }
        let mut connection = self.connections.remove(i);
        let _ = self.poll.registry().deregister(&mut connection.wire.socket);
        // Told before it is closed: who hears of that and joins the next POST, by whichever worker, comes second.
        self.tell(get, Command::Feed { get, upstream: Box::new(connection.into_upstream()) });
        self.closed(post, CloseReason::Joined, now);
    }

    /// Read from a POST what its GET's client says. Where there is no such GET any more, it is closed.
    pub(super) fn feed(&mut self, get: Handle, mut upstream: Box<Upstream>, now: Instant) {
        let Some(Place::Connection(i)) = self.places.get(&get).copied() else { return };
        self.read(i, now); // what the POST before it still brought comes first
        // One token for both sockets: whichever is ready, both are read.
        register(
            &self.poll,
            &self.shared.stderr,
            &mut upstream.wire.socket,
            Ready::Connection(i),
            Interest::READABLE,
        );
        if let Some(connection) = self.connections.get_mut(i)
            && connection.enter_http(upstream, &self.shared.table, now)
        {
            self.again(Ready::Connection(i));
        }
    }
}
