"""Embedding nets of convolutions, pooling and padding: each module of PyTorch against itself, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import flowrt
from flowrt import ir
from flowrt.file.codes import LayerOperation
from flowrt.frameworks.torch.dense import dense_layers
from flowrt.reference.conditioner import evaluate

C, H, W = 4, 7, 9

PLANES = {  # of (C, H, W)
    "kernels": lambda: nn.Conv2d(C, 5, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    "same": lambda: nn.Conv2d(C, 5, (4, 3), padding="same", dilation=(2, 1)),
    "valid": lambda: nn.Conv2d(C, 5, 2, padding="valid", bias=False),
    "groups": lambda: nn.Conv2d(C, 6, 3, groups=2),
    "depthwise": lambda: nn.Conv2d(C, C, 3, groups=C, padding=1),
    "depthwise of two": lambda: nn.Conv2d(C, 2 * C, 3, groups=C),
    "circular": lambda: nn.Conv2d(C, 3, 3, padding=(1, 2), padding_mode="circular"),
    "reflected": lambda: nn.Conv2d(C, 3, 3, padding=1, padding_mode="reflect"),
    "replicated": lambda: nn.Conv2d(C, 3, (3, 5), padding="same", padding_mode="replicate"),
    "zeros around": lambda: nn.Sequential(nn.ZeroPad2d((1, 0, 2, 3)), nn.Conv2d(C, 3, 3, padding=1), nn.Tanh()),
    "zeros alone": lambda: nn.ZeroPad2d((1, 0, 2, 3)),
    "a constant around": lambda: nn.Sequential(nn.ConstantPad2d((1, 0, 2, 3), 0.7), nn.Conv2d(C, 3, 3)),
    "circles around": lambda: nn.CircularPad2d((1, 0, 2, 3)),
    "mirrors around": lambda: nn.ReflectionPad2d((1, 0, 2, 3)),
    "copies around": lambda: nn.ReplicationPad2d(2),
    "largest": lambda: nn.MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0), dilation=(1, 2)),
    "largest, rounded up": lambda: nn.MaxPool2d(2, ceil_mode=True),
    "largest, rounded up with padding": lambda: nn.MaxPool2d(3, stride=3, padding=1, ceil_mode=True),
    "mean": lambda: nn.AvgPool2d((2, 3), stride=(1, 2)),
    "mean with padding": lambda: nn.AvgPool2d(3, stride=2, padding=1),
    "mean without padding": lambda: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
    "mean, rounded up": lambda: nn.AvgPool2d(2, ceil_mode=True),
    "mean with a divisor": lambda: nn.AvgPool2d(3, padding=1, divisor_override=5),
    "adaptive": lambda: nn.AdaptiveAvgPool2d((7, 3)),
    "adaptive, largest": lambda: nn.AdaptiveMaxPool2d((1, None)),
    "normalised": lambda: nn.Sequential(nn.Conv2d(C, 5, 3), nn.BatchNorm2d(5), nn.ELU()),
    "normalised first": lambda: nn.Sequential(nn.BatchNorm2d(C), nn.ReLU(), nn.Conv2d(C, 3, 1)),
    "far from zero": lambda: far(nn.BatchNorm2d(C)),
    "several layers": lambda: nn.Sequential(nn.Conv2d(C, 5, 3), nn.Hardswish(), nn.Conv2d(5, 3, 1), nn.PReLU(3)),
    "flattened": lambda: nn.Sequential(nn.Conv2d(C, 3, 3), nn.Flatten(), nn.Linear(3 * 5 * 7, 6), nn.ReLU()),
    "unflattened": lambda: nn.Sequential(nn.Flatten(), nn.Linear(252, 12), nn.Unflatten(1, (3, 2, 2)),
                                         nn.Conv2d(3, 2, 2)),
    "layer norm": lambda: nn.Sequential(nn.Conv2d(C, 3, 3), nn.LayerNorm((3, 5, 7))),
    "residual": lambda: Residual(),
    "global mean": lambda: GlobalMean(),
    "columns of pixels": lambda: Columns(),
    "gated": lambda: Gated(),
}  # fmt: skip
SERIES = {  # of (C, W)
    "kernels": lambda: nn.Conv1d(C, 5, 3, stride=2, padding=1, dilation=2),
    "same": lambda: nn.Conv1d(C, 5, 4, padding="same"),
    "causal": lambda: nn.Sequential(nn.ZeroPad1d((4, 0)), nn.Conv1d(C, 5, 3, dilation=2), nn.LeakyReLU(0.1)),
    "largest": lambda: nn.MaxPool1d(2, ceil_mode=True),
    "mean": lambda: nn.AvgPool1d(3, stride=1, padding=1),
    "adaptive": lambda: nn.Sequential(nn.Conv1d(C, 5, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(5, 2)),
    "adaptive, largest": lambda: nn.AdaptiveMaxPool1d(3),
    "circular": lambda: nn.Conv1d(C, 3, 3, padding=2, padding_mode="circular"),
    "padded": lambda: nn.Sequential(nn.ReflectionPad1d((1, 2)), nn.ConstantPad1d(1, 2.0), nn.CircularPad1d(1)),
    "normalised": lambda: nn.Sequential(nn.Conv1d(C, 5, 3), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout1d(0.5)),
}


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(C, C, 3, padding=1), nn.Conv2d(C, C, 3, padding=1)
        self.shortcut = nn.Conv2d(C, C, 1)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x)) + x


class GlobalMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(C, 3, 2), nn.Linear(3, 4)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(x)).mean(dim=(2, 3)))


class Columns(nn.Module):
    """A linear module of each pixel's channels, behind a permutation of the axes."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(C, 3, 2), nn.Linear(3, 4)

    def forward(self, x):
        return self.head(self.conv(x).permute(0, 2, 3, 1)).flatten(1)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.value, self.gate = nn.Conv2d(C, 3, 3, padding=1), nn.Conv2d(C, 3, 3, padding=1)

    def forward(self, x, unused=None):
        return torch.tanh(self.value(x)) * torch.sigmoid(self.gate(x)) if unused is None else x


