"""Lints the controller's systemd units as systemd reads them.

units.py FOLDER   FOLDER is the checkout's; fails on anything that systemd-analyze says

Prints one line for the table of steps.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TEMPLATES = Path("infra") / "modules" / "controller" / "templates"
UNITS = ("weir.service", "weir.timer")
PROGRAM = "/usr/bin/weir"

# systemd-analyze security's score, of 10: up to 2 it calls a service's exposure OK.
EXPOSURE_MAX = 2.0


def main():
    [folder] = sys.argv[1:]
    if shutil.which("systemd-analyze") is None:
        sys.exit("systemd-analyze is not on the PATH: get it from your system's packages (systemd)")
    with tempfile.TemporaryDirectory() as root:
        install(Path(folder) / TEMPLATES, Path(root))
        said = analyze("verify", "--recursive-errors=no", f"--root={root}", *UNITS)
        if said:
            sys.exit(f"systemd-analyze verify says:\n{said}")
        threshold = f"--threshold={int(EXPOSURE_MAX * 10)}"
        told = analyze("security", "--offline=true", threshold, f"--root={root}", UNITS[0])
    exposure = re.search(r"exposure level for weir.service: ([0-9.]+)", told)[1]
    print(f"{len(UNITS)} units that systemd takes; exposed to {exposure} of 10, at most {EXPOSURE_MAX}")


def install(templates, root):
    """The units where a package puts them, the program in its place, and nothing else."""
    units = root / "usr" / "lib" / "systemd" / "system"
    units.mkdir(parents=True)
    for name in UNITS:
        shutil.copy(templates / name, units)
    # What they name of systemd's own.
    for name in ("network-online.target", "time-sync.target", "timers.target"):
        (units / name).write_text("[Unit]\nDescription=here\n")
    program = root / PROGRAM.lstrip("/")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def analyze(*arguments):
    """What it prints; ends this program where it fails."""
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"systemd-analyze {arguments[0]} failed:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
