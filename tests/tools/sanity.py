# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``ansible-test sanity`` with no network but a package index; a test that did not run is a failure.

ansible-test brings pip into its environments by a script that it downloads, unless it is in its cache: ours is. It
keeps these environments below HOME, which is therefore a directory in the user's cache, one for each ansible-core.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .environments import locked

_GET_PIP = """\
import subprocess, sys
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *options]))
"""


def prime(home: Path) -> None:
    """Let ansible-test make its environments once, with nobody else in the same place."""
    with locked(home.with_suffix(".lock")):
        if not (home / ".complete").exists():
            print("making ansible-test's environments", flush=True)
            (source,) = Path(sys.prefix).glob("lib/*/site-packages/ansible_test/_internal/python_requirements.py")
            (version,) = re.findall(r"\bpip='([\d.]+)'", source.read_text("utf-8"))
            script = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(_GET_PIP, "utf-8")
            subprocess.run(["ansible-test", "sanity", "--prime-venvs"], stdout=subprocess.DEVNULL, check=True)
            (home / ".complete").touch()


def main() -> int:
    """Run every sanity test on the collection of the current directory."""
    prime(Path(os.environ["HOME"]))
    command = ["ansible-test", "sanity", "--list-tests"]
    known = set(re.findall(r"^[a-z0-9-]+$", subprocess.check_output(command, text=True), re.MULTILINE))
    lines: list[str] = []
    command = ["ansible-test", "sanity", "--color", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    ran = {name for line in lines for name in re.findall(r'^Running sanity test "([^"]+)"', line)}
    skipped = {line for line in lines if re.match("WARNING: Skipping (sanity test|tests disabled)", line)}
    # A Python that a test does not support, or that is not on this machine, leaves the test's other Pythons.
    lacking = [line for line in skipped if not re.search("because it (is unsupported|could not be found)", line)]
    print(f"{len(ran)} of {len(known)} sanity tests ran")
    print("".join(lacking) + "".join(f"not run: {name}\n" for name in sorted(known - ran)), end="")
    ignored = [path.name for path in Path("tests/sanity").glob("ignore-*.txt")]
    print("".join(f"no ignore files: {name}\n" for name in ignored), end="")
    return int(bool(process.returncode or lacking or known - ran or ignored))


if __name__ == "__main__":
    sys.exit(main())
