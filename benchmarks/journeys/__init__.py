"""Every journey, in the order they run. One file for each kind of load."""

from benchmarks.journey import Journey
from benchmarks.journeys import (
    rooms_churn,
    rooms_hold,
    rooms_join,
    rooms_say,
    rtsp_ingest,
    rtsp_stuck,
    rtsp_tcp,
    rtsp_udp,
    turn_allocate,
    turn_burst,
    turn_clients,
    turn_flood,
    turn_peer,
)
from benchmarks.relay import RelayJourney
from benchmarks.rooms import RoomsJourney

__all__ = ["JOURNEYS", "RELAY_JOURNEYS", "ROOMS_JOURNEYS"]

JOURNEYS: tuple[Journey, ...] = (
    *rtsp_tcp.JOURNEYS,
    *rtsp_udp.JOURNEYS,
    *rtsp_stuck.JOURNEYS,
    *rtsp_ingest.JOURNEYS,
)

RELAY_JOURNEYS: tuple[RelayJourney, ...] = (
    *turn_peer.JOURNEYS,
    *turn_burst.JOURNEYS,
    *turn_clients.JOURNEYS,
    *turn_allocate.JOURNEYS,
    *turn_flood.JOURNEYS,
)

ROOMS_JOURNEYS: tuple[RoomsJourney, ...] = (
    *rooms_say.JOURNEYS,
    *rooms_join.JOURNEYS,
    *rooms_hold.JOURNEYS,
    *rooms_churn.JOURNEYS,
)
