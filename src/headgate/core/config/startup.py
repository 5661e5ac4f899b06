"""What a server starts from: the layers of its configuration, and where each of them is kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from headgate.core.config.changes import Changes
from headgate.core.config.configuration import Configuration
from headgate.core.config.file_only import dropped_hooks
from headgate.core.config.layers import Layers
from headgate.core.config.loader import load
from headgate.core.config.state_file import StateFile, state_directory
from headgate.core.errors import ConfigurationError

__all__ = ["Startup", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    layers: Layers
    file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    state: StateFile | None = None
    """Entered already; None: changes last until the server stops."""
    warnings: Sequence[str] = ()

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """A server that has no file and keeps nothing."""
        return cls(layers=Layers.of(configuration))

    @classmethod
    def load(cls, file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Self:
        """The file, the environment, and what was changed through the API before the last stop.

        Raises ConfigurationError for mistakes in the first two. Changes that cannot be read, or do not fit
        them any more, are put aside with a warning: a server that runs as its file says is better than none.
        """
        loaded = load(file, environ)
        layers = Layers.compose(loaded.configuration, loaded.own)
        warnings = list(loaded.warnings)
        state: StateFile | None = StateFile(state_directory(environ), loaded.file)
        assert state is not None  # noqa: S101 (for the type checker)
        try:
            state.__enter__()
        except BlockingIOError:
            warnings.append(
                f"{state.path}: another server with this configuration keeps its changes there;{LOST}"
            )
            state = None
        except OSError as error:
            warnings.append(f"{state.path}: {(error.strerror or str(error)).lower()};{LOST}")
            state = None
        if state is not None:
            try:
                text = state.read()
                if text is not None:
                    changes = Changes.read(text)
                    layers = Layers.compose(loaded.configuration, loaded.own, changes)
                    warnings += dropped_hooks(changes, layers.changes)
                    if layers.changes != changes:
                        with contextlib.suppress(OSError):  # else they are dropped at the next start as well
                            state.write(layers.changes.text())
            except (ConfigurationError, OSError, ValueError, RecursionError) as error:
                warnings.append(_put_aside(state, error))
        return cls(
            layers=layers, file=loaded.file, environ=dict(environ), state=state, warnings=tuple(warnings)
        )


def kept(file: Path | None, environ: Mapping[str, str] = os.environ) -> tuple[Layers, StateFile]:
    """The layers as the next start would find them, and where they are kept; nothing is held or moved.

    Raises ConfigurationError, OSError, ValueError.
    """
    loaded = load(file, environ)
    state = StateFile(state_directory(environ), loaded.file)
    text = state.read()
    changes = None if text is None else Changes.read(text)
    return Layers.compose(loaded.configuration, loaded.own, changes), state


LOST = (
    " what is changed through the API is lost when this server stops (HEADGATE_STATE_DIR names another place)"
)


def _put_aside(state: StateFile, error: Exception) -> str:
    reasons = (
        error.mistakes if isinstance(error, ConfigurationError) else [str(error) or type(error).__name__]
    )
    text = f"{state.path}: THE CHANGES MADE THROUGH THE API ARE NOT IN EFFECT: {'; '.join(reasons[:8])}"
    try:
        return f"{text}. They are kept in {state.put_aside()}"
    except OSError as trouble:
        return f"{text}. They cannot be put aside either: {trouble.strerror}"
