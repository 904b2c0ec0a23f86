"""A `.flw` file as C source, for programs without a file system."""

from __future__ import annotations

import re
from typing import Optional

from .errors import Error
from .model import Model

_KEYWORDS = frozenset(  # of C up to C23 and C++ up to C++20, as far as they are no reserved names
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int
    long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
    virtual void volatile wchar_t while xor xor_eq
    """.split()
)

_TEMPLATE = """\
/* {description}
 * Include this file in one source file. Made by `flowrt c-array`. */
#ifndef {upper}_FLW_H
#define {upper}_FLW_H

#define {upper}_SIZE {size}u
#define {upper}_DIM {dim}u
#define {upper}_CONTEXT_DIM {context_dim}u
/* flowrt_workspace_size(&model, 1): enough for calls with any number of rows, which are faster with more. */
#define {upper}_WORKSPACE_BYTES {workspace}u
/* flowrt_gradient_workspace_size(&model, 1), the same for flowrt_log_prob_gradient. */
#define {upper}_GRADIENT_WORKSPACE_BYTES {gradient}u
/* flowrt_plan_size(&model): for flowrt_model_prepare. */
#define {upper}_PLAN_BYTES {plan}u

/* Stands before `static` (C++ asks for it). */
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


def fault_of_name(name: str) -> Optional[str]:
    """Why `name` cannot be that of an array in C and C++; None if it can."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return f"'{name}' is not a C identifier"
    if name in _KEYWORDS:
        return f"'{name}' is a keyword of C or C++"
    if name.startswith("_"):
        return f"'{name}' begins with an underscore, which is reserved to the implementation"
    if name.startswith("flowrt_"):
        return f"'{name}' begins with flowrt_, as the names of flowrt.h do"
    return None


def c_array(data: bytes, name: str) -> str:
    """The C source of an array `name` with the bytes of a valid file. Needs libflowrt for the sizes of memory.

    Raises `LibraryError` if libflowrt refuses the file, `Error` if `name` cannot be that of an array in C and C++.
    """
    fault = fault_of_name(name)
    if fault:
        raise Error(fault)
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
        gradient=model.gradient_workspace_size(1),
        plan=model.plan_size(),
        rows="\n".join("    " + row for row in rows),
    )
