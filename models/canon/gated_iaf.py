"""The inverse autoregressive flow of Kingma et al. 2016 (Algorithm 1) as posterior of a variational autoencoder.

    mean, std, h = encoder(observation);  z = mean + std * noise
    T times:  m, s = network(z, h);  z = sigmoid(s) * z + (1 - sigmoid(s)) * m

The order of the coordinates is reversed between steps. The file holds encoder and flow, q(z | observation): its rows
are latent vectors, its context an observation in the units of the data. The decoder is needed for training alone.
"""

import torch
from masked import MADE
from torch import nn
from torch.nn import functional as F

LATENT, FEATURES, WIDTH, STEPS = 4, 8, 24, 3


class GatedIAF(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.encoder = nn.Sequential(nn.Linear(len(mean), WIDTH), nn.Tanh(), nn.Linear(WIDTH, 2 * LATENT + FEATURES))
        self.steps = nn.ModuleList(MADE(LATENT, WIDTH, 2, FEATURES) for _ in range(STEPS))
        for step in self.steps:
            step.last.bias.data.reshape(LATENT, 2)[:, 1] = 1.5  # a gate that begins open
        self.decoder = nn.Sequential(nn.Linear(LATENT, WIDTH), nn.Tanh(), nn.Linear(WIDTH, len(mean)))
        self.log_noise = nn.Parameter(torch.zeros(len(mean)))

    def _encoded(self, observation):
        return self.encoder((observation - self.mean) / self.std).split([LATENT, LATENT, FEATURES], dim=1)

    def inverse(self, z, observation):
        """From the encoder's normal to the posterior: one network pass a step."""
        _, _, h = self._encoded(observation)
        log_det = 0.0
        for step in self.steps:
            m, s = step(z, h).unbind(-1)
            gate = torch.sigmoid(s)
            z, log_det = (gate * z + (1 - gate) * m).flip(1), log_det + F.logsigmoid(s).sum(dim=1)
        return z, log_det

    def forward(self, z, observation):
        """Back: coordinate by coordinate."""
        _, _, h = self._encoded(observation)
        log_det = 0.0
        for step in reversed(self.steps):
            z, before = z.flip(1), torch.zeros_like(z)
            for i in range(LATENT):
                m, s = step(before, h).unbind(-1)
                gate = torch.sigmoid(s)
                found = (z - (1 - gate) * m) / gate
                before = torch.cat([before[:, :i], found[:, i : i + 1], before[:, i + 1 :]], dim=1)
            z, log_det = before, log_det - F.logsigmoid(step(before, h)[..., 1]).sum(dim=1)
        return z, log_det

    def base_log_prob(self, z, observation):
        mean, log_std, _ = self._encoded(observation)
        return torch.distributions.Normal(mean, log_std.exp(), validate_args=False).log_prob(z).sum(dim=1)

    def log_prob(self, z, observation):
        noise, log_det = self(z, observation)
        return self.base_log_prob(noise, observation) + log_det

    def bound(self, observation):
        """(n,) the evidence lower bound of log p(observation), one draw each."""
        mean, log_std, _ = self._encoded(observation)
        first = mean + log_std.exp() * torch.randn_like(mean)
        z, log_det = self.inverse(first, observation)
        log_q = self.base_log_prob(first, observation) - log_det
        scale = self.std * self.log_noise.exp()
        predicted = torch.distributions.Normal(self.mean + self.std * self.decoder(z), scale)
        prior = torch.distributions.Normal(0.0, 1.0)
        return predicted.log_prob(observation).sum(dim=1) + prior.log_prob(z).sum(dim=1) - log_q

    def description(self):
        """The encoder's outputs are mean, log std and h; networks and base see the part that is theirs."""
        first, last = self.encoder[0], self.encoder[2]
        weight = first.weight.double() / self.std
        encoder = [
            {"context_weight": weight, "bias": first.bias - weight @ self.mean.double(), "activation": "tanh"},
            {"weight": last.weight, "bias": last.bias, "source": 0},
        ]
        parts = torch.eye(2 * LATENT + FEATURES)
        transformer = {"kind": "affine", "form": "gated", "scale": "sigmoid", "epsilon": 0,
                       "rows": ["coordinate", "parameter"], "parameters": ["shift", "scale"]}  # fmt: skip
        steps = []
        for step in reversed(self.steps):  # from the posterior back to the encoder's normal
            layers = step.layers()
            layers[0]["context_weight"] = step.context.weight @ parts[2 * LATENT :]
            flow = {"kind": "autoregressive", "reads": "noise", "layers": layers, "transformer": transformer}
            steps += [{"kind": "reverse"}, flow]
        base = {"kind": "conditional_normal", "layers": [{"context_weight": parts[: 2 * LATENT]}],
                "rows": ["parameter", "coordinate"], "parameters": ["mean", "log_std"]}  # fmt: skip
        return {"dim": LATENT, "context_dim": len(self.mean), "encoder": encoder, "steps": steps, "base": base}
