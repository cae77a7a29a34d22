"""All that is served over HTTP, put together."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from axis_nvr.services.accounts import Accounts
from axis_nvr.services.archive import Archive
from axis_nvr.services.audit import Audit
from axis_nvr.services.ca_certificates import CaCertificates
from axis_nvr.services.continuous import ContinuousRecordings
from axis_nvr.services.devices import Devices
from axis_nvr.services.disks import Disks
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_sources.schedules import Schedules
from axis_nvr.services.event_sources.virtual_inputs import VirtualInputs
from axis_nvr.services.export.jobs import ExportJobs
from axis_nvr.services.exporting import Exports
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.status import RecorderReport
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.edge_storage.disks import DiskCgis
from axis_nvr.vapix.edge_storage.disks_properties import DiskPropertyCgis
from axis_nvr.vapix.edge_storage.exporting import ExportCgis
from axis_nvr.vapix.edge_storage.recording import RecordingCgis
from axis_nvr.vapix.edge_storage.recording_groups import RecordingGroups
from axis_nvr.vapix.edge_storage.recording_list import RecordingList
from axis_nvr.vapix.edge_storage.recording_locks import RecordingLockCgi
from axis_nvr.vapix.edge_storage.recording_removal import RecordingRemoval
from axis_nvr.vapix.edge_storage.storage_limit import StorageLimitCgis
from axis_nvr.vapix.external_devices import ExternalDevices
from axis_nvr.vapix.pages import Pages
from axis_nvr.vapix.platform.api_discovery import Api, ApiDiscovery
from axis_nvr.vapix.platform.device_information import DeviceInformation, device_properties
from axis_nvr.vapix.platform.system_ready import SystemReady
from axis_nvr.vapix.platform.user_accounts import UserAccounts
from axis_nvr.vapix.rest.api import RestRoot
from axis_nvr.vapix.rest.device_information import basic_device_info
from axis_nvr.vapix.soap.services import EventParts, soap_endpoints

#: What API discovery tells.
APIS = (
    Api("basic-device-info", "1.3", "Basic Device Information"),
    Api("disk-management", "1.0", "Edge storage Disk management"),
    Api("disk-properties", "1.1", "Edge storage Disk properties"),
    Api("event-streaming-over-websocket", "1.0", "Event streaming over WebSocket"),
    Api("ext-ip-dev-info", "2.1", "External IP Device Information"),
    Api("recording", "1.0", "Edge storage Recording"),
    Api("recording-group", "1.0", "Recording group"),
    Api("recording-export", "1.2", "Export edge recording"),
    Api("recording-storage-limit", "1.0", "Edge Recording storage limit"),
    Api("systemready", "1.4", "Systemready"),
    Api("user-management", "1.1", "User Management"),
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the APIs call.

    :param report: makes a report of the recorder as it is now.
    :param look_at_disks: sees to it that it tells how far back their recordings reach.
    :param build_date: of the program, such as ``Feb 14 2018 13:08``.
    """

    serial: str
    build_date: str
    report: Callable[[], RecorderReport]
    look_at_disks: Callable[[], Awaitable[None]]
    accounts: Accounts
    audit: Audit
    devices: Devices
    certificates: CaCertificates
    recordings: Recordings
    continuous: ContinuousRecordings
    disks: Disks
    archive: Archive
    exports: Exports
    export_jobs: ExportJobs
    bus: EventBus
    schedules: Schedules
    virtual_inputs: VirtualInputs
    rules: RuleBook


def endpoints(services: Services, more: Iterable[Endpoint] = ()) -> tuple[Endpoint, ...]:
    """Return everything that is served.

    :param more: what needs more than services.
    """
    audit, archive = services.audit, services.archive
    properties = device_properties(services.serial, services.build_date)
    parts = EventParts(services.bus, services.schedules, services.virtual_inputs, services.rules)
    ready = SystemReady(services.accounts, lambda: services.report().uptime_seconds)
    return (
        *Pages(services.report, services.look_at_disks).endpoints(),
        *RestRoot([basic_device_info()], audit).endpoints(),
        ApiDiscovery(APIS).api().endpoint(before_setup=True),
        DeviceInformation(properties).api().endpoint(before_setup=True),
        ready.api().endpoint(before_setup=True),
        *UserAccounts(services.accounts, audit).endpoints(),
        *ExternalDevices(services.devices, services.certificates, audit).endpoints(),
        *RecordingCgis(services.recordings, services.continuous, audit).endpoints(),
        *DiskCgis(services.disks, audit).endpoints(),
        *DiskPropertyCgis(services.disks, audit).endpoints(),
        *StorageLimitCgis(services.disks, audit).endpoints(),
        *ExportCgis(services.exports, services.export_jobs, audit).endpoints(),
        *RecordingList(archive.library, services.recordings).endpoints(),
        *RecordingRemoval(archive.removals, audit).endpoints(),
        *RecordingLockCgi(archive.locks, audit).endpoints(),
        *RecordingGroups(archive.groups, audit).endpoints(),
        *more,
        *soap_endpoints(parts, audit, time.time),
    )
