"""Metadata of axis_nvr; the tools' settings are in ``pyproject.toml``."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="axis_nvr",
    version="0.1.0",
    description="A network video recorder for RTSP cameras, built on Twisted",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["axis_nvr*"]), "twisted.plugins"],
    package_dir={"": "."},  # so that an editable install shows the plugins
    package_data={
        "axis_nvr": ["py.typed"],
        "axis_nvr.simulator": ["bitstreams/*"],
        "axis_nvr.vapix.soap": ["wsdl/*"],
    },
    entry_points={"console_scripts": ["axis-nvr = axis_nvr.cli.main:main"]},
    zip_safe=False,
    install_requires=[
        "automat >= 25.4",
        "bitstring >= 5.0",
        "construct >= 2.10.70",
        "cryptography >= 43",
        # checks of clusters: 10.9 GiB/s, zlib's takes 2.3; without a wheel of it zlib's is used
        "isal >= 1.7; platform_machine == 'x86_64' or platform_machine == 'aarch64'",
        "h11 >= 0.16",  # of wsproto: reads the handshake, and its errors are caught
        "ifaddr >= 0.2",
        "klein >= 24.8",
        "stream-zip >= 0.0.83",  # the only one that encrypts while it streams
        "treq >= 25.5",
        "twisted[tls] >= 25.5",
        "wsproto >= 1.3",  # frames only: it does no I/O; 0.6 MiB of memory
        # what neighbours can make it keep is bounded since 0.149, its sockets can follow interfaces
        # that come and go; with 0.154 it was measured what we mend of it
        "zeroconf >= 0.154",
        "zope.interface >= 7.2",
    ],
    extras_require={
        "test": [
            "aiosmtpd >= 1.4.6",
            "construct-typing >= 0.6",
            "hypothesis >= 6.130",
            "mypy >= 1.18",
            "mypy-zope >= 1.0.14",
            "python-dateutil >= 2.9",  # schedules are held against its rules
            "ruff >= 0.12",
            "zeep >= 4.3",  # a client that is made of our WSDL and knows nothing else
            "tzdata >= 2024.1",
            "websockets >= 16",
        ],
        "fuzz": ["atheris >= 3.0"],
        "docs": ["myst-parser >= 4.0", "sphinx >= 8.2", "towncrier >= 24.8"],
    },
)
