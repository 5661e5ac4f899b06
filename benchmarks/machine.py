"""Where and when a table was measured: figures of two machines do not compare."""

import datetime
import os
import platform
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    when: str
    """UTC, to the second."""
    kernel: str
    cpu: str
    cores: int
    """CPUs this process may use."""
    load_before: float
    """Average of runnable processes in the minute before: others at work spoil the figures."""

    @classmethod
    def here(cls) -> "Machine":
        return cls(
            when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            kernel=platform.release(),
            cpu=_cpu_model(),
            cores=len(os.sched_getaffinity(0)),
            load_before=os.getloadavg()[0],
        )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
