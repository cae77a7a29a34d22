"""What is fuzzed: names, and what takes the bytes. Only the errors of the project may come out."""

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from zeroconf import (  # type: ignore[attr-defined]
    DNSCache,
    DNSIncoming,
    ServiceInfo,
    ServiceRegistry,
)
from zeroconf._handlers.answers import construct_outgoing_unicast_answers
from zeroconf._handlers.query_handler import QueryHandler
from zeroconf._history import QuestionHistory

from axis_nvr.media.formats import h264_format, h265_format
from axis_nvr.media.units import Codec
from axis_nvr.protocols.bonjour_responder import legacy_answer
from axis_nvr.session.media import MediaReceiver
from axis_nvr.session.srtp import SrtpKey, SrtpReceiver
from axis_nvr.session.tracks import describe_tracks
from axis_nvr.session.websocket import Limits
from axis_nvr.session.websocket_handshake import ClientHandshake, ServerHandshake
from axis_nvr.storage.xml import parse_block, parse_recording
from axis_nvr.vapix.soap import document as soap_document
from axis_nvr.vapix.websocket import event_messages
from axis_nvr.wire import (
    aac,
    authentication,
    event_json,
    h264,
    h265,
    item_filter,
    jpeg,
    key_mgmt,
    latm,
    matroska_reader,
    mikey,
    notification,
    opus,
    rtcp,
    rtp,
    rtp_extensions,
    rtsp,
    rtsp_headers,
    rtsp_range,
    schedule,
    sdp,
    sei,
    ssdp,
    topics,
)
from tests.session.streams import track

Target = Callable[[bytes], Any]


def session_description(data: bytes) -> None:
    """Read an SDP, and make tracks of it."""
    describe_tracks(sdp.parse_session(data), "rtsp://camera/stream/")


def rtp_packet(data: bytes) -> None:
    """Read a packet and what its header extension may hold."""
    rtp.parse_packet(data)
    extension = rtp.parse_extension(data)
    rtp_extensions.parse_replay(extension)
    rtp_extensions.abs_send_time_us(extension, 1)


def messages(data: bytes) -> None:
    """Read RTSP messages."""
    place = 0
    while found := rtsp.read_message(data, place):
        _, place = found


def header(parse: Callable[[str], Any], data: bytes) -> None:
    """Read a header's value."""
    parse(data.decode("latin-1"))


def connection(codecs: Sequence[Codec], data: bytes) -> None:
    """Receive from an RTSP connection: the first byte tells where the rest is cut in two."""
    tracks = [track(index, codec) for index, codec in enumerate(codecs)]
    receiver = MediaReceiver(tracks, lambda _: None, "fuzz", 1)
    for index in range(len(tracks)):
        receiver.assign(index, 2 * index, 2 * index + 1, None)
    place = data[0] if data else 0
    for number, part in enumerate((data[1:place], data[max(1, place) :])):
        receiver.receive(part, float(number), number * 1_000_000)
    receiver.finish()


#: One key whose packets are authentic, one whose packets bear a name of it too.
KEYS = [SrtpKey(mikey.MasterKey(b"k" * 16, b"s" * 14, mki)) for mki in (b"", b"name")]


def protected(data: bytes) -> None:
    """Take the protection off a packet that has none."""
    receiver = SrtpReceiver(KEYS)
    receiver.unprotect(data)
    receiver.unprotect_rtcp(data)


def blocks(data: bytes) -> None:
    """Read the elements of a Matroska file, each as if it were the data of any of them."""
    for parse in (
        matroska_reader.parse_info,
        matroska_reader.parse_tracks,
        matroska_reader.parse_cues,
        matroska_reader.parse_tags,
        matroska_reader.parse_cluster,
    ):
        parse(data)


def one(parse: Callable[[Sequence[bytes], Sequence[bytes]], Any], data: bytes) -> None:
    """Make a format of one SPS and one PPS, which the bytes are cut into."""
    middle = len(data) // 2
    parse([data[:middle]], [data[middle:]])


