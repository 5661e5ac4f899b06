"""Prometheus's text format, version 0.0.4: families of samples with their help and type."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headgate.core.histogram import Histogram

__all__ = ["CONTENT_TYPE", "Family", "Kind", "expose", "labels"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Kind(enum.StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


def labels(pairs: Mapping[str, str]) -> str:
    """The labels of a sample, braces included. Make them once where many samples have the same."""
    return "{" + ",".join(f'{name}="{text.translate(ESCAPES)}"' for name, text in pairs.items()) + "}"


@dataclass(slots=True)
class Family:
    """All samples of one name."""

    name: str
    kind: Kind
    help: str
    _lines: list[str] = field(default_factory=list)

    def add(self, value: float, labels: str = "") -> None:
        """Add a sample. Values are printed as Python prints them, which the format allows."""
        self._lines.append(f"{self.name}{labels} {value}")

    def add_histogram(self, histogram: Histogram) -> None:
        """All samples of a family of the kind HISTOGRAM."""
        for bound, count in histogram.cumulative():
            text = "+Inf" if bound == float("inf") else str(bound)
            self._lines.append(f'{self.name}_bucket{{le="{text}"}} {count}')
        self._lines += [f"{self.name}_sum {histogram.sum}", f"{self.name}_count {histogram.count}"]

    def __str__(self) -> str:
        head = f"# HELP {self.name} {self.help.translate(HELP_ESCAPES)}\n# TYPE {self.name} {self.kind}\n"
        return head + "".join(f"{line}\n" for line in self._lines)

    @property
    def empty(self) -> bool:
        return not self._lines


def expose(families: Iterable[Family], *, zero_when_empty: bool = False) -> str:
    """The text of the families. An empty one is left out, or stands as one 0 without labels."""
    texts: list[str] = []
    for family in families:
        if family.empty:
            if not zero_when_empty:
                continue
            family.add(0)
        texts.append(str(family))
    return "".join(texts)
