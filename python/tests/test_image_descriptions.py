"""Dictionaries with layers of planes: encoders of images, couplings, and what is refused with its place."""

from __future__ import annotations

import numpy as np
import pytest

import flowrt
from flowrt import descriptions
from flowrt.reference.conditioner import evaluate

rng = np.random.default_rng(0)
KERNEL, HEAD = rng.normal(size=(3, 2, 3, 3)), rng.normal(size=(4, 3 * 2 * 2))


def encoder() -> dict:
    """A convolution, pooling and a dense layer of a context of two channels."""
    return {
        "dim": 1,
        "context_dim": 50,
        "context_shape": [2, 5, 5],
        "encoder": [
            {"operation": "convolution", "plane": [5, 5], "weight": KERNEL, "padding": [0, 1], "activation": "relu"},
            {"operation": "max_pooling", "plane": [3, 5], "channels": 3, "kernel": 2, "stride": [1, 2],
             "activation": "identity"},
            {"weight": HEAD, "bias": 1.0},
        ],
        "steps": [],
    }  # fmt: skip


def test_an_encoder_takes_images_channel_by_channel():
    flow, _ = descriptions.read(encoder())
    file = flowrt.compile(flow)
    context = rng.normal(size=(3, 50))
    image = np.pad(context.reshape(3, 2, 5, 5), ((0, 0), (0, 0), (0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(2, 3))
    plane = np.maximum(np.einsum("nchwij,ocij->nohw", windows, KERNEL), 0)
    pooled = np.lib.stride_tricks.sliding_window_view(plane, (2, 2), axis=(2, 3))[:, :, :, ::2].max(axis=(4, 5))
    expected = pooled.reshape(3, -1) @ HEAD.T + 1
    np.testing.assert_allclose(evaluate(file.encoder.layers, context), expected, rtol=1e-12)
    assert flow.context_shape == (2, 5, 5)


def coupling() -> dict:
    image = np.arange(24).reshape(4, 2, 3)
    layer = {"operation": "convolution", "plane": [2, 3], "weight": rng.normal(size=(2, 2, 3, 3)), "padding": 1}
    transformer = {"kind": "additive"}
    step = {"kind": "autoregressive", "reads": "noise", "inputs": image[2:], "transformed": image[:2],
            "layers": [layer], "transformer": transformer}  # fmt: skip
    return {"dim": 24, "steps": [step]}


def test_a_coupling_may_read_the_noise_and_go_back():
    file = flowrt.compile(descriptions.read(coupling())[0])
    x = rng.normal(size=(2, 24))
    z, _ = flowrt.reference.forward(file, x)
    np.testing.assert_array_equal(z[:, 12:], x[:, 12:])
    np.testing.assert_allclose(flowrt.reference.inverse(file, z)[0], x, atol=1e-12)


def change(description: dict, path: tuple, value) -> dict:
    inner = description
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return description


LAYER = ("steps", 0, "layers", 0)
REFUSED = [
    (
        (*LAYER, "operation"),
        "pooling",
        "'operation' is 'pooling', not one of dense, convolution, depthwise_convolution",
    ),
    ((*LAYER, "plane"), None, "'plane' is missing: rows and columns of the plane that it takes"),
    ((*LAYER, "plane"), [2, 3, 1], r"'plane' is .*, not \[rows, columns\]"),
    ((*LAYER, "padding"), -1, r"'padding' is -1.0, not a number, \[rows, columns\] or"),
    ((*LAYER, "weight"), np.ones((2, 2)), r"'weight' has the shape \(2, 2\), not \(outputs, inputs, rows, columns\)"),
    ((*LAYER, "weight"), np.ones((2, 3, 1, 1)), r"takes 3 channels of \(2, 3\) pixels, but 'inputs' has the shape"),
    ((*LAYER, "weight"), np.ones((3, 2, 3, 3)), "the last layer has 3 rows, not 2 = 2 .coordinate."),
    ((*LAYER, "stride"), 2, "step 0 .*units|gives|rows|outputs"),
    ((*LAYER, "mask"), np.ones(3), "has no 'mask'"),
    (("steps", 0, "inputs"), np.arange(12), r"'inputs' has the shape \(12,\), not \(channels, rows, columns\)"),
    (("steps", 0, "inputs"), np.arange(20, 32).reshape(2, 2, 3), "'inputs' are not different coordinates of 24"),
    (("steps", 0, "inputs"), np.arange(12).reshape(2, 2, 3), "its network with planes reads what it transforms"),
    (("shape",), [3, 2, 3], r"the numbers of shape \(3, 2, 3\) is 18, not 24"),
]


@pytest.mark.parametrize("path, value, message", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(path, value, message, tmp_path):
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.save(tmp_path / "flow.flw", change(coupling(), path, value))


def test_a_pixelwise_step_has_a_matrix_of_the_channels(tmp_path):
    step = {"kind": "pixelwise_linear", "coordinates": np.arange(6).reshape(2, 1, 3), "matrix": np.eye(3)}
    with pytest.raises(flowrt.ExportError, match=r"'matrix' has the shape \(3, 3\), not \(2, 2\)"):
        flowrt.save(tmp_path / "flow.flw", {"dim": 6, "steps": [step]})


def test_a_model_takes_images_as_they_are_or_flattened(tmp_path):
    image = {**coupling(), "shape": [4, 2, 3]}
    flowrt.save(tmp_path / "flow.flw", image)
    model = flowrt.Model(tmp_path / "flow.flw")
    x = rng.normal(size=(5, 4, 2, 3))
    expected = model.log_prob(x.reshape(5, 24))
    assert model.shape == (4, 2, 3) and model.context_shape is None
    np.testing.assert_array_equal(model.log_prob(x), expected)
    np.testing.assert_array_equal(model.log_prob(x[0]), expected[:1])
    np.testing.assert_array_equal(model.log_prob(x[:, None]), expected[:, None])
    with pytest.raises(flowrt.Error, match=r"x must be \(n, 24\), not \(5, 2, 4, 3\)"):
        model.log_prob(x.swapaxes(1, 2))
    assert model.forward(x)[0].shape == (5, 24)


def test_a_context_may_be_an_image(tmp_path):
    flowrt.save(tmp_path / "flow.flw", encoder())
    model = flowrt.Model(tmp_path / "flow.flw")
    assert model.context_shape == (2, 5, 5)
    contexts = rng.normal(size=(3, 2, 5, 5))
    np.testing.assert_array_equal(
        model.log_prob(np.zeros((3, 1)), contexts), model.log_prob(np.zeros((3, 1)), contexts.reshape(3, 50))
    )
