"""moto in a virtual environment of its own, started on a free loopback port, and ended by its id."""

import shutil
import subprocess
import venv
from pathlib import Path

from shell import Failed, environment_without_aws, run

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "infra" / "tests" / "requirements.txt"
HOME = ROOT / "target" / "infra" / "venv"


def install():
    """The pinned requirements; made anew when they change. Gives the environment's Python."""
    wanted = REQUIREMENTS.read_text()
    python = HOME / "bin" / "python"
    stamp = HOME / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(HOME, ignore_errors=True)
        try:
            venv.create(HOME, with_pip=True)
        except subprocess.CalledProcessError as error:
            raise Failed("python3 cannot make virtual environments here; on Debian: apt install python3-venv") from error
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "--requirement", REQUIREMENTS])
        stamp.write_text(wanted)
    return python


def start(python, server, log):
    """Starts a server that prints its URL once it listens: the process, and the URL."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [python, server],
            env=environment_without_aws(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    url = process.stdout.readline().strip()
    if not url:
        process.wait()
        raise Failed(f"moto did not start:\n{log.read_text()}")
    return process, url


def end(process):
    """By its id, and by force when it does not go."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
