"""What is put right in the copies of FrEIA's modules that files are compared with.

Matrices that are orthogonal are kept in float32 and inverted by transposing them: in float64 both directions, and the
log-determinant of zero, would disagree in the eighth digit. Copies, and files, have the nearest orthogonal matrix.
Other inverses are computed anew in float64, and `LearnedElementwiseScaling` gets the sign of its log-determinant.
"""

from __future__ import annotations

from types import MethodType

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names
from ...errors import ExportError

_ROUNDING = 1e-4  # of an orthogonal matrix in float32, and of what its training left


def orthogonal(matrix: np.ndarray, name: str) -> np.ndarray:
    """The nearest orthogonal matrix. Raises `ExportError` for one that is none."""
    if np.all((matrix == 0) | (matrix == 1)) and np.array_equal(matrix @ matrix.T, np.eye(len(matrix))):
        return matrix
    left, singular, right = np.linalg.svd(matrix)
    if not np.all(np.abs(singular - 1) < _ROUNDING):
        worst = singular[np.argmax(np.abs(singular - 1))]
        raise ExportError(
            f"the matrix of {name} is not orthogonal, it has a singular value of {worst:.6g}: its inverse, which is "
            "taken by transposing it, and its log-determinant are not those of one flow"
        )
    return left @ right


def reflections(block) -> np.ndarray:
    """The matrix of an AllInOneBlock with learned reflections."""
    matrix = orthogonal(float64(block.w_0), type(block).__name__)
    for vector in float64(block.vk_householder):
        matrix = matrix - 2 * np.outer(matrix @ vector, vector) / (vector @ vector)
    return matrix


def mend(model) -> None:
    """Changes a copy in place."""
    import torch

    with torch.no_grad():
        for module in model.modules():
            kinds, name = class_names(module), type(module).__name__
            if "AllInOneBlock" in kinds:
                _set_orthogonal(module.w_0 if module.householder else module.w_perm, name)
                if not module.householder:
                    module.w_perm_inv.copy_(module.w_perm.transpose(0, 1))
            elif "Fixed1x1Conv" in kinds:
                matrix = module.M[:, :, 0, 0]
                module.M_inv.copy_(matrix.inverse()[:, :, None, None])
                module.logDetM.copy_(torch.slogdet(matrix)[1])
            elif "OrthogonalTransform" in kinds:
                _set_orthogonal(module.weights, name)
            elif "HouseholderPerm" in kinds and module.fixed:
                _set_orthogonal(module.W, name)
            elif "FixedLinearTransform" in kinds:
                module.M_inv.copy_(module.M.inverse())
                module.logDetM.copy_(torch.slogdet(module.M)[1])
            elif "LearnedElementwiseScaling" in kinds:
                module.forward = MethodType(_scaled, module)


def _set_orthogonal(tensor, name: str) -> None:
    import torch

    matrix = orthogonal(float64(tensor).reshape(tensor.shape[:2]), name)
    tensor.copy_(torch.as_tensor(matrix).reshape(tensor.shape))


def _scaled(module, x, rev=False, jac=True):
    sign = -1 if rev else 1
    return [x[0] * (sign * module.s).exp()], sign * module.s.sum().unsqueeze(0)
