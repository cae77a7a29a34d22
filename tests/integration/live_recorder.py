"""A whole recorder in this process that serves RTSP, with virtual cameras."""

import hashlib
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor as installed_reactor
from twisted.trial.unittest import TestCase
from twisted.web.http_headers import Headers
from zope.interface import implementer

from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Gap, VideoFormat
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.rtsp_service import RtspService
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from axis_nvr.wire.nal import split_sample
from tests.integration.in_process import make_service, part_of

reactor: Any = installed_reactor
USER, PASSWORD = "vera", "p4ss-word"


def byte_stream(unit: AccessUnit) -> bytes:
    """A picture as a byte stream, its parameter sets before it where it is a key frame."""
    assert isinstance(unit.format, VideoFormat)
    sets = unit.format.parameter_sets if unit.sync else ()
    return b"".join(b"\0\0\0\1" + bytes(one) for one in [*sets, *split_sample(unit.data)])


@implementer(IGopConsumer)
class Delivered:
    """Remembers what a stream delivered, as players tell of it.

    :ivar hashes: MD5 of each unit, by the number of its track; pictures as a byte stream with their
        parameter sets before key frames.
    :ivar pictures: that byte stream.
    """

    def __init__(self, buffer: GopBuffer) -> None:
        self.hashes: dict[int, list[str]] = {}
        self.pictures = b""
        for unit in buffer.open_units():
            self.unit_received(unit)
        buffer.subscribe(self)

    def unit_received(self, unit: AccessUnit) -> None:
        if isinstance(unit.format, VideoFormat):
            self.pictures += byte_stream(unit)
        self.hashes.setdefault(unit.track, []).append(self.digest(unit))

    def digest(self, unit: AccessUnit) -> str:
        """The MD5 of a unit, as players compute it."""
        is_picture = isinstance(unit.format, VideoFormat)
        data = byte_stream(unit) if is_picture else bytes(unit.data)
        return hashlib.md5(data).hexdigest()

    def gop_closed(self, gop: Gop) -> None:
        pass

    def interrupted(self, gap: Gap) -> None:
        pass


class LiveRecorderTestCase(TestCase):
    """A recorder with two cameras, one of H.264 and AAC and one of H.265, and one viewer."""

    timeout = 120

    async def start(self, *, more: str = "") -> None:
        """Start cameras and recorder."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.camera: VirtualCamera = virtual_camera(reactor)
        self.camera.startService()
        self.addCleanup(self.camera.stopService)
        await self.camera.listening()
        port = self.camera.rtsp_url().partition("127.0.0.1:")[2].partition("/")[0]
        schemes = {"http": "tcp", "https": "ssl", "rtsp": "tcp", "rtsps": "ssl"}
        text = "".join(f'{key} = "{kind}:0:interface=127.0.0.1"\n' for key, kind in schemes.items())
        text += f"no_discovery = true\n{more}"
        for name in ("front", "back"):
            text += f'[[camera]]\nid = "{name}"\naddress = "127.0.0.1"\nport = {port}\n'
        lines: list[str] = []
        self.service = make_service(self.folder, text, lines.append)
        self.service.startService()
        self.addCleanup(self.stop)
        self.ports = {
            words[0]: int(words[2].split("/")[0])
            for words in (line.removeprefix("listening on ").split(":") for line in lines)
            if words[0] in schemes
        }
        await self.add_account("admin", "admin-1", "root", "admin:operator:viewer:ptz")
        await self.add_account(USER, PASSWORD, "users", "viewer", ("admin", "admin-1"))

    async def stop(self) -> None:
        if self.service.running:
            await self.service.stopService()

    async def add_account(
        self, name: str, password: str, group: str, groups: str, by: Any = None
    ) -> None:
        from axis_nvr.session.digest import Authenticator, Credentials

        path = (
            f"/axis-cgi/pwdgrp.cgi?action=add&user={name}&pwd={password}&grp={group}&sgrp={groups}"
        )
        url = f"http://127.0.0.1:{self.ports['http']}{path}"
        response = await treq.get(url, persistent=False)
        if by is not None:
            authenticator = Authenticator(Credentials(*by))
            authenticator.challenge(response.headers.getRawHeaders("www-authenticate"))
            header = authenticator.authorization("GET", path) or ""
            await treq.content(response)
            headers = Headers({"Authorization": [header]})
            response = await treq.get(url, headers=headers, persistent=False)
        assert response.code == 200, await treq.text_content(response)
        await treq.content(response)

    def url(self, query: str, port: str = "rtsp", *, scheme: str = "rtsp") -> str:
        """A URL of the recorder, with the viewer's account in it."""
        place = f"127.0.0.1:{self.ports[port]}"
        return f"{scheme}://{USER}:{PASSWORD}@{place}/axis-media/media.amp?{query}"

    @property
    def rtsp(self) -> RtspService:
        """The RTSP service."""
        return part_of(self.service, RtspService)

    @property
    def recorder(self) -> Recorder:
        """The recorder itself."""
        return part_of(self.service, Recorder)
