"""The configuration: what is read, what wins, and one clear sentence for everything wrong."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import (
    CameraConfig,
    Config,
    DiskConfig,
    EventsConfig,
    MulticastConfig,
    load_config,
)
from axis_nvr.errors import ConfigError

CAMERA = '[[camera]]\nid = "front"\naddress = "192.168.0.90"\n'
MULTICAST = '[multicast]\ngroups = "239.192.40.0/27"\n'
RECORDING = '[[recording]]\ndisk = "HDD_DISK"\noptions = "device=front"\n'

DISK = '[disk.A]\nfolder = "a"\n'

#: What is wrong, the file's text, and the words that the one sentence must have.
WRONG: list[tuple[str, str, list[str]]] = [
    ("no TOML", "camera = [", ["not TOML"]),
    ("unknown key", "colour = 1", ["colour", "not a key"]),
    ("misspelt key", "camara = 1", ["camara is not a key", "; camera is"]),
    ("unknown table", "[storage]\nx = 1", ["storage", "not a key"]),
    ("state_dir of another type", "state_dir = 5", ["state_dir", "text", "whole number"]),
    ("state_dir empty", 'state_dir = ""', ["state_dir", "folder"]),
    ("state_dir twice", 'state_dir = "a"\nstate-dir = "b"', ["state-dir", "twice"]),
    ("usb_disk empty", 'usb_disk = ""', ["usb_disk", "folder"]),
    ("http of another type", "http = 8080", ["http", "text"]),
    ("http no endpoint", 'http = "8080"', ["http", "endpoint", "none"]),
    ("https no endpoint", 'https = "yes"', ["https", "endpoint"]),
    ("rtsp no endpoint", 'rtsp = ""', ["rtsp", "endpoint"]),
    ("serial too short", 'serial = "ACCC8E"', ["serial", "12 hexadecimal"]),
    ("serial no hex", 'serial = "ACCC8E00000G"', ["serial", "12 hexadecimal"]),
    ("demo of another type", 'demo = "yes"', ["demo", "true or false"]),
    ("ssdp of another type", "ssdp = 1", ["ssdp", "true or false"]),
    ("mdns of another type", "mdns = 0", ["mdns", "true or false"]),
    ("no_discovery of another type", 'no_discovery = "x"', ["no_discovery", "true or false"]),
    ("disk of another type", 'disk = "x"', ["disk", "ID=DIR"]),
    ("disk without folder", 'disk = ["HDD_DISK"]', ["disk", "folder", "HDD_DISK"]),
    ("disk folder of another type", "[disk]\nHDD_DISK = 1", ["disk", "folder"]),
    ("disk id with a path", '[disk]\n"../x" = "y"', ["disk", "id", "'../x'"]),
    ("two disks of one id", 'disk = ["A=x", "A=y"]', ["disk", "A twice"]),
    ("two disks in one folder", 'disk = ["A=x", "B=x"]', ["disk", "folder", "twice"]),
    ("disk table without folder", "[disk.A]\ncleanup = 'fifo'", ["[disk.A]", "folder", "missing"]),
    ("disk folder misspelt", "[disk.A]\nfoldr = 'a'", ["folder is missing; foldr is not a key"]),
    ("unknown disk key", DISK + "size = 1", ["[disk.A]", "size", "not a key"]),
    ("unknown clean-up", DISK + 'cleanup = "lifo"', ["[disk.A]", "cleanup", "fifo, none"]),
    ("level out of range", DISK + "level_percent = 100", ["level_percent", "1 to 99"]),
    ("level of another type", DISK + 'level_percent = "95"', ["level_percent", "whole number"]),
    ("age out of range", DISK + "max_age_days = 7001", ["max_age_days", "0 to 7000"]),
    ("negative scrub", DISK + "scrub_days = -1", ["scrub_days", "0 to 7000"]),
    ("unknown encryption", DISK + 'encryption = "rot13"', ["encryption", "luks"]),
    ("device no path", DISK + 'encryption = "luks"\ndevice = "sdb1"', ["device", "/dev/sdb1"]),
    (
        "passphrase file without encryption",
        DISK + 'passphrase_file = "x"',
        ["passphrase_file", "encryption"],
    ),
    ("buffer too small", "stream_buffer_mib = 0", ["stream_buffer_mib", "1 to"]),
    ("buffer of another type", "total_buffer_mib = true", ["total_buffer_mib", "whole number"]),
    ("camera no array", '[camera]\nid = "x"', ["camera", "array"]),
    ("camera entries no tables", "camera = [1]", ["camera", "[[camera]]"]),
    ("camera without id", '[[camera]]\naddress = "a"', ["[[camera]] number 1", "id"]),
    ("camera id of another type", "[[camera]]\nid = 1", ["id", "text"]),
    ("camera id with a line break", '[[camera]]\nid = "a\\nb"', ["id", "one line"]),
    ("camera id too long", f'[[camera]]\nid = "{"x" * 200}"', ["id", "128"]),
    ("two cameras of one id", CAMERA * 2, ["[[camera]] number 2", "id", "'front'"]),
    ("neither address nor url", '[[camera]]\nid = "a"', ["address", "url"]),
    ("both address and url", CAMERA + 'url = "rtsp://b/"', ["address", "url", "one of the two"]),
    ("address with a path", '[[camera]]\nid="a"\naddress="b/c"', ["address", "host name"]),
    ("address with a port", '[[camera]]\nid="a"\naddress="b:554"', ["address", "without port"]),
    ("port out of range", CAMERA + "port = 70000", ["port", "1 to 65535"]),
    ("port with a url", '[[camera]]\nid="a"\nurl="rtsp://b/"\nport=1', ["port", "url"]),
    ("url without host", '[[camera]]\nid="a"\nurl="rtsp:///live"', ["url", "rtsp://"]),
    ("url of another scheme", '[[camera]]\nid="a"\nurl="http://b/"', ["url", "rtsp", "'http'"]),
    ("url with a bad port", '[[camera]]\nid="a"\nurl="rtsp://b:x/"', ["url"]),
    ("url with a blank", '[[camera]]\nid="a"\nurl="rtsp://b/a b"', ["url"]),
    ("unknown protocol", CAMERA + 'protocol = "tcp"', ["protocol", "rtspt", "'tcp'"]),
    ("unknown validation", CAMERA + 'certvalidation = "on"', ["certvalidation", "limited"]),
    ("absent ca", CAMERA + 'ca = "absent.pem"', ["ca", "absent.pem", "cannot be read"]),
    ("ca of another type", CAMERA + "ca = true", ["ca", "text"]),
    ("interface no address", CAMERA + 'interface = "eth0"', ["interface", "IP address"]),
    ("camera without id", "[[camera]]\nname = 'x'", ["number 1", "id is missing"]),
    (
        "camera address misspelt",
        "[[camera]]\nid = 'x'\nadress = 'y'",
        ["'x'", "adress is not", "; address is"],
    ),
    ("unknown camera key", CAMERA + 'user = "x"', ["'front'", "user", "not a key"]),
    ("password alone", CAMERA + 'password = "s3cret"', ["username"]),
    ("password of another type", CAMERA + "password = 1", ["password", "text"]),
    (
        "password twice",
        CAMERA + 'username="u"\npassword="s3cret"\npassword_file="x"',
        ["password_file", "one of the two"],
    ),
    (
        "absent password file",
        CAMERA + 'username="u"\npassword_file="absent"',
        ["password_file", "absent", "cannot be read"],
    ),
    (
        "user name in url and beside it",
        '[[camera]]\nid="a"\nurl="rtsp://u:s3cret@b/"\nusername="u"',
        ["username", "url already"],
    ),
    ("unknown way of events", CAMERA + 'events_by = "smoke"', ["events_by", "rtsp, websocket"]),
    (
        "a way of events with a url",
        '[[camera]]\nid="a"\nurl="rtsp://b/"\nevents_by = "websocket"',
        ["events_by", "address"],
    ),
    ("events of another type", "events = true", ["events", "a table"]),
    ("unknown events key", "[events]\nmotions = []", ["[events]", "motions", "not a key"]),
    ("motion of another type", '[events]\nmotion = "vmd"', ["[events]", "motion", "an array"]),
    ("unknown motion", '[events]\nmotion = ["vmd5"]', ["motion", "vmd, ", "'vmd5'"]),
    ("motion no words", CAMERA + "motion = [{}]", ["'front'", "motion", "vmd"]),
    ("topic of another type", "[events]\nmotion_topic = 1", ["motion_topic", "text"]),
    ("multicast without groups", "[multicast]\nttl = 5", ["[multicast]", "groups", "239."]),
    ("groups that are none", '[multicast]\ngroups = "10.0.0.0/28"', ["groups", "multicast"]),
    ("groups of routers", '[multicast]\ngroups = "224.0.0.0/28"', ["groups", "multicast"]),
    ("too many groups", '[multicast]\ngroups = "239.1.0.0/23"', ["groups", "up to 256"]),
    ("an odd port", MULTICAST + "port = 5001", ["[multicast]", "port", "even"]),
    ("ports beyond the last", MULTICAST + "port = 65530", ["port", "65472"]),
    ("no hop", MULTICAST + "ttl = 0", ["ttl", "1 to 255"]),
    ("an interface's name", MULTICAST + 'interface = "eth0"', ["interface", "IPv4", "'eth0'"]),
    ("unknown multicast key", MULTICAST + "address = 1", ["[multicast]", "address", "not a key"]),
    ("camera events of another type", CAMERA + 'events = "on"', ["events", "true or false"]),
    ("events_with_video of another type", CAMERA + "events_with_video = 1", ["with_video", "true"]),
    ("recording without disk", '[[recording]]\noptions=""', ["[[recording]] number 1", "disk"]),
    ("recording without options", '[[recording]]\ndisk="HDD_DISK"', ["options", "missing"]),
    ("options of another type", RECORDING.replace('"device=front"', "1"), ["options", "text"]),
    ("recording on no disk", RECORDING.replace("HDD_DISK", "SD"), ["disk", "'SD'", "HDD_DISK"]),
    ("unknown recording key", RECORDING + "fps = 25", ["fps", "not a key"]),
]


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def load(self, text: str | bytes, **options: object) -> Config:
        path = self.folder / "nvr.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_config(path, options, self.folder)

    def camera(self, text: str) -> CameraConfig:
        (camera,) = self.load(text).cameras
        return camera

    def test_nothing_configured(self) -> None:
        """Without file and options the defaults of the design are in force."""
        config = load_config(None, {}, self.folder)
        state = self.folder / "nvr-state"
        self.assertEqual(config.state_dir, state)
        self.assertEqual(
            dict(config.disks), {"HDD_DISK": DiskConfig("HDD_DISK", state / "HDD_DISK")}
        )
        self.assertEqual(
            (config.http, config.https, config.rtsp), ("tcp:8080", "ssl:8443", "tcp:8554")
        )
        self.assertEqual(config.rtsps, "ssl:8322")
        self.assertEqual((config.serial, config.demo), ("", False))
        self.assertTrue(config.ssdp and config.mdns)
        self.assertEqual((config.cameras, config.recordings), ((), ()))

    def test_the_example_of_the_design(self) -> None:
        """The documented example is read as it is meant."""
        (self.folder / "cameras.pem").write_bytes(b"PEM")
        config = self.load("""
            [[camera]]
            id = "front"
            address = "192.168.0.90"
            username = "root"
            password = "pass"
            protocol = "rtspt"
            certvalidation = "off"
            ca = "cameras.pem"

            [[camera]]
            id = "yard"
            url = "rtsp://user:secret@192.168.0.91:554/live"
            protocol = "rtspu"

            [[recording]]
            disk = "HDD_DISK"
            options = "device=front&videocodec=h264&fps=25"
        """)
        front, yard = config.cameras
        expected = CameraConfig(
            "front", "192.168.0.90", username="root", password="pass", ca=b"PEM", events=True
        )
        self.assertEqual(front, expected)
        self.assertEqual(yard.url, "rtsp://192.168.0.91:554/live")
        self.assertEqual((yard.username, yard.password), ("user", "secret"))
        self.assertEqual(yard.protocol, "rtspu")
        (recording,) = config.recordings
        self.assertEqual(recording.options, "device=front&videocodec=h264&fps=25")

    def test_no_rtsp_at_all(self) -> None:
        """Who switches RTSP off has none in TLS either, unless the file or the line says so."""
        self.assertEqual(self.load('rtsp = "none"').rtsps, "none")
        self.assertEqual(self.load("", rtsp="none").rtsps, "none")
        self.assertEqual(self.load('rtsp = "none"\nrtsps = "ssl:322"').rtsps, "ssl:322")

    def test_every_option_has_a_key(self) -> None:
        """What the command line can say, the file can say."""
        config = self.load("""
            state_dir = "state"
            http = "none"
            https = "ssl:443"
            rtsp = "tcp:554"
            rtsps = "ssl:322"
            serial = "accc8e012345"
            no_discovery = true
            demo = true
            disk = { A = "/srv/a", B = "b" }
        """)
        self.assertEqual(config.state_dir, self.folder / "state")
        self.assertEqual((config.http, config.https, config.rtsp), ("none", "ssl:443", "tcp:554"))
        self.assertEqual(config.rtsps, "ssl:322")
        self.assertEqual((config.serial, config.demo), ("ACCC8E012345", True))
        self.assertFalse(config.ssdp or config.mdns)
        folders = {disk_id: disk.folder for disk_id, disk in config.disks.items()}
        self.assertEqual(folders, {"A": Path("/srv/a"), "B": self.folder / "b"})

    def test_each_way_of_discovery_has_a_key(self) -> None:
        """SSDP and mDNS go off one by one."""
        config = self.load("ssdp = false")
        self.assertEqual((config.ssdp, config.mdns), (False, True))

    def test_the_command_line_wins(self) -> None:
        """An option given on the command line is in force, whatever the file says."""
        config = self.load(
            'state_dir = "x"\nhttp = "tcp:1"\nserial = "000000000000"\ndisk = ["A=a"]',
            state_dir="y",
            http="none",
            serial="AC:CC:8E:00:00:01",
            disk=["B=b", "C=c"],
            demo=True,
        )
        self.assertEqual(config.state_dir, self.folder / "y")
        self.assertEqual(config.http, "none")
        self.assertEqual(config.serial, "ACCC8E000001")
        self.assertEqual(list(config.disks), ["B", "C"])
        self.assertTrue(config.demo)

    def test_a_disk_has_keys_of_its_own(self) -> None:
        """A table of a disk says what is removed from it and when, and how it is encrypted."""
        config = self.load("""
            [disk]
            PLAIN = "plain"

            [disk.HDD_DISK]
            folder = "hdd"
            cleanup = "none"
            level_percent = 90
            max_age_days = 7
            scrub_days = 0
            encryption = "luks"
            device = "/dev/sdb1"
            passphrase_file = "secret"
        """)
        expected = DiskConfig(
            "HDD_DISK",
            self.folder / "hdd",
            cleanup="none",
            level_percent=90,
            max_age_days=7,
            scrub_days=0,
            encryption="luks",
            device="/dev/sdb1",
            passphrase_file=str(self.folder / "secret"),
        )
        self.assertEqual(config.disks["HDD_DISK"], expected)
        self.assertEqual(config.disks["PLAIN"], DiskConfig("PLAIN", self.folder / "plain"))

    def test_a_device_that_a_client_may_encrypt(self) -> None:
        """A device may be named while nothing on it is encrypted yet."""
        disk = self.load(DISK + 'device = "/dev/sdb1"').disks["A"]
        self.assertEqual((disk.device, disk.encryption), ("/dev/sdb1", "none"))

    def test_the_command_line_moves_a_disk(self) -> None:
        """A disk named on the command line keeps what the file says of it beside its folder."""
        text = DISK + 'max_age_days = 7\n[disk.B]\nfolder = "b"'
        config = self.load(text, disk=["A=elsewhere", "C=c"])
        moved = DiskConfig("A", self.folder / "elsewhere", max_age_days=7)
        self.assertEqual(dict(config.disks), {"A": moved, "C": DiskConfig("C", self.folder / "c")})

    def test_paths_count_from_the_files_folder(self) -> None:
        """A configuration can be moved with the files it names."""
        inner = self.folder / "etc"
        inner.mkdir()
        (inner / "nvr.toml").write_text('state_dir = "state"')
        config = load_config(Path("etc/nvr.toml"), {"disk": ["A=disk"]}, self.folder)
        self.assertEqual(config.state_dir, inner / "state")
        self.assertEqual(config.disks["A"].folder, self.folder / "disk")

    def test_an_external_disk(self) -> None:
        """There is none unless its folder is named; that counts from the file's folder."""
        self.assertIsNone(self.load("").usb_disk)
        loaded = self.load('usb_disk = "usb"')
        self.assertEqual(loaded.usb_disk, self.folder / "usb")

    def test_events(self) -> None:
        """Those of Axis cameras are listened to, those of others where it is asked for."""
        url = '[[camera]]\nid = "yard"\nurl = "rtsp://192.168.0.91/live"\n'
        front, yard = self.load(CAMERA + url).cameras
        self.assertEqual((front.events, front.motion, front.events_with_video), (True, (), None))
        self.assertEqual((yard.events, yard.motion), (False, ("vmd", "onvif")))
        text = 'events = false\nmotion = ["pir", "guards", "pir"]\nevents_with_video = true'
        front = self.camera(CAMERA + text)
        self.assertEqual(
            (front.events, front.motion, front.events_with_video), (False, ("pir", "guards"), True)
        )
        self.assertTrue(self.camera(url + "events = true").events)
        self.assertEqual(self.load("").events, EventsConfig())
        table = '[events]\nmotion = ["onvif"]\nmotion_topic = "tnsaxis:X/Y"\nwith_video = true'
        self.assertEqual(self.load(table).events, EventsConfig(("onvif",), "tnsaxis:X/Y", True))

    def test_multicast(self) -> None:
        """Off unless there are groups; each has its own address and ports."""
        self.assertIsNone(self.load("").multicast)
        config = self.load(MULTICAST).multicast
        assert config is not None
        self.assertEqual(config.places[:2], (("239.192.40.0", 50100), ("239.192.40.1", 50102)))
        self.assertEqual((len(config.places), config.ttl, config.interface), (32, 5, ""))
        text = '[multicast]\ngroups = "239.1.1.1"\nport = 6000\nttl = 1\ninterface = "10.0.0.2"'
        self.assertEqual(
            self.load(text).multicast, MulticastConfig((("239.1.1.1", 6000),), 1, "10.0.0.2")
        )

    def test_the_scheme_says_how(self) -> None:
        """Without a protocol the URL's scheme decides, and the URL becomes rtsp or rtsps."""
        for url, protocol, bare in (
            ("rtsp://a/x?y=z", "rtspt", "rtsp://a/x?y=z"),
            ("rtsps://a:322/x", "rtsps", "rtsps://a:322/x"),
            ("rtspu://[::1]:554/x", "rtspu", "rtsp://[::1]:554/x"),
            ("rtspsh://a/x", "rtspsh", "rtsp://a/x"),
        ):
            camera = self.camera(f'[[camera]]\nid = "a"\nurl = "{url}"')
            self.assertEqual((camera.protocol, camera.url), (protocol, bare))

    def test_user_information_is_taken_out_of_the_url(self) -> None:
        """Name and password are decoded, the URL keeps neither, and no repr shows the password."""
        camera = self.camera('[[camera]]\nid="a"\nurl="rtsp://me%40x:p%3As%2Fs@b:8554/live?a=@"')
        self.assertEqual((camera.username, camera.password), ("me@x", "p:s/s"))
        self.assertEqual(camera.url, "rtsp://b:8554/live?a=@")
        self.assertNotIn("p:s/s", repr(camera))

    def test_a_password_file_is_read(self) -> None:
        """The first line is the password."""
        (self.folder / "secret").write_text("p w\nsecond line\n")
        camera = self.camera(CAMERA + 'username = "u"\npassword_file = "secret"')
        self.assertEqual(camera.password, "p w")

    def test_each_wrong_thing_has_its_sentence(self) -> None:
        """Whatever is wrong: one line that names the place and the key, and no secret."""
        for what, text, words in WRONG:
            error = self.assertRaises(ConfigError, self.load, text)
            message = str(error)
            for word in (*words, "nvr.toml"):
                self.assertIn(word, message, what)
            self.assertNotIn("\n", message.strip(), what)
            self.assertNotIn("s3cret", message, what)

    def test_wrong_command_line(self) -> None:
        """The command line's own mistakes are named as such."""
        for key, value, words in (
            ("serial", "x", ["serial", "12"]),
            ("http", "8080", ["http", "endpoint"]),
            ("disk", ["x"], ["disk", "folder"]),
            ("disk", ["A=x", "A=y"], ["disk", "twice"]),
        ):
            error = self.assertRaises(ConfigError, load_config, None, {key: value}, self.folder)
            for word in (*words, "the command line"):
                self.assertIn(word, str(error))

    def test_an_absent_file(self) -> None:
        """A configuration file that is not there is named."""
        error = self.assertRaises(ConfigError, load_config, Path("no.toml"), {}, self.folder)
        self.assertIn("no.toml cannot be read", str(error))

    def test_bytes_that_are_no_text(self) -> None:
        """A file that is not UTF-8 is refused, and so is a password file."""
        self.assertIn("UTF-8", str(self.assertRaises(ConfigError, self.load, b"\xff")))
        (self.folder / "secret").write_bytes(b"\xff")
        text = CAMERA + 'username = "u"\npassword_file = "secret"'
        self.assertIn("password_file", str(self.assertRaises(ConfigError, self.load, text)))

    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "id",
                            "url",
                            "address",
                            "disk",
                            "options",
                            "port",
                            "password",
                            "folder",
                            "x",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=8,
        ),
        st.sampled_from(["camera", "recording", "disk", "events", "http", "serial", "x"]),
    )
    def test_whatever_comes(self, value: object, key: str) -> None:
        """Any value of any key is read or refused with a `ConfigError`."""
        try:
            load_config(None, {key: value}, self.folder)
        except ConfigError as error:
            self.assertTrue(str(error).isprintable())
