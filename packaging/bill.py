"""The bill of materials of each program: what is in it, by cargo-cyclonedx from the lock file."""

import json
import os
import subprocess
import sys

from names import ARCHES, PROGRAMS

CYCLONEDX = "0.5.9"


def of(root, target_dir, program, epoch):
    """CycloneDX 1.5 as JSON, its bytes from the sources alone."""
    tool = install(target_dir.parent / "tools")
    crate = PROGRAMS[program]
    [manifest] = [path for path in root.glob("*/Cargo.toml") if f'name = "{crate}"' in path.read_text()]
    written = manifest.with_name(f"{program}.cdx.json")
    command = [
        tool, "cyclonedx", "--manifest-path", manifest, "--format", "json", "--spec-version", "1.5",
        "--target", ARCHES["x86_64"].target, "--override-filename", f"{program}.cdx", "--quiet",
    ]  # fmt: skip
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    try:
        subprocess.run(command, cwd=root, env=env, check=True)
        return settled(written.read_text(), root)
    finally:
        # One is written beside each member of the workspace.
        for path in root.glob(f"*/{program}.cdx.json"):
            path.unlink()


def install(folder):
    tool = folder / "bin" / "cargo-cyclonedx"
    if not tool.is_file():
        print(f"installing cargo-cyclonedx {CYCLONEDX}", file=sys.stderr, flush=True)
        command = ["cargo", "install", "--quiet", "--locked", "--root", folder, "--version", CYCLONEDX, "cargo-cyclonedx"]
        subprocess.run(command, check=True)
    return tool


def settled(text, root):
    """Without what differs from run to run or from machine to machine: a random serial number, and
    where the checkout lies."""
    document = json.loads(text.replace(f"file://{root}", "file:///weir").replace(str(root), "/weir"))
    document.pop("serialNumber", None)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
