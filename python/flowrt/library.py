"""libflowrt through ctypes: finding it, its structures, and its functions as include/flowrt.h declares them."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import POINTER, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from functools import lru_cache
from pathlib import Path

import numpy as np

from .errors import LibraryError

ALIGNMENT = 64  # FLOWRT_ALIGNMENT
OPEN_VERIFY = 1  # FLOWRT_OPEN_VERIFY
_SONAME = "libflowrt.so.0"  # the name by which programs that are linked with it look for it


class ModelStruct(ctypes.Structure):
    _fields_ = [("private_", c_uint64 * 32)]


class ErrorDetail(ctypes.Structure):
    _fields_ = [
        ("status", c_int32),
        ("record", c_int32),
        ("offset", c_uint64),
        ("expected", c_uint64),
        ("found", c_uint64),
    ]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("dim", c_uint32),
        ("context_dim", c_uint32),
        ("step_count", c_uint32),
        ("format_version", c_uint32),
        ("cpu_level", c_uint32),
        ("parameter_count", c_uint64),
        ("data_size", c_uint64),
        ("metadata_offset", c_uint64),
        ("metadata_size", c_uint64),
    ]


class Rng(ctypes.Structure):
    _fields_ = [("seed", c_uint64), ("stream", c_uint64), ("index", c_uint64)]


_FLOATS = c_void_p
_WORKSPACE = [c_void_p, c_size_t]
_ROWS = [POINTER(ModelStruct), c_size_t, _FLOATS, _FLOATS, c_size_t]
_PROTOTYPES = {
    "flowrt_build_info": (c_char_p, []),
    "flowrt_status_message": (c_char_p, [c_int]),
    "flowrt_model_open": (c_int, [POINTER(ModelStruct), c_void_p, c_size_t, c_uint32, POINTER(ErrorDetail)]),
    "flowrt_model_get_info": (c_int, [POINTER(ModelStruct), POINTER(ModelInfo)]),
    "flowrt_plan_size": (c_size_t, [POINTER(ModelStruct)]),
    "flowrt_workspace_size": (c_size_t, [POINTER(ModelStruct), c_size_t]),
    "flowrt_gradient_workspace_size": (c_size_t, [POINTER(ModelStruct), c_size_t]),
    "flowrt_forward": (c_int, [*_ROWS, _FLOATS, _FLOATS, *_WORKSPACE]),
    "flowrt_inverse": (c_int, [*_ROWS, _FLOATS, _FLOATS, *_WORKSPACE]),
    "flowrt_log_prob": (c_int, [*_ROWS, _FLOATS, *_WORKSPACE]),
    "flowrt_log_prob_gradient": (c_int, [*_ROWS, _FLOATS, _FLOATS, _FLOATS, *_WORKSPACE]),
    "flowrt_sample": (
        c_int,
        [POINTER(ModelStruct), c_size_t, POINTER(Rng), _FLOATS, c_size_t, _FLOATS, _FLOATS, *_WORKSPACE],
    ),
}


@lru_cache(maxsize=None)
def load() -> ctypes.CDLL:
    """libflowrt: at `$FLOWRT_LIBRARY`, else inside the package, else where the loader finds it.

    Raises `LibraryError` that says where it was looked for.
    """
    bundled = Path(__file__).with_name(_SONAME)
    path = os.environ.get("FLOWRT_LIBRARY") or (str(bundled) if bundled.exists() else None)
    path = path or ctypes.util.find_library("flowrt") or _SONAME
    try:
        library = ctypes.CDLL(path)
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise LibraryError(
            f"libflowrt is not usable: {error}. A wheel of flowrt carries it; a source distribution does not: install "
            "libflowrt0, or build libflowrt.so and set FLOWRT_LIBRARY to its path"
        ) from None
    return library


def library_path() -> str:
    """The path of the libflowrt that is used, for linking C programs; its bare name if the loader found it."""
    return str(load()._name)


def include_dir() -> str:
    """The folder of flowrt.h and flowrt_file.h, for compiling C programs: `-I`. `python -m flowrt paths` prints it.

    Raises `LibraryError` where the headers are not: a wheel has them, and so has the source distribution.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "include", here.parents[1] / "include"):  # of an installation; of the repository
        if (folder / "flowrt.h").exists():
            return str(folder)
    raise LibraryError(
        f"there are no C headers in {here / 'include'}: a wheel of flowrt has them, and so has the Debian package "
        "libflowrt-dev, in /usr/include"
    )


def aligned(size: int) -> np.ndarray:
    """`size` bytes of memory on a FLOWRT_ALIGNMENT boundary."""
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
