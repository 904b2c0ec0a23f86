"""The numbers that docs/FORMAT.md gives to kinds, functions and forms."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Callable, NamedTuple, Sequence

from ..tables import Table

MAGIC = b"\x89FLW\r\n\x1a\n"
MAJOR = 1
NO_PARAMETERS = (0.0,) * 8
LINE = 64  # bytes: the header, a record, and what every block is padded to
PANEL = 16  # units of a weight panel


class Limit(NamedTuple):
    """The most of a thing that a file may hold (section 6)."""

    most: int
    things: str

    def message(self, count: int) -> str:
        return f"{count} {self.things}; a file holds at most {self.most}"


MAX_DIM = Limit(2**24, "coordinates")
MAX_CONTEXT_DIM = Limit(2**24, "floats of context")
MAX_RECORDS = Limit(65536, "records")
MAX_LAYERS = Limit(128, "layers of one conditioner, encoder or base")
MAX_WIDTH = Limit(2**24, "units of a layer")
MAX_PLANE = Limit(2**24, "units of a plane with its padding, channels rounded up to a multiple of 16")
MAX_POOLED = Limit(2**28, "units of all windows of a pooling")
MAX_CHANNELS = Limit(65536, "channels of a pixelwise linear step")
MAX_BINS = Limit(1024, "bins of a spline")
MAX_COMPONENTS = Limit(1024, "components of a mixture")
MAX_PANEL_LINES = Limit(2**32 - 1, "lines of weight panels in a block")


class Kind(IntEnum):
    """First field of a record (section 2)."""

    AUTOREGRESSIVE = 1
    LAYER = 2
    DIAGONAL = 3
    LINEAR = 4
    ELEMENTWISE = 5
    PERMUTATION = 6
    ENCODER = 7
    BASE = 8
    PIXELWISE_LINEAR = 9


STEP_KINDS = tuple(kind for kind in Kind if kind not in (Kind.LAYER, Kind.ENCODER, Kind.BASE))


class Reads(IntEnum):
    """The side of a step that its conditioner reads (section 2.1)."""

    DATA = 0
    NOISE = 1


class Function(IntEnum):
    """Elementwise maps from data to noise (section 2.4)."""

    IDENTITY = 0
    LOGIT = 1
    LOG_ABOVE = 2
    LOG_BELOW = 3
    SIGMOID = 4
    EXP_ABOVE = 5
    ATANH = 6
    TANH = 7
    LEAKY = 8
    LEAKY_INVERSE = 9
    SOFTSIGN = 10
    SOFTSIGN_INVERSE = 11
    PROBIT = 12
    NORMAL_CDF = 13


class BaseKind(IntEnum):
    """Base densities (section 2.7)."""

    STANDARD_NORMAL = 0
    DIAGONAL_NORMAL = 1
    BOX_UNIFORM = 2
    NORMAL_MIXTURE = 3
    CONDITIONAL_NORMAL = 4
    AUTOREGRESSIVE_MIXTURE = 5


class Activation(IntEnum):
    """Activations of a layer (section 4)."""

    IDENTITY = 0
    RELU = 1
    TANH = 2
    ELU = 3
    LEAKY_RELU = 4
    SILU = 5
    GELU = 6
    GELU_TANH = 7
    SIGMOID = 8
    SOFTPLUS = 9
    SOFTSIGN = 10
    LAYER_NORM = 11
    SINE = 12
    ARCTANGENT = 13
    INVERSE_HYPERBOLIC_SINE = 14


class LayerOperation(IntEnum):
    """What a layer makes of its source (sections 4 and 4.3)."""

    DENSE = 0
    CONVOLUTION = 1
    DEPTHWISE_CONVOLUTION = 2
    MAX_POOLING = 3
    GATHER = 4


class Feature(IntFlag):
    """Bits of what a reader must know (section 1)."""

    PLANES = 1 << 0


MINOR_OF_PLANES = 2
NOWHERE = 0xFFFFFFFF  # index of a gather for a unit that is 0
MINOR_OF_ACTIVATION = {Activation.ARCTANGENT: 1, Activation.INVERSE_HYPERBOLIC_SINE: 1}  # of others 0


class Transformer(IntEnum):
    """What joins the two sides of a step (section 5)."""

    AFFINE = 1
    ADDITIVE = 2
    SPLINE = 3


class Form(IntEnum):
    """Affine transformers, r the side that is read, q the other (section 5)."""

    SCALE_THEN_SHIFT = 0  # q = s r + t
    SHIFT_THEN_SCALE = 1  # q = s (r - t)
    GATED = 2  # q = s r + (1 - s) t


class Scale(IntEnum):
    """Positive scale s of a raw parameter a (section 5)."""

    EXP = 0
    EXP_CLAMPED = 1
    SOFTPLUS = 2
    SOFTPLUS_CLAMPED = 3
    SIGMOID = 4
    EXP_SOFT_CLIPPED = 5
    EXP_TANH = 6
    EXP_ATAN = 7


class Constants(NamedTuple):
    """The constants p0, p1, ... of a scale function."""

    names: tuple  # of each: its key in a dictionary (docs/DESCRIPTIONS.md), and what it is
    are_allowed: Callable[[Sequence[float]], bool]  # of all eight numbers of a record


_EPSILON = ("epsilon", "what is added to the function, 0 if nothing is")
_LOW, _HIGH = ("low", "the least scale"), ("high", "the largest scale")
CONSTANTS_OF_SCALE = Table(
    "flowrt.file.codes.CONSTANTS_OF_SCALE",
    Scale,
    {
        Scale.EXP: Constants((), lambda p: True),
        Scale.EXP_CLAMPED: Constants(
            (("low", "the least exponent"), ("high", "the largest exponent")), lambda p: p[0] <= p[1]
        ),
        Scale.SOFTPLUS: Constants((_EPSILON,), lambda p: p[0] >= 0),
        Scale.SOFTPLUS_CLAMPED: Constants((_EPSILON, _LOW, _HIGH), lambda p: p[0] >= 0 and 0 < p[1] <= p[2]),
        Scale.SIGMOID: Constants((_EPSILON,), lambda p: p[0] >= 0),
        Scale.EXP_SOFT_CLIPPED: Constants(  # p0 = -log(slope)
            (("slope", "the least scale, exp(a / (1 + abs(a / log(slope))))"),), lambda p: p[0] > 0
        ),
        Scale.EXP_TANH: Constants((("factor", "c of exp(c tanh(a))"),), lambda p: p[0] > 0),
        Scale.EXP_ATAN: Constants((("factor", "c of exp(c atan(a))"),), lambda p: p[0] > 0),
    },
)


class Widths(IntEnum):
    """How widths and heights of a spline are made positive (section 5.1)."""

    SOFTMAX = 0
    CLIPPED = 1  # softmax of softly clipped values


class Derivatives(IntEnum):
    """How derivatives of a spline are made positive (section 5.1)."""

    SOFTPLUS = 0
    EXP = 1  # exp of softly clipped values


class Ends(IntEnum):
    """Derivatives at the ends of a spline's interval (section 5.1)."""

    FIXED = 0
    FREE = 1
    CIRCULAR = 2


