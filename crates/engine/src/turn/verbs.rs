//! The verbs of TURN.

mod allocations;
mod listeners;

use std::net::Shutdown;

use socket2::SockRef;

pub use self::allocations::{Allocate, BindChannel, BindRelay, Permit, RelayTransport};
pub use self::listeners::{ListenTurn, Pem};
use super::command::Command;
use super::directory::Directory;
use super::totals::TurnCounters;
use crate::Handle;
use crate::engine::Engine;

impl Engine {
    fn turn(&self) -> &Directory {
        &self.shared.turn
    }

    fn tell_turn(&self, handle: Handle, command: Command) {
        self.shared.tell(handle, crate::command::Command::Turn(command));
    }

    pub fn turn_counters(&self) -> TurnCounters {
        self.turn().counters()
    }

    /// What `close` has to do besides telling the worker that owns the handle.
    pub(crate) fn close_turn(&self, handle: Handle) {
        self.turn().addresses.close(handle);
        self.turn().relays.lock().expect("no holder panics").remove(&handle);
        if let Some(door) = self.turn().doors.lock().expect("no holder panics").remove(&handle) {
            let _ = SockRef::from(&door).shutdown(Shutdown::Both);
        }
        if self.turn().listeners.lock().expect("no holder panics").remove(&handle).is_some() {
            for inbox in &self.shared.inboxes {
                inbox.push(crate::command::Command::Turn(Command::Unhear(handle)));
            }
        }
    }
}
