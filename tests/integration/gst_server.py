"""A GStreamer RTSP server for tests: run with the system's Python, which has GStreamer's bindings.

    /usr/bin/python3 gst_server.py --launch "( videotestsrc ! … ! rtph264pay name=pay0 pt=96 )"

It serves one stream at ``/stream`` on a free port of the loopback, over TCP, UDP, an HTTP tunnel
or multicast as the client asks, prints ``PORT <number>`` when it listens, and ends when its
standard input does.
"""

import argparse
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

#: Encoded test pictures and sounds; {frames} buffers of 1/30 s, live.
VIDEO = "videotestsrc is-live=true num-buffers={frames} ! video/x-raw,width=320,height=240"
SOUND = "audiotestsrc is-live=true num-buffers={buffers} samplesperbuffer=1600"
SOURCES = {
    "h264": VIDEO + ",framerate=30/1 ! x264enc tune=zerolatency bitrate=500 key-int-max=30"
    " ! video/x-h264,profile=baseline ! rtph264pay config-interval=-1 name=pay{n} pt=96",
    "h265": VIDEO + ",framerate=15/1 ! x265enc tune=zerolatency speed-preset=ultrafast bitrate=500"
    " key-int-max=15 ! rtph265pay config-interval=-1 name=pay{n} pt=96",
    "jpeg": VIDEO + ",framerate=10/1 ! jpegenc ! rtpjpegpay name=pay{n} pt=26",
    "aac": SOUND + " ! audio/x-raw,rate=48000,channels=2 ! avenc_aac"
    " ! rtpmp4gpay name=pay{n} pt=97",
    "pcmu": SOUND + " ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay{n} pt=0",
    "pcma": SOUND + " ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay{n} pt=8",
    "opus": SOUND + " ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay{n} pt=98",
    "l16": SOUND + " ! audio/x-raw,rate=44100,channels=2,format=S16BE"
    " ! rtpL16pay name=pay{n} pt=99",
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launch", help="a whole launch line, instead of --source")
    parser.add_argument("--source", action="append", default=[], choices=sorted(SOURCES))
    parser.add_argument("--frames", type=int, default=-1, help="pictures to send; -1: no end")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", default="0", help="0: any that is free")
    parser.add_argument("--auth", choices=["basic", "digest"])
    parser.add_argument("--user", default="user:secret", help="name:password")
    parser.add_argument("--certificate", help="PEM file with certificate and key: TLS only")
    parser.add_argument("--report-start", action="store_true", help="see `report_start`")
    parser.add_argument("--srtp", choices=["SAVP", "SAVPF"], help="protect media, and nothing else")
    parser.add_argument("--multicast", help="the first group address to hand out")
    parser.add_argument("--multicast-port", type=int, default=5000)
    return parser.parse_args()


def launch_line(options: argparse.Namespace) -> str:
    """Return what the media factory is to launch."""
    if options.launch:
        return str(options.launch)
    buffers = -1 if options.frames < 0 else options.frames * 2
    parts = [
        SOURCES[name].format(n=n, frames=options.frames, buffers=buffers)
        for n, name in enumerate(options.source or ["h264"])
    ]
    return f"( {' '.join(parts)} )"


def report_start(_factory: object, media: GstRtspServer.RTSPMedia) -> None:
    """Print ``START <seconds since 1970>`` for each client: what running time 0 was by the clock.

    What a sender report says of a buffer is this plus the buffer's running time.
    """

    def tell(media: GstRtspServer.RTSPMedia, state: int) -> None:
        if state == Gst.State.PLAYING.real:
            GLib.timeout_add(20, tell_time, media)

    def tell_time(media: GstRtspServer.RTSPMedia) -> bool:
        base_time = media.get_base_time()
        if base_time in (0, Gst.CLOCK_TIME_NONE):
            return True  # not set yet: asked again
        clock = media.get_clock() or Gst.SystemClock.obtain()
        running_ns = clock.get_time() - base_time
        sys.stdout.write(f"START {(time.time_ns() - running_ns) / 1e9:.6f}\n")
        sys.stdout.flush()
        return False

    media.connect("new-state", tell)


def make_factory(options: argparse.Namespace) -> GstRtspServer.RTSPMediaFactory:
    """Make what serves the stream."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch_line(options))
    factory.set_shared(bool(options.multicast))
    if options.srtp:
        factory.set_profiles(getattr(GstRtsp.RTSPProfile, options.srtp))
    if options.report_start:
        factory.connect("media-configure", report_start)
    if options.multicast:
        pool = GstRtspServer.RTSPAddressPool()
        first, last = options.multicast_port, options.multicast_port + 99
        pool.add_range(options.multicast, options.multicast, first, last, 1)
        factory.set_address_pool(pool)
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP_MCAST)
    return factory


def protect(server: GstRtspServer.RTSPServer, factory, options) -> None:  # type: ignore[no-untyped-def]
    """Ask for an account, or for TLS, or both."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("user", permission, True)
    factory.set_permissions(permissions)
    if options.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
    if options.auth is None:
        auth.set_default_token(token)
    else:
        name, _, password = options.user.partition(":")
        if options.auth == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(name, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
    server.set_auth(auth)


def main() -> None:
    """Serve until standard input ends."""
    options = arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(options.address)
    server.set_service(options.port)
    factory = make_factory(options)
    if options.auth or options.certificate:
        protect(server, factory, options)
    server.get_mount_points().add_factory("/stream", factory)
    loop = GLib.MainLoop()
    if server.attach(None) == 0:
        sys.exit("cannot listen")
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
    sys.stdout.write(f"PORT {server.get_bound_port()}\n")
    sys.stdout.flush()
    loop.run()


if __name__ == "__main__":
    main()
