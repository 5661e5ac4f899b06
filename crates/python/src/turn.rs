//! TURN: the frozen dataclasses that come down, and what goes up.

use std::hash::{DefaultHasher, Hash, Hasher};

use headgate_engine::turn::challenge::client_bytes;
use headgate_engine::turn::five_tuple::{self, Transport};
use headgate_engine::turn::listener::TurnLimits as Limits;
use headgate_engine::turn::{totals, verbs};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::{Tls, address, ip, seconds};
use crate::stun::StunMessage;

#[pyclass(frozen, eq, module = "headgate._engine")]
pub struct FiveTuple {
    pub tuple: five_tuple::FiveTuple,
    /// Asked for again and again while a request is decided, and kept by whoever is allowed something.
    client_host: PyOnceLock<Py<PyString>>,
}

impl FiveTuple {
    pub fn new(tuple: five_tuple::FiveTuple) -> Self {
        Self { tuple, client_host: PyOnceLock::new() }
    }
}

impl PartialEq for FiveTuple {
    fn eq(&self, other: &Self) -> bool {
        self.tuple == other.tuple
    }
}

#[pymethods]
impl FiveTuple {
    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.tuple.hash(&mut hasher);
        hasher.finish()
    }

    #[getter]
    fn transport(&self) -> u8 {
        self.tuple.transport as u8
    }

    #[getter]
    fn listener(&self) -> u64 {
        self.tuple.listener
    }

    #[getter]
    fn connection(&self) -> u64 {
        self.tuple.connection
    }

    #[getter]
    fn client<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &client_bytes(self.tuple.transport, self.tuple.client))
    }

    #[getter]
    fn client_host(&self, py: Python<'_>) -> Py<PyString> {
        let host = || PyString::new(py, &self.tuple.client.ip().to_string()).unbind();
        self.client_host.get_or_init(py, host).clone_ref(py)
    }

    #[getter]
    fn client_port(&self) -> u16 {
        self.tuple.client.port()
    }

    #[getter]
    fn server_host(&self) -> String {
        self.tuple.server.ip().to_string()
    }

    #[getter]
    fn server_port(&self) -> u16 {
        self.tuple.server.port()
    }
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct StunReceived {
    pub five_tuple: Py<FiveTuple>,
    pub allocation: u64,
    pub message: Py<StunMessage>,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct PeerConnected {
    pub allocation: u64,
    pub connection: u64,
    pub peer_host: String,
    pub peer_port: u16,
    pub incoming: bool,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct TurnCounters {
    malformed: u64,
    requests: u64,
    challenged: u64,
    requests_over_budget: u64,
    requests_looped: u64,
    no_allocation: u64,
    no_channel: u64,
    no_permission: u64,
    denied: u64,
    over_rate: u64,
    queue_full: u64,
    packets_relayed: u64,
    bytes_relayed: u64,
    packets_short_cut: u64,
}

impl From<totals::TurnCounters> for TurnCounters {
    fn from(counters: totals::TurnCounters) -> Self {
        Self {
            malformed: counters.malformed,
            requests: counters.requests,
            challenged: counters.challenged,
            requests_over_budget: counters.requests_over_budget,
            requests_looped: counters.requests_looped,
            no_allocation: counters.no_allocation,
            no_channel: counters.no_channel,
            no_permission: counters.no_permission,
            denied: counters.denied,
            over_rate: counters.over_rate,
            queue_full: counters.queue_full,
            packets_relayed: counters.packets_relayed,
            bytes_relayed: counters.bytes_relayed,
            packets_short_cut: counters.packets_short_cut,
        }
    }
}

#[derive(FromPyObject)]
pub struct TurnLimits {
    idle_timeout: f64,
    connection_limit: usize,
    connections_per_address: usize,
    requests_per_second_per_address: u32,
    compatible_channels: bool,
}

#[derive(FromPyObject)]
pub struct ListenTurn {
    transport: u8,
    host: String,
    port: u16,
    tls: Option<Tls>,
    limits: TurnLimits,
}

#[derive(FromPyObject)]
pub struct RetuneTurn {
    pub listener: u64,
    tls: Option<Tls>,
    limits: TurnLimits,
}

#[derive(FromPyObject)]
pub struct BindRelay {
    transport: u8,
    host: String,
    port: u16,
    external_host: Option<String>,
}

#[derive(FromPyObject)]
pub struct Allocate {
    five_tuple: Py<FiveTuple>,
    relays: Vec<u64>,
    lifetime_s: f64,
    bytes_per_second: u64,
    movable: bool,
}

#[derive(FromPyObject)]
pub struct Permit {
    allocation: u64,
    hosts: Vec<String>,
    lifetime_s: f64,
    relayed_only: bool,
}

#[derive(FromPyObject)]
pub struct BindChannel {
    allocation: u64,
    number: u16,
    peer_host: String,
    peer_port: u16,
    lifetime_s: f64,
    permission_lifetime_s: f64,
    relayed_only: bool,
}

impl TurnLimits {
    fn convert(&self) -> PyResult<Limits> {
        Ok(Limits {
            idle_timeout: seconds(self.idle_timeout)?,
            connection_limit: self.connection_limit,
            connections_per_address: self.connections_per_address,
            requests_per_second_per_address: self.requests_per_second_per_address,
            compatible_channels: self.compatible_channels,
        })
    }
}

/// Of clients.
pub fn transport(number: u8) -> PyResult<Transport> {
    Transport::from_number(number)
        .ok_or_else(|| PyValueError::new_err(format!("{number} is not a transport")))
}

impl ListenTurn {
    pub fn convert(self) -> PyResult<verbs::ListenTurn> {
        Ok(verbs::ListenTurn {
            transport: transport(self.transport)?,
            address: address(&self.host, self.port)?,
            tls: self.tls.map(Tls::pem),
            limits: self.limits.convert()?,
        })
    }
}

impl RetuneTurn {
    pub fn convert(self) -> PyResult<(Option<verbs::Pem>, Limits)> {
        Ok((self.tls.map(Tls::pem), self.limits.convert()?))
    }
}

impl BindRelay {
    pub fn convert(&self) -> PyResult<verbs::BindRelay> {
        let Some(transport) = verbs::RelayTransport::from_number(self.transport) else {
            return Err(PyValueError::new_err(format!("{} is not a relay's transport", self.transport)));
        };
        Ok(verbs::BindRelay {
            transport,
            address: address(&self.host, self.port)?,
            external: self.external_host.as_deref().map(ip).transpose()?,
        })
    }
}

impl Allocate {
    pub fn convert(self) -> PyResult<verbs::Allocate> {
        Ok(verbs::Allocate {
            five_tuple: self.five_tuple.get().tuple,
            relays: self.relays,
            lifetime: seconds(self.lifetime_s)?,
            bytes_per_second: self.bytes_per_second,
            movable: self.movable,
        })
    }
}

impl Permit {
    pub fn convert(&self) -> PyResult<verbs::Permit> {
        Ok(verbs::Permit {
            allocation: self.allocation,
            hosts: self.hosts.iter().map(|host| ip(host)).collect::<PyResult<_>>()?,
            lifetime: seconds(self.lifetime_s)?,
            relayed_only: self.relayed_only,
        })
    }
}

impl BindChannel {
    pub fn convert(&self) -> PyResult<verbs::BindChannel> {
        Ok(verbs::BindChannel {
            allocation: self.allocation,
            number: self.number,
            peer: address(&self.peer_host, self.peer_port)?,
            lifetime: seconds(self.lifetime_s)?,
            permission_lifetime: seconds(self.permission_lifetime_s)?,
            relayed_only: self.relayed_only,
        })
    }
}
