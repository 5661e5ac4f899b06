"""What the configuration's tests share."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.core.config import Loaded, load
from headgate.core.errors import ConfigurationError

Load = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a text as the file `c.yml` of the working directory, with an environment of its own."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes = "", **environ: str) -> Loaded:
        content = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        Path("c.yml").write_bytes(content)
        return load(Path("c.yml"), environ)

    return load_text


@pytest.fixture
def mistakes(load_text: Load) -> Mistakes:
    """Load a text that has mistakes, and return them."""

    def mistakes(text: str | bytes = "", **environ: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load_text(text, **environ)
        return caught.value.mistakes

    return mistakes
