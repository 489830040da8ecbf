#!/usr/bin/env python3
"""Makes dist/ twice, here and in a copy of the checkout elsewhere, and compares every byte.

twice.py [--arch x86_64|arm64] [--again]

With --again the copy goes on from what it built before: for whoever changes the recipe. Else it
starts from nothing.

Exit codes: 0 the same, 1 not the same, else what dist.py ends with.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dist

ROOT = dist.ROOT
ELSEWHERE = ROOT / "target" / "dist" / "elsewhere" / "a-checkout-of-another-name"


def main():
    parser = argparse.ArgumentParser(description="Makes dist/ twice, in two folders, and compares.")
    parser.add_argument("--arch", help="only this processor")
    parser.add_argument("--again", action="store_true", help="the copy goes on from what it built before")
    options = parser.parse_args()
    arguments = ["--arch", options.arch] if options.arch else []
    if not options.again:
        shutil.rmtree(ELSEWHERE.parent, ignore_errors=True)
    copy_checkout()
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(dist.source_date_epoch())}
    for root in (ROOT, ELSEWHERE):
        done = subprocess.run([sys.executable, root / "packaging" / "dist.py", *arguments], env=env, check=False)
        if done.returncode:
            return done.returncode
    different = differing(ROOT / "dist", ELSEWHERE / "dist")
    for name in different:
        print(f"{name} is not the same when it is made elsewhere", file=sys.stderr)
    made = len(list((ROOT / "dist").iterdir()))
    print(f"\n{made - len(different)} of {made} files are the same, made twice in different folders")
    return 1 if different else 0


def copy_checkout():
    """What git has, and what it would take: nothing that is ignored."""
    command = ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():
            continue
        target = ELSEWHERE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # With its time: cargo builds anew what looks newer.
        shutil.copy2(ROOT / name, target)


def differing(one, other):
    """Names of files that are not the same in both folders."""
    found = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, other)]
    return sorted(name for name in {*found[0], *found[1]} if found[0].get(name) != found[1].get(name))


if __name__ == "__main__":
    sys.exit(main())
