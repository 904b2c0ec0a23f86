"""PyTorch on flows of images, eager as its users run it."""

import numpy as np
import torch
from torch.nn.functional import conv2d, pixel_shuffle, pixel_unshuffle

import planes
from worker import Base

MODELS = planes
LOG_2_PI = 1.8378770664093453
torch.set_num_threads(1)
torch.set_grad_enabled(False)


class Peer(Base):
    packages = ("torch",)

    def __init__(self, flow, folder, name):
        self.size, self.constant = (
            flow.size,
            flow.log_det() - 0.5 * flow.size.dim * LOG_2_PI,
        )
        self.levels = [[Step(step) for step in level] for level in flow.levels]

    def prepare(self, rows):
        return torch.from_numpy(rows)

    def log_prob(self, x):
        value, total = x.reshape(len(x), *self.size.shape), self.constant
        for level, steps in enumerate(self.levels):
            if level:
                value, left = value.tensor_split((len(value[0]) // 2,), 1)
                total = total - 0.5 * left.square().sum((1, 2, 3))
            if self.size.squeeze:
                value = pixel_unshuffle(value, 2)
            for step in steps:
                value, log_det = step.forward(value)
                total = total + log_det
        return total - 0.5 * value.square().sum((1, 2, 3))

    def inverse(self, z):
        parts, start, value = [], 0, None
        for level, steps in enumerate(self.levels):
            channels, rows, columns = steps[0].shape
            kept = channels if level + 1 == len(self.levels) else channels - channels // 2
            size = kept * rows * columns
            parts.append(z[:, start : start + size].reshape(-1, kept, rows, columns))
            start += size
        for steps, part in zip(reversed(self.levels), reversed(parts), strict=True):
            value = part if value is None else torch.cat([value, part], 1)
            for step in reversed(steps):
                value = step.inverse(value)
            if self.size.squeeze:
                value = pixel_shuffle(value, 2)
        return value.reshape(len(z), -1)

    def sample(self, count):
        return self.inverse(torch.randn(count, self.size.dim))


class Step:
    def __init__(self, step):
        self.shape, self.matrix = step.shape, None
        self.layers = [tuple(map(torch.from_numpy, pair)) for pair in zip(step.weights, step.biases, strict=True)]
        if step.matrix is not None:
            inverse = np.linalg.inv(step.matrix.astype(np.float64))
            pairs = (step.matrix, step.shift), (inverse, -inverse @ step.shift)
            self.matrix, self.back = (
                (
                    torch.from_numpy(matrix.astype(np.float32)[:, :, None, None]),
                    torch.from_numpy(shift.astype(np.float32)),
                )
                for matrix, shift in pairs
            )

    def shift_and_scale(self, value):
        for number, (weight, bias) in enumerate(self.layers):
            value = conv2d(value, weight, bias, padding=weight.shape[2] // 2)
            if number + 1 < len(self.layers):
                value = value.relu_()
        shift, raw = value.chunk(2, 1)
        return shift, (raw + planes.SCALE_OFFSET).sigmoid_()

    def forward(self, value):
        if self.matrix is not None:
            value = conv2d(value, *self.matrix)
        kept, changed = value.tensor_split((self.shape[0] // 2,), 1)
        shift, scale = self.shift_and_scale(kept)
        return torch.cat([kept, scale * changed + shift], 1), scale.log().sum((1, 2, 3))

    def inverse(self, value):
        kept, changed = value.tensor_split((self.shape[0] // 2,), 1)
        shift, scale = self.shift_and_scale(kept)
        value = torch.cat([kept, (changed - shift) / scale], 1)
        return value if self.matrix is None else conv2d(value, *self.back)
