"""The Python package: an sdist without the library, and for each CPU a wheel that carries it. Both have the C headers.

    wheels.py VERSION OUTPUT WORK      (called by build.sh; VERSION is the header's, for a check)

The library refers to no C library by name or version, so one file serves every glibc and musl: the tags of a wheel name
the oldest systems that packaging tools know for its CPU. `packaging/test.sh` asks auditwheel whether they are true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = {
    "x86_64": ["manylinux_2_5_x86_64", "manylinux1_x86_64", "musllinux_1_1_x86_64"],
    "aarch64": ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "musllinux_1_1_aarch64"],
    "armv7": ["manylinux_2_17_armv7l", "manylinux2014_armv7l", "musllinux_1_1_armv7l"],
    "riscv64": ["manylinux_2_31_riscv64", "musllinux_1_1_riscv64"],
}


def run(*command: object) -> None:
    """Runs a command, and shows its output only if it fails."""
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}")


def staged(work: Path) -> Path:
    """A copy of python/ with the licence and the C headers, without tests."""
    stage = work / "python"
    ignored = shutil.ignore_patterns("__pycache__", "tests", "*.egg-info", "build", "*.so", ".*_cache")
    shutil.copytree(ROOT / "python", stage, ignore=ignored)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, stage)
    shutil.copytree(ROOT / "include", stage / "flowrt/include", ignore=shutil.ignore_patterns("module.modulemap"))
    return stage


def same_for_all(sdist: Path, output: Path) -> None:
    """Writes the sdist again with the time of the commit, and without the names of users."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        member.pax_headers = {}
        return member

    unpacked = sdist.with_suffix("")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked)
    plain = output.with_suffix("")
    with tarfile.open(plain, "w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted(unpacked.iterdir()):
            archive.add(folder, folder.name, filter=anonymous)  # in the order of the names
    subprocess.run(["gzip", "-9nf", plain], check=True)


def main(version: str, output: Path, work: Path) -> None:
    stage = staged(work)
    run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", work / "dist", stage)
    (sdist,), (pure,) = (list((work / "dist").glob(pattern)) for pattern in ("*.tar.gz", "*.whl"))
    if not sdist.name == f"flowrt-{version}.tar.gz":
        sys.exit(f"wheels.py: the header has version {version}, the Python package makes {sdist.name}")
    same_for_all(sdist, output / sdist.name)

    run(sys.executable, "-m", "wheel", "unpack", "--dest", work, pure)
    unpacked = work / f"flowrt-{version}"
    metadata = unpacked / f"flowrt-{version}.dist-info" / "WHEEL"
    generator = [line for line in metadata.read_text().splitlines() if line.startswith(("Wheel-Version", "Generator"))]
    for cpu, platforms in PLATFORMS.items():
        library = unpacked / "flowrt" / "libflowrt.so.0"
        shutil.copy(work / f"flowrt-{version}-linux-{cpu}" / "lib" / f"libflowrt.so.{version}", library)
        library.chmod(0o755)
        tags = [f"Tag: py3-none-{platform}" for platform in platforms]
        metadata.write_text("\n".join([*generator, "Root-Is-Purelib: false", *tags, "", ""]))
        run(sys.executable, "-m", "wheel", "pack", "--dest-dir", output, unpacked)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
