"""A flow of images as ONNX models for so many images: log_prob (x -> log_p) and inverse (z -> x)."""

import numpy as np
from onnx_graph import Graph

from planes import SCALE_OFFSET

LOG_2_PI = 1.8378770664093453


class ImageGraph(Graph):
    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def number(self, value):
        return self.constant(np.float32(value))

    def convolution(self, value, weight, bias):
        pad = weight.shape[2] // 2
        return self.node("Conv", value, self.constant(weight), self.constant(bias), pads=[pad] * 4)

    def reshaped(self, value, *shape):
        return self.node("Reshape", value, self.integers(*shape))

    def squeezed(self, value, count, shape):
        """(C, H, W) to (4 C, H / 2, W / 2)."""
        channels, rows, columns = shape
        blocks = self.reshaped(value, count, channels, rows // 2, 2, columns // 2, 2)
        blocks = self.node("Transpose", blocks, perm=[0, 1, 3, 5, 2, 4])
        return self.reshaped(blocks, count, 4 * channels, rows // 2, columns // 2)

    def unsqueezed(self, value, count, shape):
        channels, rows, columns = shape
        blocks = self.reshaped(value, count, channels // 4, 2, 2, rows, columns)
        blocks = self.node("Transpose", blocks, perm=[0, 1, 4, 2, 5, 3])
        return self.reshaped(blocks, count, channels // 4, 2 * rows, 2 * columns)

    def halves(self, value, channels):
        bounds = (0, channels // 2, channels)
        return [
            self.node(
                "Slice",
                value,
                self.integers(low),
                self.integers(high),
                self.integers(1),
            )
            for low, high in zip(bounds, bounds[1:])
        ]

    def joined(self, *parts, axis=1):
        return self.node("Concat", *parts, axis=axis)

    def shift_and_scale(self, value, step):
        for number, (weight, bias) in enumerate(zip(step.weights, step.biases, strict=True)):
            value = self.convolution(value, weight, bias)
            if number + 1 < len(step.weights):
                value = self.node("Relu", value)
        shift, raw = self.halves(value, len(step.biases[-1]))
        return shift, self.node("Sigmoid", self.node("Add", raw, self.number(SCALE_OFFSET)))

    def total(self, value):
        """(n,) the sum over an image."""
        return self.node("ReduceSum", value, self.integers(1, 2, 3), keepdims=0)

    def made(self, source, result, dim, count, result_shape):
        model = self.model(source, result, dim, result_shape)
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = count
        return model


def squeezed_from(shape):
    channels, rows, columns = shape
    return channels // 4, 2 * rows, 2 * columns


def log_prob_model(flow, count):
    graph, log_scales, squares = ImageGraph(), [], []
    value = graph.reshaped("x", count, *flow.size.shape)

    def leaves(part):
        squares.append(graph.total(graph.node("Mul", part, part)))

    for level, steps in enumerate(flow.levels):
        shape = steps[0].shape
        if level:
            value, left = graph.halves(value, 2 * (shape[0] // 4 if flow.size.squeeze else shape[0]))
            leaves(left)
        if flow.size.squeeze:
            value = graph.squeezed(value, count, squeezed_from(shape))
        for step in steps:
            if step.matrix is not None:
                value = graph.convolution(value, step.matrix[:, :, None, None], step.shift)
            kept, changed = graph.halves(value, shape[0])
            shift, scale = graph.shift_and_scale(kept, step)
            log_scales.append(graph.total(graph.node("Log", scale)))
            value = graph.joined(kept, graph.node("Add", graph.node("Mul", scale, changed), shift))
    leaves(value)
    sums = [graph.node("Sum", *parts) for parts in (log_scales, squares)]
    density = graph.node("Sub", sums[0], graph.node("Mul", sums[1], graph.number(0.5)))
    constant = flow.log_det() - 0.5 * flow.size.dim * LOG_2_PI
    return graph.made(
        "x",
        graph.node("Add", density, graph.number(constant)),
        flow.size.dim,
        count,
        [count],
    )


def inverse_model(flow, count):
    graph, dim, start, parts = ImageGraph(), flow.size.dim, 0, []
    for level, steps in enumerate(flow.levels):  # z are the halves that leave, one after the other
        channels, rows, columns = steps[0].shape
        last = level + 1 == len(flow.levels)
        kept = (channels if last else channels - channels // 2, rows, columns)
        size = int(np.prod(kept))
        part = graph.node(
            "Slice",
            "z",
            graph.integers(start),
            graph.integers(start + size),
            graph.integers(1),
        )
        parts.append(graph.reshaped(part, count, *kept))
        start += size
    value = None
    for steps, part in zip(reversed(flow.levels), reversed(parts), strict=True):
        shape = steps[0].shape
        value = part if value is None else graph.joined(value, part)
        for step in reversed(steps):
            kept, changed = graph.halves(value, shape[0])
            shift, scale = graph.shift_and_scale(kept, step)
            value = graph.joined(kept, graph.node("Div", graph.node("Sub", changed, shift), scale))
            if step.matrix is not None:
                inverse = np.linalg.inv(step.matrix.astype(np.float64))
                weight, bias = (
                    inverse.astype(np.float32),
                    (-inverse @ step.shift).astype(np.float32),
                )
                value = graph.convolution(value, weight[:, :, None, None], bias)
        if flow.size.squeeze:
            value = graph.unsqueezed(value, count, shape)
    return graph.made("z", graph.reshaped(value, count, dim), dim, count, [count, dim])
