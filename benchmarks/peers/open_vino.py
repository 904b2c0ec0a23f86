"""OpenVINO, CPU, one thread, float32 throughout, compiled for each number of rows. Noise of samples is NumPy's."""

import numpy as np
import onnx_graph
import openvino

from worker import Base

OPTIONS = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


class Peer(Base):
    packages = ("openvino",)

    def __init__(self, flow, folder, name):
        self.random, self.flow = np.random.default_rng(), flow
        self.core, self.compiled = openvino.Core(), {}

    def run(self, model, rows):
        if (model, len(rows)) not in self.compiled:
            read = self.core.read_model(model(self.flow).SerializeToString())
            read.reshape([len(rows), self.flow.size.dim])
            self.compiled[model, len(rows)] = self.core.compile_model(read, "CPU", OPTIONS).create_infer_request()
        return self.compiled[model, len(rows)].infer([rows], share_inputs=True)[0]

    def log_prob(self, x):
        return self.run(onnx_graph.log_prob_model, x)

    def inverse(self, z):
        return self.run(onnx_graph.inverse_model, z)

    def sample(self, count):
        return self.inverse(self.random.standard_normal((count, self.flow.size.dim), np.float32))
