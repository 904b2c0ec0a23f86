"""The flows that are measured: sizes, random weights, and the files that flowrt and its peers read.

An affine MAF with two hidden layers a step and the masks of MADE; odd steps take the coordinates in reverse order. A
step maps x to s * x + t with s = softplus(a) + 1e-3, where (t, a) is what the network makes of x. The weights keep the
flow near the identity, as training from data of unit scale does, so that all programs can be compared in float32.

    FOLDER/NAME.npz       for the peers in Python: dense weights, zero where the mask is
    FOLDER/NAME.bin       the same for the peer in C
    FOLDER/NAME-MAF.flw, NAME-IAF.flw
    FOLDER/NAME.x, .z     rows to evaluate: data and noise, float32
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
import flowrt  # noqa: E402

EPSILON = 1e-3
CONTEXT = 0.5  # all numbers of the context
ROWS = 1024  # in the files of rows


@dataclass
class Size:
    """D coordinates, C floats of context, H units in each hidden layer."""

    dim: int
    hidden: int
    steps: int
    activation: str
    context: int = 0


SIZES = {
    "S": Size(6, 50, 5, "tanh"),
    "M": Size(8, 100, 5, "tanh"),
    "L21": Size(21, 512, 5, "tanh"),
    "L43": Size(43, 512, 5, "tanh"),
    "XL": Size(63, 512, 10, "relu"),
    "MNIST": Size(784, 1024, 5, "relu"),
    "SBI": Size(6, 50, 5, "tanh", context=10),
}


@dataclass
class Flow:
    """w1 (steps, H, D), w2 (steps, H, H), w3 (steps, 2 D, H): rows of all shifts t, then of all raw scales a; biases
    b1, b2, b3. With a context c, tanh(wc c + bc) is added to the first layer, as nflows does."""

    size: Size
    arrays: dict

    def __getattr__(self, name):
        return self.arrays[name]

    def step(self, s):
        """The six arrays of a step: w1, b1, w2, b2, w3, b3."""
        return [self.arrays[name][s] for name in ("w1", "b1", "w2", "b2", "w3", "b3")]

    def ascending_step(self, s):
        """The same for coordinates in reverse order if s is odd, so that every step's order ascends."""
        w1, b1, w2, b2, w3, b3 = self.step(s)
        if s % 2:
            w1 = w1[:, ::-1]
            w3, b3 = (part.reshape(2, self.size.dim, -1)[:, ::-1].reshape(part.shape) for part in (w3, b3))
        return [np.ascontiguousarray(part) for part in (w1, b1, w2, b2, w3, b3)]

    def dense_weights(self):
        return self.w1.size + self.w2.size + self.w3.size

    def nonzero_weights(self):
        """Multiply-adds of a row, each weight that may act used once."""
        return sum(np.count_nonzero(self.arrays[name]) for name in ("w1", "w2", "w3"))


def masks(dim, hidden, descending):
    """MADE: input ranks 1 .. D, hidden degrees 1 .. D - 1 in turn; an output sees smaller ranks only."""
    rank = np.arange(dim, 0, -1) if descending else np.arange(1, dim + 1)
    degree = np.arange(hidden) % (dim - 1) + 1
    return degree[:, None] >= rank, degree[:, None] >= degree, np.tile(rank, 2)[:, None] > degree


def random_flow(name):
    size = SIZES[name]
    random = np.random.default_rng(sum(name.encode()))
    arrays = {key: [] for key in ("w1", "b1", "w2", "b2", "w3", "b3")}
    for s in range(size.steps):
        gain = {1: 1.0, 2: 1.0, 3: 0.2}
        for layer, mask in enumerate(masks(size.dim, size.hidden, s % 2 == 1), start=1):
            spread = gain[layer] / np.sqrt(np.maximum(mask.sum(1, keepdims=True), 1))
            weight = random.standard_normal(mask.shape) * spread * mask
            bias = 0.1 * random.standard_normal(len(mask))
            if layer == 3:
                bias[size.dim :] += np.log(np.expm1(1 - EPSILON))  # s is about 1
            arrays[f"w{layer}"].append(weight)
            arrays[f"b{layer}"].append(bias)
    if size.context:
        arrays["wc"] = random.standard_normal((size.steps, size.hidden, size.context)) / np.sqrt(size.context)
        arrays["bc"] = 0.1 * random.standard_normal((size.steps, size.hidden))
    return Flow(size, {key: np.array(value, np.float32) for key, value in arrays.items()})


