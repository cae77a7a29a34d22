"""The demonstration: virtual cameras, recorded continuously to a fresh disk."""

import secrets
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from axis_nvr.config import CameraConfig, RecordingConfig
from axis_nvr.services.accounts import Account, Accounts, Role
from axis_nvr.services.recorder import Recorder
from axis_nvr.simulator.camera import virtual_camera

#: The cameras of the demonstration: id and stream options.
CAMERAS = {
    "demo-1": "videocodec=h264&resolution=1920x1080&fps=25&videokeyframeinterval=50&audio=1",
    "demo-2": "videocodec=h265&resolution=1280x720&fps=15&videokeyframeinterval=30",
}
#: The camera that something moves before, and how long it does and does not, in seconds.
MOVING = "demo-1"
MOTION_SECONDS = 10.0
#: The administrator of the demonstration.
ACCOUNT = "demo"


class Demo(Service):
    """Runs a recorder and the cameras that it records.

    :param recorder: not started.
    :param accounts: gets an administrator for the demonstration.
    :param listen_to: called with the id of each camera, and the camera: its events are to be heard.
    :param rtsp_port: tells where the recorder can be watched; None: nowhere.
    :param announce: called with each line for people.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        recorder: Recorder,
        accounts: Accounts,
        listen_to: Callable[[str, CameraConfig], None],
        rtsp_port: Callable[[], int | None],
        announce: Callable[[str], None],
    ) -> None:
        self._recorder = recorder
        self._accounts = accounts
        self._listen_to = listen_to
        self._rtsp_port = rtsp_port
        self._announce = announce
        self._motion = LoopingCall(self._move)
        self._motion.clock = reactor
        self._cameras = {
            name: virtual_camera(reactor, serial=f"ACCC8E00000{number}")
            for number, name in enumerate(CAMERAS, 1)
        }

    def startService(self) -> None:
        """Start cameras and recorder, and say what there is to see."""
        super().startService()
        self._recorder.startService()
        for name, camera in self._cameras.items():
            camera.startService()
            camera.listening().addCallback(self._record, name).addErrback(self._failed)
        self._tell_where()
        self._motion.start(MOTION_SECONDS, now=False).addErrback(self._failed)
        Deferred.fromCoroutine(self._make_administrator()).addErrback(self._failed)

    def stopService(self) -> "Deferred[None]":
        """End the recordings, then the cameras."""
        super().stopService()
        if self._motion.running:
            self._motion.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._recorder.stopService()
        for camera in self._cameras.values():
            await camera.stopService()

    def _record(self, addresses: list[str], name: str) -> None:
        """Record a camera that listens."""
        host, _, port = addresses[0].partition("://")[2].partition("/")[0].rpartition(":")
        camera = CameraConfig(name, address=host, port=int(port), events=True)
        self._recorder.registry.know(name, camera)
        self._listen_to(name, camera)
        disk = next(iter(self._recorder.disks))
        self._recorder.add(RecordingConfig(disk, f"device={name}&{CAMERAS[name]}", "--demo"))
        self._announce(f"virtual camera {name}: ffplay '{addresses[0]}?{CAMERAS[name]}'")

    def _move(self) -> None:
        """Let something move before a camera, or no more."""
        camera = self._cameras[MOVING]
        camera.raise_motion(not camera.events.motion)

    def _failed(self, failure: Any) -> None:
        self.log.failure("while the demonstration started", failure)

    async def _make_administrator(self) -> None:
        """Make an administrator with a password of this run, and say it."""
        password = secrets.token_urlsafe(9)
        if ACCOUNT in self._accounts.all:
            await self._accounts.update(ACCOUNT, lambda account: account, password)
        else:
            admin = Account(ACCOUNT, Role.ADMIN, has_ptz=True, group="root")
            first = self._accounts.needs_setup
            add = self._accounts.add_first if first else self._accounts.add
            await add(admin, password)
        self._announce(f"sign in as {ACCOUNT} with the password {password}")
        port = self._rtsp_port()
        if port is not None:
            live = (
                f"rtsp://{ACCOUNT}:{password}@127.0.0.1:{port}/axis-media/media.amp?device={MOVING}"
            )
            self._announce(f"live through the recorder: ffplay '{live}'")

    def _tell_where(self) -> None:
        disk = next(iter(self._recorder.disks.values())).report
        self._announce(f"recordings: {disk.folder}")
        self._announce(
            f'to play what was recorded: ffplay "$(ls {disk.folder}/*/*/*/*/*.mkv | head -n 1)"'
        )
