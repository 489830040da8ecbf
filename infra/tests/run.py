#!/usr/bin/env python3
"""Tests the Terraform configuration: format, validity, mocked plans, linters, generated tables, and
whole lives on an emulator on loopback: apply, an empty second plan, what was made, an edited
policy, destroy. Prints one table.

run.py [LANE...] runs only those lanes, for whoever works on one.

Lanes run side by side, each on a copy of its own under target/infra, so the checkout stays as it
is. Reaches no AWS: the keys are made up, and nothing but a loopback endpoint is applied to.

Exit codes: 0 all passed, 1 a step failed, 64 a tool or a lane is missing.
"""

import re
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

import lives
import static
from shell import RUNNING, Failed, environment_without_aws, run
from table import Table

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "infra"

# What the controller publishes: tests hold alarms and dashboard against it.
SOURCES = ("controller/src/figures.rs", "controller/src/aws/cloudwatch.rs")

# The longest first.
EXAMPLES = sorted((path.name for path in (ROOT / "infra" / "examples").glob("*/")), key=lambda name: name != "complete")
LANES = {
    "root": lives.of_root,
    "fleets": lives.of_fleets,
    **{name: lives.of_example for name in EXAMPLES},
    "static": static.of_all,
    "modules": static.of_modules,
    "text": static.of_text,
}


def main():
    # Whoever stops this run stops all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    require_tools()
    names = sys.argv[1:] or list(LANES)
    for name in names:
        if name not in LANES:
            missing(f"there is no lane {name!r}: give any of {', '.join(LANES)}")
    table = Table()
    threads = [threading.Thread(target=drive, args=(LANES[name], table.lane(name))) for name in names]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        RUNNING.stop()
        for thread in threads:
            thread.join()
        table.print()
    return 1 if table.failures else 0


def drive(work, lane):
    """A lane to its end, or to the first step that fails."""
    try:
        work(lane, HOME, copy)
    except Failed:
        pass  # told by the step
    except Exception:  # a fault of the harness must fail the run, and must not hide the other lanes
        traceback.print_exc()
        lane.rows.append(("the harness itself", 0.0, "FAILED"))


def require_tools():
    """One clear line for a tool that is missing or too old, and how to get it."""
    if sys.version_info < (3, 9):
        missing(f"python3 is {sys.version.split()[0]}, 3.9 or later is needed: get it from your system's packages")
    where = "get 1.9 or later from https://developer.hashicorp.com/terraform/install"
    if shutil.which("terraform") is None:
        missing(f"terraform is not on the PATH: {where}")
    version = run(["terraform", "version"], env=environment_without_aws()).splitlines()[0]
    found = re.search(r"v(\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) < (1, 9):
        missing(f"the terraform on the PATH is {version}: {where}")


def missing(what):
    print(f"infra/tests/run.py: {what}", file=sys.stderr)
    sys.exit(64)


def copy(name):
    """Copies what Terraform reads for one lane; environments and providers stay from run to run."""
    own = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "*.tfplan", "__pycache__")
    folder = HOME / "lanes" / name
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("infra", "policies"):
        shutil.copytree(ROOT / part, folder / part, ignore=own)
    for source in SOURCES:
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, folder / source)
    return folder


if __name__ == "__main__":
    sys.exit(main())
