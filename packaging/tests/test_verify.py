"""What is looked at in a program."""

import tempfile
import unittest
from pathlib import Path

import verify

READELF = """
Version needs section '.gnu.version_r' contains 2 entries:
  0x0010:   Name: GLIBC_2.9  Flags: none  Version: 13
  0x0020:   Name: GLIBC_2.34  Flags: none  Version: 12
"""


class Verify(unittest.TestCase):
    def test_versions_are_compared_as_numbers(self):
        self.assertEqual(verify.newest_glibc(READELF), (2, 34))
        self.assertEqual(verify.newest_glibc(READELF.replace("2.34", "2.4")), (2, 9))
        self.assertIsNone(verify.newest_glibc("No version information found in this file."))

    def test_a_file_that_differs_from_its_sum_is_named(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "weir.deb").write_bytes(b"")
            (folder / "SHA256SUMS").write_text(f"{'0' * 64}  weir.deb\n")
            with self.assertRaisesRegex(verify.Wrong, "weir.deb is not the file"):
                verify.check_sums(folder)
