"""Boots the instances that Terraform has described, as far as a machine without EC2 can.

boot.py FOLDER   looks at every launch template on the emulator at AWS_ENDPOINT_URL

Scripts go through shellcheck, units through systemd-analyze verify and security. Then user data and
weir-boot run for real, in a scratch root (machine.py), through all that a boot meets, and every call
to AWS that they make is held against the role that the instance would have.

Prints one line for the table of steps; on failure every finding, and exit code 1.
"""

import base64
import fnmatch
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import boto3

from machine import Machine, Metadata

# Of 10, by systemd-analyze security; what is left is told beside each option in the unit.
EXPOSURE_MAX = 2.0

PROGRAMS = {"unshare": "util-linux", "systemd-analyze": "systemd", "curl": "curl"}
WORKER = "#!/bin/bash\necho worker runs >>/played/log\n"
BOOT, DRAIN = "weir-boot", "weir-drain"


def main():
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            print(f"{program} is not on the PATH: get {package} from your system's packages")
            sys.exit(1)
    ec2 = boto3.client("ec2")
    templates = [t["LaunchTemplateName"] for t in ec2.describe_launch_templates()["LaunchTemplates"]]
    findings, exposures, calls = [], [], set()
    for name in templates:
        version = ec2.describe_launch_template_versions(LaunchTemplateName=name, Versions=["$Latest"])
        data = version["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        user_data = base64.b64decode(data["UserData"]).decode()
        exposures.append(lint(name, user_data, findings))
        made = set()
        for scenario in SCENARIOS:
            made |= play(f"{name}: {scenario.__name__}", scenario, user_data, findings)
        hold_against_role(name, made, statements(data["IamInstanceProfile"]["Arn"]), findings)
        calls |= made
    findings += [] if templates else ["there is no launch template to boot"]
    for finding in findings:
        print(finding)
    print(f"{len(SCENARIOS) * len(templates)} boots, {len(calls)} kinds of calls allowed, unit's exposure {max(exposures, default=10.0)} of at most {EXPOSURE_MAX}")
    sys.exit(1 if findings else 0)


################################################################################
# What can be read off
################################################################################


def lint(name, user_data, findings):
    """Shellcheck and systemd's own judgement; gives the worker unit's exposure."""
    with tempfile.TemporaryDirectory() as folder:
        machine = installed(Path(folder) / "root", user_data)
        (machine.root / "opt/weir/weir-worker").write_text(WORKER)
        (machine.root / "opt/weir/weir-worker").chmod(0o755)
        (machine.root / "user-data").write_text(user_data)
        # The one of the pinned packages, beside this Python.
        shellcheck = Path(sys.executable).with_name("shellcheck")
        for script in ("user-data", "local/sbin/weir-boot"):
            done = subprocess.run([shellcheck, machine.root / script], stdout=subprocess.PIPE, text=True, check=False)
            findings += [f"{name}: shellcheck {script}:\n{done.stdout}"] if done.returncode else []
        units = sorted(f"/etc/systemd/system/{path.name}" for path in (machine.root / "etc/systemd/system").glob("*.service"))
        code, said = machine.run("systemd-analyze", "verify", "--man=no", *units)
        findings += [f"{name}: systemd-analyze verify: {said}"] if code or said.strip() else []
        code, said = machine.run("systemd-analyze", "security", "--offline=true", "--no-pager", "/etc/systemd/system/weir-worker.service")
        found = re.search(r"Overall exposure level for .*?: ([0-9.]+)", said)
        exposure = float(found[1]) if found else 10.0
        if exposure > EXPOSURE_MAX:
            findings.append(f"{name}: the worker's unit is exposed {exposure}, at most {EXPOSURE_MAX} is allowed:\n{said}")
        return exposure


def statements(profile_arn):
    """What the role of an instance profile allows: its policies' statements, by policy."""
    iam = boto3.client("iam")
    profile = iam.get_instance_profile(InstanceProfileName=profile_arn.rsplit("/", 1)[1])["InstanceProfile"]
    role = profile["Roles"][0]["RoleName"]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {n: iam.get_role_policy(RoleName=role, PolicyName=n)["PolicyDocument"]["Statement"] for n in names}


def hold_against_role(name, calls, policies, findings):
    """Every call is allowed, and of what the instance's own policy allows nothing is left over."""
    for action, resource in sorted(calls):
        allowed = any(
            action in statement["Action"] and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
            for policy in policies.values()
            for statement in policy
        )
        if not allowed:
            findings.append(f"{name}: the role lacks {action} on {resource}")
    granted = {action for statement in policies["instance"] for action in statement["Action"]}
    # The worker's own: it keeps the hook alive while it drains. Under a customer's key, S3 asks for
    # the decryption.
    unused = granted - {action for action, _ in calls} - {"autoscaling:RecordLifecycleActionHeartbeat", "kms:Decrypt"}
    findings += [f"{name}: the role allows {action}, which nothing called" for action in sorted(unused)]


################################################################################
# What happens at a boot
################################################################################


def play(title, scenario, user_data, findings):
    """One scenario on a machine of its own; gives the calls to AWS that it made."""
    with tempfile.TemporaryDirectory() as folder:
        machine = installed(Path(folder) / "root", user_data)
        archive = archive_of({"weir-worker": WORKER})
        (machine.played / "artifact").write_bytes(archive)
        settings = machine.root / "etc/weir/boot.env"
        # The digest of what is played here takes the place of the real artifact's.
        text = re.sub(r'(WEIR_ARTIFACT_SHA256=)"\w+"', rf'\1"{hashlib.sha256(archive).hexdigest()}"', settings.read_text())
        settings.write_text(text)
        try:
            scenario(machine)
        except AssertionError as wrong:
            told = "\n  ".join(machine.calls())
            findings.append(f"{title}: {wrong}\n  {told}")
        return {call for line in machine.calls() if (call := aws_call(line))}


def installed(root, user_data):
    """A machine on which user data has run."""
    machine = Machine(root)
    (root / "user-data").write_text(user_data)
    code, said = machine.run("bash", "/user-data")
    assert code == 0, f"user data ended with {code}: {said}"
    assert machine.calls()[-1] == "systemctl start --no-block weir-boot.service", f"user data starts nothing: {machine.calls()}"
    machine.log.write_text("")
    return machine


def archive_of(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def aws_call(line):
    """The IAM action and resource of a command of the AWS CLI."""
    words = line.split()
    if words[:3] == ["aws", "s3", "cp"]:
        return "s3:GetObject", words[4].replace("s3://", "arn:aws:s3:::")
    if words[:3] == ["aws", "autoscaling", "complete-lifecycle-action"]:
        group = words[words.index("--auto-scaling-group-name") + 1]
        return "autoscaling:CompleteLifecycleAction", f"arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:0:autoScalingGroupName/{group}"
    return None


def told(machine):
    """What hooks were told, in order, with what was done between."""
    story = []
    for line in machine.calls():
        if "complete-lifecycle-action" in line:
            words = line.split()
            story.append(f"{words[words.index('--lifecycle-hook-name') + 1]} {words[-1]}")
        elif line in ("worker runs", "systemctl stop weir-worker.service"):
            story.append(line)
    return story


def booted(machine, states, *arguments, expect):
    with Metadata(machine, states) as metadata:
        code, said = machine.boot(metadata, *arguments)
    assert code == expect, f"ended with {code}, not {expect}: {said}"
    return said


def expect_story(machine, *story):
    assert told(machine) == list(story), f"expected {list(story)}, found {told(machine)}"


def serves_once_the_worker_is_ready(machine):
    machine.hold(BOOT)
    (machine.played / "unready").write_text("2")
    booted(machine, [None, None, "InService"], expect=0)
    expect_story(machine, "worker runs", f"{BOOT} CONTINUE")


def runs_nothing_of_another_digest(machine):
    machine.hold(BOOT, DRAIN)
    (machine.played / "artifact").write_bytes(archive_of({"weir-worker": WORKER, "other": "x"}))
    said = booted(machine, ["InService", "Terminated"], expect=1)
    expect_story(machine, f"{BOOT} ABANDON", "systemctl stop weir-worker.service", f"{DRAIN} CONTINUE")
    assert "is not the file of SHA-256" in said, f"it must say why: {said}"
    assert not list((machine.root / "opt/weir").iterdir()), "something was unpacked"


def refuses_an_archive_without_a_worker(machine):
    machine.hold(BOOT)
    archive = archive_of({"worker": WORKER})
    (machine.played / "artifact").write_bytes(archive)
    settings = machine.root / "etc/weir/boot.env"
    settings.write_text(re.sub(r'(SHA256=)"\w+"', rf'\1"{hashlib.sha256(archive).hexdigest()}"', settings.read_text()))
    said = booted(machine, ["Terminated"], expect=1)
    assert told(machine)[0] == f"{BOOT} ABANDON" and "no archive with weir-worker at its top" in said, said


def waits_for_a_late_network(machine):
    machine.hold(BOOT)
    (machine.played / "fetch").write_text("3")
    (machine.played / "complete").write_text("2")
    booted(machine, ["InService"], expect=0)
    expect_story(machine, "worker runs", *[f"{BOOT} CONTINUE"] * 3)


def gives_up_without_a_network(machine):
    machine.hold(BOOT)
    (machine.played / "fetch").write_text("99")
    said = booted(machine, ["Terminated"], expect=1)
    assert "could not be fetched in 6 tries" in said and told(machine)[0] == f"{BOOT} ABANDON", said


def starts_no_worker_in_a_warm_pool(machine):
    machine.hold(BOOT)
    warmed = ["Warmed:Running"] * 4
    with Metadata(machine, [*warmed, "InService"]) as metadata:
        code, said = machine.boot(metadata)
    assert code == 0, said
    # Prepared, then taken out: the hook of the second launch no longer waits here, which is no fault.
    expect_story(machine, f"{BOOT} CONTINUE", "worker runs", f"{BOOT} CONTINUE")
    calls = machine.calls()
    assert calls.index("wanted InService") < calls.index("worker runs"), "the worker began before it was wanted"


def leaves_a_warm_pool_without_having_worked(machine):
    machine.hold(BOOT, DRAIN)
    booted(machine, ["Warmed:Running", "Warmed:Running", "Warmed:Terminated"], expect=0)
    expect_story(machine, f"{BOOT} CONTINUE", f"{DRAIN} CONTINUE")


def boots_again_without_fetching_again(machine):
    machine.hold(BOOT)
    booted(machine, ["InService"], expect=0)
    machine.log.write_text("")
    (machine.played / "artifact").unlink()
    booted(machine, ["InService"], expect=0)
    expect_story(machine, "worker runs", f"{BOOT} CONTINUE")
    assert not [line for line in machine.calls() if "s3 cp" in line], "it was fetched again"


def abandons_a_worker_that_is_never_ready(machine):
    machine.hold(BOOT, DRAIN)
    impatient(machine)
    (machine.played / "unready").write_text("999999")
    said = booted(machine, ["InService", "InService", "Terminated"], expect=1)
    expect_story(machine, f"{BOOT} ABANDON", "systemctl stop weir-worker.service", f"{DRAIN} CONTINUE")
    assert "was not ready in" in said, said


def abandons_a_worker_that_refuses_its_settings(machine):
    machine.hold(BOOT)
    (machine.played / "unready").write_text("999999")
    (machine.played / "status").write_text("64")
    booted(machine, ["InService", "Terminated"], expect=1)
    starts = machine.calls().count("systemctl start weir-worker.service")
    assert starts == 1, f"started {starts} times: wrong settings stay wrong"


def leaves_an_instance_in_service_to_systemd(machine):
    impatient(machine)
    (machine.played / "unready").write_text("999999")
    booted(machine, ["InService"], expect=1)
    expect_story(machine, f"{BOOT} ABANDON")


def lets_a_drained_instance_go(machine):
    machine.hold(DRAIN)
    booted(machine, ["InService", "InService", "Terminated"], "leave", expect=0)
    expect_story(machine, f"{DRAIN} CONTINUE")


def impatient(machine):
    """Waiting takes no time here, so trying has to end otherwise."""
    settings = machine.root / "etc/weir/boot.env"
    settings.write_text(re.sub(r'(WEIR_BOOT_SECONDS=)"\d+"', r'\1"1"', settings.read_text()))


SCENARIOS = [
    serves_once_the_worker_is_ready,
    runs_nothing_of_another_digest,
    refuses_an_archive_without_a_worker,
    waits_for_a_late_network,
    gives_up_without_a_network,
    starts_no_worker_in_a_warm_pool,
    leaves_a_warm_pool_without_having_worked,
    boots_again_without_fetching_again,
    abandons_a_worker_that_is_never_ready,
    abandons_a_worker_that_refuses_its_settings,
    leaves_an_instance_in_service_to_systemd,
    lets_a_drained_instance_go,
]


if __name__ == "__main__":
    main()
