"""Configurations of other servers, read and said again as ours."""

from headgate.core.config.foreign.reading import ForeignError, translate

__all__ = ["ForeignError", "translate"]
