"""terraform, run in a copy of the root against an emulator on loopback, and nowhere else."""

import json
import threading
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from shell import Failed, environment_without_aws, execute

# Where machines and images put a provider mirror: the folder registry.terraform.io lies at most
# three levels below one of these.
MIRROR_ROOTS = ("/opt", "/usr/share", "/usr/local/share")
PROVIDER = "registry.terraform.io/hashicorp/aws"

CACHE = Path(__file__).resolve().parents[2] / "target" / "infra" / "providers"

# Exit codes of plan -detailed-exitcode.
NO_CHANGES, CHANGES = 0, 2

# What the root has no default for, and what lets a test tear down.
VARIABLES = """\
region              = "eu-west-1"
controller_artifact = { path = "test-lambda.zip" }
deletion_protection = false
worker_image        = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/reports:0.1.0" # of the example `complete`

worker = {
  artifact    = { path = "test-worker.tar.gz" }
  exec        = "./thumbnail.sh"
  environment = { THUMBNAILS_BUCKET = "photos" }
}
"""


# Terraform's cache of providers is not made for two inits at once.
_INITIALISING = threading.Lock()


class Terraform:
    """The commands of one root, each returning a line for the table of steps."""

    def __init__(self, folder, data):
        self.folder = folder
        self.env = environment_without_aws()
        self.env.update(TF_DATA_DIR=str(data), TF_IN_AUTOMATION="1", TF_INPUT="0", CHECKPOINT_DISABLE="1")
        self._cache_providers()
        (folder / "test.tfvars").write_text(VARIABLES)
        # The emulator starts no function and no instance: any file will do as long as its digest is
        # its own.
        (folder / "test-worker.tar.gz").write_bytes(b"")
        with zipfile.ZipFile(folder / "test-lambda.zip", "w") as package:
            package.writestr("bootstrap", "#!/bin/sh\n")

    def use_endpoint(self, url):
        if urlsplit(url).hostname != "127.0.0.1":
            raise Failed(f"the endpoint is {url}: nothing but 127.0.0.1 may be applied to")
        self.env["AWS_ENDPOINT_URL"] = url

    def init(self):
        mirror = find_mirror()
        with _INITIALISING:
            self._run("init", *([f"-plugin-dir={mirror}"] if mirror else []))
        return "provider from this machine's mirror" if mirror else "provider from the registry"

    def check_format(self):
        code, printed = self._execute("fmt", "-check", "-diff", "-recursive", allowed=(0, 3))
        if code:
            raise Failed(f"not formatted; run: terraform fmt -recursive infra\n{printed}")

    def validate(self):
        self._run("validate")

    def tests(self):
        """Names of the files of plans with a mocked provider."""
        return sorted(path.name for path in (self.folder / "tests").glob("*.tftest.hcl"))

    def test(self, name):
        return self._run("test", f"-filter=tests/{name}").strip().splitlines()[-1]

    def apply(self):
        return _line(self._run("apply", "-auto-approve", "-var-file=test.tfvars"), "Apply complete!")

    def plan_again(self):
        code, printed = self._execute(
            "plan", "-detailed-exitcode", "-var-file=test.tfvars", allowed=(NO_CHANGES, CHANGES)
        )
        if code == CHANGES:
            raise Failed(f"a plan right after apply must be empty\n{printed}")
        return "no changes"

    def planned_changes(self):
        """What a plan would change: by address, the attributes that differ."""
        self._run("plan", "-out=test.tfplan", "-var-file=test.tfvars")
        plan = json.loads(self._run("show", "-json", "test.tfplan"))
        return {
            change["address"]: _differing(change["change"])
            for change in plan["resource_changes"]
            if change["change"]["actions"] not in (["no-op"], ["read"])  # to read is to change nothing
        }

    def planned_actions(self):
        """What a plan would do: by address, the actions."""
        self._run("plan", "-out=test.tfplan", "-var-file=test.tfvars")
        plan = json.loads(self._run("show", "-json", "test.tfplan"))
        return {
            change["address"]: change["change"]["actions"]
            for change in plan["resource_changes"]
            if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
        }

    def destroy(self):
        """Destroys all, and looks that the state agrees."""
        printed = self._run("destroy", "-auto-approve", "-var-file=test.tfvars")
        left = self._run("state", "list")
        if left.strip():
            raise Failed(f"destroy left these in the state:\n{left}")
        return _line(printed, "Destroy complete!")

    def _cache_providers(self):
        """Downloads a provider once for all lanes. The lock file is not in the checkout, and
        Terraform takes from the cache without one only where that is said."""
        CACHE.mkdir(parents=True, exist_ok=True)
        self.env.update(TF_PLUGIN_CACHE_DIR=str(CACHE), TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE="1")

    def _run(self, *arguments):
        return self._execute(*arguments, allowed=(0,))[1]

    def _execute(self, command, *arguments, allowed):
        plain = [] if command in ("show", "state") else ["-no-color"]
        return execute(["terraform", command, *plain, *arguments], self.env, self.folder, allowed)


def find_mirror():
    """The first mirror that holds the provider, if this machine has one."""
    for top in map(Path, MIRROR_ROOTS):
        for levels in ("", "*/", "*/*/"):
            for found in sorted(top.glob(f"{levels}registry.terraform.io")):
                if any((found.parent / PROVIDER).glob("5.*")):
                    return found.parent
    return None


def _differing(change):
    """Names of the attributes that will differ; what is known only after apply counts as well,
    where a value was there before."""
    before, after, unknown = (_filled(change[key]) or {} for key in ("before", "after", "after_unknown"))
    edited = {name for name in {*before, *after} - {*unknown} if before.get(name) != after.get(name)}
    return edited | {name for name in unknown if isinstance(unknown[name], list)}


def _filled(value):
    """Without what is empty: providers say "none" as null, "", [] and blocks of these."""
    if isinstance(value, dict):
        kept = {name: _filled(part) for name, part in value.items()}
        return {name: part for name, part in kept.items() if part is not None} or None
    if isinstance(value, list):
        return [part for part in map(_filled, value) if part is not None] or None
    return value if value not in ("", False) else None


def _line(text, beginning):
    return next((line for line in text.splitlines() if line.startswith(beginning)), "ok")
