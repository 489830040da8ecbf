"""moto on a free loopback port, one a life, ended by its id."""

import contextlib
import subprocess
from pathlib import Path

from shell import Failed, environment_without_aws

MOTO = Path(__file__).with_name("moto_patched.py")


@contextlib.contextmanager
def running(python, log, server=MOTO):
    """A server for as long as the block lasts: its URL."""
    process, url = start(python, log, server)
    try:
        yield url
    finally:
        end(process)


def start(python, log, server):
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
