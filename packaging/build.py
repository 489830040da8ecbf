"""Builds the programs for one processor, by cargo-zigbuild, so that they ask for no newer C library
than names.GLIBC, and with no path of this machine in them."""

import os
import subprocess
import venv
from pathlib import Path

from names import GLIBC, PROGRAMS

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


class Missing(Exception):
    """The toolchain lacks something; the text says what, and how to get it."""


def programs(root, target_dir, arch, epoch):
    """Builds all programs at once, since they share most crates: the path of each, by name."""
    require_std(arch)
    tools = install_tools(target_dir.parent / "venv")
    env = environment(root, target_dir, arch, epoch)
    env["PATH"] = f"{tools}{os.pathsep}{env['PATH']}"
    glibc = ".".join(map(str, GLIBC))
    command = ["cargo", "zigbuild", "--release", "--locked", "--target", f"{arch.target}.{glibc}"]
    for program, crate in PROGRAMS.items():
        command += ["--package", crate, "--bin", program]
    subprocess.run(command, cwd=root, env=env, check=True)
    return {program: target_dir / arch.target / "release" / program for program in PROGRAMS}


def require_std(arch):
    """The standard library of the target comes with the toolchain, or is a line away."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout.strip()
    if not (Path(sysroot) / "lib" / "rustlib" / arch.target / "lib").is_dir():
        raise Missing(f"{arch.name}: rust-std for {arch.target} is missing; get it by: rustup target add {arch.target}")


def install_tools(folder):
    """zig and cargo-zigbuild, pinned, in an environment of their own: the folder of programs."""
    wanted = REQUIREMENTS.read_text()
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--requirement", REQUIREMENTS], check=True)
        stamp.write_text(wanted)
    return folder / "bin"


def environment(root, target_dir, arch, epoch):
    """What a build may depend on. A path is replaced by what it stands for, the last that fits:
    the target folder lies in the checkout, as a rule."""
    cargo_home = os.environ.get("CARGO_HOME", Path.home() / ".cargo")
    places = {root: "/weir", target_dir: "/target", cargo_home: "/cargo"}
    env = {name: value for name, value in os.environ.items() if name != "RUSTFLAGS"}
    env.update(
        CARGO_ENCODED_RUSTFLAGS="\x1f".join(f"--remap-path-prefix={path}={name}" for path, name in places.items()),
        CARGO_INCREMENTAL="0",
        CARGO_TARGET_DIR=str(target_dir),
        SOURCE_DATE_EPOCH=str(epoch),
    )
    # The C code of the TLS library says where it stands, too.
    env[f"CFLAGS_{arch.target.replace('-', '_')}"] = " ".join(f"-ffile-prefix-map={path}={name}" for path, name in places.items())
    return env
