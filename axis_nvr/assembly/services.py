"""What the APIs call."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, cast

from axis_nvr.assembly.events import Events
from axis_nvr.assembly.foundation import Foundation
from axis_nvr.assembly.rules import make_rules
from axis_nvr.config import CameraConfig
from axis_nvr.services.accounts import Accounts
from axis_nvr.services.archive import Archive
from axis_nvr.services.audit import Audit
from axis_nvr.services.ca_certificates import FOLDER as CA_FOLDER
from axis_nvr.services.ca_certificates import CaCertificates
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.certificate import export_certificate
from axis_nvr.services.continuous import ContinuousRecordings
from axis_nvr.services.devices import Devices
from axis_nvr.services.disk_reach import DiskReaches
from axis_nvr.services.disks import Disks
from axis_nvr.services.export.jobs import ExportJobs
from axis_nvr.services.exporting import Exports, Maker
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.status import RecorderReport
from axis_nvr.services.triggered import TriggeredRecordings
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.vapix.api import Services

if TYPE_CHECKING:
    from axis_nvr.services.export_seal import Sealer


def make_services(
    base: Foundation,
    recorder: Recorder,
    disks: Disks,
    archive: Archive,
    camera_events: CameraEvents,
    events: Events,
    triggered: TriggeredRecordings,
    followers: Sequence[Callable[[], None]] = (),
) -> Services:
    """Make what the APIs call.

    :param camera_events: listens to the devices whose events are switched on.
    :param events: what of the recorder's own events clients make.
    :param triggered: what records by rule.
    :param followers: called, while the recorder runs, when a camera is known, or known no more.
    :raises ConfigError: the state database cannot be read.
    """
    database, vault, state = base.database, base.vault, base.state
    certificates = CaCertificates(database, state.path / CA_FOLDER)
    continuous = ContinuousRecordings(database, recorder.recordings)
    recorder.when_started.append(continuous.start)

    def changed(device_id: str, camera: CameraConfig | None) -> None:
        camera_events.change(device_id, camera)
        recorder.registry.know(device_id, camera)
        if recorder.running:
            continuous.start()
            for follower in followers:
                follower()

    @cache
    def sealer() -> "Sealer":
        from axis_nvr.services.export_seal import Sealer  # only MP4 files are sealed

        return Sealer(export_certificate(state, base.serial))

    maker = Maker(f"axis_nvr {base.release.version}", base.serial, sealer)
    exports = Exports(Files(), archive.library, maker, time.time)
    usb_disk = base.config.usb_disk
    external = {} if usb_disk is None else {"USB_DISK": usb_disk}

    files = cast(IFiles, Files())
    reaches = DiskReaches(archive.library, files, disks.rules, base.reactor, time.time)

    def report() -> RecorderReport:
        told = recorder.report
        return replace(
            told,
            disks=tuple(replace(disk, reach=reaches.of(disk)) for disk in told.disks),
            camera_events=camera_events.reports,
            rules=triggered.reports,
        )

    tell_failed = events.system.action_failed
    groups, trusted = archive.groups, certificates.bundle

    return Services(
        serial=base.serial,
        build_date=base.release.build_date,
        report=report,
        look_at_disks=reaches.look,
        accounts=Accounts(database, vault, f"AXIS_{base.serial}"),
        audit=Audit(database, time.time),
        devices=Devices(database, vault, base.config.cameras, changed, certificates.bundle),
        certificates=certificates,
        recordings=recorder.recordings,
        continuous=continuous,
        disks=disks,
        archive=archive,
        exports=exports,
        bus=base.bus,
        schedules=events.schedules,
        virtual_inputs=events.virtual_inputs,
        rules=make_rules(base, recorder, triggered, groups, trusted, tell_failed),
        export_jobs=ExportJobs(Files(), exports, external),
    )
