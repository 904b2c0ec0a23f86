"""ONNX Runtime on flows of images: as onnx_runtime.py, with a graph for each number of images."""

import onnx_runtime
import planes_graph

import planes

MODELS = planes


class Peer(onnx_runtime.Peer):
    def run(self, model, name, rows):
        if (model, len(rows)) not in self.sessions:
            self.sessions[model, len(rows)] = self.make(lambda flow: model(flow, len(rows)))
        return self.sessions[model, len(rows)].run(None, {name: rows})[0]

    def log_prob(self, x):
        return self.run(planes_graph.log_prob_model, "x", x)

    def inverse(self, z):
        return self.run(planes_graph.inverse_model, "z", z)
