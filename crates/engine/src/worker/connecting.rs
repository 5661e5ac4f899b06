//! Connections that we make, from the first packet to the event that says they stand.

use std::sync::Arc;
use std::time::Instant;

use mio::Interest;
use mio::net::TcpStream;

use super::{Place, Ready, Worker, register};
use crate::Handle;
use crate::connection::{Admission, Connection};
use crate::counters::Counters;
use crate::event::{CloseReason, Event};

impl Worker {
    pub(super) fn connect(
        &mut self,
        handle: Handle,
        mut socket: TcpStream,
        tls: Option<Box<rustls::ClientConnection>>,
        admission: Admission,
        counters: Arc<Counters>,
        now: Instant,
    ) {
        let entry = self.connections.vacant_entry();
        let i = entry.key();
        let both = Interest::READABLE | Interest::WRITABLE;
        register(&self.poll, &self.shared.stderr, &mut socket, Ready::Connection(i), both);
        entry.insert(Connection::outgoing(handle, socket, tls, admission, counters, now));
        self.places.insert(handle, Place::Connection(i));
    }

    /// See how far a connection that we make has come; before and after its socket was read.
    pub(super) fn establish(&mut self, i: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(i) else { return };
        if !connection.is_connecting() {
            return;
        }
        match connection.establish() {
            Ok(None) => {}
            Ok(Some((local, remote))) => {
                let connection = connection.handle;
                self.shared.events.tell(&self.term, Event::Connected { connection, remote, local });
                self.write(i, now);
            }
            Err(_) => self.doomed.push((i, connection.closing().unwrap_or(CloseReason::Connect))),
        }
    }
}
