"""Calls that go through our own relay and no other way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.gate import Gate, settings
from tests.journeys.rooms.conftest import Meet

RELAY_ONLY = """
localStorage.setItem("headgate.rooms", JSON.stringify({relayOnly: true}));
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""

# The types of both ends of every way that is in use.
WAYS = """async () => {
  const ways = [];
  for (const connection of window.connections) {
    const report = await connection.getStats();
    for (const {type, nominated, localCandidateId, remoteCandidateId} of report.values()) {
      if (type !== "candidate-pair" || !nominated) continue;
      ways.push(report.get(localCandidateId).candidateType, report.get(remoteCandidateId).candidateType);
    }
  }
  return ways;
}"""


@pytest.fixture(scope="module")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    turn = {"interfaces": [{"transport": "udp", "bind": "127.0.0.1:0"}]}
    configuration = settings(rooms={"address": "127.0.0.1:0"}, turn=turn)
    with Gate.open(tmp_path_factory.mktemp("rooms"), configuration) as gate:
        yield gate


def test_two_people_call_through_the_relay_only(meet: Meet) -> None:
    ada = meet("Ada", script=RELAY_ONLY).join().inside()
    grace = meet("Grace", script=RELAY_ONLY).join().inside()
    ada.sees("Grace")
    grace.sees("Ada")
    for person in (ada, grace):
        ways = person.page.evaluate(WAYS)
        assert ways
        assert set(ways) == {"relay"}
