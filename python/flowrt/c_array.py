"""A `.flw` file as C source, for programs without a file system."""

from __future__ import annotations

import re

from .errors import Error
from .model import Model

_TEMPLATE = """\
/* {description}
 * Include this file in one source file. Made by `python -m flowrt c-array`. */
#ifndef {upper}_FLW_H
#define {upper}_FLW_H

#define {upper}_SIZE {size}u
#define {upper}_DIM {dim}u
#define {upper}_CONTEXT_DIM {context_dim}u
/* flowrt_workspace_size(&model, 1): enough for calls with any number of rows. */
#define {upper}_WORKSPACE_BYTES {workspace}u

#if defined(__cplusplus) && __cplusplus >= 201103L
#define {upper}_ALIGNED alignas(64)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {upper}_ALIGNED _Alignas(64)
#else
#define {upper}_ALIGNED __attribute__((aligned(64)))
#endif

{upper}_ALIGNED static const unsigned char {name}[{upper}_SIZE] = {{
{rows}
}};

#endif
"""


def c_array(data: bytes, name: str) -> str:
    """The C source of an array `name` with the bytes of a valid file. Needs libflowrt for the workspace size.

    Raises `LibraryError` if libflowrt refuses the file, `Error` if `name` is not a C identifier.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise Error(f"{name!r} is not a C identifier")
    model = Model(data)
    rows = [", ".join(f"0x{byte:02x}" for byte in data[i : i + 20]) + "," for i in range(0, len(data), 20)]
    context = f" and a context of {model.context_dim}" if model.context_dim else ""
    return _TEMPLATE.format(
        description=f"A flow of {model.dim} dimensions{context}, {len(data)} bytes.",
        upper=name.upper(),
        name=name,
        size=len(data),
        dim=model.dim,
        context_dim=model.context_dim,
        workspace=model.workspace_size(1),
        rows="\n".join("    " + row for row in rows),
    )
