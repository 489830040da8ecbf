"""Weir's own programs, for the steps that run them: built once for all, whichever step comes first.

WEIR_PROGRAMS names a folder that has them already, as `make test` does, whose end-to-end tests need
them before.
"""

import os
import subprocess
from pathlib import Path

# The checkout, and not the copy of the Terraform configuration that this file may run from.
CHECKOUT = next(folder for folder in Path(__file__).resolve().parents if (folder / "Cargo.toml").is_file())

# Without the large SDK of EC2, which takes ten minutes to build.
FEATURES = ["--no-default-features", "--features", "weir-controller/aws,weir-worker/otel,weir-worker/s3"]
PROGRAMS = {"weir": "weir-controller", "weir-worker": "weir-worker", "weir-sandbox": "weir-sandbox"}


def built():
    """The folder that holds the programs. Two steps at once build one after the other: cargo locks
    its folder, and both ask for the same."""
    there = os.environ.get("WEIR_PROGRAMS")
    if there:
        missing = [name for name in PROGRAMS if not Path(there, name).is_file()]
        if missing:
            raise SystemExit(f"WEIR_PROGRAMS is {there}, where {', '.join(missing)} is missing: build it, or unset WEIR_PROGRAMS")
        return Path(there)
    packages = [word for crate in PROGRAMS.values() for word in ("-p", crate)]
    command = ["cargo", "build", "--quiet", "--locked", *FEATURES, *packages, "--bins"]
    subprocess.run(command, cwd=CHECKOUT, check=True, stdin=subprocess.DEVNULL)
    return Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")) / "debug"
