"""MADE (Germain et al. 2015) with any number of parameters for each coordinate, and flows that end in one of them.

These are modules of no framework: they show how a model of one's own is described to `flowrt.save`.
"""

import torch
from torch import nn
from torch.nn import functional as F


class MaskedLinear(nn.Linear):
    def __init__(self, mask):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, values):
        return F.linear(values, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    """x (n, D) to parameters (n, D, outputs); those of coordinate i see the coordinates below i, and the context."""

    def __init__(self, dim, hidden, outputs, context=0):
        super().__init__()
        rank, degree = torch.arange(dim), torch.arange(hidden) % max(1, dim - 1)
        self.first = MaskedLinear(degree[:, None] >= rank)
        self.last = MaskedLinear(rank.repeat_interleave(outputs)[:, None] > degree)
        self.context = nn.Linear(context, hidden, bias=False) if context else None
        self.outputs = outputs

    def forward(self, x, context=None):
        hidden = self.first(x)
        if self.context is not None:
            hidden = hidden + self.context(context)
        return self.last(F.elu(hidden)).reshape(*x.shape, self.outputs)

    def layers(self):
        """For a description."""
        first = {**_linear(self.first), "activation": "elu", "alpha": 1}
        if self.context is not None:
            first["context_weight"] = self.context.weight
        return [first, _linear(self.last)]


def _linear(layer):
    return {"weight": layer.weight, "mask": layer.mask, "bias": layer.bias}


class MixtureMADE(nn.Module):
    """A density: a mixture of `components` normals for each coordinate given those before."""

    def __init__(self, dim, hidden, components):
        super().__init__()
        self.made, self.components = MADE(dim, hidden, 3 * components), components
        self.made.last.bias.data.reshape(dim, components, 3)[..., 1] += torch.linspace(-1, 1, components)

    def log_prob(self, x, context=None):
        logit, mean, raw = self.made(x).reshape(*x.shape, self.components, 3).unbind(-1)
        std = F.softplus(raw) + 0.01
        normals = torch.distributions.Normal(mean, std, validate_args=False).log_prob(x[..., None])
        return torch.logsumexp(torch.log_softmax(logit, dim=-1) + normals, dim=-1).sum(dim=-1)

    def description(self):
        return {"kind": "autoregressive_mixture", "layers": self.made.layers(), "components": self.components,
                "scale": "softplus", "epsilon": 0.01, "rows": ["coordinate", "component", "parameter"],
                "parameters": ["logit", "mean", "scale"]}  # fmt: skip


class MixtureMAF(nn.Module):
    """Standardisation, masked autoregressive steps u = (x - t) exp(-a) with reversals, and a mixture MADE as base."""

    def __init__(self, mean, std, steps, hidden, components):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.steps = nn.ModuleList(MADE(len(mean), hidden, 2) for _ in range(steps))
        self.base = MixtureMADE(len(mean), hidden, components)

    def forward(self, x, context=None):
        x, log_det = (x - self.mean) / self.std, -self.std.log().sum().expand(len(x))
        for step in self.steps:
            t, a = step(x).unbind(-1)
            x, log_det = ((x - t) * torch.exp(-a)).flip(1), log_det - a.sum(dim=1)
        return x, log_det

    def inverse(self, z, context=None):
        log_det = self.std.log().sum().expand(len(z))
        for step in reversed(self.steps):
            z, x = z.flip(1), torch.zeros_like(z)
            for i in range(z.shape[1]):
                t, a = step(x).unbind(-1)
                x = torch.cat([x[:, :i], (z * torch.exp(a) + t)[:, i : i + 1], x[:, i + 1 :]], dim=1)
            z, log_det = x, log_det + step(x)[..., 1].sum(dim=1)
        return z * self.std + self.mean, log_det

    def base_log_prob(self, z, context=None):
        return self.base.log_prob(z)

    def log_prob(self, x, context=None):
        z, log_det = self(x)
        return self.base_log_prob(z) + log_det

    def description(self):
        transformer = {"kind": "affine", "form": "shift_then_scale", "scale": "exp", "gain": -1,
                       "rows": ["coordinate", "parameter"], "parameters": ["shift", "scale"]}  # fmt: skip
        steps = [{"kind": "diagonal", "scale": 1 / self.std.double(), "shift": -(self.mean / self.std.double())}]
        for step in self.steps:
            autoregressive = {"kind": "autoregressive", "reads": "data", "layers": step.layers()}
            steps += [{**autoregressive, "transformer": transformer}, {"kind": "reverse"}]
        return {"dim": len(self.mean), "steps": steps, "base": self.base.description()}
