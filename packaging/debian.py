"""The .deb packages: their trees and control files, packed by dpkg-deb."""

import gzip
import os
import subprocess
from pathlib import Path

from archives import PROGRAM, TEXT, Entry
from names import GLIBC

DESCRIPTIONS = {
    "weir": "keeps a fleet of workers the right size for its SQS backlog",
    "weir-worker": "does the work that waits in SQS queues, and loses none of it",
}
UNITS = {"weir": ("weir.service", "weir.timer"), "weir-worker": ("weir-worker.service",)}
# What is started and stopped; the service of a timer comes and goes by itself.
STARTED = {"weir": "weir.timer", "weir-worker": "weir-worker.service"}


def control(program, version, arch, kib):
    """https://www.debian.org/doc/debian-policy/ch-controlfields.html"""
    return f"""\
Package: {program}
Version: {version}
Architecture: {arch.debian}
Maintainer: The Weir project <weir@localhost>
Installed-Size: {kib}
Depends: ca-certificates, libc6 (>= {GLIBC[0]}.{GLIBC[1]})
Section: admin
Priority: optional
Description: {DESCRIPTIONS[program]}
 Weir keeps a fleet of EC2 instances the right size for its SQS backlog.
 Nothing is started by installing: fill in /etc/weir, then
 systemctl enable --now {STARTED[program]}
"""


def scripts(program):
    """systemd learns of the units; a removed program is stopped first, which lets a worker drain."""
    unit = STARTED[program]
    running = "[ -d /run/systemd/system ]"
    return {
        "postinst": f"#!/bin/sh\nset -e\nif {running}; then systemctl daemon-reload; fi\n",
        "prerm": f'#!/bin/sh\nset -e\nif [ "$1" = remove ] && {running}; then systemctl disable --now {unit}; fi\n',
        "postrm": f"#!/bin/sh\nset -e\nif {running}; then systemctl daemon-reload; fi\n",
    }


def tree(program, binary, texts, sources):
    """What a package installs. `texts` are the pages and completions, `sources` the files of the
    checkout that go along, by name."""
    doc = f"usr/share/doc/{program}"
    entries = [
        Entry(f"usr/bin/{program}", binary, PROGRAM),
        Entry(f"{doc}/copyright", sources["LICENSE"]),
        Entry(f"{doc}/examples/thumbnails.yaml", sources["thumbnails.yaml"]),
        Entry(f"etc/weir/{settings(program)}", sources[settings(program)]),
        Entry(f"usr/share/bash-completion/completions/{program}", texts["completions/bash"]),
        Entry(f"usr/share/zsh/vendor-completions/_{program}", texts["completions/zsh"]),
        Entry(f"usr/share/fish/vendor_completions.d/{program}.fish", texts["completions/fish"]),
    ]
    entries += [Entry(f"usr/lib/systemd/system/{unit}", sources[unit]) for unit in UNITS[program]]
    for name, page in texts.items():
        if name.startswith("man/"):
            entries.append(Entry(f"usr/share/man/man1/{name[4:]}.gz", gzip.compress(page, 9, mtime=0)))
    return entries


def settings(program):
    return {"weir": "weir.env", "weir-worker": "worker.env"}[program]


def pack(folder, out, package, epoch):
    """Lays `package` = (program, control, entries) out in a folder and has dpkg-deb pack it."""
    program, control_text, entries = package
    files = [*entries, Entry("DEBIAN/control", control_text.encode())]
    files.append(Entry("DEBIAN/conffiles", f"/etc/weir/{settings(program)}\n".encode()))
    files += [Entry(f"DEBIAN/{name}", text.encode(), PROGRAM) for name, text in scripts(program).items()]
    for entry in files:
        path = folder / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.data)
        path.chmod(entry.mode)
    (folder / "etc" / "weir" / settings(program)).chmod(TEXT)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(PROGRAM)
        os.utime(path, (epoch, epoch))
    # One thread: how xz cuts its blocks must not depend on the machine.
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", folder, out]
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)


def unpacked_size_kib(entries):
    return sum(-(-len(entry.data) // 1024) for entry in entries)


def read_sources(root):
    """The files of the checkout that packages carry."""
    units = {
        "weir.service": "infra/modules/controller/templates/weir.service",
        "weir.timer": "infra/modules/controller/templates/weir.timer",
        "weir-worker.service": "packaging/units/weir-worker.service",
        "weir.env": "packaging/units/weir.env",
        "worker.env": "packaging/units/worker.env",
        "thumbnails.yaml": "policies/thumbnails.yaml",
        "LICENSE": "LICENSE",
    }
    return {name: (Path(root) / path).read_bytes() for name, path in units.items()}
