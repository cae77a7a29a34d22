"""What a format is called in Matroska, in ``recording.xml`` and in the index.

============  =======================  ====================  =======================================
Codec         Matroska                 MIME type             CodecPrivate
============  =======================  ====================  =======================================
H.264         V_MPEG4/ISO/AVC          video/x-h264          avcC
H.265         V_MPEGH/ISO/HEVC         video/x-h265          hvcC
Motion JPEG   V_MJPEG                  image/jpeg
AAC           A_AAC                    audio/mpeg            AudioSpecificConfig
G.711 µ-law   A_MS/ACM                 audio/x-mulaw         WAVEFORMATEX, tag 7
G.711 A-law   A_MS/ACM                 audio/x-alaw          WAVEFORMATEX, tag 6
G.726         A_MS/ACM                 audio/x-adpcm         WAVEFORMATEX, tag 0x45
L16           A_PCM/INT/BIG            audio/x-raw
Opus          A_OPUS                   audio/x-opus          OpusHead
============  =======================  ====================  =======================================

The MIME types are those Axis devices use where they are known (H.264, AAC), else of the same kind.
Metadata tracks are not stored: no place for them in the layout is known.
"""

from collections.abc import Sequence
from fractions import Fraction

from construct import Int16ul, Int32ul, Struct

from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, VideoFormat
from axis_nvr.storage.code_words import Repack, file_packing
from axis_nvr.storage.xml import TrackXml
from axis_nvr.wire.matroska import Track
from axis_nvr.wire.matroska_elements import AUDIO_TRACK, VIDEO_TRACK

MIME_TYPES = {
    Codec.H264: "video/x-h264",
    Codec.H265: "video/x-h265",
    Codec.JPEG: "image/jpeg",
    Codec.AAC: "audio/mpeg",
    Codec.PCMU: "audio/x-mulaw",
    Codec.PCMA: "audio/x-alaw",
    Codec.G726: "audio/x-adpcm",
    Codec.L16: "audio/x-raw",
    Codec.OPUS: "audio/x-opus",
}

CODEC_IDS = {
    Codec.H264: "V_MPEG4/ISO/AVC",
    Codec.H265: "V_MPEGH/ISO/HEVC",
    Codec.JPEG: "V_MJPEG",
    Codec.AAC: "A_AAC",
    Codec.PCMU: "A_MS/ACM",
    Codec.PCMA: "A_MS/ACM",
    Codec.G726: "A_MS/ACM",
    Codec.L16: "A_PCM/INT/BIG",
    Codec.OPUS: "A_OPUS",
}

#: WAVEFORMATEX: how Microsoft's audio codecs are set up (RFC 2361, RFC 9559 codec mappings).
WAVE_FORMAT = Struct(
    "format_tag" / Int16ul,
    "channels" / Int16ul,
    "sample_rate" / Int32ul,
    "bytes_per_second" / Int32ul,
    "block_align" / Int16ul,
    "bits_per_sample" / Int16ul,
    "extra_size" / Int16ul,
)
WAVE_TAGS = {Codec.PCMU: 7, Codec.PCMA: 6, Codec.G726: 0x45}

#: What a decoder of Opus drops after a seek, in nanoseconds (RFC 7845 §4.6).
OPUS_SEEK_PRE_ROLL_NS = 80_000_000
#: Frame rates outside of this are not believed.
MAX_FRAME_RATE = 1000


def video_track(number: int, video: VideoFormat, frame_rate: Fraction | None) -> Track:
    """Give a video track of a block.

    :param frame_rate: nominal pictures a second, None if unknown.
    """
    return Track(
        number=number,
        kind=VIDEO_TRACK,
        codec_id=CODEC_IDS[video.codec],
        codec_private=video.codec_private,
        name="Video",
        default_duration_ns=round(1_000_000_000 / frame_rate) if frame_rate else 0,
        width=video.width,
        height=video.height,
    )


