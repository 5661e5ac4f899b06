"""Every journey, in the order they run. One file for each kind of load."""

from benchmarks.journey import Journey
from benchmarks.journeys import rtsp_ingest, rtsp_stuck, rtsp_tcp, rtsp_udp

__all__ = ["JOURNEYS"]

JOURNEYS: tuple[Journey, ...] = (
    *rtsp_tcp.JOURNEYS,
    *rtsp_udp.JOURNEYS,
    *rtsp_stuck.JOURNEYS,
    *rtsp_ingest.JOURNEYS,
)
