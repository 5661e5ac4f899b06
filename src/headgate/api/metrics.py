"""`/metrics`: what is counted, in Prometheus's text format.

`paths…`, `rtsp_…` and `rtsps_…` have the names and labels of MediaMTX 1.12, `process_…` those
that Prometheus recommends; what is ours begins with `headgate_`.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from headgate.api.exposition import CONTENT_TYPE, Family, Kind, expose, labels
from headgate.api.relay_metrics import relay_families
from headgate.api.rooms import families as room_families
from headgate.api.view import View, Viewed
from headgate.core.histogram import Histogram
from headgate.core.service import Protocol
from headgate.core.session import Totals
from headgate.core.webhooks.sender import WebhookSender

__all__ = ["render", "router"]

router = APIRouter(tags=["metrics"])

TEXT = {"schema": {"type": "string"}}

SESSION_TOTALS: Sequence[tuple[str, Kind, str, Callable[[Totals], float]]] = (
    ("bytes_received", Kind.COUNTER, "RTP and RTCP bytes from the client.", lambda t: t.bytes_received),
    ("bytes_sent", Kind.COUNTER, "RTP and RTCP bytes to the client.", lambda t: t.bytes_sent),
    ("rtp_packets_received", Kind.COUNTER, "RTP packets from the client.", lambda t: t.packets_received),
    ("rtp_packets_sent", Kind.COUNTER, "RTP packets to the client.", lambda t: t.packets_sent),
    ("rtp_packets_lost", Kind.COUNTER, "RTP packets lost on the way, either way.", lambda t: t.packets_lost),
    ("rtp_packets_in_error", Kind.COUNTER, "RTP packets that were not valid.", lambda t: t.packets_in_error),
    ("rtp_packets_jitter", Kind.GAUGE, "RFC 3550 jitter in RTP timestamp units.", lambda t: t.jitter_ticks),
    ("rtcp_packets_received", Kind.COUNTER, "RTCP packets received.", lambda t: t.control_packets_received),
    ("rtcp_packets_sent", Kind.COUNTER, "RTCP packets sent.", lambda t: t.control_packets_sent),
    ("rtcp_packets_in_error", Kind.COUNTER, "RTCP packets not valid.", lambda t: t.control_packets_in_error),
    (
        "rtp_packets_discarded",
        Kind.COUNTER,
        "RTP packets not sent because the client was too slow.",
        lambda t: t.packets_discarded,
    ),
)

WEBHOOK_TOTALS: Sequence[tuple[str, Kind, str, Callable[[WebhookSender], float]]] = (
    ("events_sent_total", Kind.COUNTER, "Events the receiver took.", lambda s: s.sent),
    ("events_failed_total", Kind.COUNTER, "Events given up.", lambda s: s.failed),
    ("events_dropped_total", Kind.COUNTER, "Events dropped because too many waited.", lambda s: s.dropped),
    ("retries_total", Kind.COUNTER, "Requests made again.", lambda s: s.retried),
    ("events_queued", Kind.GAUGE, "Events that wait.", lambda s: s.queued),
)

SERVER_TOTALS: Sequence[tuple[str, str, Callable[[View], float]]] = (
    ("events_total", "Events published.", lambda v: v.bus.last_id),
    ("events_dropped_total", "Events that slow subscribers lost.", lambda v: v.bus.missed),
    (
        "connections_refused_total",
        "Connections refused because of a limit or for want of descriptors.",
        lambda v: v.engine.refused_connections(),
    ),
    (
        "engine_workers_restarted_total",
        "Workers of the engine that stood still and were replaced.",
        lambda v: v.engine.workers_restarted(),
    ),
    (
        "access_throttled_total",
        "Requests that were refused unseen, after too many wrong credentials.",
        lambda v: v.access.throttled,
    ),
)

SERVER_COUNTS: Sequence[tuple[str, str, str, Callable[[View], Mapping[Any, int]]]] = (
    (
        "rtsp_requests_refused_total",
        "RTSP requests answered with an error.",
        "status",
        lambda v: v.refusals,
    ),
    ("rtsp_connections_closed_total", "RTSP connections closed, by reason.", "reason", lambda v: v.closures),
    ("access_denied_total", "Requests with wrong credentials.", "action", lambda v: v.access.denials),
)


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text.", "content": {"text/plain": TEXT}}},
)
async def metrics(view: Viewed) -> Response:
    """Counters of every path, connection and session, and of the server itself."""
    return Response(render(view), media_type=CONTENT_TYPE)


def render(view: View) -> str:
    """The whole page, from two calls to the engine for each group."""
    text = [expose(_paths(view), zero_when_empty=True)]
    for protocol in (Protocol.RTSP, Protocol.RTSPS):
        if protocol in view.connections:
            text.append(expose(_connections(view, protocol), zero_when_empty=True))
            text.append(expose(_sessions(view, protocol), zero_when_empty=True))
    text.append(expose(relay_families(view.relay, view.engine)))
    text.append(expose(_server(view)))
    text.append(expose(_health(view)))
    text.append(expose(_hooks(view)))
    text.append(expose(room_families(view)))
    text.append(expose(_certificates(view)))
    text.append(expose(_process()))
    return "".join(text)


def _paths(view: View) -> list[Family]:
    count = Family("paths", Kind.GAUGE, "Paths that exist now.")
    received = Family("paths_bytes_received", Kind.COUNTER, "Bytes from the path's publisher.")
    sent = Family("paths_bytes_sent", Kind.COUNTER, "Bytes to the path's readers.")
    readers = Family("headgate_paths_readers", Kind.GAUGE, "Readers of the path.")
    paths = sorted(view.paths, key=lambda path: path.name)
    streams = [path.stream for path in paths if path.stream is not None]
    counters = dict(zip(streams, view.engine.counters(streams), strict=True))
    for path in paths:
        of_path = labels({"name": path.name, "state": "ready" if path.ready_time else "notReady"})
        totals = None if path.stream is None else counters[path.stream]
        count.add(1, of_path)
        received.add(0 if totals is None else totals.bytes_received, of_path)
        sent.add(0 if totals is None else totals.bytes_sent, of_path)
        readers.add(len(path.readers), labels({"name": path.name}))
    return [count, received, sent, readers]


def _connections(view: View, protocol: Protocol) -> list[Family]:
    name = f"{protocol}_conns"
    count = Family(name, Kind.GAUGE, "Connections open now.")
    refused = Family(f"{name}_frames_refused", Kind.COUNTER, "Interleaved frames on channels nobody set up.")
    received = Family(f"{name}_bytes_received", Kind.COUNTER, "Bytes on the wire from the client.")
    sent = Family(f"{name}_bytes_sent", Kind.COUNTER, "Bytes on the wire to the client.")
    connections = list(view.connections[protocol].values())
    counters = view.engine.counters([connection.handle for connection in connections])
    for connection, totals in zip(connections, counters, strict=True):
        of_connection = labels({"id": str(connection.uuid)})
        count.add(1, of_connection)
        received.add(0 if totals is None else totals.bytes_received, of_connection)
        sent.add(0 if totals is None else totals.bytes_sent, of_connection)
        refused.add(0 if totals is None else totals.frames_refused, of_connection)
    return [count, received, sent, refused]


def _sessions(view: View, protocol: Protocol) -> list[Family]:
    name = f"{protocol}_sessions"
    count = Family(name, Kind.GAUGE, "Sessions open now.")
    families = [Family(f"{name}_{suffix}", kind, meaning) for suffix, kind, meaning, _ in SESSION_TOTALS]
    sessions = [s for s in view.registry.sessions() if s.service.protocol is protocol]
    for session, totals in zip(sessions, view.registry.totals(sessions), strict=True):
        of_session = labels({"id": str(session.id.uuid), "state": session.role.value})
        count.add(1, of_session)
        for family, (_, _, _, value) in zip(families, SESSION_TOTALS, strict=True):
            family.add(value(totals), of_session)
    return [count, *families]


def _server(view: View) -> Iterator[Family]:
    info = Family("headgate_info", Kind.GAUGE, "The version that runs.")
    info.add(1, labels({"version": view.version}))
    yield info
    for name, meaning, value in SERVER_TOTALS:
        yield _single(f"headgate_{name}", Kind.COUNTER, meaning, value(view))
    for name, meaning, label, counts in SERVER_COUNTS:
        yield _counted(f"headgate_{name}", meaning, label, counts(view))
    sessions = Family("headgate_sessions", Kind.GAUGE, "Sessions open now.")
    total = Family("headgate_sessions_opened_total", Kind.COUNTER, "Sessions opened since the start.")
    roles = Counter((session.service.name, session.role) for session in view.registry.sessions())
    for service in view.registry.services:
        total.add(service.total_sessions, labels({"service": service.name}))
    for (name, role), count in sorted(roles.items()):
        sessions.add(count, labels({"service": name, "role": role}))
    yield total
    yield sessions


def _single(name: str, kind: Kind, meaning: str, value: float) -> Family:
    """One number."""
    family = Family(name, kind, meaning)
    family.add(value)
    return family


def _counted(name: str, meaning: str, label: str, counts: Mapping[Any, int]) -> Family:
    """A counter for each value of a label."""
    family = Family(name, Kind.COUNTER, meaning)
    for value, count in sorted(counts.items()):
        # A status is a number with a name, which `str` would show.
        family.add(count, labels({label: str(int(value) if isinstance(value, int) else value)}))
    return family


def _health(view: View) -> Iterator[Family]:
    if view.join_times is not None:
        joins = Family(
            "headgate_rtsp_join_seconds",
            Kind.HISTOGRAM,
            "From a connection's first request to the answer of its first PLAY.",
        )
        joins.add_histogram(view.join_times)
        yield joins
    latency = view.engine.relay_latency()
    relayed = Family(
        "headgate_relay_latency_seconds",
        Kind.HISTOGRAM,
        "From the arrival of a unit's first packet until the kernel has all of it for a reader.",
    )
    relayed.add_histogram(Histogram.taken(latency.bounds, latency.counts, latency.sum))
    yield relayed
    if view.watch is not None:
        lags = Family("headgate_loop_lag_seconds", Kind.HISTOGRAM, "How late the loop's heartbeat was.")
        lags.add_histogram(view.watch.lags)
        yield lags
        yield _single(
            "headgate_loop_stalls_total", Kind.COUNTER, "Heartbeats at least 100 ms late.", view.watch.stalls
        )
        yield _single(
            "headgate_loop_stall_seconds_total", Kind.COUNTER, "All of these together.", view.watch.stalled_s
        )


def _hooks(view: View) -> Iterator[Family]:
    if view.hooks is not None:
        yield _single(
            "headgate_hooks_running", Kind.GAUGE, "Commands of hooks that run now.", view.hooks.running
        )
        for name, meaning, counts in (
            ("started", "Commands of hooks started.", view.hooks.started),
            ("failed", "Those that ended badly or could not be started.", view.hooks.failed),
            ("refused", "Those not started because too many ran.", view.hooks.refused),
        ):
            yield _counted(f"headgate_hooks_{name}_total", meaning, "hook", counts)
    for name, kind, meaning, value in WEBHOOK_TOTALS:
        family = Family(f"headgate_webhook_{name}", kind, meaning)
        for number, sender in enumerate(view.webhooks):
            # By place in the configuration: the address may be a secret.
            family.add(value(sender), labels({"webhook": str(number)}))
        yield family


def _certificates(view: View) -> Iterator[Family]:
    end = Family(
        "headgate_certificate_not_after_timestamp_seconds",
        Kind.GAUGE,
        "Unix time when the certificate that is served expires.",
    )
    renewed = Family(
        "headgate_certificate_renewals_total", Kind.COUNTER, "New certificates found in the files and taken."
    )
    refused = Family(
        "headgate_certificate_renewals_refused_total",
        Kind.COUNTER,
        "Those that were not good, so that the one before is served on.",
    )
    for renewal in view.renewals():
        if renewal.present is not None:
            of_service = labels({"service": renewal.service})
            end.add(renewal.present.not_after.timestamp(), of_service)
            renewed.add(renewal.renewed, of_service)
            refused.add(renewal.refused, of_service)
    yield from (end, renewed, refused)


def _process() -> Iterator[Family]:
    """What the kernel says of this process; nothing where there is no /proc."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield _single(
        "process_cpu_seconds_total",
        Kind.COUNTER,
        "User and system CPU time in seconds.",
        usage.ru_utime + usage.ru_stime,
    )
    yield _single(
        "process_max_fds",
        Kind.GAUGE,
        "File descriptors this process may open.",
        resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
    proc = File("/proc/self")
    if not proc.exists():
        return
    # proc(5): field 22 of stat is the start in clock ticks after boot; fields are counted from
    # behind the program's name, which may contain anything.
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    boot = next(line for line in File("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    yield _single(
        "process_start_time_seconds",
        Kind.GAUGE,
        "Unix time of the start.",
        int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK"),
    )
    yield _single("process_threads", Kind.GAUGE, "Threads of this process.", int(fields[17]))
    pages = [int(text) * os.sysconf("SC_PAGE_SIZE") for text in (proc / "statm").read_text().split()]
    yield _single("process_virtual_memory_bytes", Kind.GAUGE, "Virtual memory in bytes.", pages[0])
    yield _single("process_resident_memory_bytes", Kind.GAUGE, "Resident memory in bytes.", pages[1])
    # Newer kernels give the number as the directory's size; listing thousands takes long.
    yield _single(
        "process_open_fds",
        Kind.GAUGE,
        "File descriptors open now.",
        (proc / "fd").stat().st_size or len(list((proc / "fd").iterdir())),
    )
