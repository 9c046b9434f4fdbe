# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian's Chromium, unpacked in the user's cache and not installed, and axe-core. Needs no root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.servers import debian, npm
from tests.servers.cache import build_once, say
from tests.servers.catalogue import DebianPackage, NpmPackage

_AXE = NpmPackage(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)

# The browser starts itself again, which a program that was started through its own loader cannot. So it runs on the C
# library of this machine, which is the same Debian suite.
_C_LIBRARY = [
    "ld-linux*",
    "libnss_*",
    *(f"lib{name}.so.*" for name in ("c", "m", "mvec", "pthread", "dl", "rt", "resolv")),
]
_C_LIBRARY += [f"lib{name}.so.*" for name in ("util", "nsl", "anl", "BrokenLocale", "thread_db")]

_LIBRARIES = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio")

_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    """How to start it."""

    executable: Path
    environment: dict[str, str]


def chromium() -> Chromium:
    """The browser, fetched once; ServerUnavailable says why it cannot be had here."""
    suite = debian.release_codename()
    tree = build_once("packages", f"chromium-{suite}", lambda destination: _fetch(suite, destination))
    fonts = tree / "fonts.conf"
    libraries = [path for pattern in _LIBRARIES for path in tree.glob(pattern)]
    return Chromium(
        tree / "usr" / "lib" / "chromium" / "chromium",
        {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "FONTCONFIG_FILE": str(fonts)},
    )


def _fetch(suite: str, destination: Path) -> None:
    say("fetching chromium (about 200 MB, once)")
    debian.unpack(DebianPackage(suite, "chromium"), destination)
    for directory in [*destination.glob("usr/lib/*-linux-gnu"), *destination.glob("lib/*-linux-gnu")]:
        for pattern in _C_LIBRARY:
            for library in directory.glob(pattern):
                library.unlink()
    # Its place in the end is not known yet, but it is that of its parent under another name.
    final = destination.parent / f"chromium-{suite}"
    (destination / "fonts.conf").write_text(
        _FONTS.format(fonts=escape(str(final / "usr/share/fonts")), cache=escape(str(final / "fonts-cache")))
    )


def axe() -> str:
    """The source text of axe-core; ServerUnavailable says why it cannot be had here."""
    tree = build_once("packages", f"axe-core-{_AXE.version}", lambda destination: npm.unpack(_AXE, destination))
    return (tree / "package" / "axe.min.js").read_text("utf-8")
