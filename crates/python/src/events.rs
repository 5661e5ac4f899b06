//! Events and totals, as they go up.

use headgate_engine::counters::Snapshot;
use headgate_engine::event::Event;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::stun::StunMessage;
use crate::turn::{FiveTuple, PeerConnected, StunReceived};

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct Accepted {
    listener: u64,
    connection: u64,
    remote_host: String,
    remote_port: u16,
    local_host: String,
    local_port: u16,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct Connected {
    connection: u64,
    remote_host: String,
    remote_port: u16,
    local_host: String,
    local_port: u16,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct Received {
    connection: u64,
    message: Py<PyBytes>,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct HttpReceived {
    connection: u64,
    head: Py<PyBytes>,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct Malformed {
    connection: u64,
    refusal: u8,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct Closed {
    handle: u64,
    reason: u8,
    counters: Py<Counters>,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct Counters {
    bytes_received: u64,
    bytes_sent: u64,
    packets_received: u64,
    packets_sent: u64,
    packets_lost: u64,
    packets_in_error: u64,
    packets_discarded: u64,
    rtcp_packets_received: u64,
    rtcp_packets_sent: u64,
    rtcp_packets_in_error: u64,
    queued_packets: u64,
    queued_bytes: u64,
    frames_refused: u64,
    jitter_ticks: u64,
    jitter_s: f64,
    idle_s: f64,
}

impl From<Snapshot> for Counters {
    fn from(snapshot: Snapshot) -> Self {
        let Snapshot {
            bytes_received,
            bytes_sent,
            packets_received,
            packets_sent,
            packets_lost,
            packets_in_error,
            packets_discarded,
            rtcp_packets_received,
            rtcp_packets_sent,
            rtcp_packets_in_error,
            queued_packets,
            queued_bytes,
            frames_refused,
            jitter_ticks,
            jitter_s,
            idle_s,
        } = snapshot;
        Self {
            bytes_received,
            bytes_sent,
            packets_received,
            packets_sent,
            packets_lost,
            packets_in_error,
            packets_discarded,
            rtcp_packets_received,
            rtcp_packets_sent,
            rtcp_packets_in_error,
            queued_packets,
            queued_bytes,
            frames_refused,
            jitter_ticks,
            jitter_s,
            idle_s,
        }
    }
}

pub fn up(py: Python<'_>, event: Event) -> PyResult<Py<PyAny>> {
    Ok(match event {
        Event::Accepted { listener, connection, remote, local } => {
            let accepted = Accepted {
                listener,
                connection,
                remote_host: remote.ip().to_string(),
                remote_port: remote.port(),
                local_host: local.ip().to_string(),
                local_port: local.port(),
            };
            Py::new(py, accepted)?.into_any()
        }
        Event::Connected { connection, remote, local } => {
            let connected = Connected {
                connection,
                remote_host: remote.ip().to_string(),
                remote_port: remote.port(),
                local_host: local.ip().to_string(),
                local_port: local.port(),
            };
            Py::new(py, connected)?.into_any()
        }
        Event::Received { connection, message, .. } => {
            let message = PyBytes::new(py, &message).unbind();
            Py::new(py, Received { connection, message })?.into_any()
        }
        Event::HttpReceived { connection, head } => {
            let head = PyBytes::new(py, &head).unbind();
            Py::new(py, HttpReceived { connection, head })?.into_any()
        }
        Event::Malformed { connection, refusal } => {
            Py::new(py, Malformed { connection, refusal: refusal as u8 })?.into_any()
        }
        Event::StunReceived { five_tuple, allocation, message, .. } => {
            let five_tuple = Py::new(py, FiveTuple::new(five_tuple))?;
            let message = Py::new(py, StunMessage::read(py, PyBytes::new(py, &message))?)?;
            Py::new(py, StunReceived { five_tuple, allocation, message })?.into_any()
        }
        Event::PeerConnected { allocation, connection, peer, incoming } => {
            let (peer_host, peer_port) = (peer.ip().to_string(), peer.port());
            Py::new(py, PeerConnected { allocation, connection, peer_host, peer_port, incoming })?.into_any()
        }
        Event::Closed { handle, reason, counters } => {
            let counters = Py::new(py, Counters::from(counters))?;
            Py::new(py, Closed { handle, reason: reason as u8, counters })?.into_any()
        }
    })
}
