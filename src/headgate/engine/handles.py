"""The numbers that the engine gives out, each for one kind of thing of its own."""

from __future__ import annotations

from typing import NewType

__all__ = ["Allocation", "Connection", "Flow", "Listener", "Stream"]

Listener = NewType("Listener", int)
Connection = NewType("Connection", int)
Stream = NewType("Stream", int)
Flow = NewType("Flow", int)
Allocation = NewType("Allocation", int)
