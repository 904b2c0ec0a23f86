"""PyTorch eager, by zuko: its MaskedAutoregressiveTransform, with the scale function of the flow that is measured."""

import torch
import zuko
from torch.nn.functional import softplus
from zuko.flows import Flow, UnconditionalDistribution
from zuko.flows.autoregressive import MaskedAutoregressiveTransform
from zuko.transforms import Transform

from flows import EPSILON, masks
from torch_gradient import gradient
from worker import Base

torch.set_num_threads(1)
torch.set_grad_enabled(False)


class Affine(Transform):
    """s x + t with s = softplus(a) + epsilon, one coordinate each, as MonotonicAffineTransform with another scale."""

    domain = codomain = torch.distributions.constraints.real
    bijective = True
    sign = 1

    def __init__(self, shift, raw, **options):
        super().__init__(**options)
        self.shift, self.scale = shift, softplus(raw) + EPSILON

    def _call(self, x):
        return x * self.scale + self.shift

    def _inverse(self, y):
        return (y - self.shift) / self.scale

    def log_abs_det_jacobian(self, x, y):
        return self.scale.log().expand(x.shape)


class Peer(Base):
    packages = ("torch", "zuko")

    def __init__(self, flow, folder, name):
        size, steps = flow.size, []
        activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[size.activation]
        for s in range(size.steps):
            order = torch.arange(size.dim)
            step = MaskedAutoregressiveTransform(
                size.dim,
                order=order.flip(0) if s % 2 else order,
                univariate=Affine,
                shapes=[(), ()],
                hidden_features=[size.hidden, size.hidden],
                activation=activation,
            )
            linear = [layer for layer in step.hyper if hasattr(layer, "mask")]
            arrays = list(map(torch.from_numpy, flow.step(s)))
            for number, layer in enumerate(linear):
                weight, bias = arrays[2 * number : 2 * number + 2]
                mask = torch.from_numpy(masks(size.dim, size.hidden, s % 2 == 1)[number])
                if number == 2:  # rows: (t, a) of each coordinate in turn
                    weight, bias, mask = (
                        part.reshape(2, size.dim, -1).transpose(0, 1).reshape(part.shape)
                        for part in (weight, bias, mask)
                    )
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
                layer.mask.copy_(mask)
            steps.append(step)
        base = UnconditionalDistribution(
            zuko.distributions.DiagNormal, torch.zeros(size.dim), torch.ones(size.dim), buffer=True
        )
        self.distribution = Flow(steps, base).requires_grad_(False)()

    def prepare(self, rows):
        return torch.from_numpy(rows)

    def log_prob(self, x):
        return self.distribution.log_prob(x)

    def gradient(self, x):
        return gradient(self.log_prob, x)

    def inverse(self, z):
        return self.distribution.transform.inv(z)

    def sample(self, count):
        return self.distribution.sample((count,))
