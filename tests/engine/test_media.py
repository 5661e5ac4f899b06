"""Streams and flows through the boundary: how they fail, and end."""

from __future__ import annotations

import select

import pytest

from headgate.engine import (
    Channel,
    Closed,
    CloseReason,
    Codec,
    Engine,
    OpenStream,
    PublishTcp,
    PublishUdp,
    Remote,
    Track,
)
from tests.engine.gate import Gate


def test_what_fails_now_is_a_standard_exception(engine: Engine) -> None:
    with pytest.raises(ValueError, match="clock rate"):
        engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=0)]))
    stream = engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
    for channels in (
        [Channel(track=1, rtp=0, rtcp=1)],
        [Channel(track=0, rtp=4, rtcp=4)],
    ):
        with pytest.raises(ValueError):
            engine.publish_tcp(PublishTcp(stream=stream, connection=0, channels=channels))


def test_a_flow_without_its_connection_ends_at_once(engine: Engine) -> None:
    stream = engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
    rtp, rtcp = engine.bind_udp("127.0.0.1", 0), engine.bind_udp("127.0.0.1", 0)
    remote = Remote(track=0, host="127.0.0.1", rtp_port=9, rtcp_port=10)
    over_udp = PublishUdp(stream=stream, connection=640, rtp=rtp.handle, rtcp=rtcp.handle, remotes=[remote])
    over_tcp = PublishTcp(stream=stream, connection=640, channels=[Channel(track=0, rtp=0, rtcp=1)])
    flows = {engine.publish_udp(over_udp), engine.publish_tcp(over_tcp)}
    ended = set()
    while ended != flows:
        assert select.select([engine.fileno()], [], [], 10)[0], "nothing happened"
        for event in engine.drain(16):
            assert isinstance(event, Closed)
            assert event.reason == CloseReason.PEER
            ended.add(event.handle)
    # Its address is free again.
    engine.close(engine.publish_udp(over_udp))


async def test_relay_latency_of_nobody(gate: Gate) -> None:
    latency = gate.loop.engine.relay_latency()
    assert len(latency.counts) == len(latency.bounds) + 1
    assert latency.bounds == sorted(latency.bounds)
    assert (sum(latency.counts), latency.sum) == (0, 0.0)
