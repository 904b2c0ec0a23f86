"""How files of other kinds begin, which people give by mistake for a model or for rows."""

from __future__ import annotations

from typing import Optional

_KINDS = {
    b"\x89FLW": "a .flw model",
    b"\x89FLM": "a mixture of flows",
    b"PK\3\4": "a zip archive (.npz, .xlsx)",
    b"\x1f\x8b": "gzip",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
_OF_FRAMEWORKS = {  # how trained models are stored
    b"PK\3\4": "a zip archive, as torch.save and Keras write them",
    b"\x80": "a pickle",
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"\x93NUMPY": "an array of NumPy",
}


def kind_of_rows(data: bytes) -> Optional[str]:
    """What a file is that has no rows as text; None for what may be text."""
    return next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)


def kind_of_model(data: bytes) -> Optional[str]:
    """What a file is that is no `.flw` file, if it is known."""
    kinds = {**_KINDS, **_OF_FRAMEWORKS}
    return next((kind for start, kind in kinds.items() if data.startswith(start)), None)
