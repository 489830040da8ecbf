"""Plays what Terraform made on the emulator: `weir-sandbox adopt`, whose small cloud boots instances,
holds them by their hooks and enforces the roles, which no emulator here does.

adopt.py build FOLDER   builds the programs
adopt.py play FOLDER    plays what FOLDER's root has applied to AWS_ENDPOINT_URL

Prints a line for the table of steps last; the whole of it when a check failed, with exit code 1.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import programs

SUMMARY = programs.CHECKOUT / "target" / "infra" / "adopt" / "summary.json"


def main():
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "build":
        programs.built()
        print(", ".join(programs.PROGRAMS))
    else:
        play(folder)


def play(folder):
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    producer = SUMMARY.with_name("producer-policy.json")
    producer.write_text(output_of(folder, "producer_policy"))
    url = os.environ["AWS_ENDPOINT_URL"]
    command = [programs.built() / "weir-sandbox", "adopt", "--from", url, "--summary", SUMMARY]
    done = subprocess.run([*command, "--producer-policy", producer], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(in_a_line(json.loads(SUMMARY.read_text())))


def output_of(folder, name):
    command = ["terraform", f"-chdir={folder}", "output", "-raw", name]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def in_a_line(report):
    calls = sum(map(len, report["permissions"]["used"].values()))
    return f"{report['jobs']} jobs, {len(report['checks'])} checks, {calls} kinds of calls, none denied, none unused"


if __name__ == "__main__":
    main()
