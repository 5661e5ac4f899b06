"""A YAML file read into a draft, every value with its line.

Built from the parser's events instead of ruamel's constructors, because a
draft wants the text of each scalar as written, and because depth and
expansion must be bounded before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from headgate.core.config.draft import Draft, Location, Origin

__all__ = ["read_yaml"]

SIZE_LIMIT = 1 << 20  # bytes; ten thousand paths with ten keys each still fit
DEPTH_LIMIT = 16  # the deepest key there is, a user's permission, has a depth of 5
VALUE_LIMIT = 200_000  # values after aliases are followed; what a file of SIZE_LIMIT can hold by itself
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
YAML_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Node:
    line: int
    value: str | list[Node] | dict[str, Node] | None
    lines: dict[str, int]
    """Where each key of a mapping stands."""


class Unreadable(Exception):
    """The file as a whole makes no sense, from `line` on."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def read_yaml(file: Path, draft: Draft) -> None:
    """Fill the draft. What cannot be read becomes a mistake in it."""
    draft.origins[()] = Origin(str(file))
    try:
        with file.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        draft.mistake((), f"cannot be read: {(error.strerror or str(error)).lower()}")
        return
    if len(content) > SIZE_LIMIT:
        draft.mistake((), f"is larger than {SIZE_LIMIT >> 20} MiB")
        return
    try:
        composer = Composer(content.decode("utf-8-sig"))
        _pour(composer.compose(), (), draft, str(file))
        for line, text in composer.mistakes:
            draft.mistake_of(Origin(str(file), line), text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        _unreadable(draft, file, line, "is not UTF-8 text")
    except Unreadable as error:
        _unreadable(draft, file, error.line, str(error))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _unreadable(draft, file, mark.line + 1 if mark else 0, f"not YAML: {error.problem or error.context}")
    except ReaderError as error:
        _unreadable(draft, file, 0, f"not YAML: character U+{error.character:04X} is not allowed")
    except YAMLError as error:
        _unreadable(draft, file, 0, f"not YAML: {error}")


def _unreadable(draft: Draft, file: Path, line: int, text: str) -> None:
    draft.data.clear()
    draft.origins.clear()
    draft.origins[()] = Origin(str(file), line)
    draft.mistake((), text)
    draft.origins[()] = Origin(str(file))


class Composer:
    """Makes nodes of the parser's events."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
        self._anchors: dict[str, Node] = {}
        self.mistakes: list[tuple[int, str]] = []

    def compose(self) -> Node:
        """The one document; an empty file is an empty mapping. Raises Unreadable, YAMLError."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise Unreadable(_line(event), "a second document begins here; only one is read")
                root = self._node(next(self._events), 0)
        if root is None or root.value is None:
            return Node(0, {}, {})
        if not isinstance(root.value, dict):
            raise Unreadable(root.line, "must be a mapping of keys to values")
        return root

    def _node(self, event: Any, depth: int) -> Node:
        line = _line(event)
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise Unreadable(line, f"alias *{event.anchor} names nothing before it")
            return self._anchors[event.anchor]
        if depth > DEPTH_LIMIT:
            raise Unreadable(line, f"is nested more than {DEPTH_LIMIT} levels deep")
        tag = getattr(event, "tag", None)
        if tag is not None and not str(tag).startswith((YAML_TAG, "!!")):
            raise Unreadable(line, f"tag {tag} is not known")
        if isinstance(event, ScalarEvent):
            node = Node(line, None if event.implicit[0] and event.value in NULLS else event.value, {})
        elif isinstance(event, SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(item := next(self._events), SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            node = Node(line, items, {})
        else:
            node = self._mapping(line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _mapping(self, line: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        while not isinstance(event := next(self._events), MappingEndEvent):
            at = _line(event)
            if not isinstance(event, ScalarEvent):
                raise Unreadable(at, "a key must be text")
            key, value = event.value, self._node(next(self._events), depth + 1)
            if key == "<<" and event.implicit[0]:
                merged += value.value if isinstance(value.value, list) else [value]
            elif key in values:
                self.mistakes.append((at, f"key '{key}' is set twice (first on line {lines[key]})"))
            else:
                values[key], lines[key] = value, at
        for source in merged:
            if not isinstance(source.value, dict):
                raise Unreadable(source.line, "<< takes mappings only")
            for key, value in source.value.items():
                values.setdefault(key, value)
                lines.setdefault(key, source.lines[key])
        return Node(line, values, lines)


def _pour(node: Node, location: Location, draft: Draft, file: str) -> Any:
    """Write a node and what is in it into the draft."""
    if len(draft.origins) > VALUE_LIMIT:
        raise Unreadable(node.line, f"has more than {VALUE_LIMIT} values once its aliases are followed")
    if len(location) > DEPTH_LIMIT:
        raise Unreadable(node.line, f"is nested more than {DEPTH_LIMIT} levels deep")
    if location:
        draft.origins.setdefault(location, Origin(file, node.line))
    if isinstance(node.value, dict):
        for key, line in node.lines.items():
            draft.origins[*location, key] = Origin(file, line)
        inside = {key: _pour(value, (*location, key), draft, file) for key, value in node.value.items()}
        if not location:
            draft.data.update(inside)
        return inside
    if isinstance(node.value, list):
        return [_pour(value, (*location, index), draft, file) for index, value in enumerate(node.value)]
    return node.value


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