def audio_track(number: int, audio: AudioFormat) -> Track:
    """Give an audio track of a block."""
    is_opus = audio.codec is Codec.OPUS
    private = audio.codec_private
    pre_skip = int.from_bytes(private[10:12], "little") if is_opus else 0
    return Track(
        number=number,
        kind=AUDIO_TRACK,
        codec_id=CODEC_IDS[audio.codec],
        codec_private=_wave_format(audio) if audio.codec in WAVE_TAGS else private,
        name="Audio",
        sample_rate=48000 if is_opus else audio.sample_rate,
        channels=audio.channels,
        bit_depth=16 if audio.codec is Codec.L16 else 0,
        codec_delay_ns=pre_skip * 1_000_000_000 // 48_000,
        seek_pre_roll_ns=OPUS_SEEK_PRE_ROLL_NS if is_opus else 0,
    )


def _wave_format(audio: AudioFormat) -> bytes:
    bits = 8 if audio.codec is not Codec.G726 else audio.bits_per_sample or 4
    return bytes(
        WAVE_FORMAT.build(
            {
                "format_tag": WAVE_TAGS[audio.codec],
                "channels": audio.channels,
                "sample_rate": audio.sample_rate,
                "bytes_per_second": audio.sample_rate * audio.channels * bits // 8,
                "block_align": audio.channels if bits == 8 else 1,
                "bits_per_sample": bits,
                "extra_size": 0,
            }
        )
    )


def sample_converter(audio: AudioFormat) -> Repack | None:
    """Give what turns a frame as it came into one as players expect it; None if it is the same."""
    return file_packing(audio.bits_per_sample or 4) if audio.codec is Codec.G726 else None


def nominal_frame_rate(video: VideoFormat, units: Sequence[AccessUnit]) -> Fraction | None:
    """Tell the pictures a second of a track: what the stream says, else what a group shows.

    :param units: those of one group.
    """
    told = video.frame_rate
    if told is not None and 0 < told <= MAX_FRAME_RATE:
        return told
    times = sorted(unit.utc_us for unit in units if isinstance(unit.format, VideoFormat))
    if len(times) < 2 or times[-1] == times[0]:
        return None
    rate = Fraction((len(times) - 1) * 1_000_000, times[-1] - times[0])
    if rate > MAX_FRAME_RATE:
        return None
    near = round(rate)
    return Fraction(near) if near and abs(rate - near) < near / 50 else rate.limit_denominator(100)


def video_xml(video: VideoFormat, frame_rate: Fraction | None) -> TrackXml:
    """Give what ``recording.xml`` says of a video track."""
    rate = frame_rate or Fraction(0)
    return TrackXml(
        "Video",
        (
            ("Width", str(video.width)),
            ("Height", str(video.height)),
            ("Framerate", f"{float(rate):.5f}"),
            ("Framerate_fraction", f"{rate.numerator}:{rate.denominator}"),
            ("Encoding", MIME_TYPES[video.codec]),
            ("Bitrate", "0"),
        ),
    )


def audio_xml(audio: AudioFormat, ordinal: int = 1) -> TrackXml:
    """Give what ``recording.xml`` says of an audio track, in the spirit of the video's."""
    return TrackXml(
        "Audio" if ordinal == 1 else f"Audio{ordinal}",
        (
            ("Samplerate", str(audio.sample_rate)),
            ("Channels", str(audio.channels)),
            ("Encoding", MIME_TYPES[audio.codec]),
            ("Bitrate", "0"),
        ),
    )


def video_properties(video: VideoFormat, frame_rate: Fraction | None) -> str:
    """Give the index's text on a video track: a line for each property."""
    rate = frame_rate or Fraction(0)
    return _lines(
        width=video.width,
        height=video.height,
        framerate=f"{rate.numerator}:{rate.denominator}",
        resolution=f"{video.width}x{video.height}",
    )


def audio_properties(audio: AudioFormat) -> str:
    """Give the index's text on an audio track: a line for each property."""
    return _lines(samplerate=audio.sample_rate, channels=audio.channels)


def _lines(**properties: object) -> str:
    return "\n".join(f'"{name}"="{value}"' for name, value in properties.items())
