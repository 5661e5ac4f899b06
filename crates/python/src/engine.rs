//! The verbs.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::SeqCst;

use headgate_engine::engine::{self as verbs, VerbError};
use headgate_engine::latency::BOUNDS_US;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::arguments::{self, Connect, Listen, OpenStream, PublishTcp, PublishUdp, ReadTcp, ReadUdp, Tls};
use crate::challenge::Challenge;
use crate::events::{self, Counters};
use crate::multicast::{GroupSender, Hear, JoinGroup};
use crate::turn::{
    Allocate, BindChannel, BindRelay, FiveTuple, ListenTurn, Permit, RetuneTurn, TurnCounters,
};

#[pyclass(frozen, module = "headgate._engine")]
pub struct Engine(verbs::Engine);

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct StreamTrack {
    ssrc: Option<u32>,
    sequence: Option<u16>,
    timestamp: Option<u32>,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct RelayLatency {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum: f64,
}

#[pyclass(frozen, get_all, module = "headgate._engine")]
pub struct UdpPort {
    handle: u64,
    host: String,
    port: u16,
}

impl From<(u64, SocketAddr)> for UdpPort {
    fn from((handle, bound): (u64, SocketAddr)) -> Self {
        Self { handle, host: bound.ip().to_string(), port: bound.port() }
    }
}

/// The standard exception first: `OSError` with its errno becomes its subclass by itself.
fn raise(error: VerbError) -> PyErr {
    match error {
        VerbError::Value(text) => PyValueError::new_err(text),
        VerbError::Io(error) => match error.raw_os_error() {
            Some(errno) => PyOSError::new_err((errno, error.to_string())),
            None => error.into(),
        },
        VerbError::Stopped => PyRuntimeError::new_err("the engine is shut down"),
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, workers, event_capacity))]
    fn new(py: Python<'_>, workers: usize, event_capacity: usize) -> PyResult<Self> {
        py.detach(|| verbs::Engine::start(workers, event_capacity)).map(Self).map_err(raise)
    }

    fn fileno(&self) -> i32 {
        self.0.events().fd()
    }

    fn drain(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<Py<PyAny>>> {
        let taken = py.detach(|| self.0.drain(limit));
        taken.into_iter().map(|event| events::up(py, event)).collect()
    }

    fn refused_connections(&self) -> u64 {
        self.0.events().refused_connections.load(SeqCst)
    }

    fn workers_restarted(&self) -> u64 {
        self.0.workers_restarted()
    }

    fn listen(&self, py: Python<'_>, listen: Listen) -> PyResult<(u64, u16)> {
        let beside = listen.beside();
        let listen = listen.convert()?;
        py.detach(|| self.0.listen_beside(&listen, beside)).map_err(raise)
    }

    fn retune(&self, py: Python<'_>, listener: u64, listen: Listen) -> PyResult<()> {
        let listen = listen.convert()?;
        py.detach(|| self.0.retune(listener, &listen)).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn check_tls(&self, py: Python<'_>, tls: Tls) -> PyResult<()> {
        py.detach(|| self.0.check_tls(&tls.certificate_pem, &tls.key_pem)).map_err(raise)
    }

    fn connect(&self, py: Python<'_>, connect: Connect) -> PyResult<u64> {
        let connect = connect.convert()?;
        py.detach(|| self.0.connect(&connect)).map_err(raise)
    }

    #[pyo3(signature = (host, port, *, beside=None))]
    fn bind_udp(&self, host: &str, port: u16, beside: Option<u64>) -> PyResult<UdpPort> {
        let address = arguments::address(host, port)?;
        self.0.bind_udp_beside(address, beside).map(UdpPort::from).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn join_group(&self, join: JoinGroup) -> PyResult<UdpPort> {
        self.0.join_group(&join.convert()?).map(UdpPort::from).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn group_sender(&self, sender: GroupSender) -> PyResult<UdpPort> {
        self.0.group_sender(sender.interface()?, sender.ttl).map(UdpPort::from).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn hear(&self, hear: Hear) -> PyResult<u64> {
        let host = arguments::address(&hear.host, 0)?.ip();
        self.0.hear(hear.connection, host, &hear.ports).map_err(raise)
    }

    fn send(&self, connection: u64, data: Vec<u8>) {
        self.0.send(connection, data);
    }

    fn close(&self, handle: u64) {
        self.0.close(handle);
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn open_stream(&self, stream: OpenStream) -> PyResult<u64> {
        self.0.open_stream(&stream.specs()?, stream.payload_size).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn publish_tcp(&self, publish: PublishTcp) -> PyResult<u64> {
        let keys = publish.keys()?;
        self.0
            .publish_tcp_protected(publish.stream, publish.connection, &publish.channels(), &keys)
            .map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn publish_udp(&self, publish: PublishUdp) -> PyResult<u64> {
        let (ports, remotes, read_timeout) = publish.convert()?;
        self.0.publish_udp_protected(ports, &remotes, &publish.keys()?, read_timeout).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn read_tcp(&self, read: ReadTcp) -> PyResult<u64> {
        let ReadTcp { stream, connection, queue_packets, queue_bytes, .. } = read;
        let (channels, keys) = (read.channels(), read.keys()?);
        self.0
            .read_tcp_protected(stream, connection, &channels, &keys, queue_packets, queue_bytes)
            .map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn read_udp(&self, read: ReadUdp) -> PyResult<u64> {
        let (ports, remotes) = read.convert()?;
        self.0.read_udp_protected(ports, &remotes, &read.keys()?).map_err(raise)
    }

    fn tunnel_websocket(&self, connection: u64) {
        self.0.tunnel_websocket(connection);
    }

    #[pyo3(signature = (*, get, post))]
    fn tunnel_http(&self, get: u64, post: u64) {
        self.0.tunnel_http(get, post);
    }

    fn play(&self, flow: u64) {
        self.0.play(flow);
    }

    fn pause(&self, flow: u64) {
        self.0.pause(flow);
    }

    fn listen_turn(&self, py: Python<'_>, listen: ListenTurn) -> PyResult<UdpPort> {
        let listen = listen.convert()?;
        py.detach(|| self.0.listen_turn(&listen)).map(UdpPort::from).map_err(raise)
    }

    fn check_turn_tls(&self, py: Python<'_>, transport: u8, tls: Tls) -> PyResult<()> {
        let (transport, pem) = (crate::turn::transport(transport)?, tls.pem());
        py.detach(|| self.0.check_turn_tls(transport, &pem)).map_err(raise)
    }

    fn retune_turn(&self, retune: RetuneTurn) -> PyResult<()> {
        let listener = retune.listener;
        let (tls, limits) = retune.convert()?;
        self.0.retune_turn(listener, tls.as_ref(), limits).map_err(raise)
    }

    fn challenge(&self, challenge: Challenge) -> PyResult<()> {
        self.0.challenge(Some(challenge.convert()?));
        Ok(())
    }

    fn answer(&self, five_tuple: &FiveTuple, message: Vec<u8>) {
        self.0.answer(five_tuple.tuple, message);
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn answer_from(
        &self,
        listener: u64,
        five_tuple: &FiveTuple,
        port: u16,
        message: Vec<u8>,
    ) -> PyResult<()> {
        let mut to = five_tuple.tuple;
        to.client.set_port(port);
        self.0.answer_from(listener, to, &message).map_err(raise)
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn bind_relay(&self, bind: BindRelay) -> PyResult<UdpPort> {
        self.0.bind_relay(&bind.convert()?).map(UdpPort::from).map_err(raise)
    }

    fn allocate(&self, allocate: Allocate) -> PyResult<u64> {
        self.0.allocate(&allocate.convert()?).map_err(raise)
    }

    fn refresh_allocation(&self, allocation: u64, lifetime_s: f64) -> PyResult<()> {
        self.0.refresh_allocation(allocation, arguments::seconds(lifetime_s)?);
        Ok(())
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn permit(&self, permit: Permit) -> PyResult<()> {
        self.0.permit(&permit.convert()?);
        Ok(())
    }

    fn release_relay(&self, allocation: u64, host: &str) -> PyResult<()> {
        self.0.release_relay(allocation, arguments::ip(host)?);
        Ok(())
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn bind_channel(&self, bind: BindChannel) -> PyResult<()> {
        self.0.bind_channel(&bind.convert()?).map_err(raise)
    }

    #[pyo3(signature = (allocation, *, before, five_tuple))]
    fn move_allocation(&self, allocation: u64, before: &FiveTuple, five_tuple: &FiveTuple) -> PyResult<()> {
        self.0.move_allocation(allocation, &before.tuple, five_tuple.tuple).map_err(raise)
    }

    fn connect_peer(&self, allocation: u64, host: &str, port: u16) -> PyResult<u64> {
        self.0.connect_peer(allocation, arguments::address(host, port)?).map_err(raise)
    }

    fn join(&self, five_tuple: &FiveTuple, connection: u64, answer: Vec<u8>) {
        self.0.join(five_tuple.tuple, connection, answer);
    }

    fn turn_counters(&self) -> TurnCounters {
        self.0.turn_counters().into()
    }

    fn tracks(&self, stream: u64) -> Vec<StreamTrack> {
        let live = self.0.tracks(stream).into_iter();
        live.map(|live| StreamTrack {
            ssrc: live.ssrc,
            sequence: live.ssrc.map(|_| live.next_sequence),
            timestamp: live.ssrc.map(|_| live.timestamp),
        })
        .collect()
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts arguments by value")]
    fn counters(&self, handles: Vec<u64>) -> Vec<Option<Counters>> {
        self.0.counters(&handles).into_iter().map(|snapshot| snapshot.map(Counters::from)).collect()
    }

    fn relay_latency(&self) -> RelayLatency {
        let all = self.0.relay_latency();
        RelayLatency {
            bounds: BOUNDS_US.iter().map(|bound| *bound as f64 / 1e6).collect(),
            counts: all.counts.to_vec(),
            sum: all.sum.as_secs_f64(),
        }
    }

    fn forget(&self, handle: u64) {
        self.0.forget(handle);
    }

    fn shutdown(&self, py: Python<'_>) {
        py.detach(|| self.0.shutdown());
    }
}