def responder() -> Target:
    """Answer a datagram of Bonjour, from a port of its own, by the library and what we add to it.

    No socket is opened: the library's parser and its answers are fed by hand.
    """
    info = ServiceInfo("_a._tcp.local.", "b._a._tcp.local.", port=1, server="c.local.")
    info.addresses = [bytes([192, 0, 2, 1])]
    registry = ServiceRegistry()
    registry.async_add(info)
    zeroconf: Any = SimpleNamespace(
        registry=registry,
        cache=DNSCache(),
        question_history=QuestionHistory(),
        out_queue=None,
        out_delay_queue=None,
    )
    handler = QueryHandler(zeroconf)

    def receive(data: bytes) -> None:
        message = DNSIncoming(data, ("192.0.2.9", 40000))
        message.answers()
        if message.valid and message.is_query():
            answers = handler.async_response([message], True)
            if answers is not None and answers.ucast:
                answer = construct_outgoing_unicast_answers(
                    answers.ucast, True, message.questions, message.id
                )
                legacy_answer(answer).packets()

    return receive


def websocket(data: bytes) -> None:
    """Take frames of a WebSocket, packed ones among them, and read the texts as requests."""
    asked = [(name.encode(), value.encode()) for name, value in OPENING.items()]
    _, dialogue = ServerHandshake(asked).accept("", Limits(), 0.0, deflate=True)
    for message in dialogue.receive(data, 0.0):
        if isinstance(message, str):
            event_messages.Request().read(message)


def websocket_request(data: bytes) -> None:
    """Read a request for a WebSocket, a part of the bytes in each header."""
    parts = data.split(b"\0")
    values = [*parts, *(value.encode() for value in list(OPENING.values())[len(parts) :])]
    headers = zip(map(str.encode, OPENING), values, strict=False)
    ServerHandshake(headers).accept("", Limits(), 0.0, deflate=True)


def websocket_answer(data: bytes) -> None:
    """Read what a server answers to a request for a WebSocket."""
    handshake = ClientHandshake("camera", "/", deflate=True)
    handshake.request()
    handshake.receive(data, Limits(), 0.0)


#: A request for a WebSocket that is fine.
OPENING = {
    "Sec-WebSocket-Extensions": "permessage-deflate",
    "Sec-WebSocket-Protocol": "binary",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Host": "nvr",
}

TARGETS: dict[str, Target] = {
    "sdp": session_description,
    "rtp": rtp_packet,
    "rtcp": rtcp.parse_compound,
    "rtsp": messages,
    "transport": partial(header, rtsp_headers.parse_transports),
    "rtp-info": partial(header, rtsp_headers.parse_rtp_info),
    "session": partial(header, rtsp_headers.parse_session_header),
    "key-mgmt": partial(header, key_mgmt.parse_key_mgmt),
    "mikey": mikey.parse_mikey,
    "srtp": protected,
    "range": partial(header, rtsp_range.parse_range),
    "challenge": lambda data: authentication.parse_challenges([data]),
    "authorization": authentication.parse_authorization,
    "h264-sps": h264.parse_sps,
    "h264-format": partial(one, h264_format),
    "h265-sps": h265.parse_sps,
    "h265-vps": h265.parse_vps,
    "h265-format": lambda data: h265_format([], [data[::2]], [data[1::2]]),
    "sei": sei.parse_h264_sei,
    "aac": aac.parse_audio_specific_config,
    "adts": aac.parse_adts,
    "latm": latm.parse_stream_mux_config,
    "jpeg": jpeg.parse_jpeg_payload,
    "opus": opus.parse_opus_head,
    "h264-connection": partial(connection, [Codec.H264, Codec.PCMU]),
    "h265-connection": partial(connection, [Codec.H265]),
    "jpeg-connection": partial(connection, [Codec.JPEG, Codec.OPUS, Codec.ONVIF_METADATA]),
    "matroska": blocks,
    "ssdp": ssdp.parse_search,
    "mdns": responder(),
    "recording.xml": parse_recording,
    "block.xml": parse_block,
    "soap": soap_document.read_document,
    "notifications": notification.parse_document,
    "topic-filter": partial(header, topics.TopicFilter.parse),
    "item-filter": partial(header, item_filter.ItemFilter.parse),
    "websocket": websocket,
    "websocket-request": websocket_request,
    "websocket-answer": websocket_answer,
    "event-request": lambda data: event_messages.Request().read(data.decode("latin-1")),
    "event-message": event_json.parse_notify,
    "schedule": partial(header, schedule.parse_schedule),
}
