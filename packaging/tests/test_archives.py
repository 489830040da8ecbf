"""Archives are the same whatever the order, the time and the machine."""

import io
import tarfile
import unittest
import zipfile

from archives import PROGRAM, ZIP_EPOCH, Entry, ordered, tar_gz, zip_archive

FILES = [Entry("weir", b"\x7fELF", PROGRAM), Entry("LICENSE", b"Apache-2.0\n"), Entry("man/weir.1", b".TH weir\n")]
EPOCH = 1_700_000_000


class Archives(unittest.TestCase):
    def test_order_of_files_changes_no_byte(self):
        for write in (tar_gz, zip_archive):
            with self.subTest(write.__name__):
                self.assertEqual(write(FILES, EPOCH), write(FILES[::-1], EPOCH))

    def test_tar_is_roots_and_of_the_given_time(self):
        with tarfile.open(fileobj=io.BytesIO(tar_gz(FILES, EPOCH))) as tar:
            members = tar.getmembers()
        self.assertEqual([member.name for member in members], ["LICENSE", "man/weir.1", "weir"])
        self.assertEqual({(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members}, {(0, 0, "root", "root", EPOCH)})
        self.assertEqual([oct(member.mode) for member in members], ["0o644", "0o644", "0o755"])

    def test_gzip_header_tells_no_time_and_no_name(self):
        header = tar_gz(FILES, EPOCH)[:10]
        self.assertEqual(header[3], 0, "no flags: no name")
        self.assertEqual(header[4:8], bytes(4), "no time")

    def test_zip_keeps_what_may_be_executed(self):
        with zipfile.ZipFile(io.BytesIO(zip_archive([Entry("bootstrap", b"\x7fELF", PROGRAM)], EPOCH))) as file:
            info = file.getinfo("bootstrap")
        self.assertEqual(info.create_system, 3)
        self.assertEqual(oct(info.external_attr >> 16), "0o100755")
        self.assertEqual(info.date_time, (2023, 11, 14, 22, 13, 20))

    def test_zip_takes_the_first_time_it_knows_for_one_before(self):
        self.assertEqual(zip_archive(FILES, 0), zip_archive(FILES, ZIP_EPOCH))

    def test_refuses_a_name_that_stands_twice(self):
        with self.assertRaisesRegex(ValueError, "weir twice"):
            ordered([*FILES, Entry("weir", b"another")])
