"""What makes the recorder's own events."""

import time
from dataclasses import dataclass
from functools import partial

from axis_nvr.assembly.foundation import Foundation
from axis_nvr.services.audit import Audit
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.event_sources.cameras import CameraEvents
from axis_nvr.services.event_sources.configuration import ConfigurationEvents
from axis_nvr.services.event_sources.recordings import RecordingEvents
from axis_nvr.services.event_sources.schedules import Schedules
from axis_nvr.services.event_sources.storage import StorageEvents
from axis_nvr.services.event_sources.system import SystemEvents
from axis_nvr.services.event_sources.virtual_inputs import VirtualInputs
from axis_nvr.services.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Events:
    """What tells of the recorder on the event bus; all of it is declared there."""

    system: SystemEvents
    storage: StorageEvents
    recordings: RecordingEvents
    cameras: CameraEvents
    configuration: ConfigurationEvents
    virtual_inputs: VirtualInputs
    schedules: Schedules

    def tell_of(self, stream: CameraStream, device: str) -> None:
        """Tell of a stream that was made for a device."""
        stream.state_changed = partial(self.cameras.stream_changed, device, stream)

    def follow(self, recorder: Recorder, audit: Audit) -> None:
        """Tell of the disks and recordings of a recorder, and of what is set.

        Schedules run while the recorder does; it is ready when all that starts with it has been
        started, so this is called when all others have said what does.
        """
        for keeper in recorder.disks.values():
            keeper.users.append(self.storage)
        recorder.recordings.observer = self.recordings
        audit.noted = self.configuration.noted
        recorder.when_started += [self.schedules.start, partial(self.system.ready, is_ready=True)]
        recorder.when_stopping += [self.schedules.stop, partial(self.system.ready, is_ready=False)]


def make_events(base: Foundation) -> Events:
    """Make what tells of the recorder; nothing is told before it starts but how things stand.

    :raises ConfigError: the state database cannot be read.
    """
    bus = base.bus
    return Events(
        system=SystemEvents(bus),
        storage=StorageEvents(bus, base.config.disks),
        recordings=RecordingEvents(bus),
        cameras=CameraEvents(bus),
        configuration=ConfigurationEvents(bus),
        virtual_inputs=VirtualInputs(bus),
        schedules=Schedules(base.database, bus, base.reactor, time.time),
    )
