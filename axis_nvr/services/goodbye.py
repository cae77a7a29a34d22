"""A moment for clients to hear that the recorder stops, before it is gone."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import deferLater

#: Seconds that clients have to take what is still on its way to them, and between two looks
#: whether they have.
GOODBYE_SECONDS = 1.0
LOOK_SECONDS = 0.02


async def say_goodbye(reactor: Any, is_anybody_there: Callable[[], object]) -> None:
    """Wait until all clients have gone, but not for long: they were told to."""
    until = reactor.seconds() + GOODBYE_SECONDS
    while is_anybody_there() and reactor.seconds() < until:
        await deferLater(reactor, LOOK_SECONDS)
