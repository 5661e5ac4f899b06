//! The thin binding of `headgate_engine`: conversions only. The contract is
//! `src/headgate/_engine.pyi`.
//!
//! No thread of the engine enters Python, and no Python object is kept.

mod arguments;
mod challenge;
mod descriptors;
mod engine;
mod events;
mod multicast;
mod stun;
mod turn;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _engine {
    #[pymodule_export]
    use crate::challenge::{AddressBudget, Nonces};
    #[pymodule_export]
    use crate::descriptors::{left_by_players, left_by_relays};
    #[pymodule_export]
    use crate::engine::{Engine, RelayLatency, StreamTrack, UdpPort};
    #[pymodule_export]
    use crate::events::{Accepted, Closed, Connected, Counters, HttpReceived, Malformed, Received};
    #[pymodule_export]
    use crate::stun::{MalformedStun, StunAnswer, StunMessage};
    #[pymodule_export]
    use crate::turn::{FiveTuple, PeerConnected, StunReceived, TurnCounters};
}
