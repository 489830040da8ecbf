"""Running commands: what they may see of the environment, how long they may take, how they fail,
and that all of them end when the run is stopped."""

import os
import signal
import subprocess
import threading

# Apply takes a sixth of this; a hung provider must not hang CI.
SECONDS_MAX = 600


class Failed(Exception):
    """A step did not do what it must; the text is for whoever reads the terminal."""


def environment_without_aws():
    """This process's environment without anything that could lead to a real account."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_", "WEIR_"))
        and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
    }
    env.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_REGION="eu-west-1",
        AWS_DEFAULT_REGION="eu-west-1",  # boto3 reads this one alone
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        # Nobody listens there; the emulator's URL takes its place.
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
        # The emulator answers what it lacks with 500: to be told once more is enough.
        AWS_MAX_ATTEMPTS="2",
    )
    return env


def run(command, env=None, folder=None):
    """The output of a command that must succeed."""
    return execute(command, env, folder, allowed=(0,))[1]


def execute(command, env, folder, allowed):
    """Exit code and output of a command; Failed, with its output, for a code not allowed."""
    words = [str(word) for word in command]
    process = RUNNING.start(words, env, folder)
    try:
        said, _ = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        raise Failed(f"{' '.join(words)}: not done in {SECONDS_MAX} s, ended\n{said}") from None
    finally:
        RUNNING.ended(process)
    if process.returncode not in allowed:
        raise Failed(f"{' '.join(words)}: exit code {process.returncode}\n{said}")
    return process.returncode, said


class Running:
    """The commands that run at this moment, so that whoever stops the run stops them, too."""

    def __init__(self):
        self._lock = threading.Lock()
        self._processes = set()
        self._stopped = False

    def start(self, words, env, folder):
        with self._lock:
            if self._stopped:
                raise Failed(f"{words[0]} not started: the run was stopped")
            process = subprocess.Popen(
                words,
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                # A group of its own: terraform's providers must end with it.
                start_new_session=True,
            )
            self._processes.add(process)
            return process

    def ended(self, process):
        with self._lock:
            self._processes.discard(process)

    def stop(self):
        """Ends all, and lets none start any more."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                os.killpg(process.pid, signal.SIGTERM)


RUNNING = Running()
