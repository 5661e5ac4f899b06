//! How much of a host may be sent to.

use std::net::{IpAddr, SocketAddr};

use super::addresses::{Ours, is_here};

/// What Python's policy and our own addresses leave of a permission. Relayed addresses of ours are reached
/// in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Another machine: anything.
    All,
    /// This machine: anything but our own listeners.
    Here,
    /// Relayed addresses of ours, and nothing else: what else is there the policy denies.
    Relayed,
}

impl Reach {
    pub fn of(host: IpAddr, relayed_only: bool) -> Self {
        match host {
            _ if relayed_only => Self::Relayed,
            _ if is_here(host) => Self::Here,
            _ => Self::All,
        }
    }

    /// Whether `peer` may be sent to, which is no relayed address of ours.
    pub fn takes(self, peer: SocketAddr, ours: &Ours) -> bool {
        match self {
            Self::All => true,
            Self::Here => !ours.listens(peer),
            Self::Relayed => false,
        }
    }
}
