"""Make the media that the virtual camera serves; run when the pictures shall change.

``python tools/make_bitstreams.py axis_nvr/simulator/bitstreams`` draws a moving test card with
ffmpeg's own sources and codes it with libx264 and libx265, and composes ten seconds of sound.
Needs ffmpeg with these encoders and the DejaVu fonts; takes some minutes.

What the virtual camera asks of the files:

* one intra picture that decoding can begin at, then only pictures that point back: playing
  the first N pictures over and over gives any GOP length N up to `PICTURES`;
* what moves repeats after 32 pictures, so that the usual GOP lengths (32, 64, 96 …) loop
  without a jump; the counter shows the place in the GOP;
* one slice for each picture, no B pictures, no encoder's signature (SEI);
* the first intra picture of H.264 has ``idr_pic_id`` 1, which codes in as many bits as 2:
  the server alternates the two where intra pictures follow each other (H.264 §7.4.3);
* the clock in the sequence parameter set says 30 pictures a second; the server rewrites it;
* parameter sets, profile and structure as a camera sends them: High and Main, one reference.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURES = 320
PICTURES_PER_SECOND = 30
RESOLUTIONS = ((1920, 1080), (1280, 720), (640, 360))
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
MONO = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"


def run(*arguments: object) -> None:
    """Run ffmpeg quietly."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def channel(bars: str, base: str) -> str:
    """One colour of the still part of the card, as a `geq` expression.

    :param bars: which of eight colour bars hold this colour, as a 0/1 expression of ``ld(3)``.
    :param base: the background's level at the top and its rise to the bottom.
    """
    ring = "max(0,1-abs(ld(0)-0.40*H)/(0.0022*H))"
    disc = "0.35*clip((0.40*H-ld(0))/2,0,1)"
    colours = "between(Y,0.845*H,0.905*H)*between(X,0.1*W,0.9*W-1)"
    greys = "between(Y,0.905*H,0.94*H)*between(X,0.1*W,0.9*W-1)"
    return (
        "st(0,hypot(X-W/2,Y-0.44*H));st(3,floor(8*(X-0.1*W)/(0.8*W)));"
        f"if({colours},16+175*({bars}),if({greys},16+219*floor(16*(X-0.1*W)/(0.8*W))/15,"
        f"({base})*(1-{disc})+190*{ring}))"
    )


def card(width: int, height: int, codec: str, path: Path) -> None:
    """Draw what does not move."""
    red = channel("lt(mod(ld(3),4),2)", "24+34*Y/H")
    green = channel("lt(ld(3),4)", "34+42*Y/H")
    blue = channel("1-mod(ld(3),2)", "48+52*Y/H")
    dot = height / 1080
    text = (
        f"drawtext=fontfile={FONT}:text='AXIS-NVR VIRTUAL CAMERA':fontcolor=white"
        f":fontsize={40 * dot}:x=w*0.04:y=h*0.05,"
        f"drawtext=fontfile={MONO}:text='{width}x{height} {codec}':fontcolor=white@0.8"
        f":fontsize={36 * dot}:x=w*0.96-text_w:y=h*0.052"
    )
    grid = f"drawgrid=w=iw/16:h=ih/9:t={max(1, round(2 * dot))}:c=white@0.10"
    drawing = f"format=gbrp,geq=r='{red}':g='{green}':b='{blue}',{grid},{text}"
    run("-f", "lavfi", "-i", f"color=s={width}x{height}", "-frames:v", 1, "-vf", drawing, path)


def hand(height: int, path: Path) -> None:
    """Draw the hand that turns: a line with two equal ends, fading to its middle."""
    size = round(height * 0.78 / 2) * 2
    alpha = (
        "255*clip(1.5-abs(Y-H/2)/(0.004*H),0,1)*clip(abs(X-W/2)/(0.5*W),0,1)*lt(abs(X-W/2),0.49*W)"
    )
    drawing = f"format=rgba,geq=r=120:g=220:b=255:a='{alpha}'"
    run("-f", "lavfi", "-i", f"color=s={size}x{size}", "-frames:v", 1, "-vf", drawing, path)


def ball(height: int, path: Path) -> None:
    """Draw the ball that swings below the ring."""
    size = round(height * 0.05 / 2) * 2
    drawing = (
        "format=rgba,geq=r=255:g='190-80*Y/H':b=60"
        ":a='255*clip((0.48*W-hypot(X-W/2,Y-H/2))/1.5,0,1)'"
    )
    run("-f", "lavfi", "-i", f"color=s={size}x{size}", "-frames:v", 1, "-vf", drawing, path)


