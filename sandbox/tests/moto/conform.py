#!/usr/bin/env python3
"""Asks moto what the small cloud is asked: the conformance cases of SQS through the Rust SDK, and the
worker's suites for queues, each case on a moto of its own.

Every case is run. Those in the tables of wrong.py must fail, with what AWS documents and what moto
does beside; all others must pass, but for one that cannot be told. So the cases are shown to ask for more than the small cloud's own
habits, and the table cannot rot.

Exit codes: 0 moto did as expected, 1 it did not, 64 a tool is missing.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from wrong import EITHER_WAY, OWN, WRONG

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "infra" / "tests"))

import emulator
import environments
from shell import Failed, environment_without_aws, execute

SERVER = ROOT / "sandbox" / "tests" / "moto" / "server.py"
WORK = ROOT / "target" / "moto"
# The slowest case waits for a long poll of 20 s.
CASE_SECONDS_MAX = 60


def main():
    # Whoever stops this run stops the emulator, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if shutil.which("cargo") is None:
        print("sandbox/tests/moto/conform.py: cargo is not on the PATH: get it from https://rustup.rs", file=sys.stderr)
        return 64
    WORK.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        tests, worker_cases = build()
        with emulator.running(environments.emulator(), WORK / "moto.log", SERVER) as url:
            env = environment_without_aws()
            env["RUST_BACKTRACE"] = "0"
            env["AWS_ENDPOINT_URL"] = env["CONFORMANCE_ENDPOINT"] = url
            results = [*sqs_cases(tests, env, url), *queue_cases(worker_cases, env, url)]
    except Failed as failure:
        print(f"sandbox/tests/moto/conform.py: {failure}", file=sys.stderr)
        return 1
    return judge(results, time.monotonic() - began)


def build():
    """The conformance tests and the worker's cases, built: their programs."""
    wanted = {"conformance": "sandbox/tests/conformance/main.rs", "queue_cases": "worker/examples/queue_cases.rs"}
    targets = (["test", "--no-run", "-p", "weir-sandbox", "--test"], ["build", "-p", "weir-worker", "--example"])
    return [built(command, name, path) for command, (name, path) in zip(targets, wanted.items())]


def built(command, name, path):
    cargo = subprocess.run(
        ["cargo", *command, name, "--locked", "--message-format=json-render-diagnostics"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    if cargo.returncode != 0:
        raise Failed(f"cargo {' '.join(command)} {name}: exit code {cargo.returncode}")
    for line in cargo.stdout.splitlines():
        made = json.loads(line)
        if made.get("executable") and made["target"]["src_path"].endswith(path):
            return made["executable"]
    raise Failed(f"cargo built no program of {path}")


def sqs_cases(tests, env, url):
    """Each conformance case of SQS: its name, and what it found wrong, if anything."""
    _, listed = execute([tests, "--list", "--format", "terse"], env=env, folder=ROOT, allowed=(0,))
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.startswith("sqs_")]
    if not names:
        raise Failed(f"{tests} has no cases of SQS")
    for name in names:
        reset(url)
        yield name, found_by([tests, "--exact", name, "--nocapture"], env)


def found_by(command, env):
    try:
        done = subprocess.run(
            command,
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=CASE_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return f"not done in {CASE_SECONDS_MAX} s"
    if done.returncode != 0:
        return done.stdout
    return None if "1 passed" in done.stdout else f"it did not run:\n{done.stdout}"


def queue_cases(program, env, url):
    """Each case of the worker's suites for queues, in the same shape."""
    reset(url)
    _, printed = execute([program], env=env, folder=ROOT, allowed=(0,))
    for line in printed.splitlines():
        case = json.loads(line)
        yield f"{case['suite']}: {case['case']}", case["found"]


def reset(url):
    request = urllib.request.Request(f"{url}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=10):
        pass


def judge(results, seconds):
    """Prints the table and what is otherwise than it says."""
    results = dict(results)
    wrong = {*WRONG, *OWN}
    listed = {*wrong, *EITHER_WAY}
    print("moto, beside what AWS documents")
    for name, (documented, what_moto_does) in WRONG.items():
        print(f"  {name}\n    AWS:  {documented}\n    moto: {what_moto_does}")
    for title, cases in (("about the small cloud itself", OWN), ("one way or the other", EITHER_WAY)):
        print(f"\n{title}")
        for name, what in cases.items():
            print(f"  {name}: {what}")
    surprises = [f"{name} failed, and wrong.py does not say so:\n{found}"
                 for name, found in results.items() if found and name not in listed]
    surprises += [f"{name} passed: take it out of wrong.py"
                  for name in wrong & results.keys() if not results[name]]
    surprises += [f"{name} stands in wrong.py, but there is no such case" for name in listed - results.keys()]
    for surprise in surprises:
        print(f"\n{surprise}", file=sys.stderr)
    right = sum(not found for name, found in results.items() if name not in EITHER_WAY)
    print(f"\n{len(results)} cases in {seconds:.0f} s: {right} right, {len(WRONG)} listed as wrong, {len(OWN)} about "
          f"the small cloud itself, {len(EITHER_WAY)} either way; {len(surprises)} otherwise than expected")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
