"""Whole lives on an emulator: the root's, looked at from all sides, and each example's. Each has a
copy of its own, a state of its own and an emulator of its own, so that they run side by side."""

import re

import emulator
import environments
from shell import Failed, run
from terraform import Terraform

# Scripts beside this file that look at what the root has made, while it is there: what they print
# last stands in the table. Each gets the root's folder as its last argument, and terraform's
# environment.
LOOKS = {
    "cargo build": ("adopt.py", "build"),
    "weir-sandbox adopt": ("adopt.py", "play"),
}


def of_root(lane, home, copy):
    """Apply, an empty second plan, what was made, an edited policy, destroy."""
    root = copy("root")
    terraform = Terraform(root / "infra", home / "terraform" / "root")
    lane.step("terraform init", terraform.init)
    python = lane.step("install the emulator", lambda: str(environments.emulator()))
    with emulator.running(python, home / "root.log") as url:
        terraform.use_endpoint(url)

        def script(name, *arguments):
            command = [python, root / "infra" / "tests" / name, *arguments]
            return lambda: run(command, env=terraform.env).strip().splitlines()[-1]

        lane.step("boto3: nothing there yet", script("read_back.py", "nothing", root / "policies"))
        try:
            lane.step("terraform apply", terraform.apply)
            lane.step("terraform plan again", terraform.plan_again)
            lane.step("boto3: all is as the policies say", script("read_back.py", "made", root / "policies"))
            for what, (name, *arguments) in LOOKS.items():
                lane.step(what, script(name, *arguments, root / "infra"))
            lane.step("terraform plan, one max edited", lambda: plan_with_edited_max(terraform, root))
        finally:
            # Half a deployment must be removable as well.
            lane.step("terraform destroy", terraform.destroy)
        lane.step("boto3: nothing left behind", script("read_back.py", "nothing", root / "policies"))


def of_example(lane, home, copy):
    """Apply, an empty second plan, destroy: what an example shows can be had and be got rid of."""
    root = copy(lane.name)
    terraform = Terraform(root / "infra" / "examples" / lane.name, home / "terraform" / lane.name)
    lane.step("terraform init", terraform.init)
    python = environments.emulator()
    with emulator.running(python, home / f"{lane.name}.log") as url:
        terraform.use_endpoint(url)
        try:
            lane.step("terraform apply", terraform.apply)
            lane.step("terraform plan again", terraform.plan_again)
        finally:
            lane.step("terraform destroy", terraform.destroy)


def plan_with_edited_max(terraform, root):
    """Raises one policy's max: its group's max_size may change, the policy's object that the
    controller reads with it, and nothing else."""
    policy = sorted((root / "policies").glob("*.yaml"))[0]
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
        "aws_s3_object.policy": {"content", "source_hash"},
    }
    found = {re.sub(r"\[[^]]*\]", "", address).split(".", 2)[2]: what for address, what in changes.items()}
    if len(found) != len(changes) or found != expected:
        raise Failed(f"max {old} -> {old + 10} in {policy.name} should change {expected}, but changes {changes}")
    return f"max_size {old} -> {old + 10}, the policy's object, nothing else"
