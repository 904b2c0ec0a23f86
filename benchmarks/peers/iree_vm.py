"""IREE on the CPU, one thread: the graphs of onnx_graph.py, compiled ahead of time. Noise of samples is NumPy's.

Up to 16 rows, each number has a graph of its own; compiled for any number, a row of L21 takes five times as long. From
17 rows on there is no difference. The compiler takes some seconds for each graph; what it made is kept beside the
flows. Rows and results go through the runtime's own lists, without the conversions of its Python functions, which take
longer than a row.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import iree.runtime as runtime
import numpy as np

from worker import Base

GRAPHS = {"log_prob": "log_prob_model", "inverse": "inverse_model"}  # of onnx_graph.py, which asks for onnx
MOST_OF_ITS_OWN = 16  # rows


def fixed(graph, rows):
    """The graph with a constant number of rows."""
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param == "rows":
                size.dim_value = rows
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                fixed(attribute.g, rows)


def compiled(flow, verb, rows, path):
    """Writes the module of a graph for so many rows, or for any number (None)."""
    import onnx
    import onnx_graph

    model = getattr(onnx_graph, GRAPHS[verb])(flow)
    if rows is not None:
        fixed(model.graph, rows)
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source, module = Path(folder) / "flow.onnx", Path(folder) / "flow.vmfb"
        onnx.save(model, source)
        for command in (
            [tools / "iree-import-onnx", source, "-o", source.with_suffix(".mlir")],
            [tools / "iree-compile", source.with_suffix(".mlir"), "-o", module, "--iree-input-type=onnx"]
            + ["--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                error = re.search(r"error: .*", done.stderr)
                raise NotImplementedError(f"its compiler refuses: {error[0] if error else done.returncode}")
        os.replace(module, path)


class Peer(Base):
    packages = ("iree-base-runtime",)

    def __init__(self, flow, folder, name):
        self.random, self.flow, self.modules = np.random.default_rng(), flow, {}
        self.path = Path(folder) / f"{name}.iree-{importlib.metadata.version('iree-base-runtime')}"
        self.config = runtime.Config("local-sync")

    def module(self, verb, rows):
        if rows > MOST_OF_ITS_OWN:
            rows = None
        if (verb, rows) not in self.modules:
            path = self.path.with_name(f"{self.path.name}.{verb}.{rows or 'any'}.vmfb")
            if not path.exists():
                compiled(self.flow, verb, rows, path)
            context = runtime.SystemContext(config=self.config)
            context.add_vm_module(runtime.VmModule.mmap(context.instance, str(path)))
            function = context.modules["module"]["flow"].vm_function
            self.modules[verb, rows] = context, function
        return self.modules[verb, rows]

    def run(self, verb, rows):
        """`rows`: a buffer of the runtime, or an array."""
        if isinstance(rows, np.ndarray):
            rows = self.prepare(rows)
        context, function = self.module(verb, rows.shape[0])
        arguments, results = runtime.VmVariantList(1), runtime.VmVariantList(1)
        arguments.push_ref(rows._buffer_view)
        context.vm_context.invoke(function, arguments, results)
        buffer = results.get_as_object(0, runtime.HalBufferView)
        return runtime.DeviceArray(self.config.device, buffer, implicit_host_transfer=True)

    def prepare(self, rows):
        return runtime.asdevicearray(self.config.device, rows)

    def log_prob(self, x):
        return self.run("log_prob", x)

    def inverse(self, z):
        return self.run("inverse", z)

    def sample(self, count):
        return self.inverse(self.random.standard_normal((count, self.flow.size.dim), np.float32))
