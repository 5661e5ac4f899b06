//! What a worker's wing leaves behind, and what its successor takes over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpListener;

use super::Wing;
use super::allocation::Allocation;
use super::away::Away;
use super::directory::Directory;
use super::five_tuple::{FiveTuple, Transport};
use super::listener::Listener;
use crate::Handle;
use crate::command::FIRST;
use crate::event::CloseReason;

impl Directory {
    /// These allocations are no more.
    pub fn lose(&self, lost: &HashSet<Handle>) {
        self.addresses.lose(lost);
        self.allocations.lock().expect("no holder panics").retain(|_, (handle, _)| !lost.contains(handle));
    }
}

impl Wing {
    /// Hear over every listener that is open, and for whoever has gone where this worker hears (RFC 8016).
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
        let allocations = self.shared.turn.allocations.lock().expect("no holder panics");
        for (five_tuple, (allocation, counters)) in allocations.iter() {
            let home = self.shared.worker_of(*allocation);
            // A connection is lost; who has its allocation knows that by itself.
            if five_tuple.connection == 0 && five_tuple.worker == self.index && home != self.index {
                let away = Away::new(home, *allocation, Arc::clone(counters));
                self.away.insert(*five_tuple, away);
            }
        }
    }

    /// Another worker was replaced: of those who are heard here for it, it has the allocations no more, and the
    /// connections that it had of our allocations' clients have ended.
    pub fn bereave(&mut self, worker: usize, now: Instant) {
        let shared = &self.shared;
        let has = |five_tuple: &FiveTuple| match shared.turn.allocation(five_tuple) {
            0 => false,
            allocation => shared.worker_of(allocation) == worker,
        };
        self.away.retain(|five_tuple, away| away.home != worker || has(five_tuple));
        self.settle_all(|former| former.worker == worker);
        let its = |its: &Allocation| its.five_tuple.connection != 0 && its.five_tuple.worker == worker;
        let left: Vec<(usize, FiveTuple)> = self
            .allocations
            .iter()
            .filter(|(_, allocation)| its(allocation))
            .map(|(i, allocation)| (i, allocation.five_tuple))
            .collect();
        for (i, five_tuple) in left {
            self.leave(i, five_tuple, CloseReason::Fault, now);
        }
    }

    /// Its term is over: nothing that it had on its way to other workers comes.
    pub fn let_go(&self) {
        for (worker, (deliveries, crossing)) in self.deliveries.iter().zip(&self.crossings).enumerate() {
            self.shared.turn.release(worker, deliveries.size() + crossing.size());
        }
    }

    fn door(&self, listener: Handle) -> Option<TcpListener> {
        let doors = self.shared.turn.doors.lock().expect("no holder panics");
        match doors.get(&listener)?.try_clone() {
            Ok(socket) => Some(TcpListener::from_std(socket)),
            Err(error) => {
                self.shared.stderr.listener_lost(&error);
                None
            }
        }
    }
}
