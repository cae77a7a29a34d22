"""The control surface of a virtual camera: faults and events over HTTP.

::

    GET    /control              the state of everything, and the faults there are
    POST   /control/<fault>      raise it; the body is a JSON object of parameters, or empty
    DELETE /control/<fault>      clear it
    DELETE /control              clear all
    POST   /control/motion       {"active": true} or {"active": false}

Whoever reaches this port may use it: bind it to where only the right ones can.
"""

import json
from typing import Protocol as Interface

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from axis_nvr.simulator.faults import FAULTS, ActiveFault, FaultBoard, FaultError

#: Bytes of a request's body.
MAX_CONTROL_BODY_BYTES = 64 * 1024


class IControlled(Interface):
    """What the control surface controls."""

    faults: FaultBoard

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""

    @property
    def motion(self) -> bool:
        """Whether motion is going on."""

    def clients(self) -> list[dict[str, object]]:
        """What is sent to whom."""

    def raise_motion(self, active: bool = True) -> None:
        """Let motion begin or end."""

    def raise_fault(self, name: str, parameters: dict[str, object]) -> ActiveFault:
        """Let something go wrong."""

    def clear_fault(self, name: str = "") -> None:
        """End a fault, or all."""


class ControlSurface:
    """HTTP in front of a virtual camera.

    :param camera: what is controlled.
    """

    app = Klein()

    def __init__(self, camera: IControlled) -> None:
        self._camera = camera

    @app.route("/control", methods=["GET"])
    def state(self, request: IRequest) -> bytes:
        """Tell the state of everything."""
        return _reply(request, self._state())

    @app.route("/control", methods=["DELETE"])
    def clear_all(self, request: IRequest) -> bytes:
        """End all faults."""
        self._camera.clear_fault()
        return _reply(request, self._state())

    @app.route("/control/motion", methods=["POST"])
    def motion(self, request: IRequest) -> bytes:
        """Let motion begin or end."""
        body = _body(request)
        active = body.get("active", True)
        if not isinstance(active, bool) or set(body) - {"active"}:
            raise FaultError('motion takes {"active": true} or {"active": false}')
        self._camera.raise_motion(active)
        return _reply(request, self._state())

    @app.route("/control/<name>", methods=["POST"])
    def raise_fault(self, request: IRequest, name: str) -> bytes:
        """Let something go wrong."""
        self._camera.raise_fault(name, _body(request))
        return _reply(request, self._state())

    @app.route("/control/<name>", methods=["DELETE"])
    def clear_fault(self, request: IRequest, name: str) -> bytes:
        """End a fault."""
        self._camera.clear_fault(name)
        return _reply(request, self._state())

    @app.handle_errors(FaultError)
    def refuse(self, request: IRequest, failure: Failure) -> bytes:
        """Answer 400 with words."""
        request.setResponseCode(400)
        return _reply(request, {"error": str(failure.value)})

    def _state(self) -> dict[str, object]:
        camera, board = self._camera, self._camera.faults
        return {
            "addresses": camera.addresses,
            "motion": camera.motion,
            "clients": camera.clients(),
            "faults": {name: _told(board, name) for name in FAULTS},
        }


def _told(board: FaultBoard, name: str) -> dict[str, object]:
    """Tell one fault, for people and programs."""
    description, parameters = FAULTS[name]
    active = board.current(name)
    return {
        "description": description,
        "parameters": {
            key: {"default": parameter.default, "description": parameter.description}
            for key, parameter in parameters.items()
        },
        "active": None if active is None else dict(active.parameters),
        "happened": board.totals.get(name, 0),
    }


def _body(request: IRequest) -> dict[str, object]:
    """Read the JSON object of a request, empty if there is none.

    :raises FaultError: it is none.
    """
    content = request.content
    data = b"" if content is None else content.read(MAX_CONTROL_BODY_BYTES + 1)
    if len(data) > MAX_CONTROL_BODY_BYTES:
        raise FaultError(f"body over {MAX_CONTROL_BODY_BYTES} bytes")
    if not data.strip():
        return {}
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise FaultError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise FaultError("the body is no JSON object")
    return value


def _reply(request: IRequest, value: dict[str, object]) -> bytes:
    request.setHeader("Content-Type", "application/json")
    return json.dumps(value, indent=2).encode() + b"\n"
