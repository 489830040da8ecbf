"""What needs no emulator: format, validity, plans with a mocked provider, the linter, the generated
tables, and what else is checked without an apply."""

import json
from collections import Counter

import environments
from shell import Failed, environment_without_aws, execute, run
from terraform import Terraform

# Scripts beside this file that need nothing applied: what they print last stands in the table.
# Each gets the checkout's folder as its last argument.
CHECKS = {
    "inputs and outputs current": "docs.py --check",
    "policies judged as by weir": "verdicts.py",
    "units of the controller": "units.py",
}

# Exit code of checkov when a check failed.
CHECKS_FAILED = 1


def of_all(lane, home, copy):
    """The configuration as it is written."""
    root = copy("static")
    terraform = Terraform(root / "infra", home / "terraform" / "static")
    lane.step("terraform fmt -check", terraform.check_format)
    lane.step("terraform init", terraform.init)
    lane.step("terraform validate", terraform.validate)
    for name in terraform.tests():
        lane.step(f"mocked plans, {name.split('.')[0]}", lambda name=name: terraform.test(name))


def of_modules(lane, home, copy):
    """Each module and example on its own, as whoever takes just one of them has it."""
    root = copy("modules")
    for folder in ("modules", "examples"):
        for module in sorted((root / "infra" / folder).glob("*/")):
            terraform = Terraform(module, home / "terraform" / f"{folder}-{module.name}")
            lane.step(f"{folder}/{module.name}", lambda module=terraform: validated(module))


def validated(terraform):
    terraform.init()
    terraform.validate()
    return "valid"


def of_text(lane, _home, copy):
    """Linters and generators over the text."""
    root = copy("text")
    python = lane.step("install checkov", lambda: str(environments.checkov()))
    lane.step("checkov", lambda: checkov(python, root))
    python = environments.emulator()
    for what, call in CHECKS.items():
        name, *arguments = call.split()
        command = [python, root / "infra" / "tests" / name, *arguments, root]
        lane.step(what, lambda words=command: run(words, env=environment_without_aws()).strip().splitlines()[-1])


def checkov(python, root):
    """All of checkov's rules for Terraform: each passes, or is refused beside the resource with the
    reason."""
    program = python.replace("/bin/python", "/bin/checkov")
    command = [program, "--config-file", "infra/.checkov.yaml", "--output", "json"]
    _, printed = execute(command, environment_without_aws(), root, allowed=(0, CHECKS_FAILED))
    result = json.loads(printed[printed.index("{"):])
    summary = result["summary"]
    failed = [
        f"{check['check_id']} {check['resource']} ({check['file_path'].lstrip('/')}:{check['file_line_range'][0]}): {check['check_name']}"
        for check in result["results"]["failed_checks"]
    ]
    counts = f"{summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped with a reason"
    if summary["parsing_errors"]:
        raise Failed(f"{summary['parsing_errors']} files are not parsed by checkov, and so not checked: {printed}")
    if failed:
        by_rule = Counter(line.split()[0] for line in failed)
        raise Failed(f"{counts}\n" + "\n".join(sorted(set(failed))) + f"\n{dict(by_rule)}")
    return counts
