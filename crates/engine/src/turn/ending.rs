//! How listeners and allocations end.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Instant;

use mio::unix::SourceFd;

use super::five_tuple::FiveTuple;
use super::{Place, Source, Wing};
use crate::Handle;
use crate::event::CloseReason;

impl Wing {
    pub fn close(&mut self, handle: Handle, reason: CloseReason, now: Instant) {
        match self.by_handle.get(&handle).copied() {
            Some(Place::Allocation(i)) => self.end(i, reason, now),
            Some(Place::Source(i)) => {
                match self.sources.get(i) {
                    Some(Source::Client(_)) => return self.end_client(i, reason, now),
                    Some(Source::Pipe(_)) => return self.end_pipe(i, reason, now),
                    Some(Source::Secure(_)) => return self.end_secure(i, reason, now),
                    _ => {}
                }
                let its_associations: Vec<usize> =
                    self.associations.iter().filter(|(key, _)| key.0 == i).map(|(_, a)| *a).collect();
                for a in its_associations {
                    self.end_secure(a, reason, now);
                }
                self.flush(now);
                self.by_handle.remove(&handle);
                // A connection stays without its listener.
                if let Some(source) = self.sources.try_remove(i)
                    && let Some(socket) = source.udp()
                {
                    let _ = self.registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
                }
                self.settle_all(|former| former.listener == handle && former.connection == 0);
                let its_clients: Vec<usize> = self
                    .allocations
                    .iter()
                    .filter(|(_, allocation)| allocation.client() == handle)
                    .map(|(i, _)| i)
                    .collect();
                for i in its_clients {
                    self.end(i, reason, now);
                }
            }
            None => {}
        }
    }

    /// End an allocation: nothing of it is left when Python hears of it.
    pub(super) fn end(&mut self, i: usize, reason: CloseReason, now: Instant) {
        if !self.term.goes_on() {
            return; // it ended with this worker
        }
        self.flush(now);
        let pipes = self.allocations.get_mut(i).map(|allocation| std::mem::take(&mut allocation.pipes));
        for pipe in pipes.unwrap_or_default() {
            self.end_pipe(pipe, reason, now); // RFC 6062 5.6
        }
        let Some(allocation) = self.allocations.try_remove(i) else { return };
        let handle = allocation.handle;
        self.by_handle.remove(&handle);
        for way in [Some(allocation.five_tuple), allocation.former].into_iter().flatten() {
            self.forget_way(i, handle, way);
        }
        let relays = allocation.relays.into_iter().flatten();
        let addresses = relays.clone().flat_map(|relay| [relay.external, relay.local]);
        self.unlist(handle, &allocation.five_tuple, addresses);
        for relay in relays {
            drop(self.sources.try_remove(relay.source)); // closed, it is watched no more
        }
        drop(allocation.inviting.and_then(|inviting| self.sources.try_remove(inviting)));
        self.shared.closed(&self.term, handle, reason, now);
    }

    /// Nobody finds an allocation any more, whoever has its five-tuple or addresses next.
    pub(super) fn unlist(
        &self,
        handle: Handle,
        five_tuple: &FiveTuple,
        addresses: impl Iterator<Item = SocketAddr>,
    ) {
        let directory = &self.shared.turn;
        for address in addresses {
            directory.addresses.unrelay(address, handle);
        }
        let mut allocations = directory.allocations.lock().expect("no holder panics");
        if allocations.get(five_tuple).is_some_and(|(other, _)| *other == handle) {
            allocations.remove(five_tuple);
        }
    }

    /// Refresh with lifetime 0 and one family (RFC 8656 8.2): the other goes on.
    pub(super) fn release_relay(&mut self, handle: Handle, host: IpAddr, now: Instant) {
        self.flush(now);
        let Some(Place::Allocation(i)) = self.by_handle.get(&handle).copied() else { return };
        let Some(relay) = self.allocations[i].relays[usize::from(host.is_ipv6())].take() else { return };
        self.shared.turn.addresses.unrelay(relay.external, handle);
        self.shared.turn.addresses.unrelay(relay.local, handle);
        drop(self.sources.try_remove(relay.source));
    }

    pub fn stop(&mut self, now: Instant) {
        let allocations: Vec<usize> = self.allocations.iter().map(|(i, _)| i).collect();
        for i in allocations {
            self.end(i, CloseReason::Shutdown, now);
        }
        let clients: Vec<usize> = self.sources.iter().map(|(i, _)| i).collect();
        for i in clients {
            self.end_client(i, CloseReason::Shutdown, now);
            self.end_secure(i, CloseReason::Shutdown, now);
        }
        self.flush(now);
        self.sources.clear();
        self.by_handle.clear();
    }

    /// A bug while a source was served: it ends what the source is of, and nothing else.
    pub fn fault(&mut self, i: usize, now: Instant) {
        match self.sources.get(i) {
            Some(Source::Relaying { allocation, .. }) => {
                let allocation = *allocation;
                self.end(allocation, CloseReason::Fault, now);
            }
            Some(Source::Client(_)) => self.end_client(i, CloseReason::Fault, now),
            Some(Source::Pipe(_)) => self.end_pipe(i, CloseReason::Fault, now),
            Some(Source::Secure(_)) => self.end_secure(i, CloseReason::Fault, now),
            Some(Source::Joined(pipe)) => {
                let pipe = *pipe;
                self.end_pipe(pipe, CloseReason::Fault, now);
            }
            Some(Source::Inviting(inviting)) => {
                let allocation = inviting.allocation();
                self.end(allocation, CloseReason::Fault, now);
            }
            _ => {}
        }
    }
}
