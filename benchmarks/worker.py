"""A measured program as bench.py sees it: a process on one core that answers a line with a line (peers/worker.h)."""

import os
import subprocess
import tempfile


class Unable(Exception):
    """What a program cannot do, in its own words."""


class Worker:
    def __init__(self, name, command, core, environment=None):
        self.name, self.errors = name, tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | (environment or {}),
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.name} ended:\n{self.errors.read()[-2000:]}")
        if line.startswith("no "):
            raise Unable(line[3:].strip())
        return line.strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
