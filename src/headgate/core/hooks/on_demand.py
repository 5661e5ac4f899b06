"""Commands that publish to a path because somebody wants to read it, and only as long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.core.config import Configuration, PathConf
from headgate.core.config.path_conf import PUBLISHER
from headgate.core.errors import NotFound
from headgate.core.events import Bus, PathNotReady, PathReady, Published, SessionChanged, SessionClosed
from headgate.core.hooks import variables
from headgate.core.hooks.runner import HookRunner, Job, Run

__all__ = ["Demand", "OnDemandHooks"]

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Demand:
    """One path's command, from the first who asks until nobody has read for long enough."""

    name: str
    conf: PathConf
    run: Run | None
    after: Job | None
    ready: bool = False
    timer: asyncio.TimerHandle | None = None
    _decided: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def start_timeout(self) -> float:
        """Seconds in which `wait` ends, one way or the other."""
        return self.conf.run_on_demand_start_timeout

    def decide(self, *, ready: bool) -> None:
        self.ready = ready
        self._decided.set()

    async def wait(self) -> None:
        """Until somebody publishes. Raises NotFound when nobody did in time. Any number may wait."""
        await self._decided.wait()
        if not self.ready:
            raise NotFound(f"source of path '{self.name}' has timed out")


class OnDemandHooks:
    """Owns every demand. It hears of publishers and readers over the bus."""

    def __init__(
        self,
        *,
        bus: Bus,
        configuration: Callable[[], Configuration],
        runner: HookRunner,
        rtsp_port: Callable[[], str],
        readers: Callable[[str], int],
    ) -> None:
        """`readers`: how many a path has now, of whom some may not have begun."""
        self._configuration = configuration
        self._runner = runner
        self._rtsp_port = rtsp_port
        self._readers = readers
        self._demands: dict[str, Demand] = {}
        self._on_air: set[str] = set()
        self._stopped = False
        bus.listen(self._hear, PathReady, PathNotReady, SessionClosed, SessionChanged)

    def ask(self, name: str, *, query: str) -> Demand | None:
        """What to wait for before this path can be read; None where there is nothing to wait for: somebody
        publishes already, or no command does. The first who asks starts it, and its query is what it is told.
        Whoever calls has checked that the client may read. Raises NotFound.
        """
        match = self._configuration().path_for(name)
        if self._stopped or not match.conf.run_on_demand or name in self._on_air:
            demand = self._demands.get(name)
            if demand is not None:
                self._look_later(demand)
            return None
        demand = self._demands.get(name)
        if demand is None:
            values = variables.of_path(name, groups=match.groups, rtsp_port=self._rtsp_port())
            demand = self._start(name, match.conf, values | variables.of_query(query))
        return demand

    def apply(self) -> None:
        """The configuration is another: what nobody can publish to any more is not waited for."""
        for demand in list(self._demands.values()):
            if not demand.ready and not self._wanted(demand.name):
                self._end(demand)

    def _wanted(self, name: str) -> bool:
        try:
            conf = self._configuration().path_for(name).conf
        except NotFound:
            return False
        return bool(conf.run_on_demand) and conf.source == PUBLISHER

    def stop(self) -> None:
        """The server stops: end every command, and start no other."""
        self._stopped = True
        for demand in list(self._demands.values()):
            self._end(demand)

    def _start(self, name: str, conf: PathConf, values: dict[str, str]) -> Demand:
        subject = f"path '{name}'"
        job = Job(
            hook="runOnDemand",
            subject=subject,
            command=conf.run_on_demand,
            variables=values,
            restart=conf.run_on_demand_restart,
        )
        after = None
        if conf.run_on_un_demand:
            after = Job(
                hook="runOnUnDemand", subject=subject, command=conf.run_on_un_demand, variables=values
            )
        demand = Demand(name=name, conf=conf, run=self._runner.start(job), after=after)
        self._demands[name] = demand
        self._set_timer(demand, conf.run_on_demand_start_timeout, self._give_up)
        return demand

    def _hear(self, published: Published) -> None:
        # What happens most often comes first.
        match published.event:
            case SessionChanged(target=str(name)) | SessionClosed(target=str(name)):
                if (demand := self._demands.get(name)) is not None and demand.ready:
                    self._look_later(demand)
            case PathReady(path=name):
                self._on_air.add(name)
                if (demand := self._demands.get(name)) is not None:
                    demand.decide(ready=True)
                    # Those who waited are readers only when they have set up: the time runs from now.
                    self._look_later(demand)
            case PathNotReady(path=name):
                self._on_air.discard(name)
                if (demand := self._demands.get(name)) is not None:
                    self._end(demand)

    def _look_later(self, demand: Demand) -> None:
        self._set_timer(demand, demand.conf.run_on_demand_close_after, self._look)

    def _look(self, demand: Demand) -> None:
        # With readers there is nothing to do: the last of them sets the timer anew when it leaves.
        if not self._readers(demand.name):
            self._end(demand)

    def _give_up(self, demand: Demand) -> None:
        logger.info(
            "hook runOnDemand of path '%s': nobody published in %g s", demand.name, demand.start_timeout
        )
        self._end(demand)

    def _end(self, demand: Demand) -> None:
        del self._demands[demand.name]
        if demand.timer is not None:
            demand.timer.cancel()
        if not demand.ready:
            demand.decide(ready=False)
        if demand.run is not None:
            demand.run.stop()
        if demand.after is not None:
            self._runner.start(demand.after)

    def _set_timer(self, demand: Demand, delay: float, then: Callable[[Demand], None]) -> None:
        if demand.timer is not None:
            demand.timer.cancel()
        demand.timer = asyncio.get_running_loop().call_later(delay, then, demand)
