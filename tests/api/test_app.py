"""The whole application at the size of a busy server."""

from __future__ import annotations

import time

import httpx

from headgate.core.session import Role
from headgate.engine import Codec, OpenStream, Track
from tests.api.house import LONG_AGO, House

PATHS = 1000


async def best_of(operator: httpx.AsyncClient, url: str, *, times: int) -> float:
    """Seconds of the fastest of some requests: what the machine adds by chance is in the others."""
    durations = []
    for _ in range(times):
        begun = time.perf_counter()
        answer = await operator.get(url)
        durations.append(time.perf_counter() - begun)
        assert answer.status_code == 200
    return min(durations)


async def test_a_thousand_paths_are_listed_in_milliseconds(house: House, operator: httpx.AsyncClient) -> None:
    for number in range(PATHS):
        name = f"site/{number % 10}/cam{number}"
        publisher = house.visit(name, role=Role.PUBLISH)
        stream = house.engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
        publisher.handles = [stream]
        house.add_path(name, source=publisher, ready_time=LONG_AGO, tracks=("H264",), stream=stream)

    listed = (await operator.get(f"/v3/paths/list?itemsPerPage={PATHS}")).json()
    assert listed["itemCount"] == len(listed["items"]) == PATHS

    # 5 ms is the target on an idle core; this bound only catches a list that reads counters one by
    # one or validates what it sends, on a machine that is busy with other tests.
    assert await best_of(operator, f"/v3/paths/list?itemsPerPage={PATHS}", times=20) < 0.025
