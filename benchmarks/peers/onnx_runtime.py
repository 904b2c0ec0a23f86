"""ONNX Runtime, CPU, one thread. Noise for samples comes from NumPy."""

import numpy as np
import onnx_graph
import onnxruntime

from worker import Base


class Peer(Base):
    packages = ("onnxruntime",)

    def __init__(self, flow, folder, name):
        self.random, self.dim = np.random.default_rng(), flow.size.dim
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.make = lambda model: onnxruntime.InferenceSession(
            model(flow).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.sessions = {}

    def session(self, model):
        if model not in self.sessions:
            self.sessions[model] = self.make(model)
        return self.sessions[model]

    def log_prob(self, x):
        return self.session(onnx_graph.log_prob_model).run(None, {"x": x})[0]

    def inverse(self, z):
        return self.session(onnx_graph.inverse_model).run(None, {"z": z})[0]

    def sample(self, count):
        return self.inverse(self.random.standard_normal((count, self.dim), np.float32))