def moving(height: int, first: int) -> str:
    """What happens on the card, as a filter graph over the inputs card, hand and ball.

    :param first: the picture that the counter calls 0.
    """
    dot = height / 1080
    counter = f"%{{eif\\:max(n-{first}\\,0)\\:d\\:3}}"
    return (
        f"[1:v]rotate=a='2*PI*(n-{first})/64':c=none[hand];"
        "[0:v][hand]overlay=x=(W-w)/2:y=0.44*H-h/2:shortest=1[turning];"
        f"[turning][2:v]overlay=x='W/2-w/2+0.38*W*sin(2*PI*(n-{first})/32)':y=0.80*H-h/2[swinging];"
        f"[swinging]drawtext=fontfile={MONO}:text='GOP {counter}':fontcolor=white"
        f":fontsize={64 * dot}:x=(w-text_w)/2:y=h*0.44-text_h/2"
        f":box=1:boxcolor=0x10202c:boxborderw={14 * dot},format=yuv420p"
    )


def encode(codec: str, inputs: list[object], graph: str, path: Path) -> None:
    """Code the pictures; with H.264 one more in front, which only moves ``idr_pic_id`` on."""
    common = "scenecut=0:bframes=0:ref=1:open-gop=0:aud=0:repeat-headers=1:colorprim=bt709"
    common += ":transfer=bt709:colormatrix=bt709"
    if codec == "H.264":
        coder = ["-c:v", "libx264", "-preset", "slower", "-crf", 27, "-profile:v", "high"]
        coder += ["-x264-params", f"{common}:keyint=infinite:slices=1:force-cfr=1:mbtree=0"]
        coder += ["-bsf:v", "filter_units=remove_types=6|9"]
    else:
        coder = ["-c:v", "libx265", "-preset", "slow", "-crf", 29]
        coder += ["-x265-params", f"{common}:keyint=-1:info=0:log-level=error:wpp=0:cutree=0"]
        coder += ["-bsf:v", "filter_units=remove_types=35|39|40"]
    extra = 1 if codec == "H.264" else 0
    keys = ["-force_key_frames", f"expr:lte(n,{extra})", "-frames:v", PICTURES + extra]
    run(*inputs, "-filter_complex", graph, "-pix_fmt", "yuv420p", *keys, *coder, path)


def from_second_parameter_set(data: bytes) -> bytes:
    """Cut the first picture of H.264 off: keep from the second sequence parameter set on."""
    places = [found.start() for found in re.finditer(rb"\x00?\x00\x00\x01[\x27\x47\x67]", data)]
    return data[places[1] :]


def make_video(codec: str, width: int, height: int, folder: Path) -> None:
    """Make one resolution in one coding."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        card(width, height, codec, work / "card.png")
        hand(height, work / "hand.png")
        ball(height, work / "ball.png")
        inputs: list[object] = []
        for picture in ("card", "hand", "ball"):
            inputs += ["-loop", 1, "-framerate", PICTURES_PER_SECOND, "-i", work / f"{picture}.png"]
        suffix = "h264" if codec == "H.264" else "h265"
        first = 1 if codec == "H.264" else 0
        encode(codec, inputs, moving(height, first), work / f"coded.{suffix}")
        data = (work / f"coded.{suffix}").read_bytes()
    kept = from_second_parameter_set(data) if codec == "H.264" else data
    (folder / f"{width}x{height}.{suffix}").write_bytes(kept)


def make_sound(folder: Path) -> None:
    """Compose ten seconds that loop: a slow arpeggio with silence at the seam."""
    notes = (220.0, 277.18, 329.63, 440.0, 329.63, 277.18, 246.94, 329.63)
    step = 10.24 / len(notes)
    voices = "+".join(
        f"between(t,{i * step:.3f},{(i + 1) * step:.3f})*0.5*exp(-2.2*(t-{i * step:.3f}))"
        f"*min(1,40*(t-{i * step:.3f}))*(sin(2*PI*{f}*t)+0.4*sin(4*PI*{f}*t)+0.15*sin(6*PI*{f}*t))"
        for i, f in enumerate(notes)
    )
    for rate, coder, name in (
        (16000, ["-c:a", "aac", "-b:a", "32k", "-f", "adts"], "16000-mono.aac"),
        (8000, ["-c:a", "pcm_mulaw", "-f", "mulaw"], "8000-mono.ulaw"),
    ):
        source = f"aevalsrc='{voices}':s={rate}:d=10.24"
        run("-f", "lavfi", "-i", source, "-ac", 1, *coder, "-flags", "+bitexact", folder / name)


def main(folder: Path) -> None:
    """Make all files."""
    folder.mkdir(parents=True, exist_ok=True)
    make_sound(folder)
    for codec in ("H.264", "H.265"):
        for width, height in RESOLUTIONS:
            make_video(codec, width, height, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
