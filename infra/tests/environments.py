"""Python packages in virtual environments of their own, below target/infra, made anew when what
they are asked to hold changes."""

import shutil
import subprocess
import threading
import venv
from pathlib import Path

from shell import Failed, run

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "infra"

# Two lanes that need one environment make it once.
_MAKING = threading.Lock()


def emulator():
    """moto, and what reads it back and reads HCL: the environment's Python."""
    return _python("venv", "requirements.txt")


def checkov():
    """checkov, whose own pins would tie the emulator's packages down: the environment's Python."""
    return _python("checkov", "requirements-checkov.txt")


def _python(name, requirements):
    with _MAKING:
        return _made(HOME / name, Path(__file__).with_name(requirements))


def _made(folder, requirements):
    wanted = requirements.read_text()
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            venv.create(folder, with_pip=True)
        except subprocess.CalledProcessError as error:
            raise Failed("python3 cannot make virtual environments here; on Debian: apt install python3-venv") from error
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "--requirement", requirements])
        stamp.write_text(wanted)
    return python
