"""Looks at what was made as its users will: are the names right, does each program run where it is
meant to, does nothing tell of the machine that it was made on."""

import hashlib
import io
import os
import platform
import re
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import names

NEEDED = re.compile(r"GLIBC_(\d+)\.(\d+)")


class Wrong(Exception):
    """What is wrong with what was made."""


def all_in(folder, version, root):
    """Everything in a folder of `make dist`."""
    check_sums(folder)
    for arch in names.ARCHES.values():
        if not (folder / names.lambda_zip(version, arch)).is_file():
            continue
        for name in names.of_arch(version, arch):
            if not (folder / name).is_file():
                raise Wrong(f"{folder / name} was not made")
        for name, program in programs(folder, version, arch).items():
            check_program(name, program, root)
            check_version(name, program, version, arch)
        for program in names.PROGRAMS:
            check_deb(folder / names.deb(program, version, arch), program, version, arch)


def check_sums(folder):
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise Wrong(f"{name} is not the file that SHA256SUMS tells of")


def programs(folder, version, arch):
    """The programs out of the archives, by where they were found."""
    found = {}
    for program in names.PROGRAMS:
        name = names.tarball(program, version, arch)
        with tarfile.open(folder / name) as tar:
            found[name] = tar.extractfile(program).read()
    name = names.lambda_zip(version, arch)
    with zipfile.ZipFile(io.BytesIO((folder / name).read_bytes())) as file:
        if file.namelist() != ["bootstrap"] or not file.getinfo("bootstrap").external_attr >> 16 & 0o111:
            raise Wrong(f"{name} must hold an executable `bootstrap` and nothing else")
        found[name] = file.read("bootstrap")
    return found


def check_program(name, program, root):
    """No newer C library than allowed, and no path of this machine."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(program)
        file.flush()
        command = ["readelf", "--wide", "--version-info", file.name]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    newest = newest_glibc(printed)
    if newest is None:
        raise Wrong(f"{name}: readelf finds no glibc version in it at all")
    if newest > names.GLIBC:
        raise Wrong(f"{name} needs glibc {dotted(newest)}; {dotted(names.GLIBC)} is what it must run on")
    for path in (str(root), str(Path.home())):
        # A short home, such as /root, is a word of its own in many a text.
        if f"{path}/".encode() in program and path != "/":
            raise Wrong(f"{name} has the path {path} of this machine in it")


def newest_glibc(printed):
    """The newest version that `readelf --version-info` names, or None."""
    return max(((int(major), int(minor)) for major, minor in NEEDED.findall(printed)), default=None)


def dotted(version):
    return ".".join(map(str, version))


def check_version(name, program, version, arch):
    """It runs, where this machine can run it."""
    if platform.machine() not in (arch.name, arch.target.split("-")[0]) or platform.system() != "Linux":
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(program)
        path.chmod(0o755)
        # As a shell runs it: in Lambda, the runtime's address would make it wait for events.
        env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        done = subprocess.run([path, "--version"], capture_output=True, text=True, env=env, timeout=60, check=False)
    if done.returncode or done.stdout.split()[-1:] != [version]:
        raise Wrong(f"{name}: --version ended with {done.returncode} and said {done.stdout!r} {done.stderr!r}")


def check_deb(path, program, version, arch):
    fields = {"Package": program, "Version": version, "Architecture": arch.debian}
    for field, expected in fields.items():
        found = subprocess.run(["dpkg-deb", "--field", path, field], check=True, capture_output=True, text=True).stdout.strip()
        if found != expected:
            raise Wrong(f"{path.name}: {field} is {found!r}, not {expected!r}")
    listed = subprocess.run(["dpkg-deb", "--contents", path], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        if line.split()[1] != "root/root":
            raise Wrong(f"{path.name}: not root's: {line}")
    if not re.search(rf"^-rwxr-xr-x .* \./usr/bin/{program}$", listed, re.MULTILINE):
        raise Wrong(f"{path.name} does not install an executable /usr/bin/{program}")
