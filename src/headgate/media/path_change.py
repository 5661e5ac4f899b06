"""Which changes of a path's configuration its live media cannot survive."""

from __future__ import annotations

from headgate.core.config.path_conf import PUBLISHER, PathConf

__all__ = ["concerns_media"]

LOOKED_AT_LATER = {"source_on_demand_start_timeout", "source_on_demand_close_after", "source_redirect"}
PULL_FIELDS = tuple(
    field
    for field in PathConf.model_fields
    if (field.startswith(("source_", "rtsp_", "rpi_camera_")) or field == "use_absolute_timestamp")
    and field not in LOOKED_AT_LATER
)
"""What a source that is pulled was opened with."""


def concerns_media(old: PathConf, new: PathConf) -> bool:
    """Whether a path must begin anew: it is fed by somebody else, or what feeds it must be opened anew.

    Everything else is looked at when it matters: at the next publisher, reader, file or event.
    """
    if old.source != new.source:
        return True
    if old.source == PUBLISHER:
        return False
    # Where `source` has groups of an expression, another expression makes another source of it.
    if "$" in old.source and old.name != new.name:
        return True
    return any(getattr(old, field) != getattr(new, field) for field in PULL_FIELDS)
