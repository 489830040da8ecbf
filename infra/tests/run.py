#!/usr/bin/env python3
"""Tests the Terraform configuration: format, validity, mocked plans, then a whole life on an
emulator on loopback: apply, an empty second plan, what was made, an edited policy, destroy.

Works on a copy under target/infra, so the checkout stays as it is. Reaches no AWS: the keys are
made up, and nothing but a loopback endpoint is applied to.

Exit codes: 0 all passed, 1 a step failed, 64 a tool is missing.
"""

import re
import shutil
import signal
import sys
import time
from pathlib import Path

import emulator
from shell import Failed, environment_without_aws, run
from terraform import Terraform

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "infra" / "tests"
MOTO = TESTS / "moto_patched.py"
WORK = ROOT / "target" / "infra"


def main():
    # Whoever stops this run stops the emulator, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    require_tools()
    prepare_copy()
    terraform = Terraform(WORK / "infra", data=WORK / "terraform")
    steps = Steps()
    moto = None
    try:
        steps.run("terraform init", terraform.init)
        steps.run("terraform fmt -check", terraform.check_format)
        steps.run("terraform validate", terraform.validate)
        steps.run("terraform test, provider mocked", terraform.test)
        python = steps.run("install the emulator", emulator.install)
        moto, url = steps.run("start the emulator", lambda: emulator.start(python, MOTO, WORK / "moto.log"))
        terraform.use_endpoint(url)
        live(steps, terraform, python)
    except Failed as failure:
        steps.failed(failure)
    except KeyboardInterrupt:
        steps.failed("interrupted")
    finally:
        if moto is not None:
            emulator.end(moto)
        steps.print()
    return 1 if steps.failures else 0


def live(steps, terraform, python):
    """The life of a deployment on the emulator."""

    def read_back(what):
        command = [python, TESTS / "read_back.py", what, WORK / "policies"]
        return lambda: run(command, env=terraform.env).strip().splitlines()[-1]

    steps.run("boto3: nothing there yet", read_back("nothing"))
    try:
        steps.run("terraform apply", terraform.apply)
        steps.run("terraform plan again", terraform.plan_again)
        steps.run("boto3: all is as the policies say", read_back("made"))
        steps.run("terraform plan, one max edited", lambda: plan_with_edited_max(terraform))
    except Failed as failure:
        # Half a deployment must be removable as well.
        steps.failed(failure)
    steps.run("terraform destroy", terraform.destroy)
    steps.run("boto3: nothing left behind", read_back("nothing"))


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


def prepare_copy():
    """Copies what Terraform reads; the virtual environment and the provider stay from run to run."""
    own = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "*.tfplan", "__pycache__")
    for folder in ("infra", "policies"):
        shutil.rmtree(WORK / folder, ignore_errors=True)
        shutil.copytree(ROOT / folder, WORK / folder, ignore=own)


def plan_with_edited_max(terraform):
    """Raises one policy's max: its group's max_size may change, the controller's copy of the
    policy with it, and nothing else."""
    policy = sorted((WORK / "policies").glob("*.yaml"))[0]
    before = policy.read_text()
    max_in_yaml = re.compile(r"^([^#\n]*\bmax:\s*)(\d+)", re.MULTILINE)
    old = int(max_in_yaml.search(before)[2])
    policy.write_text(max_in_yaml.sub(rf"\g<1>{old + 10}", before, count=1))
    try:
        changes = terraform.planned_changes()
    finally:
        policy.write_text(before)
    expected = {
        "aws_autoscaling_group.this": {"max_size"},
        "aws_ecs_task_definition.fleet": {"container_definitions"},
        "aws_scheduler_schedule.fleet": {"target"},
    }
    found = {re.sub(r"\[[^]]*\]", "", address).split(".", 2)[2]: what for address, what in changes.items()}
    if len(found) != len(changes) or found != expected:
        raise Failed(f"max {old} -> {old + 10} in {policy.name} should change {expected}, but changes {changes}")
    return f"max_size {old} -> {old + 10}, the controller's copy of the policy, nothing else"


class Steps:
    """What was done, how long it took, what came of it."""

    def __init__(self):
        self.rows = []
        self.failures = 0

    def run(self, name, action):
        print(f"{name} ...", flush=True)
        began = time.monotonic()
        outcome = "FAILED"
        try:
            result = action()
            outcome = result if isinstance(result, str) else "ok"
            return result
        finally:
            self.rows.append((name, time.monotonic() - began, outcome))

    def failed(self, failure):
        self.failures += 1
        print(f"\n{self.rows[-1][0]} failed: {failure}\n", file=sys.stderr, flush=True)

    def print(self):
        width = max((len(name) for name, _, _ in self.rows), default=0)
        print("\nterraform on an emulator")
        for name, seconds, outcome in self.rows:
            print(f"  {name:<{width}}  {seconds:6.1f} s  {outcome}")
        total = sum(seconds for _, seconds, _ in self.rows)
        print(f"  {'':<{width}}  {total:6.1f} s")
        failed = sum(outcome == "FAILED" for _, _, outcome in self.rows)
        print(f"\n{len(self.rows) - failed} passed, {failed} failed", flush=True)


if __name__ == "__main__":
    sys.exit(main())
