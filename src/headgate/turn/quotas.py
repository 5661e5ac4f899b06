"""How much a user, an address and everybody together may hold. What is counted is what lives (S-05)."""

from __future__ import annotations

from collections import Counter

from headgate.core.config.turn_conf import TurnQuotas
from headgate.engine import AddressBudget
from headgate.turn.allocation import Allocation
from headgate.turn.refusal import ErrorCode, Refusal

__all__ = ["Quotas"]


class Quotas:
    def __init__(self, settings: TurnQuotas) -> None:
        self.settings = settings
        self._users: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._total = 0
        self.refusals: Counter[str] = Counter()
        """Since the start, by the quota's key in the configuration."""
        self._pace = AddressBudget(per_second=settings.new_allocations_per_second)

    def follow(self, settings: TurnQuotas) -> None:
        """New limits hold for what comes; nobody loses what they have."""
        self.settings = settings
        self._pace.per_second = settings.new_allocations_per_second

    def usage(self) -> dict[str, int]:
        """Allocations by user."""
        return dict(self._users)

    def check(self, *, user: str, address: str, now: float) -> None:
        """Whether one more allocation may be. Raises Refusal."""
        limits = self.settings
        if limits.allocations_per_user and self._users[user] >= limits.allocations_per_user:
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "allocationsPerUser")
        if limits.allocations_per_address and self._addresses[address] >= limits.allocations_per_address:
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "allocationsPerAddress")
        if limits.allocations and self._total >= limits.allocations:
            raise self._refusal(ErrorCode.INSUFFICIENT_CAPACITY, "allocations")
        if not self._pace.admits(address, now=now):
            raise self._refusal(ErrorCode.ALLOCATION_QUOTA_REACHED, "newAllocationsPerSecond")

    def add(self, allocation: Allocation) -> None:
        self._users[allocation.user] += 1
        self._addresses[allocation.address] += 1
        self._total += 1

    def remove(self, allocation: Allocation) -> None:
        for counter, name in ((self._users, allocation.user), (self._addresses, allocation.address)):
            counter[name] -= 1
            if counter[name] <= 0:
                del counter[name]
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
