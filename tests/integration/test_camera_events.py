"""Events of virtual cameras over real sockets: motion, and faults that no neighbour notices."""

import time
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from axis_nvr.assembly.streams import make_session_opener
from axis_nvr.config import CameraConfig, EventsConfig
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.camera_events.report import CameraEventsReport
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.motion_relay import MotionRelay
from axis_nvr.services.stream_status import StreamState
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from axis_nvr.wire.notification import Notification, Operation
from tests.integration.peers import until

reactor: Any = installed_reactor
PASSWORD = "s3cret-1"
TOPIC = "tnsaxis:UniversalMotionDetection"


def utc_us() -> int:
    return time.time_ns() // 1000


class CameraEventsTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.bus = EventBus(utc_us)
        self.told: list[Notification] = []
        self.bus.subscribe(self.told.append)
        relay = MotionRelay(self.bus, TOPIC)
        self.events = CameraEvents(
            make_session_opener(reactor), relay, EventsConfig(), reactor, utc_us
        )
        self.events.startService()
        self.addCleanup(self.events.stopService)

    async def camera(self) -> VirtualCamera:
        """Start a camera."""
        camera = virtual_camera(
            reactor, username="root", password=PASSWORD, http="tcp:0:interface=127.0.0.1"
        )
        camera.startService()
        self.addCleanup(camera.stopService)
        await camera.listening()
        return camera

    def listen(self, name: str, camera: VirtualCamera, **options: Any) -> VirtualCamera:
        """Switch its events on."""
        port = urlsplit(camera.rtsp_url()).port
        if options.get("protocol") == "rtsph":
            (port,) = [urlsplit(line).port for line in camera.addresses if "ws-data" in line]
        config = CameraConfig(
            name, "127.0.0.1", port=port, username="root", password=PASSWORD, events=True
        )
        self.events.change(name, replace(config, **options))
        return camera

    def report(self, name: str) -> CameraEventsReport:
        (report,) = [each for each in self.events.reports if each.device == name]
        return report

    def is_active(self, name: str) -> bool:
        state = self.bus.state(TOPIC, (("device", name),))
        assert state is not None
        return state.data == (("active", "1"),)

    def is_back(self, name: str) -> bool:
        status = self.report(name).status
        return status is not None and status.reconnects == 1

    def has_nonsense(self, count: int) -> bool:
        return self.report("bad").nonsense == count

    def test_motion(self) -> "Deferred[None]":
        """Each way to a camera brings its motion, over a reconnection too, with its own time."""
        return Deferred.fromCoroutine(self._motion())

    async def _motion(self) -> None:
        cameras = {
            "plain": self.listen("plain", await self.camera()),
            "tunnel": self.listen("tunnel", await self.camera(), protocol="rtsph"),
            "websocket": await self.camera(),
            "refusing": await self.camera(),
            "moving": await self.camera(),
        }
        self.listen("websocket", cameras["websocket"], protocol="rtsph", events_by="websocket")
        cameras["refusing"].raise_fault("not-enough-bandwidth")
        self.listen("refusing", cameras["refusing"], protocol="rtsph")
        cameras["moving"].raise_motion()
        self.listen("moving", cameras["moving"])
        await until(lambda: all(r.states == 2 for r in self.events.reports))
        self.assertEqual(
            [self.is_active(name) for name in cameras],
            [False, False, False, False, True],
            "as it was before",
        )
        for name in ("plain", "tunnel", "websocket", "refusing"):
            cameras[name].raise_motion()
            at_us = cameras[name].events.bus.states()[0].utc_us
            await until(partial(self.is_active, name))
            told = self.told[-1]
            self.assertIs(told.operation, Operation.CHANGED)
            # by WebSocket, at its beginning, nobody says what is new: that counts from now on
            apart_us = abs(told.utc_us - at_us)
            self.assertLessEqual(apart_us, 0 if name in ("plain", "tunnel") else 5_000_000, name)
        self.assertEqual([cameras[name].web.listeners for name in cameras], [0, 0, 1, 1, 0])
        count = len(self.told)
        for name in ("plain", "websocket"):
            cameras[name].raise_fault("disconnect")
            await until(partial(self.is_back, name))
        self.assertEqual(len(self.told), count, "nothing has changed by that")
        for name in ("plain", "websocket"):
            cameras[name].raise_motion(False)
        await until(lambda: not self.is_active("plain") and not self.is_active("websocket"))
        self.assertEqual(len(self.told), count + 2)

    def test_bad_cameras(self) -> "Deferred[None]":
        """What one camera does wrong is counted, and its neighbour is heard within moments."""
        return Deferred.fromCoroutine(self._bad_cameras())

    async def _bad_cameras(self) -> None:
        bad = self.listen("bad", await self.camera())
        good = self.listen("good", await self.camera())
        self.listen("guessing", good, password="wrong")
        await until(lambda: self.report("bad").states == self.report("good").states == 2)
        for number, how in enumerate(("cut", "xml", "dtd", "large"), 1):
            bad.raise_fault("spoil-events", how=how)
            bad.raise_motion(not bad.motion)
            await until(partial(self.has_nonsense, 2 * number))
        bad.clear_fault()
        bad.raise_fault("flood-events", per_second=10_000, seconds=1)
        slowest = 0.0
        for _ in range(8):
            began = reactor.seconds()
            good.raise_motion(not good.motion)
            await until(lambda: self.is_active("good") is good.motion)
            slowest = max(slowest, reactor.seconds() - began)
            await deferLater(reactor, 0.1)
        self.assertLess(slowest, 1.0)
        await deferLater(reactor, 0.5)
        await until(lambda: self.is_active("bad") is bad.motion)
        told = [one for one in self.told if one.source == (("device", "bad"),)]
        self.assertLess(len(told), 1500, "of ten thousand")
        self.assertGreater(self.report("bad").passed_over, 0)
        status = self.report("guessing").status
        assert status is not None
        self.assertIs(status.state, StreamState.LOCKED_OUT)
        self.flushLoggedErrors()
