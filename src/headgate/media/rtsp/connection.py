"""One client's RTSP connection: the protocol machine joined to the engine, the paths and the registry."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime

from headgate.core.auth import Action
from headgate.core.config.secrets import redacted_query
from headgate.core.errors import CredentialsMissing, Denied, Draining, HeadgateError, NotFound
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, SessionId
from headgate.core.tunnel import Tunnel
from headgate.engine import Accepted, Closed, Connection, Event, HttpReceived, Malformed, Received, Refusal
from headgate.engine import CloseReason as EngineReason
from headgate.media.path import Publication
from headgate.media.rtsp import events
from headgate.media.rtsp.admission import Admission
from headgate.media.rtsp.http import HttpRefusal
from headgate.media.rtsp.message import Status
from headgate.media.rtsp.multicast import MulticastSender, NoMulticast
from headgate.media.rtsp.protocol import Position, ServerProtocol
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.session import ENGINE_REASONS, RtspSession, Shared
from headgate.media.rtsp.state import State
from headgate.media.rtsp.transport import Lower
from headgate.media.rtsp.tunnel import Getting, Posting, Talking
from headgate.media.rtsp.wait import Wait

__all__ = ["RtspConnection"]

logger = logging.getLogger(__name__)


class RtspConnection:
    """Lives from `Accepted` to `Closed`. Its methods run on the event loop and never wait.

    A decision that depends on something which is not here yet waits in a task; there is one at most,
    because the machine looks at no request before the one before it is answered.
    """

    def __init__(
        self,
        accepted: Accepted,
        *,
        shared: Shared,
        service: Service,
        transports: Collection[Lower],
        on_refusal: Callable[[Status], None],
        on_closed: Callable[[RtspConnection, EngineReason], None],
    ) -> None:
        self.uuid = uuid.uuid4()
        self.created = datetime.now(UTC)
        self.handle = Connection(accepted.connection)
        """The engine's; its counters are the connection's bytes."""
        self.remote = Endpoint(accepted.remote_host, accepted.remote_port)
        self.local = Endpoint(accepted.local_host, accepted.local_port)
        self.service = service
        self.session: RtspSession | None = None
        self.tunnel = Tunnel.NONE
        self._shared = shared
        self._on_refusal = on_refusal
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._machine = ServerProtocol(
            transports=transports, now=self._loop.time(), tls=service.protocol is Protocol.RTSPS
        )
        self._admission = Admission(
            access=shared.access,
            ip=self.remote.host,
            protocol=service.protocol.value,
            connection=self.uuid,
        )
        self._description: SessionDescription | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deciding: asyncio.Task[None] | None = None
        self._over = False
        self._complained = False
        self._heard = False
        self._joining: float | None = None
        """When the first request came; None before it, and once a PLAY was answered."""

    def on_event(self, event: Event) -> None:
        """What the engine says about this connection."""
        match event:
            case Received() if not self._over:
                if not self._heard:
                    self._heard, self._joining = True, self._loop.time()
                self._machine.receive(event.message, self._loop.time())
                self._work()
            case HttpReceived() if not self._over:
                self._enter_tunnel(event.head)
            case Malformed() if not self._over:
                self._machine.malformed(Refusal(event.refusal))
                self._work()
            case Closed():
                self._closed(EngineReason(event.reason))
            case _:
                pass  # crossed with our own close

    def hang_up(self) -> None:
        """Close the connection, once what is queued for the client was sent."""
        self._over = True
        self._stop_deciding()
        self.session = None
        self._shared.loop.engine.close(self.handle)

    def _closed(self, reason: EngineReason) -> None:
        self._over = True
        self._shared.tunnels.leave(self.handle)
        self._stop_deciding()
        if self._timer is not None:
            self._timer.cancel()
        if self.session is not None:
            self._shared.registry.close(self.session, ENGINE_REASONS[reason])
        logger.debug("%s connection of %s closed: %s", self.service.name, self.remote, reason.name)
        self._on_closed(self, reason)

    def _enter_tunnel(self, head: bytes) -> None:
        """The client began with HTTP."""
        engine = self._shared.loop.engine
        try:
            entered = self._shared.tunnels.enter(
                head,
                connection=self.handle,
                service=self.service.name,
                host=self.remote.host,
                allow_origin=self._shared.access.settings.api_allow_origin,
            )
        except HttpRefusal as refusal:
            status = Status(int(refusal.status))
            self._refused(events.RequestRefused(method="HTTP", status=status, text=str(refusal)))
            engine.send(self.handle, refusal.serialise())
            self.hang_up()
            return
        self._machine.enter_tunnel()
        match entered:
            case Getting(answer):
                self.tunnel = Tunnel.HTTP
                engine.send(self.handle, answer)
            case Posting(get):
                self.tunnel = Tunnel.HTTP
                self._over = True
                engine.tunnel_http(get=get, post=self.handle)
            case Talking(answer, foreign):
                self.tunnel = Tunnel.WEBSOCKET
                self._admission.foreign = foreign
                engine.send(self.handle, answer)
                engine.tunnel_websocket(self.handle)

    # The machine

    def _work(self) -> None:
        """Decide and send until the machine has nothing left to say."""
        while not self._over and (batch := self._machine.events()):
            for event in batch:
                if not self._over:
                    self._handle(event)
        self._send()
        self._set_timer()

    def _send(self) -> None:
        if data := self._machine.to_send():
            self._shared.loop.engine.send(self.handle, data)

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.TornDown():
                self._end_session(CloseReason.GOODBYE)
            case events.TimedOut():
                self._end_session(CloseReason.READ_TIMEOUT)
            case events.RequestRefused():
                self._refused(event)
            case events.Ended():
                self._send()
                if self.session is not None:
                    self._end_session(CloseReason.PROTOCOL_ERROR)
                self.hang_up()
            case _:
                self._decide(event)

    # Decisions

    def _decide(self, event: events.Event) -> None:
        """Answer at once where nothing has to be waited for."""
        with self._refusing():
            wait = self._answer(event)
            if wait is not None:
                self._deciding = self._shared.tasks.create_task(self._decide_later(event, wait))

    async def _decide_later(self, event: events.Event, wait: Wait | None) -> None:
        try:
            with self._refusing():
                while wait is not None:
                    async with asyncio.timeout(wait.timeout):
                        await wait.until()
                    wait = self._answer(event)
            self._deciding = None
            self._work()
        except Exception:
            # A bug in one decision ends its connection, and not the group of everybody's tasks.
            logger.exception("a bug while deciding for %s; closing its connection", self.remote)
            self._shared.loop.engine.close(self.handle)

    def _stop_deciding(self) -> None:
        if self._deciding is not None:
            self._deciding.cancel()
            self._deciding = None

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """What is raised inside is the answer."""
        try:
            yield
        except NotFound as error:
            self._machine.refuse(Status.NOT_FOUND, str(error))
        except CredentialsMissing as error:
            self._machine.refuse(Status.UNAUTHORIZED, str(error), self._admission.challenges())
        except Denied as error:
            self._machine.dismiss(Status.UNAUTHORIZED, str(error), self._admission.challenges())
        except Draining as error:
            self._machine.refuse(Status.SERVICE_UNAVAILABLE, str(error))
        except NoMulticast as error:
            self._machine.refuse(Status.UNSUPPORTED_TRANSPORT, str(error))
        except HeadgateError as error:
            self._machine.refuse(Status.BAD_REQUEST, str(error))
        except TimeoutError:
            self._machine.refuse(Status.SERVICE_UNAVAILABLE, "what it depends on did not come in time")
        except (ValueError, OSError) as error:  # the engine's: tracks or ports it cannot take
            self._machine.refuse(Status.BAD_REQUEST, str(error))

    def _answer(self, event: events.Event) -> Wait | None:
        """Tell the machine what was decided. Where a Wait is returned nothing was done yet."""
        match event:
            case events.DescribeRequested():
                if wait := self._admit(event, Action.READ):
                    return wait
                return self._describe(event)
            case events.AnnounceRequested():
                if wait := self._admit(event, Action.PUBLISH):
                    return wait
                self._announce(event)
            case events.SetupRequested():
                # A session was admitted when it began, and ends with its access.
                if self.session is None and (wait := self._admit(event, Action.READ)):
                    return wait
                return self._setup(event)
            case events.PlayRequested():
                self._play()
            case events.RecordRequested():
                self._record()
            case events.PauseRequested():
                self._pause()
        return None

    def _admit(
        self,
        event: events.DescribeRequested | events.AnnounceRequested | events.SetupRequested,
        action: Action,
    ) -> Wait | None:
        return self._admission.admit(event.asker, action, path=event.path, query=event.query)

    def _describe(self, event: events.DescribeRequested) -> Wait | None:
        redirect = self._shared.paths.elsewhere(event.path)
        if redirect is not None:
            self._machine.redirect(redirect.location, permanent=redirect.permanent)
            return None
        if (wait := self._awaited(event.path, query=event.query)) is not None:
            return wait
        _, publication = self._shared.paths.ready(event.path)
        sending = self._shared.loop.engine.tracks(publication.stream)
        ssrcs = [sent.ssrc for sent in sending] or [None] * len(publication.tracks)
        self._machine.describe_ok(publication.description, ssrcs=ssrcs)
        return None

    def _awaited(self, path: str, *, query: str) -> Wait | None:
        """For a source that is fetched, or a publisher that is started, because this client asks.

        Either gives up by itself, and says so; a second later it would be a bug.
        """
        source = self._shared.sources.demand(path, query=query)
        if source is not None:
            return Wait(until=source.wait_ready, timeout=source.conf.source_on_demand_start_timeout + 1)
        demand = self._shared.on_demand.ask(path, query=query)
        if demand is not None:
            return Wait(until=demand.wait, timeout=demand.start_timeout + 1)
        return None

    def _announce(self, event: events.AnnounceRequested) -> None:
        # Only looked at here: the path is taken at RECORD, so that who announces and never
        # comes to the point takes nothing from anybody.
        self._shared.paths.check_publish(event.path)
        self._description = event.description
        self._open_session(path=event.path, query=event.query)
        self._machine.announce_ok()

    def _setup(self, event: events.SetupRequested) -> Wait | None:
        if self._machine.agreed.state is State.ANNOUNCED:
            track, ssrc = event.track, None
        elif self.session is None and (wait := self._awaited(event.path, query=event.query)) is not None:
            return wait
        else:
            track, ssrc = self._join(event)
        if track is None:
            self._machine.refuse(Status.AGGREGATE_OPERATION_NOT_ALLOWED, "SETUP of more than one track")
            return None
        udp = self._shared.udp if event.lower is Lower.UDP else None
        self._machine.setup_ok(
            track=track,
            server_ports=udp.numbers if udp else None,
            group=self.session.group(track) if self.session else None,
            ssrc=ssrc,
        )
        if self.session is not None:
            self.session.transport = self._machine.agreed.lower
        return None

    def _join(self, event: events.SetupRequested) -> tuple[int | None, int | None]:
        """The track a reader means, None where it could be several, and the SSRC of its packets now.

        Makes the session at a reader's first SETUP. Raises NotFound, Refused.
        """
        path, publication = self._shared.paths.ready(event.path)
        track = event.track
        if track is None:
            if len(publication.tracks) > 1:
                return None, None
            track = 0
        if track >= len(publication.tracks):
            raise NotFound(f"path '{event.path}' has no track {track}")
        if self.session is None:
            self._shared.paths.check_read(path)
            with self._sender(event.lower, publication) as sender:
                self._open_session(path=event.path, query=event.query).join(path, sender=sender)
        return track, self._shared.loop.engine.tracks(publication.stream)[track].ssrc

    def _sender(
        self, lower: Lower, publication: Publication
    ) -> AbstractContextManager[MulticastSender | None]:
        if lower is not Lower.MULTICAST:
            return nullcontext()
        return self._shared.multicast.sender(
            publication.stream, tracks=len(publication.tracks), settings=self._shared.settings
        )

    def _play(self) -> None:
        session = self._session()
        session.prepare(self._machine.agreed.tracks)
        self._machine.play_ok(self._positions(session))
        # The engine sends in the order of its calls: the answer, then the first packet.
        self._send()
        session.play()
        if self._joining is not None:
            self._shared.join_times.observe(self._loop.time() - self._joining)
            self._joining = None

    def _record(self) -> None:
        if self._description is not None:
            # Before the answer: a publisher may send the moment it has it.
            self._session().publish(
                self._machine.agreed.path, description=self._description, tracks=self._machine.agreed.tracks
            )
        self._machine.record_ok()

    def _pause(self) -> None:
        session = self._session()
        if self._machine.agreed.state in {State.RECORDING, State.RECORD_PAUSED}:
            session.stop_publishing()
        else:
            session.pause()
        self._machine.pause_ok()

    def _positions(self, session: RtspSession) -> dict[int, Position]:
        path = self._shared.paths.get(session.target or "")
        if path is None or path.publication is None:
            return {}
        publication = path.publication
        sending = zip(
            publication.tracks, self._shared.loop.engine.tracks(publication.stream), strict=False
        )  # the engine's list is empty when the stream ended this moment
        return {
            # The number of a later packet would make GStreamer wait for those before it. Over SRTP the
            # engine may have given the packets numbers of their own.
            number: Position(
                sequence=None
                if track.engine_track.codec.has_key_frames or self._machine.agreed.secured
                else sent.sequence,
                timestamp=sent.timestamp,
            )
            for number, (track, sent) in enumerate(sending)
            if sent.timestamp is not None
        }

    # Sessions

    def _session(self) -> RtspSession:
        if self.session is None:
            raise RuntimeError("the machine is in a session that was never opened")
        return self.session

    def _open_session(self, *, path: str, query: str) -> RtspSession:
        def make(session_id: SessionId, now: datetime) -> RtspSession:
            return RtspSession(
                id=session_id,
                service=self.service,
                remote=self.remote,
                local=self.local,
                created=now,
                shared=self._shared,
                connection=self.handle,
                hang_up=self.hang_up,
            )

        session = self._shared.registry.open(make)
        session.target, session.query = path, redacted_query(query)
        self._shared.leases.hold(session, *self._admission.granted)
        session.user_agent = self._machine.user_agent
        self.session = session
        logger.info(
            "%s session %d of %s%s opened: path '%s', %s",
            self.service.name,
            session.id.number,
            self.remote,
            "" if self.tunnel is Tunnel.NONE else f" (in {self.tunnel})",
            path,
            session.user_agent or "unnamed client",
        )
        return session

    def _end_session(self, reason: CloseReason) -> None:
        session, self.session = self.session, None
        self._description = None
        self._stop_deciding()  # the machine has answered, if it still waited
        if session is not None:
            self._shared.registry.close(session, reason)

    def _refused(self, event: events.RequestRefused) -> None:
        self._on_refusal(event.status)
        # The first of a connection is worth a line; a client that goes on is not worth a log full of them.
        level = logging.DEBUG if self._complained else logging.INFO
        self._complained = True
        logger.log(
            level,
            "%s %s: %s refused with %d: %s",
            self.service.name,
            self.remote,
            event.method or "message",
            event.status,
            event.text,
        )

    # Time

    def _set_timer(self) -> None:
        """Deadlines only move away: a timer that is set is looked at again when it fires."""
        deadline = self._machine.deadline()
        if self._timer is None and deadline is not None and not self._over:
            self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        flow = self.session.flow if self.session else None
        if flow is not None:
            counters = self._shared.loop.engine.counters([flow])[0]
            if counters is not None:
                self._machine.heard(now - counters.idle_s)
        self._machine.expire(now)
        self._work()
