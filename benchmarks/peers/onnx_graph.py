"""A flow as ONNX models: log_prob (x -> log_p) and inverse (z -> x), this with a Loop of D passes for each step."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from flows import EPSILON

FLOAT = TensorProto.FLOAT


class Graph:
    """Nodes and constants under construction; `node` returns the name of its output."""

    def __init__(self, prefix=""):
        self.nodes, self.constants, self.prefix = [], [], prefix
        self.shapes = []  # of results whose shape an importer does not find

    def node(self, kind, *inputs, **attributes):
        output = f"{self.prefix}{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value):
        name = f"{self.prefix}constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def parameters(self, x, flow, s):
        """shift and scale, (rows, D) each."""
        w1, b1, w2, b2, w3, b3 = flow.step(s)
        activation = flow.size.activation.capitalize()
        h = x
        for weight, bias in ((w1, b1), (w2, b2)):
            h = self.node("Gemm", h, self.constant(weight), self.constant(bias), transB=1)
            h = self.node(activation, h)
        # Two matrices instead of a cut through one.
        shift, raw = (
            self.node("Gemm", h, self.constant(weight), self.constant(bias), transB=1)
            for weight, bias in zip(np.split(w3, 2), np.split(b3, 2), strict=True)
        )
        return shift, self.node("Add", self.node("Softplus", raw), self.constant(np.float32(EPSILON)))

    def sum(self, value):
        return self.node("ReduceSum", value, self.constant(np.array([1])), keepdims=0)

    def model(self, source, result, dim, result_shape):
        graph = helper.make_graph(
            self.nodes + [helper.make_node("Identity", [result], ["result"])],
            "flow",
            [helper.make_tensor_value_info(source, FLOAT, ["rows", dim])],
            [helper.make_tensor_value_info("result", FLOAT, result_shape)],
            self.constants,
            value_info=self.shapes,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def log_prob_model(flow):
    graph, x, log_det = Graph(), "x", None
    for s in range(flow.size.steps):
        shift, scale = graph.parameters(x, flow, s)
        x = graph.node("Add", graph.node("Mul", scale, x), shift)
        part = graph.sum(graph.node("Log", scale))
        log_det = part if log_det is None else graph.node("Add", log_det, part)
    half = graph.node("Mul", graph.sum(graph.node("Mul", x, x)), graph.constant(np.float32(0.5)))
    half = graph.node("Add", half, graph.constant(np.float32(0.5 * np.log(2 * np.pi) * flow.size.dim)))
    return graph.model("x", graph.node("Sub", log_det, half), flow.size.dim, ["rows"])


def inverse_model(flow):
    graph, z, dim = Graph(), "z", flow.size.dim
    for s in reversed(range(flow.size.steps)):
        body = Graph(f"step{s}_")
        before, after = f"step{s}_before", f"step{s}_after"
        shift, scale = body.parameters(before, flow, s)
        body.nodes.append(helper.make_node("Div", [body.node("Sub", z, shift), scale], [after]))
        body.nodes.append(helper.make_node("Identity", [f"step{s}_go"], [f"step{s}_on"]))
        loop = helper.make_graph(
            body.nodes,
            f"step{s}",
            [
                helper.make_tensor_value_info(f"step{s}_number", TensorProto.INT64, []),
                helper.make_tensor_value_info(f"step{s}_go", TensorProto.BOOL, []),
                helper.make_tensor_value_info(before, FLOAT, ["rows", dim]),
            ],
            [
                helper.make_tensor_value_info(f"step{s}_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info(after, FLOAT, ["rows", dim]),
            ],
            body.constants,
        )
        zeros = graph.node("Sub", z, z)
        z = graph.node("Loop", graph.constant(np.int64(dim)), graph.constant(np.bool_(True)), zeros, body=loop)
        graph.shapes.append(helper.make_tensor_value_info(z, FLOAT, ["rows", dim]))
    return graph.model("z", z, dim, ["rows", dim])
