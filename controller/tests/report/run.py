#!/usr/bin/env python3
"""Tests the report page in a real, headless Chromium: on a desk and on a phone, by day and by night.

    cargo run -p weir-controller --no-default-features --features testing --example report -- target/report/pages
    python3 controller/tests/report/run.py target/report/pages [PAGE.html ...]

The folder is what the example wrote. Pages named after it are held to the same promises.
Screenshots are left in target/report/screenshots, for a person to look at.

Exit codes: 0 all passed, 1 a check failed, 64 a tool is missing or an argument is wrong.
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE.parents[2] / "target" / "report"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def main():
    arguments = parse()
    environment = dict(
        os.environ,
        PYTHONDONTWRITEBYTECODE="1",
        REPORT_CHROMIUM=chromium(),
        REPORT_PAGES=str(arguments.pages.resolve()),
        REPORT_MORE_PAGES=os.pathsep.join(str(page.resolve()) for page in arguments.more),
        REPORT_SCREENSHOTS=str(WORK / "screenshots"),
    )
    test = [python(), "-m", "unittest", "discover", "--start-directory", HERE, "--pattern", "*_test.py"]
    return 1 if subprocess.run(test, env=environment, check=False).returncode else 0


def parse():
    parser = argparse.ArgumentParser(description="Tests the report page in a real browser.")
    parser.add_argument("pages", type=Path, help="the folder that the example `report` wrote")
    parser.add_argument("more", type=Path, nargs="*", help="more pages to hold to the same promises")
    arguments = parser.parse_args()
    for page in [arguments.pages / "week.html", *arguments.more]:
        if not page.is_file():
            refuse(f"there is no page {page}: write the folder with the example `report`, see --help")
    return arguments


def chromium():
    """The system's browser; without one nothing is tested, so that is a failure, not a skip."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        refuse(f"none of {', '.join(CHROMIUM)} is on the PATH: get Chromium from your system's packages (Debian: apt-get install chromium)")
    return found


def python():
    """The pinned requirements, in a virtual environment of their own; made anew when they change."""
    wanted = (HERE / "requirements.txt").read_text()
    home = WORK / "venv"
    stamp = home / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        try:
            venv.create(home, with_pip=True)
        except subprocess.CalledProcessError:
            refuse("python3 cannot make virtual environments here; on Debian: apt-get install python3-venv")
        pip = [home / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--requirement", HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    return home / "bin" / "python"


def refuse(why):
    print(f"controller/tests/report/run.py: {why}", file=sys.stderr)
    sys.exit(64)


if __name__ == "__main__":
    sys.exit(main())