def load(folder, name):
    with np.load(Path(folder) / f"{name}.npz") as arrays:
        return Flow(SIZES[name], dict(arrays))


def rows(folder, name, kind, count):
    """The first rows of NAME.x (data) or NAME.z (noise)."""
    return np.fromfile(Path(folder) / f"{name}.{kind}", np.float32, count * SIZES[name].dim).reshape(count, -1)


def forward(flow, x):
    """z and log p of rows x in float64, by dense matrices: what all programs are compared with."""
    x, log_det = x.astype(np.float64), 0
    activation = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}[flow.size.activation]
    for s in range(flow.size.steps):
        w1, b1, w2, b2, w3, b3 = (part.astype(np.float64) for part in flow.step(s))
        if flow.size.context:
            b1 = b1 + np.tanh(flow.wc[s].astype(np.float64).sum(1) * CONTEXT + flow.bc[s])
        shift, raw = np.split(activation(activation(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3, 2, -1)
        scale = np.logaddexp(0, raw) + EPSILON
        x, log_det = scale * x + shift, log_det + np.log(scale).sum(-1)
    return x, log_det - 0.5 * (x * x + np.log(2 * np.pi)).sum(-1)


def gradient(flow, x):
    """d log p / dx (n, D), by differences of `forward` of the sixth order."""
    x, result = x.astype(np.float64), np.zeros(x.shape)
    for i in range(flow.size.dim):
        for steps, weight in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)):
            moved = 1e-4 * steps * (np.arange(flow.size.dim) == i)
            result[:, i] += weight / 1e-4 * (forward(flow, x + moved)[1] - forward(flow, x - moved)[1])
    return result


def description(flow, reads):
    """For flowrt.save; docs/DESCRIPTIONS.md."""
    size, steps = flow.size, []
    for s in range(size.steps):
        w1, b1, w2, b2, w3, b3 = flow.step(s)
        first, second, third = masks(size.dim, size.hidden, s % 2 == 1)
        layers = [
            {"weight": w1, "mask": first, "bias": b1, "activation": size.activation, "source": "read"},
            {"weight": w2, "mask": second, "bias": b2, "activation": size.activation},
            {"weight": w3, "mask": third, "bias": b3},
        ]
        if size.context:
            layers[0]["add"] = [0]
            layers.insert(0, {"context_weight": flow.wc[s], "bias": flow.bc[s], "activation": "tanh"})
        steps.append(
            {
                "kind": "autoregressive",
                "reads": reads,
                "layers": layers,
                "transformer": {
                    "kind": "affine",
                    "form": "scale_then_shift",
                    "scale": "softplus",
                    "epsilon": EPSILON,
                    "rows": ["parameter", "coordinate"],
                    "parameters": ["shift", "scale"],
                },
            }
        )
    if reads == "noise":
        steps.reverse()
    return {"dim": size.dim, "context_dim": size.context, "steps": steps}


def write(folder, name):
    """All files of a flow, unless they are there and not older than this program."""
    folder = Path(folder)
    done = folder / f"{name}.done"
    if done.exists() and done.stat().st_mtime > Path(__file__).stat().st_mtime:
        return
    flow, random = random_flow(name), np.random.default_rng(1)
    np.savez(folder / f"{name}.npz", **flow.arrays)
    with open(folder / f"{name}.bin", "wb") as file:
        size = flow.size
        np.array([size.dim, size.hidden, size.steps, size.activation == "relu"], np.int32).tofile(file)
        for s in range(size.steps):
            for part in flow.step(s):
                part.tofile(file)
    flowrt.save(folder / f"{name}-MAF.flw", description(flow, "data"))
    flowrt.save(folder / f"{name}-IAF.flw", description(flow, "noise"))
    for kind in "xz":
        random.standard_normal((ROWS, flow.size.dim), np.float32).tofile(folder / f"{name}.{kind}")
    done.touch()


if __name__ == "__main__":
    for name in sys.argv[2:] or SIZES:
        write(sys.argv[1], name)
