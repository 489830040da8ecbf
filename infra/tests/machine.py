"""A machine to boot: a scratch root with the programs of this one, in a mount namespace of its own.

What would leave the machine is played: `aws`, `systemctl`, `useradd` and `sleep` are small scripts,
the metadata service is a server on loopback. All write what they were asked into one log, in order.
"""

import http.server
import os
import shlex
import subprocess
import threading
from pathlib import Path

# In the namespace: this machine's programs, not to be written, around folders of the scratch root.
ENTER = r"""
set -euo pipefail
cd "$1"
for folder in usr bin sbin lib lib64; do
  [ -d "/$folder" ] || continue
  if [ -L "/$folder" ]; then ln -sfn "$(readlink "/$folder")" "$folder"; continue; fi
  mkdir -p "$folder" && mount --bind "/$folder" "$folder"
  mount -o remount,ro,bind "$folder" 2>/dev/null || true
done
mkdir -p local/sbin dev proc && mount --bind local usr/local
mount --rbind /dev dev && mount --rbind /proc proc
shift
exec chroot . "$@"
"""

# Numbers in files of /played say how often something is to fail first.
STUBS = {
    "aws": r"""
echo "aws $*" >>/played/log
fail() { local left; left=$(cat "/played/$1" 2>/dev/null || echo 0); [ "$left" -gt 0 ] && echo $((left - 1)) >"/played/$1"; }
case "$1 $2" in
"s3 cp")
  if fail fetch; then echo "fatal error: Unable to locate credentials" >&2; exit 1; fi
  cp /played/artifact "$5" ;;
"autoscaling complete-lifecycle-action")
  if fail complete; then echo 'Could not connect to the endpoint URL: "https://autoscaling.eu-west-1.amazonaws.com/"' >&2; exit 255; fi
  if [ ! -e "/played/waits/$6" ]; then
    echo "An error occurred (ValidationError) when calling the CompleteLifecycleAction operation: No active Lifecycle Action found with instance ID $8" >&2; exit 254
  fi
  if [ "${10}" = CONTINUE ]; then rm -f "/played/waits/$6"; else rm -f /played/waits/weir-boot; fi ;;
*) echo "aws $*: not played" >&2; exit 252 ;;
esac
""",
    # Starting waits for READY, as systemd does for Type=notify.
    "systemctl": r"""
echo "systemctl $*" >>/played/log
case "$*" in
"start weir-worker.service")
  left=$(cat /played/unready 2>/dev/null || echo 0)
  if [ "$left" -gt 0 ]; then echo $((left - 1)) >/played/unready; exit 1; fi
  exec /opt/weir/weir-worker run ;;
"show -P ExecMainStatus weir-worker.service") cat /played/status 2>/dev/null || echo 1 ;;
esac
""",
    # In a namespace of a user's own, root's number is the only one.
    "useradd": r"""
echo "useradd $*" >>/played/log
echo "${*: -1}:x:0:0::/var/lib/weir:/sbin/nologin" >>/etc/passwd
echo "${*: -1}:x:0:" >>/etc/group
""",
    "sleep": r"""true""",
}


class Machine:
    """A root that scripts run in, as often as it boots."""

    def __init__(self, folder):
        self.root = folder
        self.played = folder / "played"
        self.log = self.played / "log"
        for name in ("etc/systemd/system", "opt", "var/lib", "tmp", "run", "stubs", "played/waits"):
            (folder / name).mkdir(parents=True)
        (folder / "etc/passwd").write_text("root:x:0:0::/root:/bin/bash\n")
        (folder / "etc/group").write_text("root:x:0:\n")
        for name, text in STUBS.items():
            stub = folder / "stubs" / name
            stub.write_text(f"#!/bin/bash\n{text}")
            stub.chmod(0o755)
        self.log.touch()

    def run(self, *command, metadata=None, environment=None):
        """Exit code and output of a command in this root."""
        env = {"PATH": "/stubs:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})}
        if metadata is not None:
            env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = metadata.url
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        words = ["unshare", *as_root, "--mount", "bash", "-c", ENTER, "enter", self.root, *command]
        done = subprocess.run(
            words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout

    def boot(self, metadata, *arguments):
        """weir-boot, with the environment that its unit gives it."""
        environment = read_environment(self.root / "etc/weir/boot.env")
        return self.run("/usr/local/sbin/weir-boot", *arguments, metadata=metadata, environment=environment)

    def hold(self, *hooks):
        """The group waits at these hooks."""
        for hook in hooks:
            (self.played / "waits" / hook).touch()

    def calls(self):
        return self.log.read_text().splitlines()


class Metadata:
    """Instance metadata, version 2: the target lifecycle states in turn, the last for ever; None is
    not told yet."""

    def __init__(self, machine, states):
        self.states = list(states)
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                self.answer(200 if self.path == "/latest/api/token" else 404, "a-token")

            def do_GET(self):
                if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
                    self.answer(401, "")
                elif self.path == "/latest/meta-data/instance-id":
                    self.answer(200, "i-00000000000000001")
                elif self.path == "/latest/meta-data/autoscaling/target-lifecycle-state":
                    state = service.states.pop(0) if len(service.states) > 1 else service.states[0]
                    with machine.log.open("a") as log:
                        log.write(f"wanted {state}\n")
                    self.answer(404 if state is None else 200, state or "")
                else:
                    self.answer(404, "")

            def answer(self, status, text):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def read_environment(path):
    """As systemd reads an EnvironmentFile; the quoting that is used here means the same to a shell."""
    pairs = (line.split("=", 1) for line in Path(path).read_text().splitlines())
    return {name: "".join(shlex.split(value)) for name, value in pairs}
