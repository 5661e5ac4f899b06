"""What a client's request proposes, read by what its connection has agreed on already."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from headgate.core.config.path_names import path_name_mistake
from headgate.media.rtsp.agreement import Agreement
from headgate.media.rtsp.events import (
    AnnounceRequested,
    Asker,
    Decision,
    DescribeRequested,
    PauseRequested,
    PlayRequested,
    RecordRequested,
    SetupRequested,
)
from headgate.media.rtsp.key_mgmt import parse_attribute, parse_header
from headgate.media.rtsp.message import Method, ProtocolError, Request, Status
from headgate.media.rtsp.mikey import Message
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.state import State
from headgate.media.rtsp.transport import Lower, Mode, Offer, choose
from headgate.media.rtsp.url import Url

__all__ = ["Proposal", "Proposals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A request that waits for its owner's answer."""

    request: Request
    method: Method
    url: Url
    decision: Decision
    """What the owner is asked."""
    description: SessionDescription | None = None
    """ANNOUNCE's."""
    offer: Offer | None = None
    """SETUP's, as the next two."""
    their_key: Message | None = None
    replaces: bool = False
    """It is the start of another session, and the one that is there ends (`Agreement.asks_for_another`)."""


class Proposals:
    """One connection's requests, each read by itself; what is agreed stays as it is.

    Whatever the request, nothing is raised but ProtocolError with the status that it is to be answered with.
    """

    def __init__(self, agreed: Agreement, *, transports: Collection[Lower], tls: bool) -> None:
        self.transports = transports
        """Those that a session may have."""
        self.described: Url | None = None
        """What the client last got a description of; a SETUP may lack its query (`Url.base`)."""
        self._agreed = agreed
        self._tls = tls

    def describe(self, request: Request) -> Proposal:
        url = _target(request)
        accept = request.header("Accept")
        if accept is not None and "application/sdp" not in accept.lower() and "*/*" not in accept:
            raise ProtocolError(Status.NOT_ACCEPTABLE, f"cannot describe as {accept[:80]!r}")
        return Proposal(
            request=request,
            method=Method.DESCRIBE,
            url=url,
            decision=DescribeRequested(path=_path_name(url), query=url.plain_query, asker=_asker(request)),
        )

    def announce(self, request: Request) -> Proposal:
        self._agreed.check_state(Method.ANNOUNCE)
        url = _target(request)
        path = _path_name(url)
        kind = request.header("Content-Type") or "application/sdp"
        if kind.partition(";")[0].strip().lower() != "application/sdp":
            raise ProtocolError(Status.UNSUPPORTED_MEDIA_TYPE, f"a description of type {kind[:80]!r}")
        description = SessionDescription.parse(request.body)
        return Proposal(
            request=request,
            method=Method.ANNOUNCE,
            url=url,
            decision=AnnounceRequested(
                path=path, query=url.plain_query, asker=_asker(request), description=description
            ),
            description=description,
        )

    def setup(self, request: Request) -> Proposal:
        url = _target(request)
        base, track = self._agreed.meant(url)
        if self._agreed.state is State.ANNOUNCED and track is None:
            raise ProtocolError(Status.NOT_FOUND, "no track was announced under this URL")
        path = _path_name(base)
        replaces = self._agreed.asks_for_another(request, path=path, track=track)
        if not replaces:
            self._agreed.check_state(Method.SETUP)
            self._agreed.check_path(path)
            self._agreed.check_not_set_up(track)
        # Nobody publishes to a group: RFC 2326 lets only readers share one.
        allowed = {
            each
            for each in self.transports
            if each is not Lower.MULTICAST or self._agreed.state is not State.ANNOUNCED
        }
        their_key = self._their_key(request, track)
        offer = choose(
            request.header("Transport") or "",
            allowed=allowed,
            tls=self._tls,
            keyed=their_key is not None,
        )
        wanted = Mode.RECORD if self._agreed.state is State.ANNOUNCED else Mode.PLAY
        if offer.mode not in {None, wanted}:
            raise ProtocolError(Status.BAD_REQUEST, f"mode {offer.mode} in a session for {wanted}")
        if not replaces and self._agreed.lower not in {None, offer.lower}:
            raise ProtocolError(Status.BAD_REQUEST, "one session over several transports")
        return Proposal(
            request=request,
            method=Method.SETUP,
            url=url,
            decision=SetupRequested(
                path=path,
                query=self._query(base),
                asker=_asker(request),
                track=track,
                lower=offer.lower,
            ),
            offer=offer,
            their_key=their_key,
            replaces=replaces,
        )

    def play(self, request: Request) -> Proposal:
        url = self._controlled(request, Method.PLAY)
        return Proposal(request=request, method=Method.PLAY, url=url, decision=PlayRequested())

    def pause(self, request: Request) -> Proposal:
        url = self._controlled(request, Method.PAUSE)
        return Proposal(request=request, method=Method.PAUSE, url=url, decision=PauseRequested())

    def record(self, request: Request) -> Proposal:
        url = self._controlled(request, Method.RECORD)
        if self._agreed.state is State.RECORD_PAUSED and self._agreed.secured:
            # A second flow under the same keys would take old packets again, and miss the roll-overs.
            raise ProtocolError(Status.METHOD_NOT_VALID_IN_THIS_STATE, "RECORD after PAUSE over SRTP")
        if missing := self._agreed.missing:
            raise ProtocolError(
                Status.METHOD_NOT_VALID_IN_THIS_STATE, f"{missing} announced tracks are not set up"
            )
        return Proposal(request=request, method=Method.RECORD, url=url, decision=RecordRequested())

    def check_teardown(self, request: Request) -> None:
        """There is nothing to decide about it."""
        self._controlled(request, Method.TEARDOWN)

    def _controlled(self, request: Request, method: Method) -> Url:
        """Where a request that concerns the session as a whole says that it is."""
        self._agreed.check_state(method)
        url = _target(request)
        base, track = self._agreed.meant(url)
        if base.name != self._agreed.path:
            raise ProtocolError(Status.NOT_FOUND, "the session is about another path")
        if track is not None and len(self._agreed.tracks) > 1 and base is not url:
            raise ProtocolError(Status.ONLY_AGGREGATE_OPERATION_ALLOWED, f"{method} of a single track")
        return url

    def _their_key(self, request: Request, track: int | None) -> Message | None:
        """What the client sends this track with: it says so in SETUP, or said in its description."""
        header = request.header("KeyMgmt")
        announced = None
        if self._agreed.announced is not None and track is not None:
            announced = self._agreed.announced.key_mgmt(track)
        if not self._tls or (header is None and announced is None):
            return None
        try:
            return parse_header(header) if header is not None else parse_attribute(announced or "")
        except ValueError as error:
            raise ProtocolError(Status.UNSUPPORTED_TRANSPORT, f"key management: {error}") from None

    def _query(self, base: Url) -> str:
        described = self.described
        if base.query is None and described is not None and described.name == base.name:
            return described.plain_query
        return base.plain_query


def _target(request: Request) -> Url:
    if request.url is None:
        raise ProtocolError(Status.BAD_REQUEST, f"{request.method} of *")
    return request.url


def _asker(request: Request) -> Asker:
    return Asker(request.method, request.header("Authorization"))


def _path_name(url: Url) -> str:
    """Raises ProtocolError(400) for a name that no path can have."""
    if mistake := path_name_mistake(url.name):
        raise ProtocolError(Status.BAD_REQUEST, f"invalid path name {url.name[:80]!r}: {mistake}")
    return url.name
