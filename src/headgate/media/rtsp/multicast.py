"""Multicast for readers: a path is sent to groups of its own, once for all who hear them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

from headgate.core.config import GlobalConf
from headgate.core.errors import HeadgateError
from headgate.core.session import Session
from headgate.engine import (
    Closed,
    CloseReason,
    EngineLoop,
    Event,
    GroupSender,
    JoinGroup,
    ReadUdp,
    Remote,
    Stream,
    UdpPort,
)
from headgate.media.rtsp.descriptors import multicast_limit
from headgate.media.rtsp.interfaces import multicast_interfaces
from headgate.media.rtsp.transport import Group, Pair

__all__ = ["GROUP_LIMIT", "TTL", "Groups", "Multicast", "MulticastSender", "NoMulticast"]

logger = logging.getLogger(__name__)

TTL = 127
"""Routers that packets may pass; MediaMTX's. Which they do pass is the network's decision."""
GROUP_LIMIT = 512
"""Groups at once."""
T = TypeVar("T")


class NoMulticast(HeadgateError):
    """This machine, or what is left of `multicastIPRange`, does not let it."""


class Groups:
    """Hands out addresses, each to one at a time."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._last: dict[IPv4Network, int] = {}
        """The one handed out last: a group that was just left is the last to be used again, so that
        nobody who has not noticed hears another path."""

    def take(self, network: IPv4Network, count: int) -> list[IPv4Address]:
        """Raises NoMulticast where not so many are free."""
        if len(self._taken) + count > GROUP_LIMIT:
            raise NoMulticast(f"more than {GROUP_LIMIT} multicast groups at once")
        first, size = int(network.network_address), network.num_addresses
        start = self._last.get(network, -1) + 1
        found: list[int] = []
        # A few of those taken may lie outside: then this looks at some more.
        for step in range(min(size, count + len(self._taken))):
            address = first + (start + step) % size
            if address not in self._taken:
                found.append(address)
                if len(found) == count:
                    self._taken.update(found)
                    self._last = {network: address - first}
                    return [IPv4Address(each) for each in found]
        raise NoMulticast(f"no {count} addresses of {network} are free (multicastIPRange)")

    def release(self, addresses: Collection[IPv4Address]) -> None:
        self._taken.difference_update(map(int, addresses))


class MulticastSender:
    """Sends a stream to a group for each track, by every interface, while one of its members plays."""

    def __init__(
        self,
        loop: EngineLoop,
        *,
        stream: Stream,
        groups: Sequence[Group],
        interfaces: Sequence[str],
    ) -> None:
        """Raises NoMulticast, and then nothing is left open."""
        self.stream = stream
        self.groups = groups
        """By track."""
        self.sockets = _sockets(len(groups), interfaces)
        """Those it may hold."""
        self._loop = loop
        self._engine = loop.engine
        self._members: set[Session] = set()
        self._playing: set[Session] = set()
        self._flows: dict[int, tuple[int, int]] = {}
        """What sends by each interface, and the ports that it has there."""
        with ExitStack() as stack:
            self._reports = [self._join(group, interfaces, stack) for group in groups]
            for interface in interfaces:
                self._send_by(interface, stack)
            if not self._flows:
                raise NoMulticast("no interface of this machine can multicast")
            self._open = stack.pop_all()

    @property
    def members(self) -> Collection[Session]:
        return self._members

    def reports(self, tracks: Mapping[int, T]) -> list[int]:
        """The ports to which members report about these tracks."""
        return [self._reports[number].handle for number in sorted(tracks)]

    def enter(self, session: Session) -> None:
        self._members.add(session)

    def play(self, session: Session) -> None:
        """The first one starts it; for each later one the clock is sent again."""
        self._playing.add(session)
        for flow in self._flows:
            self._engine.play(flow)

    def pause(self, session: Session) -> None:
        self._playing.discard(session)
        if not self._playing:
            for flow in self._flows:
                self._engine.pause(flow)

    def leave(self, session: Session) -> None:
        self._members.discard(session)
        if self._members and session in self._playing:
            self.pause(session)  # with nobody left it is closed as it plays, and so says goodbye

    def close(self) -> None:
        """Say goodbye to the groups and leave them."""
        self._open.close()

    def _join(self, group: Group, interfaces: Sequence[str], stack: ExitStack) -> UdpPort:
        try:
            port = self._engine.join_group(
                JoinGroup(host=group.host, port=group.ports.rtcp, interfaces=interfaces, ttl=group.ttl)
            )
        except OSError as error:
            raise NoMulticast(f"cannot hear {group.host}:{group.ports.rtcp}: {error}") from None
        stack.callback(self._engine.close, port.handle)
        return port

    def _send_by(self, interface: str, stack: ExitStack) -> None:
        """Nothing where this interface cannot: it may have gone down a moment ago."""
        with ExitStack() as opened, suppress(OSError):
            ports: list[int] = []
            for _ in ("RTP", "RTCP"):
                port = self._engine.group_sender(GroupSender(interface=interface, ttl=TTL))
                opened.callback(self._engine.close, port.handle)
                ports.append(port.handle)
            self._begin(rtp=ports[0], rtcp=ports[1])
            stack.push(opened.pop_all())
            stack.callback(self._end_flows)  # before their ports

    def _begin(self, *, rtp: int, rtcp: int) -> int:
        """A flow by these ports. Raises OSError; ValueError: there is no such stream any more."""
        remotes = [
            Remote(track=number, host=group.host, rtp_port=group.ports.rtp, rtcp_port=group.ports.rtcp)
            for number, group in enumerate(self.groups)
        ]
        flow = self._engine.read_udp(
            ReadUdp(stream=self.stream, connection=0, rtp=rtp, rtcp=rtcp, remotes=remotes)
        )
        self._flows[flow] = rtp, rtcp
        self._loop.attach(flow, self._on_flow)
        return flow

    def _end_flows(self) -> None:
        while self._flows:
            self._engine.close(self._flows.popitem()[0])

    def _on_flow(self, event: Event) -> None:
        """One that the engine has lost is made anew, and for those who hear it that is a gap."""
        if not isinstance(event, Closed) or (ports := self._flows.pop(event.handle, None)) is None:
            return
        if event.reason != CloseReason.FAULT:
            return  # with its stream
        with suppress(OSError, ValueError):
            flow = self._begin(rtp=ports[0], rtcp=ports[1])
            if self._playing:
                self._engine.play(flow)


