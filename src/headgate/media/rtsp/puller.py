"""A source of a path at an rtsp:// or rtsps:// URL: where it leads, and over which transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from headgate.core.config import PathConf
from headgate.core.config.choices import PullTransport
from headgate.core.session import CloseReason
from headgate.media.rtsp.location import Location
from headgate.media.rtsp.pull import Pull, PullShared
from headgate.media.rtsp.transport import Lower
from headgate.media.source import SourceFailed

__all__ = ["RtspPuller"]

REDIRECT_LIMIT = 5
"""Servers that balance their load send on once, or twice."""
LOWERS = {
    PullTransport.AUTOMATIC: (Lower.UDP, Lower.TCP),
    PullTransport.UDP: (Lower.UDP,),
    PullTransport.MULTICAST: (Lower.MULTICAST,),
    PullTransport.TCP: (Lower.TCP,),
}


class RtspPuller:
    """One try: follows the server's directions, and falls back from UDP to TCP."""

    def __init__(
        self, url: str, *, name: str, conf: PathConf, on_ready: Callable[[], None], shared: PullShared
    ) -> None:
        self._url = url
        self._name = name
        self._conf = conf
        self._on_ready = on_ready
        self._shared = shared
        self._fallback: Lower | None = None
        """What is tried because packets did not come otherwise."""
        self._pull: Pull | None = None

    async def run(self) -> None:
        try:
            location = Location.parse(self._url)
        except ValueError as error:
            raise SourceFailed(str(error)) from None
        lowers = self._lowers(location)
        # A host with a client's words in it is the client's choice.
        written = "$" not in urlsplit(self._conf.source).netloc
        for _ in range(REDIRECT_LIMIT + 1):
            try:
                there = await self._run_once(location, lowers, written=written)
            except SourceFailed as error:
                if not error.transport or len(lowers) == 1:
                    raise
                lowers = lowers[1:]
                self._fallback = lowers[0]
                continue
            try:
                before, location = location, location.redirected(there)
                written = written and location.host == before.host
            except ValueError as error:
                raise SourceFailed(f"it sends us to where we do not go: {error}") from None
        raise SourceFailed("it sends us on and on")

    def stop(self, reason: CloseReason) -> None:
        if self._pull is not None:
            self._pull.stop(reason)

    async def _run_once(self, location: Location, lowers: Sequence[Lower], *, written: bool) -> str:
        self._pull = Pull(
            location,
            name=self._name,
            conf=self._conf,
            lowers=lowers,
            written=written,
            on_ready=self._ready,
            shared=self._shared,
        )
        try:
            return await self._pull.run()
        finally:
            self._pull = None

    def _ready(self) -> None:
        if self._fallback is not None:
            self._shared.fallbacks.note(self._name, self._url, worked=self._fallback)
        self._on_ready()

    def _lowers(self, location: Location) -> Sequence[Lower]:
        lowers = LOWERS[self._conf.rtsp_transport]
        if location.encrypted:
            # Datagrams in the clear beside an encrypted connection would betray it.
            lowers = tuple(lower for lower in lowers if lower is not Lower.MULTICAST) or (Lower.TCP,)
        return self._shared.fallbacks.ordered(self._name, self._url, lowers)
