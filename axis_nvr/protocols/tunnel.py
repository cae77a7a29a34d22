"""The two connections of an RTSP tunnel through HTTP, as one channel.

The downward connection is the channel: with it the channel ends. The upward one is opened behind
it and opened again when the camera closes it; what is written meanwhile waits in the session.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError
from axis_nvr.protocols.address import CameraAddress
from axis_nvr.protocols.channel import Connection, IChannelOwner, connect
from axis_nvr.protocols.tick import TickReader
from axis_nvr.session.tunnel import Step, TunnelClient

#: Opens one connection, as `axis_nvr.protocols.channel.connect` does.
Connector = Callable[
    [Any, CameraAddress, TickReader, IChannelOwner], Coroutine[Any, Any, Connection]
]


class _Down:
    """The owner of the downward connection until, and after, the tunnel is open."""

    def __init__(self, tunnel: "TunnelChannel", client: TunnelClient) -> None:
        self._tunnel = tunnel
        self._client = client
        self.answered: Deferred[Step] | None = Deferred()

    def received(self, data: bytes) -> None:
        """Take the answer's head, then what the tunnel carries."""
        if self.answered is None:
            self._tunnel.came_down(data)
            return
        step, rest = self._client.receive_down(data)
        if step is not Step.WAIT:
            answered, self.answered = self.answered, None
            answered.callback(step)
        if rest:
            self._tunnel.came_down(rest)

    def channel_lost(self, reason: Failure) -> None:
        """End the attempt, or the tunnel."""
        answered, self.answered = self.answered, None
        if answered is not None:
            answered.errback(reason)
        else:
            self._tunnel.down_lost(self, reason)


class _Up:
    """The owner of one upward connection."""

    def __init__(self, tunnel: "TunnelChannel", client: TunnelClient) -> None:
        self._tunnel = tunnel
        self._client = client

    def received(self, data: bytes) -> None:
        """Take what the server thinks of our request."""
        if self._client.receive_up(data) is Step.AGAIN:
            self._tunnel.up_refused(self)

    def channel_lost(self, reason: Failure) -> None:
        """Have another one opened, or give up."""
        self._tunnel.up_lost(self, reason)


class TunnelChannel:
    """A channel through HTTP: see `axis_nvr.protocols.channel.IChannel`.

    :param owner: takes what comes down.
    :param client: says what the two connections carry.
    :param connector: opens each of them.
    """

    def __init__(
        self,
        reactor: Any,
        address: CameraAddress,
        ticker: TickReader,
        owner: IChannelOwner,
        client: TunnelClient,
        connector: Connector = connect,
    ) -> None:
        self._reactor = reactor
        self._connect = lambda owner: connector(reactor, address, ticker, owner)
        self._owner: IChannelOwner | None = owner
        self._client = client
        self._down_owner: _Down | None = None
        self._down: Connection | None = None
        self._up_owner: _Up | None = None
        self._up: Connection | None = None
        self._opening: Deferred[Any] | None = None

    async def open(self) -> None:
        """Open the downward connection, answering challenges.

        Cancelled, it ends what it has begun.

        :raises PeerRefused: the server said no.
        """
        step = Step.AGAIN
        while step is Step.AGAIN:  # the session bounds it
            owner = _Down(self, self._client)
            assert owner.answered is not None
            answered = owner.answered
            down = await self._connect(owner)
            self._down, self._down_owner = down, owner
            down.write(self._client.down_request())
            try:
                step = await answered
            except BaseException:
                self._down_owner = None
                down.abort()
                raise
            if step is Step.AGAIN:
                self._down_owner = None
                down.abort()

    def came_down(self, data: bytes) -> None:
        """Hand on what the tunnel carries."""
        self._client.confirm()
        if self._owner is not None:
            self._owner.received(data)

    def down_lost(self, owner: _Down, reason: Failure) -> None:
        """End the channel with its downward connection."""
        if owner is self._down_owner:
            self._end(reason)

    def up_refused(self, owner: _Up) -> None:
        """Open the upward connection again, with credentials."""
        if owner is self._up_owner:
            self._drop_up()
            self._open_up()

    def up_lost(self, owner: _Up, reason: Failure) -> None:
        """Open the upward connection again, now if something may not have been read."""
        if owner is not self._up_owner:
            return
        self._drop_up()
        if reason.check(NvrError):  # refused, or nonsense: our own verdict
            self._end(reason)
        elif self._client.unconfirmed:
            self._open_up()

    def _open_up(self) -> None:
        """Open the upward connection; what waits is sent behind its request."""
        if self._opening is None and self._owner is not None:
            self._up_owner = _Up(self, self._client)
            self._opening = Deferred.fromCoroutine(self._connect_up(self._up_owner))
            self._opening.addErrback(self._up_failed, self._up_owner)

    async def _connect_up(self, owner: "_Up") -> None:
        up = await self._connect(owner)
        try:
            up.write(self._client.up_request())
            await deferLater(self._reactor, 0)  # not in one piece: see `TunnelClient.up_request`
        except BaseException:
            up.abort()
            raise
        self._opening = None
        self._up = up
        up.write(self._client.waiting())

    def _up_failed(self, reason: Failure, owner: "_Up") -> None:
        if owner is self._up_owner:
            self._opening = None
            self._end(reason)

    def _drop_up(self) -> None:
        """Forget the upward connection, open or opening."""
        up, self._up, self._up_owner = self._up, None, None
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        if up is not None:
            up.abort()

    def _end(self, reason: Failure) -> None:
        """Drop both connections and tell the owner."""
        owner, self._owner = self._owner, None
        self._down_owner = None
        self._drop_up()
        if self._down is not None:
            self._down.abort()
        if owner is not None:
            owner.channel_lost(reason)

    def write(self, data: bytes) -> None:
        """Send bytes upward."""
        encoded = self._client.send(data)
        if self._up is not None:
            self._up.write(encoded)
        else:  # what was just kept goes out with the request
            self._open_up()

    def rest(self) -> None:
        """Read on ticks from now on."""
        assert self._down is not None
        self._down.rest()

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks again."""
        assert self._down is not None
        self._down.set_urgent(urgent)

    def read_now(self) -> None:
        """Take what has come since the last tick."""
        if self._down is not None:
            self._down.read_now()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        assert self._down is not None
        self._down.pause()

    def resume(self) -> None:
        """Read again."""
        assert self._down is not None
        self._down.resume()

    def close(self) -> None:
        """End both connections in an orderly way."""
        up, self._up = self._up, None
        if up is not None:
            self._up_owner = None
            up.close()
        self._drop_up()
        if self._down is not None:
            self._down.close()

    def abort(self) -> None:
        """End both connections at once."""
        self._drop_up()
        if self._down is not None:
            self._down.abort()

    @property
    def hosts(self) -> tuple[str, str]:
        """The IP addresses of both ends: ours and the camera's."""
        assert self._down is not None
        return self._down.hosts
