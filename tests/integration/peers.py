"""Programs that tests talk to: started with a pipe, stopped by their own process id."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest

reactor: Any = installed_reactor
#: Debian's own interpreter: it has GStreamer's bindings, a virtual environment has not.
SYSTEM_PYTHON = "/usr/bin/python3"
#: How long a peer has to start, in seconds.
START_SECONDS = 60.0
#: How long a test waits for what a program is to say, in seconds.
PATIENCE_SECONDS = 60.0
GST_SERVER = Path(__file__).with_name("gst_server.py")


class Peer(ProcessProtocol):
    """A running program that says one line when it is ready and ends when its input does.

    :ivar line: what it said.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = ""
        self.ready: Deferred[str] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._output = b""
        self._errors = b""

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        """Wait for the first line."""
        self._output += data
        if not self.line and b"\n" in self._output:
            self.line = self._output.split(b"\n", 1)[0].decode()
            self.ready.callback(self.line)

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        """Keep the last of its complaints."""
        self._errors = (self._errors + data)[-4000:]

    def processEnded(self, reason: Failure) -> None:
        """Tell who waits."""
        if not self.line:
            words = f"{self.name}: {self._errors.decode(errors='replace')}"
            self.ready.errback(RuntimeError(words))
            self.line = "ended"
        self.ended.callback(None)

    @property
    def port(self) -> int:
        """The port it listens on, from a line ``PORT <number>``."""
        return int(self.line.split()[1])

    @property
    def errors(self) -> str:
        """The last of its complaints."""
        return self._errors.decode(errors="replace")

    @property
    def starts(self) -> list[float]:
        """When it began to serve each client, from lines ``START <seconds since 1970>``."""
        lines = self._output.decode().splitlines()
        return [float(line.split()[1]) for line in lines if line.startswith("START")]

    def stop(self) -> Deferred[None]:
        """End it; fires when it is gone."""
        if not self.ended.called:
            assert self.transport is not None
            self.transport.closeStdin()
            with contextlib.suppress(ProcessDone):
                self.transport.signalProcess("KILL")
        return self.ended


class Program(ProcessProtocol):
    """A program that runs until it ends or is ended.

    :ivar output: what it wrote so far.
    :ivar ended: fires with what it complained of and its exit code, None if a signal ended it.
    """

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[tuple[str, int | None]] = Deferred()
        self._errors = b""
        self._gone: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        """Keep what it writes."""
        self.output += data

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        """Keep what it complains of."""
        self._errors += data

    def processEnded(self, reason: Any) -> None:
        """Tell who waits."""
        self.ended.callback((self._errors.decode(), reason.value.exitCode))
        self._gone.callback(None)

    def signal(self, name: str) -> None:
        """Send it a signal, such as ``INT``, if it still runs."""
        assert self.transport is not None
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)

    async def outcome(self) -> tuple[str, int | None]:
        """Wait for its end as `ended` tells it; an error with what it said if it does not come."""
        try:
            return await self.ended.addTimeout(PATIENCE_SECONDS, reactor)
        except DeferredTimeout as error:
            said = b"\n".join((self.output[-1000:], self._errors[-4000:]))
            raise AssertionError(f"it goes on:\n{said.decode(errors='replace')}") from error

    def stop(self) -> Deferred[None]:
        """End it at once; fires when it is gone."""
        self.signal("KILL")
        return self._gone


def start_program(test: Any, reactor: Any, command: Sequence[str]) -> Program:
    """Start a program; it is ended when the test is."""
    program = Program()
    reactor.spawnProcess(program, command[0], list(command), env=dict(os.environ))
    test.addCleanup(program.stop)
    return program


#: What rtspsrc 1.22 says of itself now and then, when it is to pause while it ends by itself: it
#: has sent no PAUSE then, and sends a TEARDOWN on the same connection after it.
UNSENT_PAUSE = "Could not send message. (Received end-of-file)"


def check_gstreamer(errors: str, code: int | None) -> None:
    """Make sure that GStreamer ended well: it has no complaint but `UNSENT_PAUSE`."""
    before, *complaints = errors.split("ERROR: ")
    assert not before.strip(), errors
    assert all(UNSENT_PAUSE in said for said in complaints), errors
    assert code == 0 or complaints, (code, errors)


async def until(so: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something to be so; an error if it does not come to be for long."""
    end = reactor.seconds() + seconds
    while not so():
        assert reactor.seconds() < end, "it did not come to be"
        await deferLater(reactor, 0.02)


async def holds(reactor: Any, words: bytes, read: Callable[[], bytes]) -> None:
    """Wait until what is read holds something; an error if it does not for long."""
    until = reactor.seconds() + PATIENCE_SECONDS
    while words not in (data := read()):
        assert reactor.seconds() < until, f"{words!r} is not in {data[-2000:]!r}"
        await deferLater(reactor, 0.05)


async def start_peer(test: Any, reactor: Any, command: Sequence[str]) -> Peer:
    """Start a program that says one line when it is ready; it is stopped when the test ends."""
    peer = Peer(command[0])
    reactor.spawnProcess(peer, command[0], list(command), env=dict(os.environ))
    test.addCleanup(peer.stop)
    await peer.ready.addTimeout(START_SECONDS, reactor)
    return peer


async def start_gst_server(
    test: Any, reactor: Any, *options: str, prefix: Sequence[str] = ()
) -> Peer:
    """Start the GStreamer RTSP server; see its ``--help`` for the options.

    :param prefix: a command to run it by, such as ``ip netns exec name``.
    """
    require_gstreamer()
    return await start_peer(test, reactor, [*prefix, SYSTEM_PYTHON, str(GST_SERVER), *options])


_HAS_GSTREAMER: list[bool] = []


def require_gstreamer() -> None:
    """Skip the test by name where GStreamer's RTSP server is absent."""
    if not _HAS_GSTREAMER:
        probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
        found = (
            Path(SYSTEM_PYTHON).exists()
            and not subprocess.run(
                [SYSTEM_PYTHON, "-c", probe], check=False, capture_output=True
            ).returncode
        )
        _HAS_GSTREAMER.append(bool(found))
    if not _HAS_GSTREAMER[0]:
        raise SkipTest("GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0) is not installed")


def require_program(name: str) -> str:
    """Return the path of a program, or skip the test by its name."""
    path = shutil.which(name)
    if path is None:
        raise SkipTest(f"{name} is not installed")
    return path
