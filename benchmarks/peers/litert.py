"""LiteRT (TensorFlow Lite) with XNNPACK, one thread; models from convert_litert.py. Noise of samples is NumPy's."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from worker import Base


class Peer(Base):
    packages = ("ai-edge-litert",)

    def __init__(self, flow, folder, name):
        self.random, self.dim, self.interpreters = np.random.default_rng(), flow.size.dim, {}
        self.path = Path(folder) / name

    def run(self, verb, rows):
        if (verb, len(rows)) not in self.interpreters:
            made = Interpreter(f"{self.path}.{verb}.tflite", num_threads=1)
            made.resize_tensor_input(made.get_input_details()[0]["index"], rows.shape, strict=True)
            made.allocate_tensors()
            ends = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]
            self.interpreters[verb, len(rows)] = made, *ends
        interpreter, source, result = self.interpreters[verb, len(rows)]
        interpreter.set_tensor(source, rows)
        interpreter.invoke()
        return interpreter.get_tensor(result)

    def log_prob(self, x):
        return self.run("log_prob", x)

    def inverse(self, z):
        return self.run("inverse", z)

    def sample(self, count):
        return self.inverse(self.random.standard_normal((count, self.dim), np.float32))
