"""What the engine counts is what every dialect shows: one publisher, one reader, three packets."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from headgate.core.service import Endpoint
from headgate.core.session import Role
from headgate.engine import (
    Accepted,
    Channel,
    Codec,
    Engine,
    Event,
    Listen,
    OpenStream,
    PublishTcp,
    ReadTcp,
    Received,
    Track,
)
from tests.api.house import LONG_AGO, Connection, House, Visitor

PATIENCE = 10.0  # seconds; only a failing test waits so long
PACKETS = 3
PACKET_SIZE = 112
MEDIA = PACKETS * PACKET_SIZE
FRAME_HEAD = 4
STRAY = b"$\x07\x00\x01x"
"""A frame on a channel that nobody set up."""
REQUEST = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"


@dataclass
class Stage:
    publisher: Visitor
    reader: Visitor
    publishing: Connection
    reading: Connection


@pytest.fixture
def stage(house: House) -> Iterator[Stage]:
    engine = house.engine
    _, port = engine.listen(Listen(host="127.0.0.1", port=0))
    with (
        closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as camera,
        closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as screen,
    ):
        connections = accepted(engine, [camera, screen])
        stream = engine.open_stream(OpenStream(tracks=[Track(codec=Codec.OPAQUE, clock_rate=90000)]))
        channels = [Channel(track=0, rtp=0, rtcp=1)]
        source = engine.publish_tcp(
            PublishTcp(stream=stream, connection=connections[0].handle, channels=channels)
        )
        flow = engine.read_tcp(ReadTcp(stream=stream, connection=connections[1].handle, channels=channels))
        engine.play(flow)
        for number in range(PACKETS):
            camera.sendall(frame(number))
        assert len(read(screen, PACKETS * (FRAME_HEAD + PACKET_SIZE))) == PACKETS * (FRAME_HEAD + PACKET_SIZE)
        # Behind the packets on the same connection: when this is here, they were all counted.
        camera.sendall(STRAY + REQUEST)
        event(engine, Received)
        publisher = house.visit("live/cam", role=Role.PUBLISH, handles=[source])
        reader = house.visit("live/cam", role=Role.READ, handles=[flow])
        house.add_path("live/cam", source=publisher, ready_time=LONG_AGO, stream=stream, readers=[reader])
        for connection in connections:
            house.rtsp_connections[connection.uuid] = connection
        yield Stage(publisher, reader, *connections)


def accepted(engine: Engine, clients: list[socket.socket]) -> list[Connection]:
    """The connections of these clients, in their order."""
    found: dict[int, Connection] = {}
    for _ in clients:
        arrival = event(engine, Accepted)
        assert isinstance(arrival, Accepted)
        remote = Endpoint(arrival.remote_host, arrival.remote_port)
        found[arrival.remote_port] = Connection(handle=arrival.connection, remote=remote)
    return [found[client.getsockname()[1]] for client in clients]


def event(engine: Engine, kind: type[Event]) -> Event:
    """The next event, which must be of this kind."""
    drained: list[Event] = []
    while not drained:  # it is also readable until it is found empty
        readable, _, _ = select.select([engine.fileno()], [], [], PATIENCE)
        assert readable, f"no {kind.__name__}"
        drained = engine.drain(1)
    (found,) = drained
    assert isinstance(found, kind)
    return found


def frame(number: int) -> bytes:
    """One RTP packet (RFC 3550 5.1), marked as the end of its unit, as an interleaved frame."""
    head = bytes([0x80, 0x80 | 96]) + number.to_bytes(2) + (number * 3000).to_bytes(4) + b"\x01\x02\x03\x04"
    packet = head + bytes(PACKET_SIZE - len(head))
    return b"$\x00" + len(packet).to_bytes(2) + packet


def read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := client.recv(size - len(data))):
        data += part
    return data


@pytest.mark.usefixtures("stage")
async def test_the_path(operator: httpx.AsyncClient) -> None:
    path = (await operator.get("/v3/paths/get/live/cam")).json()

    assert (path["bytesReceived"], path["bytesSent"]) == (MEDIA, MEDIA)


async def test_connections(stage: Stage, operator: httpx.AsyncClient) -> None:
    wire = PACKETS * (FRAME_HEAD + PACKET_SIZE)
    publishing, reading = (await operator.get("/v3/rtspconns/list")).json()["items"]

    assert publishing["remoteAddr"] == str(stage.publishing.remote)
    assert (publishing["bytesReceived"], publishing["bytesSent"]) == (
        wire + len(STRAY + REQUEST),
        0,
    )
    assert (publishing["framesRefused"], reading["framesRefused"]) == (1, 0)
    assert (reading["bytesReceived"], reading["bytesSent"]) == (0, wire)


async def test_sessions_in_v3(stage: Stage, operator: httpx.AsyncClient) -> None:
    publisher, reader = (await operator.get("/v3/rtspsessions/list")).json()["items"]

    assert publisher["id"] == str(stage.publisher.id.uuid)
    assert (publisher["bytesReceived"], publisher["rtpPacketsReceived"]) == (MEDIA, PACKETS)
    assert (publisher["bytesSent"], publisher["rtpPacketsSent"]) == (0, 0)
    assert (reader["bytesSent"], reader["rtpPacketsSent"]) == (MEDIA, PACKETS)
    assert (reader["bytesReceived"], reader["rtpPacketsReceived"]) == (0, 0)
    assert {publisher["rtpPacketsLost"], publisher["rtpPacketsInError"], reader["rtpPacketsDiscarded"]} == {0}


async def test_sessions_in_v1(stage: Stage, operator: httpx.AsyncClient) -> None:
    url = f"/v1/sessions/{stage.publisher.id.number}"
    attributes = (await operator.get(url)).json()["data"]["attributes"]

    assert (attributes["bytes_received"], attributes["packets_received"]) == (MEDIA, PACKETS)
    assert (attributes["bytes_sent"], attributes["packets_sent"]) == (0, 0)
    assert 0 <= attributes["idle"] < PATIENCE


async def test_clients(stage: Stage, operator: httpx.AsyncClient) -> None:
    """Seen from the client: what it sends goes out, what it gets comes in."""
    url = "/api/v1/applications/live/clients/"
    publisher = (await operator.get(url + stage.publisher.id.code)).json()["data"]
    reader = (await operator.get(url + stage.reader.id.code)).json()["data"]

    assert (publisher["bytes_out"], publisher["bytes_in"]) == (MEDIA, 0)
    assert (publisher["messages_read"], publisher["messages_written"]) == (PACKETS, 0)
    assert (reader["bytes_out"], reader["bytes_in"]) == (0, MEDIA)
    assert (reader["messages_read"], reader["messages_written"]) == (0, PACKETS)
    assert (reader["messages_pending"], reader["messages_dropped"]) == (0, 0)


async def test_metrics(stage: Stage, operator: httpx.AsyncClient) -> None:
    text = (await operator.get("/metrics")).text
    samples = {
        (family.name, sample.labels.get("state") or sample.labels.get("id")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert samples["paths_bytes_received", "ready"] == MEDIA
    assert samples["paths_bytes_sent", "ready"] == MEDIA
    assert samples["rtsp_conns_bytes_sent", str(stage.reading.uuid)] == PACKETS * (FRAME_HEAD + PACKET_SIZE)
    assert samples["rtsp_conns_frames_refused", str(stage.publishing.uuid)] == 1
    assert samples["rtsp_sessions_rtp_packets_received", "publish"] == PACKETS
    assert samples["rtsp_sessions_rtp_packets_sent", "read"] == PACKETS
