"""The Transport header: which alternative is taken, and which is refused how."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.media.rtsp.message import ProtocolError
from headgate.media.rtsp.transport import Group, Lower, Mode, Pair, Transport, assign, choose, granted

BOTH = frozenset(Lower)


@pytest.mark.parametrize(
    ("header", "lower", "pair"),
    [
        ("RTP/AVP;unicast;client_port=5000-5001", Lower.UDP, Pair(5000, 5001)),
        ("RTP/AVP/UDP;unicast;client_port=65534-65535", Lower.UDP, Pair(65534, 65535)),
        ("rtp/avp/udp; unicast; client_port=5000", Lower.UDP, Pair(5000, 5001)),
        ("RTP/AVP/TCP;unicast;interleaved=254-255", Lower.TCP, Pair(254, 255)),
        ("RTP/AVP/TCP;interleaved=3", Lower.TCP, Pair(3, 4)),
        ("RTP/AVP/TCP;unicast", Lower.TCP, None),
        ("RTP/SAVP;unicast;client_port=1-2,RTP/AVP/TCP;interleaved=0-1", Lower.TCP, Pair(0, 1)),
        ("RTP/AVP;multicast", Lower.MULTICAST, None),
        ("RTP/AVP/UDP;multicast;destination=10.0.0.1;port=22-23;ttl=1", Lower.MULTICAST, None),
        ("RTP/AVP/TCP;multicast,RTP/AVP/TCP;unicast", Lower.TCP, None),
        ("RTP/AVP;unicast;client_port=5001-5002,RTP/AVP/TCP", Lower.TCP, None),
        ("RTP/AVP/TCP;interleaved=0-1,RTP/AVP;client_port=4-5", Lower.TCP, Pair(0, 1)),
    ],
)
def test_the_first_usable_alternative(header: str, lower: Lower, pair: Pair | None) -> None:
    offer = choose(header, allowed=BOTH)
    assert (offer.lower, offer.pair) == (lower, pair)


SAVP_UDP = "RTP/SAVP;unicast;client_port=5000-5001"
SAVP_TCP = "RTP/SAVP/TCP;unicast;interleaved=0-1"
AVP_UDP = "RTP/AVP;unicast;client_port=5000-5001"
AVP_TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


def served(*, tls: bool, keyed: bool) -> set[str]:
    """What is taken of the four."""
    taken = set()
    for header in (SAVP_UDP, SAVP_TCP, AVP_UDP, AVP_TCP):
        with contextlib.suppress(ProtocolError):
            assert choose(header, allowed=BOTH, tls=tls, keyed=keyed).secured is header.startswith("RTP/SAVP")
            taken.add(header)
    return taken


def test_srtp_is_for_tls_and_tls_wants_no_datagrams_in_the_clear() -> None:
    assert served(tls=False, keyed=False) == {AVP_UDP, AVP_TCP}
    assert served(tls=False, keyed=True) == {AVP_UDP, AVP_TCP}, "a key that was said in the clear"
    assert served(tls=True, keyed=False) == {AVP_TCP}
    assert served(tls=True, keyed=True) == {AVP_TCP, SAVP_UDP, SAVP_TCP}
    assert choose(f"{SAVP_UDP},{AVP_TCP}", allowed=BOTH, tls=True).lower is Lower.TCP


def test_no_group_is_beside_tls() -> None:
    with pytest.raises(ProtocolError) as caught:
        choose("RTP/AVP;multicast", allowed=BOTH, tls=True, keyed=True)
    assert caught.value.status == 461


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("", 461),
        ("RTP/XYZ;unicast", 461),
        ("RTP/SAVP;unicast;client_port=5000-5001", 461),
        ("RTP/AVP/TCP;multicast", 461),
        ("RTP/SAVP;multicast", 461),
        ("RTP/AVP;unicast;client_port=5001-5002", 461),  # odd
        ("RTP/AVP;unicast;client_port=5000-5003", 461),  # not neighbours
        ("RTP/AVP;unicast", 400),
        ("RTP/AVP;unicast;client_port=5001-5000", 400),
        ("RTP/AVP;unicast;client_port=5000-5000", 400),
        ("RTP/AVP;unicast;client_port=0-1", 400),
        ("RTP/AVP;unicast;client_port=65535", 400),
        ("RTP/AVP;unicast;client_port=65536-65537", 400),
        ("RTP/AVP;unicast;client_port=999999999999", 400),
        ("RTP/AVP;unicast;client_port=-5", 400),
        ("RTP/AVP/TCP;interleaved=255-256", 400),
        ("RTP/AVP/TCP;interleaved=255", 400),
        ("RTP/AVP/TCP;interleaved=256-257", 400),
        ("RTP/AVP/TCP;interleaved=1-0", 400),
        ("RTP/AVP/TCP;interleaved=x", 400),
        ("RTP/AVP/TCP;mode=dance", 400),
        (",".join(["RTP/SAVP"] * 17), 400),
    ],
)
def test_what_is_refused(header: str, status: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        choose(header, allowed=BOTH)
    assert caught.value.status == status


def test_a_transport_that_is_off() -> None:
    for header in ("RTP/AVP;client_port=4-5", "RTP/AVP;multicast"):
        with pytest.raises(ProtocolError) as caught:
            choose(header, allowed={Lower.TCP})
        assert caught.value.status == 461


@pytest.mark.parametrize(
    ("text", "mode"),
    [("", None), (";mode=record", Mode.RECORD), (';mode="PLAY"', Mode.PLAY), (";mode=receive", Mode.RECORD)],
)
def test_modes(text: str, mode: Mode | None) -> None:
    assert choose(f"RTP/AVP/TCP{text}", allowed=BOTH).mode is mode


def test_free_channels_are_found_for_the_64th_track_whatever_the_others_took() -> None:
    odd = [Pair(n, n + 1) for n in range(1, 253, 4)]
    assert len(odd) == 63
    pair = assign(choose("RTP/AVP/TCP", allowed=BOTH), taken=odd)
    assert all({pair.rtp, pair.rtcp}.isdisjoint({p.rtp, p.rtcp}) for p in odd)


def test_channels_of_another_track_are_refused() -> None:
    for wanted in ("0-1", "1-2"):
        with pytest.raises(ProtocolError) as caught:
            assign(choose(f"RTP/AVP/TCP;interleaved={wanted}", allowed=BOTH), taken=[Pair(0, 1)])
        assert caught.value.status == 400


def test_answers() -> None:
    udp = choose("RTP/AVP;unicast;client_port=5000-5001;mode=record", allowed=BOTH)
    assert str(Transport(offer=udp, pair=Pair(5000, 5001), server_ports=Pair(8000, 8001))) == (
        "RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;mode=record"
    )
    tcp = choose("RTP/AVP/TCP", allowed=BOTH)
    assert str(Transport(offer=tcp, pair=Pair(2, 3), ssrc=0xBEEF)) == (
        "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=0000BEEF"
    )

    group = Group(host="239.1.2.3", ports=Pair(8002, 8003), ttl=127)
    multicast = choose("RTP/AVP;multicast;destination=10.0.0.1;mode=play", allowed=BOTH)
    assert str(Transport(offer=multicast, pair=group.ports, group=group, ssrc=1)) == (
        "RTP/AVP;multicast;destination=239.1.2.3;port=8002-8003;ttl=127;ssrc=00000001;mode=play"
    )


@pytest.mark.parametrize(
    ("text", "group", "source"),
    [
        ("destination=224.1.0.0;port=8002-8003;ttl=127", Group("224.1.0.0", Pair(8002, 8003), 127), None),
        ("port=5000-5001;destination=232.1.1.1;source=10.0.0.1", Group("232.1.1.1", Pair(5000, 5001), 1),
         "10.0.0.1"),
        ("destination=224.1.0.0;client_port=6000;ttl=999", Group("224.1.0.0", Pair(6000, 6001), 1), None),
        ("destination=224.1.0.0;port=6000;source=camera", Group("224.1.0.0", Pair(6000, 6001), 1), None),
    ],
)  # fmt: skip
def test_a_group_that_a_server_names(text: str, group: Group, source: str | None) -> None:
    grant = granted(f"RTP/AVP;multicast;{text}")
    assert (grant.lower, grant.group, grant.source) == (Lower.MULTICAST, group, source)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "port=5000-5001",
        "destination=camera;port=5000-5001",
        "destination=10.0.0.1;port=5000-5001",
        "destination=255.255.255.255;port=5000-5001",
        "destination=ff02::1;port=5000-5001",
        "destination=224.1.0.0",
        "destination=224.1.0.0;port=0-1",
        "destination=224.1.0.0;port=5001-5000",
        "destination=224.1.0.0;port=65535",
    ],
)
def test_a_group_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        granted(f"RTP/AVP;multicast;{text}")


PIECES = [
    "RTP/AVP",
    "/TCP",
    "/UDP",
    ";",
    ",",
    "=",
    "unicast",
    "client_port",
    "interleaved",
    "mode",
    "-",
    "0",
    "256",
    "٣",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join))
def test_choosing_raises_nothing_but_protocol_errors(header: str) -> None:
    try:
        offer = choose(header, allowed=BOTH)
    except ProtocolError:
        return
    if offer.pair is not None:
        assert 0 <= offer.pair.rtp < offer.pair.rtcp < (256 if offer.lower is Lower.TCP else 65536)


def test_every_pair_is_answered_in_the_form_it_was_asked_for() -> None:
    for low, high in itertools.product(range(0, 256, 51), repeat=2):
        if low < high:
            offer = choose(f"RTP/AVP/TCP;interleaved={low}-{high}", allowed=BOTH)
            assert f"interleaved={low}-{high}" in str(Transport(offer=offer, pair=assign(offer, taken=[])))
