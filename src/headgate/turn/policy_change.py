"""What becomes of permissions, channels and connections that a new peer policy would not grant."""

from __future__ import annotations

from headgate.turn.allocation import Allocation
from headgate.turn.peers import PeerPolicy
from headgate.turn.relay import RelayTransport
from headgate.turn.wing import Wing

__all__ = ["follow_policy", "judge_again"]


def follow_policy(wing: Wing, policy: PeerPolicy, *, now: float) -> None:
    """Judge by it from now on, also what was granted before: a network that is closed is closed at once."""
    policy.take_over(wing.policy)
    wing.policy = policy
    judge_again(wing, now=now)


def judge_again(wing: Wing, *, now: float) -> None:
    """What was granted before, by what the policy knows now."""
    policy = wing.policy
    policy.has_learnt = False
    for allocation in list(wing.by_handle.values()):
        _judge_permissions(wing, allocation, now=now)
        _judge_channels(wing, allocation, now=now)
        for connection, peer in list(allocation.connections.items()):
            if not policy.allows(peer.host) and not wing.is_relayed(peer, transport=RelayTransport.TCP):
                wing.relay.hang_up(connection)


def _judge_permissions(wing: Wing, allocation: Allocation, *, now: float) -> None:
    for host, permission in list(allocation.live_permissions(now).items()):
        lifetime, relayed_only = permission.expires - now, wing.policy.allows_relayed(host)
        if not relayed_only and not wing.policy.allows(host):
            lifetime = 0.0
            del allocation.permissions[host]
        wing.relay.permit(allocation.handle, [host], lifetime=lifetime, relayed_only=relayed_only)


def _judge_channels(wing: Wing, allocation: Allocation, *, now: float) -> None:
    for number, channel in allocation.live_channels(now).items():
        host = channel.peer.host
        lifetime, relayed_only = channel.expires - now, wing.policy.allows_relayed(host)
        permission = allocation.permissions.get(host)
        if not relayed_only and not wing.policy.allows(host):
            lifetime = 0.0
            # It is over, and its number rests as after any end (RFC 8656 12).
            allocation.channels[number] = channel._replace(expires=now)
        wing.relay.bind_channel(
            allocation.handle,
            number,
            channel.peer,
            lifetime=lifetime,
            permission_lifetime=permission.expires - now if permission is not None else 0.0,
            relayed_only=relayed_only,
        )
