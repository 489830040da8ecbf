"""What was done, how long it took, what came of it: one table for all lanes."""

import sys
import threading
import time

from shell import Failed


class Table:
    """Rows in the order of the lanes, whatever order they ended in."""

    def __init__(self):
        self._lock = threading.Lock()
        self._lanes = []
        self._began = time.monotonic()

    def lane(self, name):
        lane = Lane(name, self._lock)
        self._lanes.append(lane)
        return lane

    @property
    def failures(self):
        return sum(outcome == "FAILED" for lane in self._lanes for _, _, outcome in lane.rows)

    def print(self):
        rows = [(lane.name, *row) for lane in self._lanes for row in lane.rows]
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        print("\ninfra")
        before = None
        for lane, step, seconds, outcome in rows:
            shown = "" if lane == before else lane
            print(f"  {shown:<{widths[0]}}  {step:<{widths[1]}}  {seconds:6.1f} s  {outcome}")
            before = lane
        wall = time.monotonic() - self._began
        print(f"\n{len(rows) - self.failures} passed, {self.failures} failed, in {wall:.0f} s", flush=True)


class Lane:
    """Steps that follow one another. A step that fails ends its lane and no other."""

    def __init__(self, name, lock):
        self.name = name
        self.rows = []
        self._lock = lock

    def step(self, name, action):
        """Runs one; a line of text that it gives stands in the table."""
        self._say(f"{self.name}: {name} ...")
        began = time.monotonic()
        outcome = "FAILED"
        try:
            result = action()
            outcome = result if isinstance(result, str) else "ok"
            return result
        except Failed as failure:
            self._say(f"\n{self.name}: {name} failed: {failure}\n", sys.stderr)
            raise
        finally:
            self.rows.append((name, time.monotonic() - began, outcome))

    def _say(self, text, where=sys.stdout):
        with self._lock:
            print(text, file=where, flush=True)
