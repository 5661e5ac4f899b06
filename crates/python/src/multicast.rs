//! The arguments of the verbs for multicast.

use std::net::{Ipv4Addr, SocketAddrV4};

use headgate_engine::group;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[derive(FromPyObject)]
pub struct JoinGroup {
    host: String,
    port: u16,
    interfaces: Vec<String>,
    source: Option<String>,
    ttl: u32,
}

#[derive(FromPyObject)]
pub struct GroupSender {
    interface: String,
    pub ttl: u32,
}

#[derive(FromPyObject)]
pub struct Hear {
    pub connection: u64,
    pub host: String,
    pub ports: Vec<u64>,
}

impl JoinGroup {
    pub fn convert(&self) -> PyResult<group::Join> {
        Ok(group::Join {
            group: SocketAddrV4::new(ip(&self.host)?, self.port),
            interfaces: self.interfaces.iter().map(|interface| ip(interface)).collect::<PyResult<_>>()?,
            source: self.source.as_deref().map(ip).transpose()?,
            ttl: self.ttl,
        })
    }
}

impl GroupSender {
    pub fn interface(&self) -> PyResult<Ipv4Addr> {
        ip(&self.interface)
    }
}

fn ip(host: &str) -> PyResult<Ipv4Addr> {
    host.parse().map_err(|_| PyValueError::new_err(format!("{host:?} is not an IPv4 address")))
}
