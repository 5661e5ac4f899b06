"""What comes out: the section `turn`, and a comment for each thing that could not be carried over."""

from __future__ import annotations

from io import StringIO
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from headgate.core.config.turn_conf import TurnConf

__all__ = ["Translation", "printable"]

MOST_REMARKS = 256
LONGEST_NAME = 64  # characters of what the file says, shown in a comment
ROUNDS = 8  # of taking out what is wrong; nothing needs more than two


class Translation:
    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        """Of the section, as they are written in the file."""
        self._remarks: list[str] = []
        self._left_out = 0

    def remark(self, what: str, why: str) -> None:
        """`what` may come from the file. Never say a value that may be a secret."""
        if len(self._remarks) >= MOST_REMARKS:
            self._left_out += 1
            return
        self._remarks.append(f"{printable(what)}: {why}")

    def check(self) -> None:
        """Take out what headgate would refuse, with a remark for each."""
        for _ in range(ROUNDS):
            try:
                TurnConf.model_validate(self.keys)
            except ValidationError as error:
                mistakes = error.errors(include_url=False, include_input=False, include_context=False)
                # From behind, so that the places of what is before do not change.
                for mistake in sorted(mistakes, key=lambda one: _place(one["loc"]), reverse=True):
                    self._take_out(mistake["loc"], mistake["msg"].removeprefix("Value error, "))
            else:
                return
        self.keys.clear()
        self.remark("everything", "cannot be made to fit together")

    def _take_out(self, place: tuple[int | str, ...], why: str) -> None:
        if not place or place[0] not in self.keys:
            for key in list(self.keys):
                del self.keys[key]
            self.remark("everything", printable(why, 200))
            return
        key = str(place[0])
        holder = self.keys[key]
        # Of a list or mapping, the one item that is wrong; of settings of ours, the whole.
        if len(place) > 1 and isinstance(holder, list) and isinstance(place[1], int):
            if place[1] < len(holder):
                del holder[place[1]]
                self.remark(f"{key}, item {place[1] + 1}", printable(why, 200))
        elif len(place) > 1 and isinstance(holder, dict) and place[1] in holder:
            del holder[place[1]]
            self.remark(f"{key}, {place[1]}", printable(why, 200))
        else:
            del self.keys[key]
            self.remark(key, printable(why, 200))

    def text(self, *, title: str) -> str:
        """A configuration file."""
        out = StringIO()
        out.write(f"# {printable(title, 200)}\n")
        if any(key in self.keys for key in ("users", "authSecrets")):
            out.write("# It has passwords in it: keep it as you kept the other.\n")
        if self.keys:
            yaml = YAML(typ="rt")
            yaml.default_flow_style = False
            yaml.width = 4096
            yaml.dump({"turn": _quoted(self.keys)}, out)
        else:
            out.write("turn: {}\n")
        if self._remarks:
            out.write("\n# Not carried over, or different here:\n")
            out.writelines(f"# - {remark}\n" for remark in self._remarks)
        if self._left_out:
            out.write(f"# - and {self._left_out} more\n")
        return out.getvalue()


def printable(text: str, longest: int = LONGEST_NAME) -> str:
    """Fit for one line of a comment, whatever it was."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:longest])
    return shown + ("…" if len(text) > longest else "")


def _quoted(value: Any) -> Any:
    """Text in quotes, so that no reader of YAML takes a password for a number or a comment."""
    if isinstance(value, dict):
        return {_quoted(key) if _is_odd(key) else key: _quoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value


def _is_odd(key: str) -> bool:
    return not (key.isascii() and key.isalpha())


def _place(location: tuple[int | str, ...]) -> tuple[str, int]:
    index = location[1] if len(location) > 1 and isinstance(location[1], int) else 0
    return (str(location[0]) if location else "", index)
