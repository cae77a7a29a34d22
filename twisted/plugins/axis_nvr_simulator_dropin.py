"""``twistd axis-camera``: the virtual camera. Everything else is imported when it is asked for."""

from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IServiceMaker)
class AxisCameraMaker:
    """Makes the service of a virtual camera."""

    tapname = "axis-camera"
    description = "An Axis camera in software, faults included."

    @property
    def options(self) -> Any:
        """The class of its options."""
        from axis_nvr.simulator.plugin import Options

        return Options

    def makeService(self, options: Any) -> IService:
        """Return the service, on the reactor that runs."""
        from twisted.internet import reactor

        from axis_nvr.simulator.plugin import make_service

        return IService(make_service(options, reactor))


axis_camera = AxisCameraMaker()
