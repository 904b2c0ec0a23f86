"""FrEIA 0.2: `SequenceINN` and `GraphINN` of vectors, and of images (`images.py`).

`inn(x, c)` maps data to noise, which is standard normal; `rev=True` is the way back. The context is the conditions side
by side: those of a graph in the order of its condition nodes, those of a sequence by their number in `cond`, without
numbers that no module takes. Data and noise of a graph are its inputs and its outputs, side by side.

A graph of splits and concatenations is a renaming of coordinates: every tensor of it is an array of coordinates, and a
module acts on those of its tensor. Tensors of several axes are flattened in x and z.
"""

from __future__ import annotations

import numpy as np

from ...building import planes
from ...building.coordinates import acting
from ...building.modules import class_names, refuse
from ...errors import ExportError
from ...flow import flow as ir
from ..torch.live import TorchModel
from ..torch.overrides import require_own
from ..torch.plain import with_plain_weights
from . import images
from .mended import mend
from .steps import SUPPORTED, steps_of

framework = "freia"


def accepts(model) -> bool:
    """Whether the object looks like an invertible network of FrEIA."""
    kinds = class_names(model)
    return bool(kinds & {"SequenceINN", "GraphINN"}) and hasattr(model, "module_list")


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    model = with_plain_weights(model)
    shapes = [tuple(shape) for shape in _input_shapes(model)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    conditions = _condition_sizes(model)
    dim, start = sum(sizes), np.cumsum([0, *conditions.values()])
    columns = {number: np.arange(*start[i : i + 2]) for i, number in enumerate(conditions)}
    parts = np.split(np.arange(dim), np.cumsum(sizes)[:-1])
    tensors = [part.reshape(shape) for part, shape in zip(parts, shapes)]
    steps: list[ir.Step] = []
    outputs = _walk(model, tensors, columns, int(start[-1]), steps, dim)
    order = np.concatenate([output.reshape(-1) for output in outputs])
    if np.any(order != np.arange(dim)):
        steps.append(ir.Permutation(order, type(model).__name__))
    if context_dim not in (None, int(start[-1])):
        raise ExportError(f"the conditions of {type(model).__name__} have {start[-1]} numbers, not {context_dim}")
    flow = ir.Flow(dim, int(start[-1]), planes.joined(steps), framework=framework, model=type(model).__name__)
    flow.shape = shapes[0] if len(shapes) == 1 and len(shapes[0]) == 3 else None
    return flow


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the model."""
    require_own(model, "forward")
    flow = TorchModel.copy_of(with_plain_weights(model), dtype)
    mend(flow)
    inputs = [tuple(shape) for shape in _input_shapes(flow)]
    outputs = [tuple(shape) for shape in (flow.global_out_shapes if _is_graph(flow) else [flow.shapes[-1]])]
    conditions = _condition_sizes(flow)

    def run(values, context, rev: bool):
        import torch

        shapes = outputs if rev else inputs
        parts = torch.split(values.clone(), [int(np.prod(shape)) for shape in shapes], dim=1)
        parts = [part.reshape(-1, *shape) for part, shape in zip(parts, shapes)]
        given = {}
        if context is not None:
            given = dict(zip(conditions, torch.split(context, list(conditions.values()), dim=1)))
        numbered = [given.get(number) for number in range(max(given, default=-1) + 1)]
        result, log_det = flow(parts if _is_graph(flow) else parts[0], c=numbered, rev=rev)
        results = [result] if torch.is_tensor(result) else list(result)
        result = torch.cat([part.reshape(len(values), -1) for part in results], dim=1)
        log_det = torch.as_tensor(log_det, dtype=values.dtype)
        return result, log_det.expand(len(values)).clone()

    return TorchModel(dtype, lambda x, c: run(x, c, False), lambda z, c: run(z, c, True))


# ---- walking ----


def _is_graph(model) -> bool:
    return "GraphINN" in class_names(model)


def _input_shapes(model) -> list:
    return [node.dims for node in model.in_nodes] if _is_graph(model) else [model.shapes[0]]


def _condition_sizes(model) -> dict:
    """The length of each condition, by its number in the list that the model is called with."""
    if _is_graph(model):
        return {i: _size(node.dims, "condition") for i, node in enumerate(model.condition_nodes)}
    sizes: dict[int, int] = {}
    for number, module in zip(model.conditions, model.module_list):
        if number is not None:
            size = sum(_size(shape, "condition") for shape in module.dims_c)
            if sizes.setdefault(number, size) != size:
                raise ExportError(
                    f"condition {number} of {type(model).__name__} has both {sizes[number]} and {size} numbers"
                )
    return dict(sorted(sizes.items()))


def _size(shape, what: str) -> int:
    """The length of a vector."""
    if len(shape) != 1:
        raise ExportError(f"a {what} is supported if it is a vector, but this one has the shape {tuple(shape)}")
    return int(shape[0])


def _walk(model, tensors: list, conditions: dict, context_dim: int, steps: list, dim: int) -> list:
    """Adds the steps of a network that is given `tensors`, arrays of coordinates, and returns those of its outputs.

    `conditions` has the columns of the context that each of its conditions is.
    """
    if not _is_graph(model):
        for number, module in zip(model.conditions, model.module_list):
            given = [] if number is None else [conditions[number]]
            tensors = _through(module, tensors, given, context_dim, steps, dim)
        return tensors
    found = {}
    for node, coordinates in zip(model.in_nodes, tensors):
        found[node, 0] = coordinates
    numbers = {node: number for number, node in enumerate(model.condition_nodes)}
    for node in model.node_list:
        if node in model.in_nodes or node in model.out_nodes or node in model.condition_nodes:
            continue
        given = [conditions[numbers[condition]] for condition in node.conditions]
        outputs = _through(node.module, [found[edge] for edge in node.inputs], given, context_dim, steps, dim)
        found.update({(node, i): coordinates for i, coordinates in enumerate(outputs)})
    return [found[node.inputs[0]] for node in model.out_nodes]


def _through(module, tensors: list, given: list, context_dim: int, steps: list, dim: int) -> list:
    """Adds the steps of one module. `given` are the columns of the context that it is given."""
    require_own(module, "forward")
    kinds = class_names(module)
    if kinds & {"SequenceINN", "GraphINN"}:
        return _walk(module, tensors, dict(enumerate(given)), context_dim, steps, dim)
    if "Split" in kinds and len(tensors) == 1:
        sizes = module.split_size_or_sections
        length = tensors[0].shape[module.dim]
        sections = np.cumsum(sizes) if not isinstance(sizes, int) else np.arange(sizes, length, sizes)
        return [part for part in np.split(tensors[0], sections, axis=module.dim) if part.size]
    if "Concat" in kinds:
        return [np.concatenate(tensors, axis=module.dim)]
    if len(tensors) != 1:
        refuse(module, SUPPORTED)
    (coordinates,) = tensors
    if kinds & images.MOVING and not (coordinates.ndim == 1 and "PermuteRandom" in kinds):
        return [images.moved(module, coordinates)]
    if coordinates.ndim == 3:
        found, coordinates = images.steps_of(module, coordinates, given, dim)
        steps += found
        return [coordinates]
    if coordinates.ndim != 1:
        raise ExportError(f"{type(module).__name__} is given a tensor of the shape {coordinates.shape}")
    for step in steps_of(module, len(coordinates), given, context_dim):
        steps.append(acting(step, coordinates, dim))
    return tensors
