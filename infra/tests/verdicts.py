#!/usr/bin/env python3
"""Asks `weir validate` and Terraform's module `policies` about each file of the corpus in policies/:
good/ holds what both must take, bad/ what both must refuse, a fault a file and named for it.

verdicts.py [ROOT]   ROOT holds infra/

Prints one line for the table of steps; on failure every file that is judged otherwise, and exits 1.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import programs
from shell import environment_without_aws, execute, run

# What the module is without its outputs, whose preconditions end a plan at the first bad folder.
JUDGE = """
variable "folder" { type = string }
output "problems" { value = local.problems }
"""


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    corpus = root / "infra" / "tests" / "policies"
    weir = programs.built() / "weir"
    wrong, judged = [], 0
    for kind in ("good", "bad"):
        files = sorted(path.name for path in (corpus / kind).glob("*.yaml"))
        problems = terraform_problems(root / "infra" / "modules" / "policies", corpus / kind)
        for name in files:
            judged += 1
            verdicts = {"weir": accepts(weir, corpus / kind / name), "terraform": not problems_of(name, problems)}
            wrong += [
                f"{kind}/{name}: {who} {'takes' if taken else 'refuses'} it: {problems_of(name, problems)}"
                for who, taken in verdicts.items()
                if taken != (kind == "good")
            ]
    print("\n".join(wrong))
    print(f"{judged - len({line.split(':')[0] for line in wrong})} of {judged} files judged alike")
    return 1 if wrong or not judged else 0


def accepts(weir, file):
    code, printed = execute([weir, "validate", "--output", "json", file], environment_without_aws(), None, allowed=(0, 64))
    json.loads(printed)
    return code == 0


def terraform_problems(module, folder):
    """The module's own list of problems with the files of a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in module.glob("*.tf"):
            if path.name not in ("outputs.tf", "variables.tf"):
                shutil.copy(path, scratch)
        Path(scratch, "judge.tf").write_text(JUDGE)
        env = {**environment_without_aws(), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_VAR_folder": str(folder)}
        execute(["terraform", "init", "-no-color"], env, scratch, allowed=(0,))
        execute(["terraform", "apply", "-auto-approve", "-no-color"], env, scratch, allowed=(0,))
        _, printed = execute(["terraform", "output", "-json", "problems"], env, scratch, allowed=(0,))
        return json.loads(printed)


def problems_of(name, problems):
    return [problem for problem in problems if name in problem.split(": ")[0].split(" and ")]


if __name__ == "__main__":
    sys.exit(main())
