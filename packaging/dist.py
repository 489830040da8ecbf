#!/usr/bin/env python3
"""Makes what is released, in dist/: archives, packages, the Lambda zip, bills of materials, sums.

dist.py [--arch x86_64|arm64] [--target-dir DIR] [--out DIR]

Without --arch it makes what this machine can and tells what it could not. The sources are those of
the checkout; SOURCE_DATE_EPOCH, or else the last commit's time, is the time of all that is made.

Exit codes: 0 made, 2 a build or a check of what was built failed, 64 a tool, or the arch that was
asked for, is missing.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import archives
import bill
import build
import debian
import names
import verify
from archives import PROGRAM, Entry

ROOT = Path(__file__).resolve().parents[1]


def main():
    options = parse()
    require_tools()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    epoch = source_date_epoch()
    options.out.mkdir(parents=True, exist_ok=True)
    for old in options.out.iterdir():
        old.unlink()
    not_built = []
    texts = None
    for arch in [names.ARCHES[options.arch]] if options.arch else names.ARCHES.values():
        try:
            built = build.programs(ROOT, options.target_dir, arch, epoch)
        except build.Missing as missing:
            not_built.append(str(missing))
            continue
        texts = texts or {program: texts_of(path) for program, path in built.items()}
        made = package(version, arch, built, texts, epoch)
        for name, data in made.items():
            (options.out / name).write_bytes(data)
    if texts:
        for program in names.PROGRAMS:
            text = bill.of(ROOT, options.target_dir, program, epoch)
            (options.out / names.bill(program, version)).write_text(text)
        write_sums(options.out)
        verify.all_in(options.out, version, ROOT)
    tell(options.out, not_built)
    return 64 if not_built and (options.arch or not texts) else 0


def parse():
    parser = argparse.ArgumentParser(description="Makes what is released, in dist/.")
    parser.add_argument("--arch", choices=sorted(names.ARCHES), help="only this processor")
    parser.add_argument("--target-dir", type=Path, default=ROOT / "target" / "dist" / "build", help="where cargo builds")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where what is made goes; emptied first")
    return parser.parse_args()


def require_tools():
    for tool, where in {
        "cargo": "https://rustup.rs",
        "dpkg-deb": "your system's packages (dpkg)",
        "readelf": "your system's packages (binutils)",
    }.items():
        if shutil.which(tool) is None:
            print(f"make dist needs {tool}, which is not on the PATH: get it from {where}", file=sys.stderr)
            sys.exit(64)


def source_date_epoch():
    """https://reproducible-builds.org/specs/source-date-epoch/"""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", ROOT, "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print("make dist: no commit here to take the time from: set SOURCE_DATE_EPOCH to seconds since 1970", file=sys.stderr)
        sys.exit(64)
    return int(done.stdout)


def texts_of(program):
    """Pages and completions, as the program itself writes them. They are the same for all
    processors, so those of the first that was built serve; it must run here."""
    if platform.system() != "Linux":
        raise SystemExit(f"make dist runs {program.name} for its pages: run it on Linux")
    texts = {}
    for shell in ("bash", "fish", "zsh"):
        texts[f"completions/{shell}"] = subprocess.run([program, "completions", shell], check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "man", "--dir", folder], check=True)
        for page in sorted(Path(folder).iterdir()):
            texts[f"man/{page.name}"] = page.read_bytes()
    return texts


def package(version, arch, built, texts, epoch):
    """All of names.of_arch: bytes by file name."""
    sources = debian.read_sources(ROOT)
    binaries = {program: path.read_bytes() for program, path in built.items()}
    made = {names.lambda_zip(version, arch): archives.zip_archive([Entry("bootstrap", binaries["weir"], PROGRAM)], epoch)}
    for program, binary in binaries.items():
        entries = [Entry(program, binary, PROGRAM), Entry("LICENSE", sources["LICENSE"])]
        if program == "weir":  # a worker's goes to every instance, and stays lean
            entries += [Entry(name, text) for name, text in texts[program].items()]
            entries += [Entry(unit, sources[unit]) for unit in debian.UNITS[program]]
        made[names.tarball(program, version, arch)] = archives.tar_gz(entries, epoch)
        tree = debian.tree(program, binary, texts[program], sources)
        control = debian.control(program, version, arch, debian.unpacked_size_kib(tree))
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.deb"
            debian.pack(Path(folder) / "tree", out, (program, control, tree), epoch)
            made[names.deb(program, version, arch)] = out.read_bytes()
    return made


def write_sums(out):
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}
    (out / "SHA256SUMS").write_text(names.sums(digests))


def tell(out, not_built):
    sums = out / "SHA256SUMS"
    if sums.is_file():
        print(f"\n{out}:\n{sums.read_text()}", end="")
    for line in not_built:
        print(f"not built: {line}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"make dist: {' '.join(map(str, error.cmd))} ended with {error.returncode}", file=sys.stderr)
        sys.exit(2)
    except verify.Wrong as wrong:
        print(f"make dist: {wrong}", file=sys.stderr)
        sys.exit(2)
