"""From what is configured and asked for to a stream that can be started."""

from axis_nvr.config import CameraConfig
from axis_nvr.errors import ConfigError
from axis_nvr.media.stream_options import axis_url
from axis_nvr.protocols.address import CameraAddress, CertificateValidation, StreamProtocol
from axis_nvr.services.stream_plan import StreamPlan
from axis_nvr.services.stream_registry import StreamRequest
from axis_nvr.session.digest import Credentials


def plan_stream(request: StreamRequest) -> StreamPlan:
    """Say where the stream is, how to get at it, and which tracks are wanted."""
    return StreamPlan(
        device=request.camera.id,
        address=camera_address(request.camera, request.sent_options),
        want_video=request.options.wants_video,
        want_audio=request.options.wants_audio,
    )


def camera_address(camera: CameraConfig, query: str) -> CameraAddress:
    """Make the address of a camera's stream.

    :param query: what an Axis camera is asked for; a camera given by URL has its own.
    """
    protocol = StreamProtocol(camera.protocol)
    scheme = "rtsps" if protocol is StreamProtocol.RTSPS else "rtsp"
    return CameraAddress(
        url=camera.url or axis_url(camera.address, camera.port, query, scheme=scheme),
        protocol=protocol,
        credentials=Credentials(camera.username, camera.password) if camera.username else None,
        validation=CertificateValidation(camera.certvalidation),
        ca=camera.ca,
        interface=camera.interface,
    )


def check_camera(camera: CameraConfig) -> None:
    """Refuse a camera that can never be connected to.

    :raises ConfigError: naming camera and key.
    """
    try:
        camera_address(camera, "").check()
    except ConfigError as error:
        raise ConfigError(f"[[camera]] {camera.id!r}: {error}")