def far(norm):
    norm.running_mean.fill_(1e4)
    return norm


def trained(module):
    """With weights and statistics that are not those of the beginning."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, values in [*module.named_parameters(), *module.named_buffers()]:
            if "running_var" in name:
                values.uniform_(0.5, 2)
            elif "running_mean" in name:
                values.add_(torch.randn_like(values))
            elif values.is_floating_point():
                values.copy_(torch.randn_like(values) * 0.4)
    return module.double().eval()


@pytest.mark.parametrize("name, shape", [(n, (C, H, W)) for n in PLANES] + [(n, (C, W)) for n in SERIES])
def test_modules_are_those_of_pytorch(name, shape):
    module = trained((PLANES if len(shape) == 3 else SERIES)[name]())
    x = torch.randn(3, *shape, dtype=torch.float64)
    with torch.no_grad():
        expected = module(x).reshape(3, -1).numpy()
    file = flowrt.compile(ir.Flow(1, int(np.prod(shape)), [], encoder=dense_layers(module, shape)))
    found = evaluate(file.encoder.layers, x.reshape(3, -1).numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))
    data = flowrt.file.encode(file)
    base = flowrt.file.File(1, file.context_dim, [], encoder=file.encoder)
    assert flowrt.file.read(data).encoder.layers[-1].width == base.encoded_context_dim == found.shape[1]


def operations(module, shape=(C, H, W)) -> list:
    compiled = flowrt.compile(ir.Flow(1, int(np.prod(shape)), [], encoder=dense_layers(trained(module), shape)))
    return [LayerOperation(layer.operation).name for layer in compiled.encoder.layers]


def test_what_folds_costs_no_layer():
    """Zeros around, batch norm and activation are a part of the convolution."""
    module = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(C, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(),
                           nn.Linear(5 * 7 * 9, 2))  # fmt: skip
    assert operations(module) == ["GATHER", "CONVOLUTION", "GATHER", "DENSE"][:2] + ["DENSE"]
    assert operations(nn.Conv2d(1, 5, 3), (1, H, W))[0] == "CONVOLUTION"  # one channel is a plane as it is


REFUSED = {
    "ConvTranspose2d": nn.ConvTranspose2d(C, 3, 2),
    "Conv2d of 3 channels is given 4": nn.Conv2d(3, 2, 1),
    "Conv1d is given values of the shape": nn.Conv1d(C, 2, 1),
    "has windows of different sizes": nn.AdaptiveAvgPool2d((2, 4)),
    "return_indices": nn.MaxPool2d(2, return_indices=True),
    "negative padding": nn.ZeroPad2d(-1),
    "Upsample": nn.Upsample(scale_factor=2),
    "GroupNorm": nn.GroupNorm(2, C),
    "BatchNorm1d without running statistics": nn.BatchNorm2d(C, track_running_stats=False),
    "the kernel is larger than the plane": nn.Conv2d(C, 2, 8),
}


@pytest.mark.parametrize("message", REFUSED)
def test_other_modules_are_refused_by_name(message):
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.compile(ir.Flow(1, C * H * W, [], encoder=dense_layers(REFUSED[message], (C, H, W))))
