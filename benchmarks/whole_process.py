"""What a program costs from its start to its first result: time, memory, size on disk."""

import os
import statistics
import subprocess
import time
from pathlib import Path

import programs


def once(command, environment, core):
    """Wall seconds, processor seconds and peak resident bytes of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, 1024 * int(printed.split()[-1])


def typical(command, environment, core, runs):
    """The medians of `once`."""
    once(command, environment, core)  # fills caches
    return [
        statistics.median(values)
        for values in zip(*(once(command, environment, core) for _ in range(runs)), strict=True)
    ]


def size_on_disk(program, build, environments):
    """Bytes of the library, or of the packages with all that they require."""

    def printed(*command):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout

    if program.executable:
        lines = printed("ldd", build / program.executable).splitlines()
        library = next(line.split()[2] for line in lines if line.split()[0].startswith(program.installed[0]))
        return Path(library).resolve().stat().st_size
    interpreter = programs.python(environments, program.environment)
    return int(printed(interpreter, programs.HERE / "installed_size.py", *program.installed))
