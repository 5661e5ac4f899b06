"""CreatePermission (RFC 8656 10.2) and ChannelBind (RFC 8656 12.2)."""

from __future__ import annotations

from headgate.turn.allocation import (
    CHANNEL_LIFETIME,
    CHANNEL_REST,
    PERMISSION_LIFETIME,
    Allocation,
    Channel,
)
from headgate.turn.events import ChannelBound, PermissionsCreated
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import RelayTransport
from headgate.turn.request import Request
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.wing import Wing

__all__ = ["FIRST_CHANNEL", "bind_channel", "create_permission"]

FIRST_CHANNEL = 0x4000
LAST_CHANNEL = 0x4FFF  # RFC 8656 12
LAST_COMPATIBLE_CHANNEL = 0x7FFF  # RFC 5766 11


def create_permission(wing: Wing, request: Request) -> Answer:
    """All of the peers or none. Raises Refusal."""
    allocation = request.own_allocation()
    if not request.message.peers:
        raise Refusal(ErrorCode.BAD_REQUEST, "XOR-PEER-ADDRESS is missing")
    peers = [wing.peer(value, request, allocation) for value in request.message.peers]
    wing.quotas.check_permissions(allocation, {peer.host for peer in peers}, now=request.now)
    for relayed_only in (False, True):
        hosts = sorted({peer.host for peer in peers if wing.is_relayed_only(peer.host) is relayed_only})
        if hosts:
            wing.relay.permit(
                allocation.handle, hosts, lifetime=PERMISSION_LIFETIME, relayed_only=relayed_only
            )
    for peer in peers:
        allocation.permit(peer, now=request.now)
    wing.events.append(PermissionsCreated(allocation, tuple(peers)))
    return request.success()


def bind_channel(wing: Wing, request: Request) -> Answer:
    """Raises Refusal."""
    allocation = request.own_allocation()
    if allocation.transport is RelayTransport.TCP:
        raise Refusal(ErrorCode.BAD_REQUEST, "a TCP relay has no channels")
    number = _number(wing, request)
    if not request.message.peers:
        raise Refusal(ErrorCode.BAD_REQUEST, "XOR-PEER-ADDRESS is missing")
    peer = wing.peer(request.message.peers[0], request, allocation)
    if not peer.port:
        raise Refusal(ErrorCode.BAD_REQUEST, "nothing can be sent to port 0")
    _check_conflict(allocation, number, peer, now=request.now)
    wing.quotas.check_channels(allocation, number, now=request.now)
    wing.quotas.check_permissions(allocation, {peer.host}, now=request.now)
    wing.relay.bind_channel(
        allocation.handle,
        number,
        peer,
        lifetime=CHANNEL_LIFETIME,
        permission_lifetime=PERMISSION_LIFETIME,
        relayed_only=wing.is_relayed_only(peer.host),
    )
    allocation.channels[number] = Channel(peer, request.now + CHANNEL_LIFETIME)
    allocation.permit(peer, now=request.now)  # 12.2: a binding installs or refreshes the permission as well
    wing.events.append(ChannelBound(allocation, number, peer))
    return request.success()


def _number(wing: Wing, request: Request) -> int:
    value = request.message.attributes.get(Attribute.CHANNEL_NUMBER)
    if value is None or len(value) != 4:
        raise Refusal(ErrorCode.BAD_REQUEST, "CHANNEL-NUMBER is missing")
    number = int.from_bytes(value[:2])
    last = LAST_COMPATIBLE_CHANNEL if wing.settings.compatible_channels else LAST_CHANNEL
    if not FIRST_CHANNEL <= number <= last:
        raise Refusal(ErrorCode.BAD_REQUEST, f"channel 0x{number:04X} is out of range")
    return number


def _check_conflict(allocation: Allocation, number: int, peer: TransportAddress, *, now: float) -> None:
    """A number has one peer, and a peer one number. What has run out rests a while, so that late packets
    of the old peer do not pass for the new one's.
    """
    for old in [key for key, one in allocation.channels.items() if one.expires + CHANNEL_REST <= now]:
        del allocation.channels[old]
    bound = allocation.channels.get(number)
    if bound is not None and bound.peer != peer:
        raise Refusal(ErrorCode.BAD_REQUEST, "the channel is bound to another peer")
    if any(one.peer == peer and key != number for key, one in allocation.channels.items()):
        raise Refusal(ErrorCode.BAD_REQUEST, "the peer is bound to another channel")
