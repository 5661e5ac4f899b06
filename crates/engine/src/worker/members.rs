//! Who hears a group: their reports come to the ports that hear it too, by the host that sent them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::ports::Route;
use super::{Place, Worker};
use crate::Handle;
use crate::command::Command;
use crate::event::CloseReason;
use crate::group::Member;

impl Worker {
    pub(super) fn hear(&mut self, member: Member) {
        let (flow, connection) = (member.flow, member.connection);
        let i = self.members.insert(member);
        self.places.insert(flow, Place::Member(i));
        for (track, port) in self.members[i].ports.clone().into_iter().enumerate() {
            self.route_reports(i, port, track);
        }
        self.tell(connection, Command::Tie { connection, flow });
    }

    /// Of several on one host the first is told: nothing says whose the reports are.
    fn route_reports(&mut self, i: usize, port: Handle, track: usize) {
        let Some(Place::Port(bound)) = self.places.get(&port) else { return };
        let member = &self.members[i];
        let route = Route::Reports(Arc::clone(&member.reports), track);
        self.ports[*bound].routes.entry(SocketAddr::new(member.host, 0)).or_insert(route);
    }

    pub(super) fn end_member(&mut self, i: usize, reason: CloseReason, now: Instant) {
        let Member { flow, connection, host, ports, reports } = self.members.remove(i);
        for port in ports {
            let Some(Place::Port(bound)) = self.places.get(&port) else { continue };
            let routes = &mut self.ports[*bound].routes;
            let address = SocketAddr::new(host, 0);
            match routes.get(&address) {
                Some(Route::Reports(told, _)) if Arc::ptr_eq(told, &reports) => routes.remove(&address),
                _ => continue,
            };
            let next = self.members.iter().find_map(|(i, member)| {
                let track = member.ports.iter().position(|other| *other == port)?;
                (member.host == host).then_some((i, track))
            });
            if let Some((next, track)) = next {
                self.route_reports(next, port, track);
            }
        }
        self.tell(connection, Command::Untie { connection, flow });
        self.closed(flow, reason, now);
    }
}
