"""What is made, and how it is called. Pure."""

from typing import NamedTuple


class Arch(NamedTuple):
    """A processor: as artifacts, Rust and Debian call it."""

    name: str
    target: str
    debian: str


ARCHES = {
    "x86_64": Arch("x86_64", "x86_64-unknown-linux-gnu", "amd64"),
    "arm64": Arch("arm64", "aarch64-unknown-linux-gnu", "arm64"),
}

# The C library of Amazon Linux 2023, and with it of Lambda's provided.al2023 and of the machines
# that a fleet launches: https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
GLIBC = (2, 34)

# The programs, and the crate of each.
PROGRAMS = {"weir": "weir-controller", "weir-worker": "weir-worker"}


def tarball(program, version, arch):
    return f"{program}-{version}-{arch.name}.tar.gz"


def lambda_zip(version, arch):
    return f"weir-lambda-{version}-{arch.name}.zip"


def deb(program, version, arch):
    """As Debian names packages: https://www.debian.org/doc/manuals/debian-faq/pkg-basics.en.html#pkgname"""
    return f"{program}_{version}_{arch.debian}.deb"


def bill(program, version):
    """The bill of materials, CycloneDX."""
    return f"{program}-{version}.cdx.json"


def of_arch(version, arch):
    """All that is made for one processor."""
    made = [lambda_zip(version, arch)]
    for program in PROGRAMS:
        made += [tarball(program, version, arch), deb(program, version, arch)]
    return sorted(made)


def sums(digests):
    """SHA256SUMS, as `sha256sum --check` reads it, from file names and hexadecimal digests."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
