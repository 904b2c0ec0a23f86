"""Transforms and bases of normflows on images."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names, diagonal, refuse
from ...errors import ExportError
from ...file.codes import Function
from ...flow import flow as ir
from ..torch.overrides import require_own_sampler


def transform_steps(transform, shape: tuple, supported: str):
    """The steps of the transform of the data, from data to noise."""
    if transform is None:
        return
    kinds, name, dim = class_names(transform), type(transform).__name__, int(np.prod(shape))
    if "Logit" in kinds:
        beta = 1 - 2 * transform.alpha
        low = -transform.alpha / beta
        function = np.full(dim, int(Function.LOGIT))
        yield ir.Elementwise(function, np.full(dim, low), np.full(dim, low + 1 / beta), name)
    elif "Shift" in kinds:
        yield diagonal(dim, name, shift=float(transform.shift))
    else:
        refuse(transform, supported)


def is_of_classes(base) -> bool:
    return "ClassCondDiagGaussian" in class_names(base) or bool(getattr(base, "class_cond", False))


def describe(name: str, bases: list, supported: str) -> tuple:
    """The base of all levels, and the length of the context: a number for each class, 1 for that of x."""
    parts = []
    for base in bases:
        require_own_sampler(base, "forward")
        parts.append(_moments(base, supported))
    classes = {mean.shape[1] for mean, _ in parts if mean.shape[1] > 1}
    if len(classes) > 1:
        raise ExportError(f"the bases of {name} disagree about the number of classes: {classes}")
    count = max(classes, default=1) - 1
    mean, log_std = (np.vstack([_of_classes(part[i], count) for part in parts]) for i in range(2))
    if not count:
        mean, std = mean[:, 0], np.exp(log_std[:, 0])
        standard = np.all(mean == 0) and np.all(std == 1)
        return ir.StandardNormal() if standard else ir.DiagonalNormal(mean, std), 0
    rows = np.stack([mean, log_std], axis=1).reshape(-1, count + 1)
    return ir.ConditionalNormal([ir.Layer(rows[:, 0], context_weight=rows[:, 1:])]), count


def _of_classes(values: np.ndarray, count: int) -> np.ndarray:
    """Columns of a base without classes, with zeros for those of others."""
    return np.pad(values, ((0, 0), (0, count + 1 - values.shape[1])))


def _moments(base, supported: str) -> tuple:
    """Mean and log std of each number: a column of their own, then what each class adds."""
    kinds, shape = class_names(base), tuple(base.shape)
    more = 0.0 if base.temperature is None else np.log(base.temperature)
    if "ClassCondDiagGaussian" in kinds:
        mean, log_std = (float64(values).reshape(-1, base.num_classes) for values in (base.loc, base.log_scale))
        zero = np.zeros((len(mean), 1))
        return np.hstack([zero, mean]), np.hstack([zero + more, log_std])
    if "GlowBase" in kinds:
        factor = float(base.logscale_factor)
        columns = []
        for value, logs, of_class in (("loc", "loc_logs", "loc_cc"), ("log_scale", "log_scale_logs", "log_scale_cc")):
            column = float64(getattr(base, value)) * np.exp(float64(getattr(base, logs)) * factor)
            column = column.reshape(-1, 1)
            if base.class_cond:
                column = np.hstack([column, float64(getattr(base, of_class)).T])
            columns.append(np.repeat(column, int(np.prod(shape[1:])), axis=0))
        columns[1][:, 0] += more
        return columns[0], columns[1]
    if "DiagGaussian" in kinds:
        mean, log_std = (float64(values)[0].reshape(-1, 1) for values in (base.loc, base.log_scale))
        return mean, log_std + more
    return refuse(base, supported)
