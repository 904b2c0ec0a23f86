"""A density for Arrow: tables, record batches and arrays of lists in, arrays and tables out."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ..errors import ArgumentError


class ArrowDensity:
    """`log_prob` and `sample` for engines that hand out Arrow: DuckDB, Spark, Polars, Ray.

    Rows are a table or record batch, whose columns are found by their names if the file has them, or an array of lists
    of D numbers. Nulls are refused.
    """

    def __init__(self, density: Any):
        import pyarrow

        self._density, self._arrow = density, pyarrow

    def __repr__(self) -> str:
        return f"ArrowDensity({self._density!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrowDensity, (self._density,)  # Arrow itself, a module, is not pickled

    def log_prob(self, x: Any, context: Any = None, **options: Any) -> Any:
        """A float32 array of log p(x | context). `context` may be the table of x, if the file has names for it."""
        values = self._density.log_prob(self._rows(x, "x"), self._rows(context, "context"), **options)
        return self._arrow.array(values)

    def with_log_prob(self, table: Any, context: Any = None, *, column: str = "log_prob", **options: Any) -> Any:
        """The table or record batch with one column more."""
        values = self.log_prob(table, context, **options)
        columns = [*(table.column(i) for i in range(table.num_columns)), values]
        return type(table).from_arrays(columns, names=[*table.schema.names, column])

    def sample(self, n: int, context: Any = None, seed: Any = None, *, log_prob: bool = False, **options: Any) -> Any:
        """A table of n draws, with the names of the file or x0, x1, ...; with `log_prob`, a column of that name."""
        found = self._density.sample(n, self._rows(context, "context"), seed, log_prob=log_prob, **options)
        x, density = found if log_prob else (found, None)
        names = self._density.names or [f"x{i}" for i in range(self._density.dim)]
        columns = {name: np.ascontiguousarray(x[..., i]).ravel() for i, name in enumerate(names)}
        if density is not None:
            columns["log_prob"] = density.ravel()
        return self._arrow.table(columns)

    def _rows(self, values: Any, name: str) -> Any:
        """An array of lists as rows; anything else as it is."""
        if not isinstance(values, (self._arrow.Array, self._arrow.ChunkedArray)):
            return values
        if isinstance(values, self._arrow.ChunkedArray):
            values = values.combine_chunks()
        width: Optional[int] = getattr(values.type, "list_size", None)
        if width is None:
            lengths = set(values.value_lengths().unique().to_pylist()) if hasattr(values, "value_lengths") else set()
            if len(lengths) != 1 or None in lengths:
                raise ArgumentError(f"{name} must be an array of lists of one length, not {values.type}")
            (width,) = lengths
        flat = values.flatten()
        if values.null_count or flat.null_count:
            nulls = values.null_count + flat.null_count
            raise ArgumentError(f"{name} has {nulls} nulls: drop their rows, or fill them")
        return flat.to_numpy(zero_copy_only=False).reshape(len(values), width)
