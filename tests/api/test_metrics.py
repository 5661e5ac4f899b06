from __future__ import annotations

import time

import httpx
import psutil
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from headgate.api.app import build_metrics
from headgate.core.certificate import Certificate
from headgate.core.events import PathNotReady
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import Role
from headgate.engine import Codec, OpenStream, Track
from tests.api.house import LONG_AGO, Connection, House


async def scrape(operator: httpx.AsyncClient) -> dict[str, Metric]:
    answer = await operator.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    # Its reader gives a counter's name without the "_total" that it adds to each sample.
    assert len({family.name for family in families}) == len(families)
    return {family.name.removesuffix("_total"): family for family in families}


MEDIAMTX = (
    *("paths", "paths_bytes_received", "paths_bytes_sent"),
    *("rtsp_conns", "rtsp_conns_bytes_received", "rtsp_conns_bytes_sent"),
    *("rtsp_sessions", "rtsp_sessions_bytes_received", "rtsp_sessions_bytes_sent"),
    *(f"rtsp_sessions_rtp_packets_{what}" for what in ("received", "sent", "lost", "in_error", "jitter")),
    *(f"rtsp_sessions_rtcp_packets_{what}" for what in ("received", "sent", "in_error")),
)
"""Its names, of what there is."""


async def test_an_empty_house(operator: httpx.AsyncClient) -> None:
    families = await scrape(operator)

    for name in MEDIAMTX:
        (sample,) = families[name].samples
        assert (sample.labels, sample.value) == ({}, 0)
        assert families[name].documentation
        assert families[name].type in {"gauge", "counter"}
    assert not any(name.startswith("rtsps_") for name in families)


async def test_paths(house: House, operator: httpx.AsyncClient) -> None:
    stream = house.engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
    reader = house.visit("b", role=Role.READ)
    house.add_path("b", ready_time=LONG_AGO, stream=stream, readers=[reader])
    house.add_path("a")

    families = await scrape(operator)

    assert [(sample.labels, sample.value) for sample in families["paths"].samples] == [
        ({"name": "a", "state": "notReady"}, 1),
        ({"name": "b", "state": "ready"}, 1),
    ]
    assert families["paths_bytes_sent"].samples[1].labels == {"name": "b", "state": "ready"}
    assert [sample.value for sample in families["headgate_paths_readers"].samples] == [0, 1]


async def test_connections_and_sessions(house: House, operator: httpx.AsyncClient) -> None:
    connection = Connection(handle=99, remote=Endpoint("192.0.2.7", 1))
    house.rtsp_connections[connection.uuid] = connection
    session = house.visit("cam", role=Role.PUBLISH)
    house.visit("cam", service=house.add_service("RTSPS", Protocol.RTSPS))

    families = await scrape(operator)

    assert families["rtsp_conns"].samples[0].labels == {"id": str(connection.uuid)}
    (sample,) = families["rtsp_sessions"].samples
    assert (sample.labels, sample.value) == ({"id": str(session.id.uuid), "state": "publish"}, 1)
    assert families["rtsp_sessions_rtp_packets_jitter"].type == "gauge"
    assert families["rtsp_sessions_rtcp_packets_in_error"].samples[0].labels["state"] == "publish"


async def test_the_server(house: House, operator: httpx.AsyncClient) -> None:
    with house.bus.subscribe(capacity=1):
        for _ in range(3):
            house.bus.publish(PathNotReady(path="cam"))
    families = await scrape(operator)

    assert families["headgate_info"].samples[0].labels == {"version": "1.2.3"}
    assert families["headgate_events_dropped"].samples[0].value == 2
    assert families["headgate_events"].samples[0].value == house.bus.last_id
    assert families["headgate_connections_refused"].samples[0].value == 0
    assert families["headgate_engine_workers_restarted"].samples[0].value == 0


async def test_refusals_by_status(operator: httpx.AsyncClient) -> None:
    (await operator.get("/metrics")).text.index(
        'headgate_rtsp_requests_refused_total{status="400"} 2\n'
        'headgate_rtsp_requests_refused_total{status="404"} 3\n'
    )


