"""Running a program of the system: what goes in, what comes out, and an end to it in time."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError

#: Bytes kept of what a program says, on either output; the rest is passed over.
MAX_OUTPUT_BYTES = 1 << 16


class ProgramError(NvrError):
    """A program could not be run to its end."""


class Ended(NamedTuple):
    """What came of a program.

    :ivar exit_code: as it gave it; negative: the signal that ended it.
    """

    exit_code: int
    output: str
    errors: str


class _Program(ProcessProtocol):
    transport: Any

    def __init__(self, reactor: Any, name: str, given: bytes, timeout: float) -> None:
        self.ended: Deferred[Ended] = Deferred(lambda _: self._kill())
        self._name = name
        self._given = given
        self._said: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        self._is_late = False
        self._timer: IDelayedCall = reactor.callLater(timeout, self._time_out)

    def connectionMade(self) -> None:
        """Called by the reactor: it runs."""
        if self._given:
            self.transport.write(self._given)
        self._given = b""
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Called by the reactor: it says something."""
        said = self._said[childFD]
        said += data[: MAX_OUTPUT_BYTES - len(said)]

    def processEnded(self, reason: Failure) -> None:
        """Called by the reactor: it has ended, and its outputs are closed."""
        if self._timer.active():
            self._timer.cancel()
        if self.ended.called:
            return
        if self._is_late:
            self.ended.errback(ProgramError(f"{self._name} did not end in time"))
            return
        status: Any = reason.value
        code = -status.signal if status.exitCode is None else status.exitCode
        output, errors = (bytes(self._said[fd]).decode("utf-8", "replace") for fd in (1, 2))
        self.ended.callback(Ended(code, output, errors))

    def _time_out(self) -> None:
        self._is_late = True
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")


def run_program(
    reactor: Any, arguments: Sequence[str], given: bytes = b"", *, timeout: float
) -> "Deferred[Ended]":
    """Run a program.

    :param reactor: `IReactorProcess` and `IReactorTime`.
    :param arguments: the program's path and what it is called with: anybody on the machine can read
        these.
    :param given: its standard input, which nobody can.
    :param timeout: it is killed after so many seconds.
    :returns: fires when it has ended, with whatever exit code. Cancelling it kills the program.
    :raises ProgramError: as a failure: it did not end in time.
    """
    program = _Program(reactor, os.path.basename(arguments[0]), given, timeout)
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    reactor.spawnProcess(program, arguments[0], list(arguments), env=environment)
    return program.ended
