//! UDP ports: whose datagrams are whose.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::{Place, Ready, Worker};
use crate::Handle;
use crate::datagram::{DatagramPublisher, ReaderReports};
use crate::group::Cast;
use crate::rtcp;
use crate::udp::Port;
use crate::unit::Unit;

const ANYBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Batches of datagrams received before others have their turn.
const RECEIVE_SHARE: usize = 16;

/// Who gets a datagram from some address.
#[derive(Debug)]
pub(super) enum Route {
    Rtp(usize, usize),
    Rtcp(usize, usize),
    Reports(Arc<ReaderReports>, usize),
}

#[derive(Debug)]
pub(super) struct BoundPort {
    pub port: Arc<Port>,
    pub routes: HashMap<SocketAddr, Route>,
    /// By place: those on the same port of other addresses, one of which is to leave.
    pub twins: Vec<usize>,
}

impl BoundPort {
    /// A flow whose remote port is 0 takes what comes from any port of its host; that of a group from anybody,
    /// where no host is named.
    fn route(&self, remote: SocketAddr) -> Option<&Route> {
        let of_the_host = || self.routes.get(&SocketAddr::new(remote.ip(), 0));
        let of_anybody = || self.routes.get(&ANYBODY).filter(|_| is_group(self));
        self.routes.get(&remote).or_else(of_the_host).or_else(of_anybody)
    }
}

impl Worker {
    pub(super) fn receive(&mut self, i: usize, now: Instant) {
        let mut receiver = self.receiver.take().unwrap_or_default();
        let mut more = true;
        for _ in 0..RECEIVE_SHARE {
            let mut heard: Vec<usize> = Vec::new();
            let mut units: Vec<(usize, Vec<Arc<Unit>>)> = Vec::new();
            // What is left in the socket is a successor's.
            let Some(bound) = self.ports.get(i).filter(|_| !self.term.is_over()) else {
                more = false;
                break;
            };
            let (publishers, table, ports) = (&mut self.publishers, &self.shared.table, &self.ports);
            let of_a_twin = |remote| bound.twins.iter().find_map(|twin| ports[*twin].route(remote));
            let route = |remote| bound.route(remote).or_else(|| of_a_twin(remote));
            let result = receiver.receive(&bound.port, |remote, packet| match route(remote) {
                Some(Route::Rtp(publisher, track)) => {
                    if let Some(flow) = publishers.get_mut(*publisher) {
                        if heard.last() != Some(publisher) {
                            heard.push(*publisher);
                        }
                        match units.last_mut() {
                            Some((last, units)) if last == publisher => flow.rtp(*track, packet, now, units),
                            _ => {
                                let mut new = Vec::new();
                                flow.rtp(*track, packet, now, &mut new);
                                units.push((*publisher, new));
                            }
                        }
                    }
                }
                // Of a group's RTCP only the sender's is the publisher's: everybody's comes here, ours as well.
                Some(Route::Rtcp(..)) if is_group(bound) && !rtcp::is_sender_report(packet) => {}
                Some(Route::Rtcp(publisher, track)) => {
                    if let Some(flow) = publishers.get_mut(*publisher) {
                        if heard.last() != Some(publisher) {
                            heard.push(*publisher);
                        }
                        flow.rtcp(*track, packet, now);
                    }
                }
                // Whoever only hears a group reports as a receiver: this is our own, come back.
                Some(Route::Reports(..)) if is_group(bound) && rtcp::is_sender_report(packet) => {}
                Some(Route::Reports(reports, track)) => reports.receive(*track, packet, table, now),
                None => {} // a stranger, or a client that opens its firewall
            });
            // An error is of one datagram; what waits behind it will not be announced again.
            more = !matches!(result, Ok(false));
            for (publisher, units) in units {
                if let Some(stream) =
                    self.publisher(Place::Publisher(publisher)).map(|p| Arc::clone(&p.stream))
                {
                    self.distribute(&stream, &units, now);
                }
            }
            for publisher in heard {
                let mut units = Vec::new();
                let Some(DatagramPublisher { flow, .. }) = self.publishers.get_mut(publisher) else {
                    continue;
                };
                flow.turn(&self.shared.table, now, &mut units);
                if !units.is_empty() {
                    let stream = Arc::clone(&flow.stream);
                    self.distribute(&stream, &units, now);
                }
                self.await_end(Place::Publisher(publisher));
            }
            if !more {
                break;
            }
        }
        self.receiver = Some(receiver);
        if more {
            self.again(Ready::Port(i));
        }
    }

    pub(super) fn route(&mut self, port: Handle, remote: SocketAddr, to: Option<Route>) {
        if let Some(Place::Port(i)) = self.places.get(&port)
            && let Some(bound) = self.ports.get_mut(*i)
        {
            match to {
                Some(route) => bound.routes.insert(remote, route),
                None => bound.routes.remove(&remote),
            };
        }
    }
}

fn is_group(bound: &BoundPort) -> bool {
    bound.port.cast != Cast::Unicast
}
