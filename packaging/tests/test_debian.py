"""The packages' control files and trees."""

import unittest
from pathlib import Path

import debian
from names import ARCHES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {"completions/bash": b"b", "completions/fish": b"f", "completions/zsh": b"z", "man/weir.1": b".TH"}


class Debian(unittest.TestCase):
    def test_control_asks_for_the_library_it_was_linked_to(self):
        control = debian.control("weir", "0.1.0", ARCHES["x86_64"], 12)
        self.assertIn("\nDepends: ca-certificates, libc6 (>= 2.34)\n", control)
        self.assertIn("\nArchitecture: amd64\n", control)
        self.assertTrue(control.endswith("\n"))

    def test_every_program_brings_its_units_and_settings(self):
        sources = debian.read_sources(ROOT)
        for program, units in debian.UNITS.items():
            with self.subTest(program):
                names = [entry.name for entry in debian.tree(program, b"", TEXTS, sources)]
                for unit in units:
                    self.assertIn(f"usr/lib/systemd/system/{unit}", names)
                self.assertIn(f"etc/weir/{debian.settings(program)}", names)
                self.assertIn("usr/share/man/man1/weir.1.gz", names)

    def test_units_start_the_program_where_it_is_installed(self):
        sources = debian.read_sources(ROOT)
        for unit, program in (("weir.service", "weir"), ("weir-worker.service", "weir-worker")):
            with self.subTest(unit):
                text = sources[unit].decode()
                self.assertIn(f"\nExecStart=/usr/bin/{program} run", text)
                self.assertRegex(text, rf"\nEnvironmentFile=-?/etc/weir/{debian.settings(program)}\n")

    def test_removal_stops_and_upgrade_does_not(self):
        prerm = debian.scripts("weir-worker")["prerm"]
        self.assertIn('[ "$1" = remove ]', prerm)
        self.assertIn("systemctl disable --now weir-worker.service", prerm)
