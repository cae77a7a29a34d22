"""The states of a stream, and what leads from one to another.

What is done on the way is the business of `axis_nvr.services.camera_stream`, which also draws this
table as a picture.
"""

from typing import Any, Protocol

from automat import TypeMachineBuilder, pep614

from axis_nvr.services.stream_errors import StreamError
from axis_nvr.services.stream_plan import ICameraSession
from axis_nvr.services.stream_status import StreamState


class StreamInputs(Protocol):
    """What happens to a stream."""

    def start(self) -> None:
        """It is wanted."""

    def stop(self) -> None:
        """It is not wanted any more."""

    def reconfigure(self) -> None:
        """Its plan has changed."""

    def retry(self) -> None:
        """The wait is over."""

    def opened(self, session: ICameraSession) -> None:
        """A session plays."""

    def gone(self) -> None:
        """What was to be ended has ended."""

    def failed(self, error: StreamError) -> None:
        """No session, for a reason that may pass."""

    def refused(self, error: StreamError) -> None:
        """The camera refuses what is asked for."""

    def locked_out(self, error: StreamError) -> None:
        """The camera refuses the account."""

    def misconfigured(self, error: StreamError) -> None:
        """It cannot work as configured."""


class StreamActions(Protocol):
    """What a stream does on its way."""

    def connect(self) -> None:
        """Open a session."""

    def connect_anew(self) -> None:
        """Give up an attempt that still uses the plan before, and begin another."""

    def start_over(self) -> None:
        """Connect after all, once what was to be stopped has stopped."""

    def play(self, session: ICameraSession) -> None:
        """Watch a session that plays."""

    def wait(self, state: StreamState, error: StreamError) -> None:
        """Interrupt the buffer and try again later."""

    def end(self) -> None:
        """End what there is: an attempt or a session."""

    def end_late(self, session: ICameraSession) -> None:
        """End a session that opened after the stop."""

    def rest(self) -> None:
        """Be idle, and tell those who wait for it."""


_builder = TypeMachineBuilder(StreamInputs, StreamActions)  # type: ignore[type-abstract]
_idle = _builder.state("idle")
_connecting = _builder.state("connecting")
_playing = _builder.state("playing")
_waiting = _builder.state("waiting")
_refused = _builder.state("refused")
_locked_out = _builder.state("locked_out")
_misconfigured = _builder.state("misconfigured")
_stopping = _builder.state("stopping")
_restarting = _builder.state("restarting")


def _do_connect(inputs: StreamInputs, stream: StreamActions) -> None:
    stream.connect()


def _do_connect_anew(inputs: StreamInputs, stream: StreamActions) -> None:
    stream.connect_anew()


def _do_start_over(inputs: StreamInputs, stream: StreamActions) -> None:
    stream.start_over()


def _do_end(inputs: StreamInputs, stream: StreamActions) -> None:
    stream.end()


def _do_rest(inputs: StreamInputs, stream: StreamActions) -> None:
    stream.rest()


@pep614(_connecting.upon(StreamInputs.opened).to(_playing))
def _do_play(inputs: StreamInputs, stream: StreamActions, session: ICameraSession) -> None:
    stream.play(session)


def _do_end_late(inputs: StreamInputs, stream: StreamActions, session: ICameraSession) -> None:
    stream.end_late(session)


def _waiter(state: StreamState) -> Any:
    def wait(inputs: StreamInputs, stream: StreamActions, error: StreamError) -> None:
        stream.wait(state, error)

    return wait


_idle.upon(StreamInputs.start).to(_connecting)(_do_connect)
_idle.upon(StreamInputs.stop).loop()(_do_rest)
_idle.upon(StreamInputs.reconfigure).loop().returns(None)
for _busy in (_connecting, _playing):
    _busy.upon(StreamInputs.failed).to(_waiting)(_waiter(StreamState.WAITING))
    _busy.upon(StreamInputs.refused).to(_refused)(_waiter(StreamState.REFUSED))
    _busy.upon(StreamInputs.locked_out).to(_locked_out)(_waiter(StreamState.LOCKED_OUT))
    _busy.upon(StreamInputs.misconfigured).to(_misconfigured)(_waiter(StreamState.MISCONFIGURED))
    _busy.upon(StreamInputs.stop).to(_stopping)(_do_end)
    _busy.upon(StreamInputs.start).loop().returns(None)
_connecting.upon(StreamInputs.reconfigure).loop()(_do_connect_anew)
_playing.upon(StreamInputs.reconfigure).loop().returns(None)
for _pausing in (_waiting, _refused, _locked_out, _misconfigured):
    _pausing.upon(StreamInputs.retry).to(_connecting)(_do_connect)
    _pausing.upon(StreamInputs.reconfigure).to(_connecting)(_do_connect)
    _pausing.upon(StreamInputs.stop).to(_idle)(_do_rest)
    _pausing.upon(StreamInputs.start).loop().returns(None)
_stopping.upon(StreamInputs.start).to(_restarting).returns(None)
_stopping.upon(StreamInputs.gone).to(_idle)(_do_rest)
_restarting.upon(StreamInputs.stop).to(_stopping).returns(None)
_restarting.upon(StreamInputs.gone).to(_connecting)(_do_start_over)
_restarting.upon(StreamInputs.start).loop().returns(None)
_stopping.upon(StreamInputs.stop).loop().returns(None)
for _ending in (_stopping, _restarting):
    _ending.upon(StreamInputs.opened).loop()(_do_end_late)
    _ending.upon(StreamInputs.reconfigure).loop().returns(None)

#: Makes the machine of one stream.
StreamMachine = _builder.build()
