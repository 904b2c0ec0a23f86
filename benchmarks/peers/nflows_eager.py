"""PyTorch eager, by nflows: its MaskedAffineAutoregressiveTransform with reversals between the steps."""

import torch
from nflows import distributions, flows, transforms

from flows import CONTEXT, EPSILON
from torch_gradient import gradient
from worker import Base

torch.set_num_threads(1)
torch.set_grad_enabled(False)


class Peer(Base):
    packages = ("torch", "nflows")

    def __init__(self, flow, folder, name):
        size, layers = flow.size, []
        for s in range(size.steps):
            step = transforms.MaskedAffineAutoregressiveTransform(
                size.dim,
                size.hidden,
                context_features=size.context or None,
                num_blocks=1,
                use_residual_blocks=False,
                activation=getattr(torch, size.activation),
            )
            assert step._epsilon == EPSILON
            net = step.autoregressive_net
            w1, b1, w2, b2, w3, b3 = map(torch.from_numpy, flow.ascending_step(s))
            linear = [net.initial_layer, net.blocks[0].linear, net.final_layer]
            # Rows of the output layer: (a, t) of each coordinate in turn.
            pairs = [part.reshape(2, size.dim, -1).flip(0).transpose(0, 1).reshape(part.shape) for part in (w3, b3)]
            for layer, weight, bias in zip(linear, (w1, w2, pairs[0]), (b1, b2, pairs[1]), strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
            if size.context:
                net.context_layer.weight.copy_(torch.from_numpy(flow.wc[s]))
                net.context_layer.bias.copy_(torch.from_numpy(flow.bc[s]))
            layers += [step, transforms.ReversePermutation(size.dim)]
        if size.steps % 2:
            layers.pop()
        self.transform = transforms.CompositeTransform(layers)
        self.flow = flows.Flow(self.transform, distributions.StandardNormal([size.dim])).eval()
        self.flow.requires_grad_(False)
        self.context = torch.full((1, size.context), CONTEXT) if size.context else None

    def prepare(self, rows):
        return torch.from_numpy(rows)

    def log_prob(self, x):
        return self.flow.log_prob(x, None if self.context is None else self.context.expand(len(x), -1))

    def gradient(self, x):
        return gradient(self.log_prob, x)

    def inverse(self, z):
        return self.transform.inverse(z, None if self.context is None else self.context.expand(len(z), -1))[0]

    def sample(self, count):
        samples = self.flow.sample(count, self.context)
        return samples if self.context is None else samples[0]
