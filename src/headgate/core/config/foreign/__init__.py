"""Configurations of other relays, read and said again as a section `turn`."""

from headgate.core.config.foreign.reading import ForeignError, translate

__all__ = ["ForeignError", "translate"]
