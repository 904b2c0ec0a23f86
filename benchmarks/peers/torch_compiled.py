"""PyTorch compiled (Inductor): the density as one graph; for samples one graph of a step's pass, called D times.

The D passes of a step in one graph would be D copies of the network, which takes the compiler minutes.
"""

import torch
from torch.nn.functional import linear, softplus

from flows import EPSILON
from torch_gradient import gradient
from worker import Base

torch.set_num_threads(1)
torch.set_grad_enabled(False)


class Peer(Base):
    packages = ("torch",)

    def __init__(self, flow, folder, name):
        torch.compiler.reset()
        self.dim = flow.size.dim
        self.steps = [list(map(torch.from_numpy, flow.step(s))) for s in range(flow.size.steps)]
        activation = getattr(torch, flow.size.activation)

        def parameters(x, w1, b1, w2, b2, w3, b3):
            h = activation(linear(activation(linear(x, w1, b1)), w2, b2))
            shift, raw = linear(h, w3, b3).chunk(2, -1)
            return shift, softplus(raw) + EPSILON

        def log_prob(x, steps):
            log_det = 0
            for step in steps:
                shift, scale = parameters(x, *step)
                x = scale * x + shift
                log_det = log_det + scale.log().sum(-1)
            return log_det - 0.5 * (x * x + 1.8378770664093453).sum(-1)

        def refine(x, z, *step):
            shift, scale = parameters(x, *step)
            return (z - shift) / scale

        self.compiled_log_prob = torch.compile(log_prob)
        self.compiled_refine = torch.compile(refine)

    def prepare(self, rows):
        return torch.from_numpy(rows)

    def log_prob(self, x):
        return self.compiled_log_prob(x, self.steps)

    def gradient(self, x):
        return gradient(self.log_prob, x)

    def inverse(self, z):
        for step in reversed(self.steps):
            x = torch.zeros_like(z)
            for _ in range(self.dim):
                x = self.compiled_refine(x, z, *step)
            z = x
        return z

    def sample(self, count):
        return self.inverse(torch.randn(count, self.dim))
