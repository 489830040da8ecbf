"""Names that others rely on: Terraform's variables, the guides, package managers."""

import unittest

from names import ARCHES, bill, of_arch, sums


class Names(unittest.TestCase):
    def test_are_those_that_the_guides_use(self):
        self.assertEqual(
            of_arch("0.1.0", ARCHES["arm64"]),
            [
                "weir-0.1.0-arm64.tar.gz",
                "weir-lambda-0.1.0-arm64.zip",
                "weir-worker-0.1.0-arm64.tar.gz",
                "weir-worker_0.1.0_arm64.deb",
                "weir_0.1.0_arm64.deb",
            ],
        )
        self.assertEqual(of_arch("1.2.3", ARCHES["x86_64"])[-1], "weir_1.2.3_amd64.deb")
        self.assertEqual(bill("weir", "0.1.0"), "weir-0.1.0.cdx.json")

    def test_sums_are_in_order_and_as_sha256sum_reads_them(self):
        self.assertEqual(sums({"b": "22", "a": "11"}), "11  a\n22  b\n")
