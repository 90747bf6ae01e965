"""A provider's own request and response bodies, read into what the columns need."""

from workloads.bodies.exchange import Exchange, Message
from workloads.bodies.read import read_exchange

__all__ = ["Exchange", "Message", "read_exchange"]
