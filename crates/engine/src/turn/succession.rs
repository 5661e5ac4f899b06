//! What a worker's wing leaves behind, and what its successor takes over.

use std::collections::HashSet;
use std::sync::Arc;

use mio::net::TcpListener;

use super::Wing;
use super::directory::Directory;
use super::five_tuple::Transport;
use super::listener::Listener;
use crate::Handle;
use crate::command::FIRST;

impl Directory {
    /// These allocations are no more.
    pub fn lose(&self, lost: &HashSet<Handle>) {
        self.addresses.lose(lost);
        self.allocations.lock().expect("no holder panics").retain(|_, (handle, _)| !lost.contains(handle));
    }
}

impl Wing {
    /// Hear over every listener that is open.
    pub fn inherit(&mut self) {
        let directory = &self.shared.turn;
        let listeners: Vec<Arc<Listener>> =
            directory.listeners.lock().expect("no holder panics").values().map(Arc::clone).collect();
        for listener in listeners {
            match (listener.transport, self.shared.turn.receiving.get().map(Arc::clone)) {
                (Transport::Udp | Transport::Dtls, Some(state)) => self.hear(listener, &state),
                (Transport::Tcp | Transport::Tls, _) if self.index == FIRST => {
                    if let Some(socket) = self.door(listener.handle) {
                        self.begin_accepting(listener, socket);
                    }
                }
                (Transport::Udp | Transport::Dtls, None) | (Transport::Tcp | Transport::Tls, _) => {}
            }
        }
    }

    /// Its term is over: nothing that it had on its way to other workers comes.
    pub fn let_go(&self) {
        for (worker, deliveries) in self.deliveries.iter().enumerate() {
            self.shared.turn.release(worker, deliveries.size());
        }
    }

    fn door(&self, listener: Handle) -> Option<TcpListener> {
        let doors = self.shared.turn.doors.lock().expect("no holder panics");
        match doors.get(&listener)?.try_clone() {
            Ok(socket) => Some(TcpListener::from_std(socket)),
            Err(error) => {
                eprintln!("headgate: a listener is lost with its worker: {error}");
                None
            }
        }
    }
}
