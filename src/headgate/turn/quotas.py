"""How much a user, an address and everybody together may hold. What is counted is what lives (S-05)."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from headgate.core.config.turn_conf import TurnQuotas
from headgate.engine import AddressBudget
from headgate.turn.allocation import Allocation
from headgate.turn.refusal import ErrorCode, Refusal

__all__ = ["Holder", "Quotas"]


class Holder(Struct, frozen=True, gc=False):
    """Whom an allocation or a reserved port counts for."""

    user: str
    address: str


NOBODY = Holder("", "")


class Quotas:
    def __init__(self, settings: TurnQuotas) -> None:
        self.settings = settings
        self._users: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._total = 0
        self._allocations: Counter[str] = Counter()
        """By user; the others count ports that wait for their Allocate (EVEN-PORT with R) as well."""
        self.refusals: Counter[str] = Counter()
        """Since the start, by the quota's key in the configuration."""
        self._pace = AddressBudget(per_second=settings.new_allocations_per_second)

    def follow(self, settings: TurnQuotas) -> None:
        """New limits hold for what comes; nobody loses what they have."""
        self.settings = settings
        self._pace.per_second = settings.new_allocations_per_second

    def usage(self) -> dict[str, int]:
        """Allocations by user."""
        return dict(self._allocations)

    def check(self, holder: Holder, *, wanted: int = 1, comes_for: Holder | None = None, now: float) -> None:
        """Whether an allocation may be. Raises Refusal.

        `wanted`: 2 where it reserves a port as well. `comes_for`: who reserved the port that it takes up.
        """
        limits = self.settings
        given = comes_for or NOBODY
        user = self._users[holder.user] + wanted - (given.user == holder.user)
        address = self._addresses[holder.address] + wanted - (given.address == holder.address)
        total = self._total + wanted - (comes_for is not None)
        if limits.allocations_per_user and user > limits.allocations_per_user:
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "allocationsPerUser")
        if limits.allocations_per_address and address > limits.allocations_per_address:
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "allocationsPerAddress")
        if limits.allocations and total > limits.allocations:
            raise self._refusal(ErrorCode.INSUFFICIENT_CAPACITY, "allocations")
        if not self._pace.admits(holder.address, now=now):
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "newAllocationsPerSecond")

    def add(self, allocation: Allocation) -> None:
        self._allocations[allocation.user] += 1
        self.reserve(Holder(allocation.user, allocation.address))

    def remove(self, allocation: Allocation) -> None:
        _less(self._allocations, allocation.user)
        self.unreserve(Holder(allocation.user, allocation.address))

    def reserve(self, holder: Holder) -> None:
        """A port waits for them."""
        self._users[holder.user] += 1
        self._addresses[holder.address] += 1
        self._total += 1

    def unreserve(self, holder: Holder) -> None:
        """Somebody has come for it, or nobody in time."""
        _less(self._users, holder.user)
        _less(self._addresses, holder.address)
        self._total -= 1

    def check_move(self, allocation: Allocation, address: str) -> None:
        """Whether it may be of a client at this address. Raises Refusal."""
        limit = self.settings.allocations_per_address
        if limit and address != allocation.address and self._addresses[address] >= limit:
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "allocationsPerAddress")

    def move(self, allocation: Allocation, address: str) -> None:
        """It counts for this address from now on."""
        self.remove(allocation)
        allocation.address = address
        self.add(allocation)

    def check_permissions(self, allocation: Allocation, hosts: set[str], *, now: float) -> None:
        """Raises Refusal."""
        limit = self.settings.permissions_per_allocation
        if limit and len(allocation.live_permissions(now).keys() | hosts) > limit:
            raise self._refusal(ErrorCode.INSUFFICIENT_CAPACITY, "permissionsPerAllocation")

    def check_channels(self, allocation: Allocation, number: int, *, now: float) -> None:
        """Raises Refusal."""
        limit = self.settings.channels_per_allocation
        if limit and len(allocation.live_channels(now).keys() | {number}) > limit:
            raise self._refusal(ErrorCode.INSUFFICIENT_CAPACITY, "channelsPerAllocation")

    def _refusal(self, code: ErrorCode, quota: str) -> Refusal:
        self.refusals[quota] += 1
        return Refusal(code, quota)


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if counter[name] <= 0:
        del counter[name]
