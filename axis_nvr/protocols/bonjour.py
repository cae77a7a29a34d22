"""Bonjour on the network: a thread with a loop of asyncio, in it a responder for each interface.

The library that speaks it needs asyncio, whose loop never drives the reactor. The reactor tells the
thread what to announce; the thread tells the reactor lines for the log, and nothing else passes
between the two.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zeroconf import Error

from axis_nvr.protocols.bonjour_responder import PacedSelector, Station
from axis_nvr.session.bonjour import Link

#: An interface that cannot be used is tried again after so many seconds.
RETRY_SECONDS = 30.0
#: Different surprises of the library that are told.
MAX_SURPRISES = 20
#: How long taking the announcements back may take, in seconds; measured: 0.3.
STOP_SECONDS = 3.0


class BonjourService(Service):
    """Announces what it is told to, and takes it back when it stops."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._links: frozenset[Link] = frozenset()
        self._responders: _Responders | None = None
        self._stopped: Deferred[None] | None = None
        self._patience: IDelayedCall | None = None

    def startService(self) -> None:
        """Start the thread."""
        super().startService()
        _hear_library(self._say)
        self._responders = responders = _Responders(self._say)
        threading.Thread(target=self._run, args=(responders,), name="bonjour", daemon=True).start()

    def set_links(self, links: Iterable[Link]) -> None:
        """Say what is to be announced; interfaces that are as they were are left alone."""
        wanted = frozenset(links)
        if self._responders is not None and wanted != self._links:
            self._links = wanted
            self._responders.want(wanted)

    def stopService(self) -> Deferred[None] | None:
        """Say goodbye; fires when that is done, or when it takes too long."""
        super().stopService()
        responders, self._responders = self._responders, None
        if responders is None:
            return None
        self._links = frozenset()
        self._stopped = Deferred()
        self._patience = self._reactor.callLater(STOP_SECONDS, self._give_up)
        responders.end()
        return self._stopped

    def _run(self, responders: "_Responders") -> None:
        """Be the thread."""
        try:
            responders.run()
        finally:
            self._tell_reactor(self._has_ended)

    def _say(self, line: str) -> None:
        """Have a line logged; called by the thread."""
        self._tell_reactor(lambda: self.log.warn("Bonjour: {line}", line=line))

    def _tell_reactor(self, call: Callable[[], object]) -> None:
        self._reactor.callFromThread(call)

    def _has_ended(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.callback(None)

    def _give_up(self) -> None:
        self.log.warn("Bonjour: goodbye took longer than {seconds} s", seconds=STOP_SECONDS)
        self._has_ended()


class _Responders:
    """What runs in the thread: a task for each interface."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._loop = asyncio.SelectorEventLoop(PacedSelector())
        self._wanted: frozenset[Link] = frozenset()
        self._stations: dict[tuple[int, str], tuple[Station, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._ending = False
        self._surprises: set[str] = set()

    def run(self) -> None:
        """Run until ended; called in the thread."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._follow())

    def want(self, links: frozenset[Link]) -> None:
        """Say what is to be announced; called by the reactor."""
        self._loop.call_soon_threadsafe(self._change, links, False)

    def end(self) -> None:
        """Take everything back and end the thread; called by the reactor."""
        self._loop.call_soon_threadsafe(self._change, frozenset(), True)

    def _change(self, links: frozenset[Link], ending: bool) -> None:
        self._wanted, self._ending = links, ending
        self._changed.set()

    async def _follow(self) -> None:
        self._loop.set_exception_handler(self._surprise)
        while not self._ending:
            await self._changed.wait()
            self._changed.clear()
            wanted = {(link.number, link.name): link for link in self._wanted}
            await self._leave(self._stations.keys() - wanted.keys())
            for key, link in wanted.items():
                if key in self._stations:
                    self._stations[key][0].want(link)
                else:
                    station = Station(link, self._say)
                    task = asyncio.create_task(self._keep(station, link.name))
                    self._stations[key] = station, task

    def _surprise(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of what the library did not expect; once, as a datagram can be sent again."""
        words = f"{context['message']}: {context.get('exception')!r}"
        if words not in self._surprises and len(self._surprises) < MAX_SURPRISES:
            self._surprises.add(words)
            self._say(words)

    async def _leave(self, keys: Iterable[tuple[int, str]]) -> None:
        tasks = [self._stations.pop(key)[1] for key in list(keys)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, station: Station, name: str) -> None:
        """Announce on an interface; what does not work is told once, and tried again."""
        told = ""
        while True:
            try:
                await station.serve()
            except (OSError, RuntimeError, Error) as error:
                words = f"not on {name}: {error or type(error).__name__}"
                if words != told:
                    told = words
                    self._say(words)
            await asyncio.sleep(RETRY_SECONDS)


class _LibraryLog(logging.Handler):
    """Takes what the library logs, which would go to the standard error."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on."""
        self._say(record.getMessage())


def _hear_library(say: Callable[[str], None]) -> None:
    library = logging.getLogger("zeroconf")
    library.propagate = False
    library.handlers[:] = [_LibraryLog(say)]
