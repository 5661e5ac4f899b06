"""How the process's descriptors are shared out, so that no flood of clients locks the operator out."""

from __future__ import annotations

import resource

from headgate.core.config import GlobalConf
from headgate.core.config.choices import Encryption, RtspTransport
from headgate.core.descriptors import left_by_players

__all__ = ["connection_limit", "multicast_limit"]

CONNECTION_LIMIT = 20_000
"""Of one listener, where descriptors suffice."""
MULTICAST_LIMIT = 4096
"""Where descriptors suffice: 512 paths of one track, by three interfaces, need 3,584."""
MULTICAST_SHARE = 8
"""One descriptor of so many at most."""


def connection_limit(settings: GlobalConf) -> int:
    """Connections of one listener."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return CONNECTION_LIMIT
    listeners = 2 if settings.rtsp_encryption is Encryption.OPTIONAL else 1
    groups = multicast_limit() if RtspTransport.MULTICAST in settings.rtsp_transports else 0
    free = max(descriptors - left_by_players(descriptors) - groups, descriptors // 2)
    return min(CONNECTION_LIMIT, free // listeners)


def multicast_limit() -> int:
    """Sockets of all multicast senders: who publishes many tracks makes one reader's SETUP open many."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MULTICAST_LIMIT
    return min(MULTICAST_LIMIT, descriptors // MULTICAST_SHARE)
