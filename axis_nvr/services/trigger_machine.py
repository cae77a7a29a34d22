"""The states of a recording that triggers drive, and what leads from one to another.

::

                        trigger                  release
          idle ───────────────────► recording ───────────► running_out ──expired──► idle
           ▲                         │      ▲               │       │
           │                      failed  retry          trigger  failed
           │                         ▼      │            (recording)│
           │                        blocked ────release──► blocked_running_out ──expired──► idle
           └──release── dismissed ◄──ended── recording

It is *released* when the last of its triggers has ended: what comes then is the post-event time, in
which a trigger extends the recording. *Blocked*: it is wanted and cannot be begun, and is tried
again. *Dismissed*: somebody ended it who may, so there is none until it is triggered anew.

What is done on the way is the business of `axis_nvr.services.triggered_recording`.
"""

from typing import NamedTuple, Protocol

from automat import TypeMachineBuilder, pep614


class Trigger(NamedTuple):
    """What begins a recording.

    :ivar utc_us: when it happened: UTC, microseconds since 1970.
    :ivar rule: name of the rule, `action` that of its action.
    """

    utc_us: int
    rule: str
    action: str


class TriggerInputs(Protocol):
    """What happens to it."""

    def trigger(self, trigger: Trigger) -> None:
        """It is triggered, and was not."""

    def release(self) -> None:
        """The last trigger has ended."""

    def expired(self) -> None:
        """The post-event time is over."""

    def failed(self) -> None:
        """It could not be begun."""

    def retry(self) -> None:
        """It may be possible by now."""

    def ended(self) -> None:
        """Somebody else ended it."""

    def stop(self) -> None:
        """It is not wanted any more."""


class TriggerActions(Protocol):
    """What it does on its way."""

    state: str

    def begin_at(self, trigger: Trigger) -> None:
        """Begin to record."""

    def begin(self) -> None:
        """Try again to begin."""

    def wait(self) -> None:
        """Try again later."""

    def run_out(self) -> None:
        """Let the post-event time begin, or begin anew."""

    def hold(self) -> None:
        """Let it not run out."""

    def end(self) -> None:
        """End the recording, if there is one, and wait for nothing."""


_builder = TypeMachineBuilder(TriggerInputs, TriggerActions)  # type: ignore[type-abstract]
_idle = _builder.state("idle")
_recording = _builder.state("recording")
_running_out = _builder.state("running_out")
_blocked = _builder.state("blocked")
_blocked_running_out = _builder.state("blocked_running_out")
_dismissed = _builder.state("dismissed")


@pep614(_idle.upon(TriggerInputs.trigger).to(_recording))
def _begin(inputs: TriggerInputs, core: TriggerActions, trigger: Trigger) -> None:
    core.state = "recording"
    core.begin_at(trigger)


def _end(inputs: TriggerInputs, core: TriggerActions) -> None:
    core.state = "idle"
    core.end()


def _block(inputs: TriggerInputs, core: TriggerActions) -> None:
    core.state = "blocked"
    core.wait()


def _begin_again(inputs: TriggerInputs, core: TriggerActions) -> None:
    core.state = "recording"
    core.begin()


def _run_out(inputs: TriggerInputs, core: TriggerActions) -> None:
    core.run_out()


@pep614(_running_out.upon(TriggerInputs.trigger).to(_recording))
def _extend(inputs: TriggerInputs, core: TriggerActions, trigger: Trigger) -> None:
    core.hold()


@pep614(_blocked_running_out.upon(TriggerInputs.trigger).to(_blocked))
def _extend_blocked(inputs: TriggerInputs, core: TriggerActions, trigger: Trigger) -> None:
    core.hold()


@pep614(_recording.upon(TriggerInputs.ended).to(_dismissed))
def _dismiss(inputs: TriggerInputs, core: TriggerActions) -> None:
    core.state = "dismissed"


@pep614(_dismissed.upon(TriggerInputs.release).to(_idle))
def _forget(inputs: TriggerInputs, core: TriggerActions) -> None:
    core.state = "idle"


_recording.upon(TriggerInputs.failed).to(_blocked)(_block)
_running_out.upon(TriggerInputs.failed).to(_blocked_running_out)(_block)
_blocked.upon(TriggerInputs.retry).to(_recording)(_begin_again)
_blocked_running_out.upon(TriggerInputs.retry).to(_running_out)(_begin_again)
_recording.upon(TriggerInputs.release).to(_running_out)(_run_out)
_running_out.upon(TriggerInputs.release).loop()(_run_out)
_blocked.upon(TriggerInputs.release).to(_blocked_running_out)(_run_out)
_blocked_running_out.upon(TriggerInputs.release).loop()(_run_out)
for _ending in (_running_out, _blocked_running_out):
    _ending.upon(TriggerInputs.expired).to(_idle)(_end)
_running_out.upon(TriggerInputs.ended).to(_idle)(_end)
for _any in (_idle, _recording, _running_out, _blocked, _blocked_running_out, _dismissed):
    _any.upon(TriggerInputs.stop).to(_idle)(_end)
for _still in (_idle, _recording, _running_out, _dismissed):
    _still.upon(TriggerInputs.retry).loop().returns(None)
_idle.upon(TriggerInputs.release).loop().returns(None)

#: Makes the machine of one recording.
TriggerMachine = _builder.build()
