"""flowrt and its peers: how each is started."""

from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Program:
    name: str
    what: str
    executable: str = ""  # in the build folder, for the programs in C
    module: str = ""  # in peers/, for those in Python, with
    environment: str = ""  # where its packages are
    installed: tuple = ()  # packages or libraries that a user has to install
    one_pass: bool = False  # both directions cost one pass of the network, and not one of them D
    compiles: bool = False  # the first call for each number of rows takes longer
    variables: dict = field(default_factory=dict)

    def command(self, build, environments):
        if self.executable:
            return [str(build / self.executable)]
        return [str(python(environments, self.environment)), str(HERE / "peers" / "worker.py"), self.module]


def python(environments, name):
    """The interpreter of an environment, FOLDER/NAME/venv as run.sh makes it or FOLDER/NAME."""
    for path in (environments / name / "venv", environments / name):
        if (path / "bin" / "python").exists():
            return path / "bin" / "python"
    raise FileNotFoundError(f"no environment {name} in {environments}")


FLOWRT = Program("flowrt", "flowrt", executable="flowrt", installed=("libflowrt.so",), one_pass=True)
PEERS = [
    Program("openblas", "C with OpenBLAS", executable="openblas", installed=("libopenblas.so.0",)),
    Program("onnxruntime", "ONNX Runtime", module="onnx_runtime", environment="runtimes", installed=("onnxruntime",)),
    Program("openvino", "OpenVINO", module="open_vino", environment="runtimes", installed=("openvino",), compiles=True),
    Program(
        "iree", "IREE", module="iree_vm", environment="iree", installed=("iree-base-runtime",), compiles=True
    ),
    Program("litert", "LiteRT", module="litert", environment="runtimes", installed=("ai-edge-litert",), compiles=True),
    Program(
        "torch", "PyTorch compiled", module="torch_compiled", environment="torch", installed=("torch",), compiles=True
    ),
    Program("jax", "JAX (flowjax)", module="flowjax_xla", environment="jax", installed=("flowjax",), compiles=True),
    Program(
        "tfp",
        "TFP with XLA",
        module="tfp_xla",
        environment="tfp",
        installed=("tensorflow-cpu", "tensorflow-probability", "tf_keras"),
        compiles=True,
    ),
    Program("nflows", "PyTorch eager (nflows)", module="nflows_eager", environment="torch", installed=("nflows",)),
    Program("zuko", "PyTorch eager (zuko)", module="zuko_eager", environment="torch", installed=("zuko",)),
]
DIFFERENTIATE = [peer for peer in PEERS if peer.name in ("torch", "jax", "nflows", "zuko")]
# flowrt on the other flow of a size, and with a context.
IAF = replace(FLOWRT, name="flowrt-iaf")
CONTEXT, PLAIN = replace(FLOWRT, name="flowrt-context"), replace(FLOWRT, name="flowrt-plain")
NFLOWS_CONTEXT = Program("nflows-context", "PyTorch eager (nflows)", module="nflows_eager", environment="torch")
# The best instruction set, and those below it, side by side.
BEST = replace(FLOWRT, name="flowrt-best", what="flowrt, best level")
AVX2 = replace(FLOWRT, name="flowrt-avx2", what="flowrt, AVX2 level", variables={"FLOWRT_BENCH_LEVEL": "2"})
SSE2 = replace(FLOWRT, name="flowrt-sse2", what="flowrt, SSE2 level", variables={"FLOWRT_BENCH_LEVEL": "1"})
ONNX_SSE = Program(
    "onnxruntime-sse",
    "ONNX Runtime without AVX",
    module="onnx_runtime",
    environment="runtimes",
    variables={"LD_PRELOAD": "without_avx.so"},
)
