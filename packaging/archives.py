"""Archives whose bytes depend on their contents alone: fixed times, owners, order and compression.

Pure: from names and bytes to bytes. Neither the clock nor the file system is looked at.
"""

import gzip
import io
import tarfile
import time
import zipfile
from typing import NamedTuple

PROGRAM, TEXT = 0o755, 0o644

# A zip knows no time before.
ZIP_EPOCH = 315532800  # 1980-01-01


class Entry(NamedTuple):
    """A file of an archive."""

    name: str
    data: bytes
    mode: int = TEXT


def tar_gz(entries, epoch):
    """A .tar.gz of root's files, all of the second `epoch`."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in ordered(entries):
            info = tarfile.TarInfo(entry.name)
            info.size, info.mode, info.mtime = len(entry.data), entry.mode, epoch
            info.uname = info.gname = "root"
            tar.addfile(info, io.BytesIO(entry.data))
    packed = io.BytesIO()
    # No name and no time in gzip's own header.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(plain.getvalue())
    return packed.getvalue()


def zip_archive(entries, epoch):
    """A .zip with Unix modes: Lambda runs `bootstrap` only where it may be executed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for entry in ordered(entries):
            info = zipfile.ZipInfo(entry.name, time.gmtime(max(epoch, ZIP_EPOCH))[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, on whatever system this runs
            info.external_attr = (0o100000 | entry.mode) << 16
            file.writestr(info, entry.data)
    return packed.getvalue()


def ordered(entries):
    """By name; a name that stands twice would hide a file."""
    entries = sorted(entries)
    names = [entry.name for entry in entries]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"an archive would hold {', '.join(sorted(twice))} twice")
    return entries
