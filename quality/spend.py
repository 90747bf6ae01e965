"""A cap on spending that holds while calls are in flight: each sets aside the most it can cost before it is sent."""

from __future__ import annotations

import asyncio


class CapReachedError(Exception):
    """The next call might go over the cap, and nothing in flight can free money for it."""


class Spend:
    """Picodollars spent and set aside; `spent + held` never exceeds `cap`.

    Args:
        cap: the most that may be spent, picodollars.
        spent: what earlier runs spent of it.
    """

    def __init__(self, cap: int, spent: int = 0) -> None:
        self.cap, self.spent, self.held = cap, spent, 0
        self._changed = asyncio.Condition()

    async def hold(self, pico: int) -> None:
        """Set aside the most that a call can cost; waits for calls in flight where that is too much just now.

        Raises:
            CapReachedError: it is too much even once those have ended.
        """
        async with self._changed:
            while self.spent + self.held + pico > self.cap:
                if not self.held:
                    raise CapReachedError
                await self._changed.wait()
            self.held += pico

    async def settle(self, held: int, cost: int) -> None:
        """Put a call's cost in the place of what was set aside for it."""
        async with self._changed:
            self.held -= held
            self.spent += cost
            self._changed.notify_all()
