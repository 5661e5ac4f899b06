"""What the log says of participants: a line when a session opens, and one when it closes."""

from __future__ import annotations

import logging

from headgate.core.session import CloseReason
from headgate.rooms.participant import Participant

__all__ = ["closed", "opened"]

logger = logging.getLogger(__name__)


def opened(participant: Participant) -> None:
    logger.info(
        "%s session %d of %s opened: user '%s', %s",
        participant.service.name,
        participant.id.number,
        participant.remote,
        participant.profile.userid,
        participant.user_agent or "unnamed client",
    )


def closed(participant: Participant, reason: CloseReason) -> None:
    """`room` is the one it was in when it ended."""
    received, sent, documents_in, documents_out = participant.traffic
    logger.info(
        "%s session %d of %s closed: %s; user '%s', room '%s', %d documents (%d bytes) in, %d (%d bytes) out",
        participant.service.name,
        participant.id.number,
        participant.remote,
        reason,
        participant.profile.userid,
        participant.target or "",
        documents_in,
        received,
        documents_out,
        sent,
    )