class Pieces(IntEnum):
    """What a bin of a spline is made of (section 5.1)."""

    RATIONAL_QUADRATIC = 0
    LINEAR = 1
    QUADRATIC = 2
    LINEAR_RATIONAL = 3
    CUBIC = 4


class SplineFields(NamedTuple):
    """The form of a spline, field by field (section 5.1). Numbers: a file may hold ones that no enum knows."""

    widths: int = Widths.SOFTMAX
    derivatives: int = Derivatives.SOFTPLUS
    ends: int = Ends.FIXED
    turned: int = 0  # whether r moves round by half of the interval first
    pieces: int = Pieces.RATIONAL_QUADRATIC

    @classmethod
    def of(cls, form: int) -> SplineFields:
        return cls(form & 3, form >> 2 & 3, form >> 4 & 3, form >> 6 & 1, form >> 7)

    @property
    def form(self) -> SplineForm:
        return SplineForm(self.widths | self.derivatives << 2 | self.ends << 4 | self.turned << 6 | self.pieces << 7)


class SplineForm(IntFlag):
    """Forms of splines (section 5.1), joined by |; 0 is the rational-quadratic one of nflows with linear tails."""

    SOFT_CLIPPED_BINS = Widths.CLIPPED
    SOFT_CLIPPED_DERIVATIVES = Derivatives.EXP << 2
    FREE_ENDS = Ends.FREE << 4
    CIRCULAR = Ends.CIRCULAR << 4
    HALF_TURN = 1 << 6
    LINEAR = Pieces.LINEAR << 7
    QUADRATIC = Pieces.QUADRATIC << 7
    LINEAR_RATIONAL = Pieces.LINEAR_RATIONAL << 7
    CUBIC = Pieces.CUBIC << 7


def pieces_of(form: int) -> int:
    """The `Pieces` of a spline's form."""
    return SplineFields.of(form).pieces


_DERIVATIVES = Table(
    "flowrt.file.codes._DERIVATIVES",
    Ends,
    {Ends.FIXED: lambda bins: bins - 1, Ends.FREE: lambda bins: bins + 1, Ends.CIRCULAR: lambda bins: bins},
)
_SPLINE_PARAMETERS = Table(
    "flowrt.file.codes._SPLINE_PARAMETERS",
    Pieces,
    {
        Pieces.RATIONAL_QUADRATIC: lambda bins, derivatives: (bins, bins, derivatives, 0),
        Pieces.LINEAR: lambda bins, derivatives: (0, bins, 0, 0),
        Pieces.QUADRATIC: lambda bins, derivatives: (bins, 0, derivatives, 0),
        Pieces.LINEAR_RATIONAL: lambda bins, derivatives: (bins, bins, derivatives, bins),
        Pieces.CUBIC: lambda bins, derivatives: (bins, bins, 2, 0),
    },
)


def spline_parameters(form: int, bins: int) -> tuple:
    """How many widths, heights, derivatives and shares the parameters of a rank are (section 5.1)."""
    fields = SplineFields.of(form)
    return _SPLINE_PARAMETERS[fields.pieces](bins, _DERIVATIVES[fields.ends](bins))


_PARAMETERS_PER_RANK = Table(
    "flowrt.file.codes._PARAMETERS_PER_RANK",
    Transformer,
    {
        Transformer.AFFINE: lambda form, bins: 2,
        Transformer.ADDITIVE: lambda form, bins: 1,
        Transformer.SPLINE: lambda form, bins: sum(spline_parameters(form, bins)),
    },
)


def parameters_per_rank(transformer: int, form: int, bins: int) -> int:
    """P: outputs of the conditioner for each rank that is transformed (section 5)."""
    return _PARAMETERS_PER_RANK[transformer](form, bins)