async def test_what_is_measured_of_time(house: House, operator: httpx.AsyncClient) -> None:
    assert house.view.join_times is not None
    assert house.view.watch is not None
    for seconds in (0.002, 0.2, 60.0):
        house.view.join_times.observe(seconds)
    house.view.watch.lags.observe(0.3)
    house.view.watch.stalls, house.view.watch.stalled_s = 1, 0.3

    families = await scrape(operator)

    joins = families["headgate_rtsp_join_seconds"]
    assert joins.type == "histogram"
    buckets = {s.labels["le"]: s.value for s in joins.samples if s.name.endswith("_bucket")}
    assert (buckets["0.001"], buckets["0.0025"], buckets["0.25"], buckets["+Inf"]) == (0, 1, 2, 3)
    assert [s.value for s in joins.samples if s.name.endswith(("_sum", "_count"))] == [60.202, 3]
    assert families["headgate_loop_stalls"].samples[0].value == 1
    assert families["headgate_loop_stall_seconds"].samples[0].value == 0.3
    assert families["headgate_loop_lag_seconds"].samples[-1].value == 1


async def test_hooks_and_webhooks(house: House, operator: httpx.AsyncClient) -> None:
    assert house.view.hooks is not None
    house.view.hooks.started["runOnReady"] += 3
    house.view.hooks.refused["runOnRead"] += 1
    (sender,) = house.view.webhooks
    sender.sent = 5
    sender.offer(house.bus.publish(PathNotReady(path="cam")))

    text = (await operator.get("/metrics")).text

    assert "headgate_hooks_running 0\n" in text
    assert 'headgate_hooks_started_total{hook="runOnReady"} 3\n' in text
    assert 'headgate_hooks_refused_total{hook="runOnRead"} 1\n' in text
    assert 'headgate_webhook_events_sent_total{webhook="0"} 5\n' in text
    assert 'headgate_webhook_events_queued{webhook="0"} 1\n' in text
    assert "example.org" not in text


async def test_closed_connections_by_reason(operator: httpx.AsyncClient) -> None:
    text = (await operator.get("/metrics")).text
    assert 'headgate_rtsp_connections_closed_total{reason="peer"} 7\n' in text


async def test_sessions_by_service(house: House, operator: httpx.AsyncClient) -> None:
    house.visit("cam", role=Role.READ)
    house.visit("cam", role=Role.READ)

    text = (await operator.get("/metrics")).text

    assert 'headgate_sessions{service="RTSP",role="read"} 2\n' in text
    assert 'headgate_sessions_opened_total{service="RTSP"} 2\n' in text


async def test_the_process(operator: httpx.AsyncClient) -> None:
    families = await scrape(operator)

    values = {name: family.samples[0].value for name, family in families.items() if "process_" in name}
    assert values["process_resident_memory_bytes"] > 10e6
    assert values["process_virtual_memory_bytes"] > values["process_resident_memory_bytes"]
    assert 0 < values["process_cpu_seconds"] < time.time()
    assert values["process_threads"] >= 1
    assert 0 < values["process_open_fds"] <= values["process_max_fds"]
    started = psutil.Process().create_time()
    assert abs(values["process_start_time_seconds"] - started) < 1


async def test_the_listener_of_its_own_has_nothing_else(house: House) -> None:
    transport = httpx.ASGITransport(build_metrics(house.view))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate.example:9998") as client:
        assert "headgate_info" in (await client.get("/metrics")).text
        assert (await client.get("/v3/paths/list")).status_code == 404


async def test_how_long_relaying_takes(house: House, operator: httpx.AsyncClient) -> None:
    latency = (await scrape(operator))["headgate_relay_latency_seconds"]

    assert latency.type == "histogram"
    bounds = [s.labels["le"] for s in latency.samples if s.name.endswith("_bucket")]
    assert (bounds[0], bounds[3], bounds[-1]) == ("0.0001", "0.001", "+Inf")
    assert [s.value for s in latency.samples if s.name.endswith(("_sum", "_count"))] == [0, 0]


async def test_certificates(house: House, operator: httpx.AsyncClient) -> None:
    (renewal,) = house.view.renewals()
    assert "headgate_certificate" not in (await operator.get("/metrics")).text
    renewal.present = Certificate(b"", b"", LONG_AGO, LONG_AGO)
    renewal.renewed, renewal.refused = 3, 1

    families = await scrape(operator)

    (end,) = families["headgate_certificate_not_after_timestamp_seconds"].samples
    assert end.value == LONG_AGO.timestamp()
    assert families["headgate_certificate_renewals"].samples[0].value == 3
    assert families["headgate_certificate_renewals_refused"].samples[0].value == 1
