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
    "boots in a scratch root": ("boot.py",),
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


def of_fleets(lane, home, copy):
    """Fleets of other kinds than the shipped one, and what a new worker and other instances change."""
    root = copy("fleets")
    terraform = Terraform(root / "infra", home / "terraform" / "fleets")
    variables = root / "infra" / "test.tfvars"
    lane.step("terraform init", terraform.init)
    python = environments.emulator()
    with emulator.running(python, home / "fleets.log") as url:
        terraform.use_endpoint(url)
        read_back = [python, root / "infra" / "tests" / "read_back.py", "refreshed", root / "infra" / FLEETS]
        variables.write_text(fleets(digest="0" * 64, tag="0.1.0", mails='warm_pool = { min_size = 1 }', videos=""))
        try:
            lane.step("terraform apply", terraform.apply)
            lane.step("terraform plan again", terraform.plan_again)
            mixed = 'instance_types = ["c7i.large", "c6i.large"], spot = { on_demand_base = 1 }'
            variables.write_text(fleets(digest="1" * 64, tag="0.2.0", mails=mixed, videos="spot = {}"))
            lane.step("terraform plan, another worker, on spot", lambda: changed_in_place(terraform))
            lane.step("terraform apply, another worker, on spot", terraform.apply)
            lane.step("terraform plan again", terraform.plan_again)
            lane.step("boto3: instances are refreshed", lambda: run(read_back, env=terraform.env).strip().splitlines()[-1])
        finally:
            lane.step("terraform destroy", terraform.destroy)


FLEETS = "tests/fixtures/services"


def fleets(digest, tag, mails, videos):
    """Variables for a group of one type with a warm pool, and a service on Fargate."""
    return f"""\
region              = "eu-west-1"
controller_artifact = {{ path = "test-lambda.zip" }}
deletion_protection = false
policies            = "{FLEETS}"
worker = {{
  artifact = {{ bucket = "artifacts", key = "weir/worker.tar.gz", sha256 = "{digest}" }}
  image    = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/worker:{tag}"
}}
worker_overrides = {{
  mails  = {{ {mails} }}
  videos = {{ {videos} }}
}}
"""


def changed_in_place(terraform):
    """What runs is kept: of all that changes only the task definition, whose revisions never change,
    is made anew."""
    actions = terraform.planned_actions()
    expected = {
        "aws_autoscaling_group": ["update"],
        "aws_ecs_service": ["update"],
        "aws_ecs_task_definition": ["delete", "create"],
        "aws_launch_template": ["update"],
    }
    found = {address.split(".")[2]: what for address, what in actions.items()}
    if found != expected:
        raise Failed(f"another worker on spot should change {expected}, but changes {actions}")
    return "group and service in place"


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