class Multicast:
    """Owns every sender: one for each stream that somebody reads over multicast."""

    def __init__(
        self, loop: EngineLoop, *, interfaces: Callable[[], Sequence[str]] = multicast_interfaces
    ) -> None:
        self._loop = loop
        self._interfaces = interfaces
        self._groups = Groups()
        self._senders: dict[Stream, MulticastSender] = {}
        self._sockets = 0
        """Of all senders."""

    @property
    def senders(self) -> Mapping[Stream, MulticastSender]:
        return self._senders

    @contextmanager
    def sender(self, stream: Stream, *, tracks: int, settings: GlobalConf) -> Iterator[MulticastSender]:
        """The stream's, made where there is none, for a session that becomes its member inside.

        Raises NoMulticast.
        """
        sender = self._senders.get(stream)
        if sender is None:
            sender = self._senders[stream] = self._start(stream, tracks=tracks, settings=settings)
        try:
            yield sender
        finally:
            self._close_unused(sender)

    def leave(self, sender: MulticastSender, *, session: Session) -> None:
        """The last one to leave closes it."""
        sender.leave(session)
        self._close_unused(sender)

    def _start(self, stream: Stream, *, tracks: int, settings: GlobalConf) -> MulticastSender:
        interfaces = self._interfaces()
        sockets = _sockets(tracks, interfaces)
        if self._sockets + sockets > (limit := multicast_limit()):
            raise NoMulticast(f"more than {limit} sockets for multicast at once")
        addresses = self._groups.take(IPv4Network(settings.multicast_ip_range, strict=False), tracks)
        ports = Pair(settings.multicast_rtp_port, settings.multicast_rtcp_port)
        groups = [Group(host=str(address), ports=ports, ttl=TTL) for address in addresses]
        try:
            sender = MulticastSender(self._loop, stream=stream, groups=groups, interfaces=interfaces)
        except BaseException:
            self._groups.release(addresses)
            raise
        self._sockets += sender.sockets
        logger.debug("multicast to %s by %s begins", addresses, interfaces)
        return sender

    def _close_unused(self, sender: MulticastSender) -> None:
        if sender.members:
            return
        del self._senders[sender.stream]
        sender.close()
        self._sockets -= sender.sockets
        self._groups.release([IPv4Address(group.host) for group in sender.groups])


def _sockets(tracks: int, interfaces: Collection[str]) -> int:
    """To hear reports about each track, and by each interface for RTP and RTCP."""
    return tracks + 2 * len(interfaces)
