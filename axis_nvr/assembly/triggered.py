"""What records by rule."""

import time

from axis_nvr.assembly.foundation import Foundation
from axis_nvr.services.archive import Archive
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.triggered import TriggeredRecordings


def make_triggered(base: Foundation, recorder: Recorder, archive: Archive) -> TriggeredRecordings:
    """Make what records by rule; it begins and ends with the recorder."""
    triggered = TriggeredRecordings(recorder.recordings, archive.groups, base.reactor, time.time)
    recorder.when_started.append(triggered.start)
    recorder.when_stopping.append(triggered.halt)
    return triggered
