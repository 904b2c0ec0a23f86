"""State dicts of nflows and zuko without their code: the same file as from the live model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import zuko
from cases import masked_affine, mlp_coupling, nflows_flow, nflows_maf, residual_coupling, zuko_maf
from nflows import transforms as nt
from nflows.distributions import DiagonalNormal, MADEMoG, StandardNormal
from nflows.flows import Flow, SimpleRealNVP
from nflows.nn.nets import ResidualNet
from sbi.neural_nets import net_builders as builders
from stored import same
from torch import nn
from torch.nn import functional as F

import flowrt
from flowrt import descriptions
from flowrt.file.codes import Pieces, pieces_of

SBI_SPLINE = {"tail_bound": 3.0, "min_bin_width": 1e-3, "min_bin_height": 1e-3, "min_derivative": 1e-3}
NFLOWS = {"layout": "nflows", "activation": "relu", "scale": "softplus", "epsilon": 1e-3}
ZUKO = {"layout": "zuko", "activation": "relu", "slope": 1e-3}


@pytest.mark.parametrize("prefix", ["", "net.", "posterior._neural_net."])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("features", [1, 2, 5])
def test_nflows_mafs(features, residual, batch_norm, prefix):
    options = {"use_residual_blocks": residual, "batch_norm_within_layers": batch_norm}
    between = {"batch_norm_between_layers": True, "use_random_permutations": True}
    same(
        nflows_maf(features, blocks=2, activation=torch.tanh, **options, **between),
        {**NFLOWS, "activation": "tanh"},
        prefix,
    )


@pytest.mark.parametrize("residual", [False, True])
def test_nflows_with_everything(residual):
    layers = [
        nt.PointwiseAffineTransform(torch.tensor([0.5, -1.0, 2.0, 0.1]), torch.tensor([0.7, 1.3, 2.0, 0.4])),
        nt.CompositeTransform([nt.ActNorm(4), masked_affine(context=3, use_residual_blocks=residual), nt.LULinear(4)]),
        nt.InverseTransform(masked_affine(context=3, activation=F.relu, use_residual_blocks=residual)),
        nt.InverseTransform(nt.RandomPermutation(4)),
        nt.InverseTransform(nt.ActNorm(4)),
        nt.RandomPermutation(4),
        nt.BatchNorm(4),
    ]
    model = Flow(nt.CompositeTransform(layers), DiagonalNormal([4]))
    file = same(model, NFLOWS)
    assert file.context_dim == 3 and [step.reads for step in file.steps if hasattr(step, "reads")] == [0, 1]


SPLINE = {"tail_bound": 2.0, "min_bin_width": 1e-3, "min_bin_height": 2e-3, "min_derivative": 5e-3}


def spline(**options):
    options = {**SPLINE, "num_bins": 4, "tails": "linear", **options}
    return nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(4, 12, num_blocks=1, **options)


def spline_coupling(context=None, **options):
    def network(inputs, outputs):
        return ResidualNet(inputs, outputs, 12, context_features=context, num_blocks=1)

    mask = torch.tensor([1, -1, 1, -1])
    options = {**SPLINE, "num_bins": 4, "tails": "linear", **options}
    return nt.PiecewiseRationalQuadraticCouplingTransform(mask, network, **options)


@pytest.mark.parametrize("volume_preserving", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_nflows_couplings(volume_preserving, batch_norm):
    norms = {"batch_norm_within_layers": batch_norm, "batch_norm_between_layers": batch_norm}
    model = SimpleRealNVP(5, 16, 3, 2, use_volume_preserving=volume_preserving, **norms)
    same(model, {**NFLOWS, "scale": "sigmoid"})
    same(nflows_flow(residual_coupling(context=3), residual_coupling()), {**NFLOWS, "scale": "sigmoid"})


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("make", [spline, spline_coupling])
def test_nflows_splines(make, inverse):
    """The widths and heights of a coupling are divided by the root of its network's width, those of a MADE are not."""
    layer = nt.InverseTransform(make()) if inverse else make()
    file = same(nflows_flow(layer, nt.LULinear(4)), {**NFLOWS, "spline": SPLINE})
    assert file.steps[0].reads == inverse and file.steps[0].bins == 4


def test_nflows_splines_with_context():
    layers = [spline(context_features=3), nt.ReversePermutation(4), spline_coupling(context=3)]
    assert same(nflows_flow(*layers), {**NFLOWS, "spline": SPLINE}).context_dim == 3


def other_spline(pieces, masked, bins):
    """A layer of such pieces with the options that it has, and these options."""
    minima = {"min_bin_width": 0.02, "min_bin_height": 0.03}
    options = {"tail_bound": 2.0, **({} if pieces == "Linear" else minima)}
    if not masked:
        kind = getattr(nt, f"Piecewise{pieces}CouplingTransform")
        mask = torch.tensor([1, -1, 1, -1])
        return kind(mask, lambda i, o: ResidualNet(i, o, 12), num_bins=bins, tails="linear", **options), options
    options = {"tails": "linear", **options} if pieces == "Quadratic" else {}
    kind = getattr(nt, f"MaskedPiecewise{pieces}AutoregressiveTransform")
    layer = kind(features=4, hidden_features=12, num_bins=bins, **options)
    return layer, {name: value for name, value in options.items() if name != "tails"}


@pytest.mark.parametrize("pieces", ["Linear", "Quadratic", "Cubic"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bins", [4, 5])
def test_nflows_splines_of_other_pieces(pieces, masked, bins):
    layer, options = other_spline(pieces, masked, bins)
    spline = {"pieces": pieces.lower(), **options}
    (step,) = same(nflows_flow(layer), {**NFLOWS, "spline": spline}).steps
    assert (step.bins, pieces_of(step.form)) == (bins, Pieces[pieces.upper()])
    state_dict = nflows_flow(layer).state_dict()
    for name in options:
        few = {key: value for key, value in spline.items() if key != name}
        with pytest.raises(flowrt.ExportError, match=f"spline: '{name}' is missing"):
            descriptions.read({**NFLOWS, "spline": few, "state_dict": state_dict})
    with pytest.raises(flowrt.ExportError, match="spline has no 'min_width'; its entries are pieces"):
        descriptions.read({**NFLOWS, "spline": {**spline, "min_width": 1}, "state_dict": state_dict})


def test_rows_that_are_no_such_splines_are_refused():
    layer, _ = other_spline("Quadratic", masked=True, bins=4)
    description = {**NFLOWS, "spline": {**SPLINE, "pieces": "cubic"}, "state_dict": nflows_flow(layer).state_dict()}
    with pytest.raises(flowrt.ExportError, match="has 7 parameters for each feature; supported are .* cubic splines"):
        descriptions.read(description)
    with pytest.raises(flowrt.ExportError, match="'pieces' is 'round', not one of rational_quadratic, linear, quad"):
        descriptions.read({**description, "spline": {**SPLINE, "pieces": "round"}})


def test_nflows_epsilon_scale_and_activation():
    layer = masked_affine(activation=nn.ELU(0.5))
    layer._epsilon = 0.1
    same(nflows_flow(layer), {**NFLOWS, "epsilon": 0.1, "activation": nn.ELU(0.5)})
    description = {**NFLOWS, "scale": "sigmoid", "state_dict": nflows_flow(masked_affine()).state_dict()}
    (step,) = descriptions.read(description)[0].steps
    (softplus,) = descriptions.read({**description, "scale": "softplus"})[0].steps
    np.testing.assert_allclose(step.layers[-1].bias - softplus.layers[-1].bias, [0, 2] * 4)


def test_a_single_layer_and_saving(tmp_path):
    model = Flow(masked_affine(), StandardNormal([4]))
    same(model, NFLOWS)
    x = torch.randn(5, 4)
    expected = {"x": x, "log_prob": model.eval().log_prob(x)}
    flowrt.save(tmp_path / "flow.flw", {**NFLOWS, "state_dict": model.state_dict(), "expected": expected})
    with pytest.raises(flowrt.ExportError, match="its log_prob differs"):
        wrong = {**NFLOWS, "activation": "tanh", "state_dict": model.state_dict(), "expected": expected}
        flowrt.save(tmp_path / "flow.flw", wrong)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("features", [2, 5])
def test_zuko_mafs(features, context, residual):
    model = zuko_maf(features, context, hidden_features=(16, 16, 8), residual=residual, activation=nn.ELU)
    same(model, {**ZUKO, "activation": "elu"})
    same(zuko_maf(features, context, randperm=True), ZUKO, prefix="net.")
    same(zuko_maf(7, context, passes=2), ZUKO)


@pytest.mark.parametrize("context", [0, 3])
def test_zuko_spline_flows(context):
    same(zuko.flows.NSF(4, context, bins=5, transforms=2, hidden_features=(16,), activation=nn.Tanh),
         {**ZUKO, "activation": "tanh"})  # fmt: skip


def test_zuko_slope_and_base():
    model = zuko_maf()
    model.base.loc.normal_()
    model.base.scale.uniform_(0.5, 2)
    file = same(model, ZUKO)
    old = {name.replace("base.loc", "base._0").replace("base.scale", "base._1"): value for name, value in
           model.state_dict().items()}  # fmt: skip
    steep = flowrt.compile(descriptions.read({**ZUKO, "slope": 1e-4, "state_dict": old})[0])
    np.testing.assert_array_equal(steep.base.mean, file.base.mean)
    np.testing.assert_allclose([step.p[0] for step in (steep.steps[0], file.steps[0])], -np.log([1e-4, 1e-3]))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("mean", [0.5, 1e4])
@pytest.mark.parametrize(
    "build, options",
    [
        (builders.build_maf, {**NFLOWS, "activation": "tanh"}),
        (builders.build_maf_rqs, {**NFLOWS, "activation": "tanh", "spline": SBI_SPLINE}),
        (builders.build_nsf, {**NFLOWS, "spline": SBI_SPLINE}),
        (builders.build_zuko_maf, ZUKO),
        (builders.build_zuko_nsf, ZUKO),
    ],
)
def test_estimators_of_sbi(build, options, mean):
    """With the standardisation of parameters and condition, also where folding it into weights would lose digits."""
    theta, x = 3 * torch.randn(50, 3) - 1, 2 * torch.randn(50, 4) + mean
    file = same(build(theta, x, hidden_features=12, num_transforms=2), options)
    assert file.context_dim == 4 and (file.encoder is None) == (mean < 1)


REFUSED = [
    (NFLOWS, {"activation": None}, "'activation' is missing: a callable, or one of relu, tanh"),
    (
        NFLOWS,
        {"scale": None},
        r"'scale' is missing: the function of the raw scale a: softplus\(a\), or sigmoid\(a . 2\)",
    ),
    (NFLOWS, {"epsilon": None}, "'epsilon' is missing: what is added to the scale, 1e-3 unless"),
    (NFLOWS, {"state_dict": None}, "'state_dict' is missing"),
    (NFLOWS, {"activation": "swish"}, "'activation' is 'swish', neither a callable nor one of"),
    (NFLOWS, {"slope": 1}, "has no 'slope'"),
    (
        NFLOWS,
        {"state_dict": {"_embedding_net.0.weight": torch.ones(2, 2, 2)}},
        "_embedding_net.0.weight in the state dict belongs to no linear module of one sequence",
    ),
    (ZUKO, {"slope": None}, "'slope' is missing: the least slope of the univariate map; 1e-3, or 1e-4 before"),
    (ZUKO, {"slope": 2.0}, "'slope' is 2.0, not between 0 and 1"),
    (ZUKO, {"state_dict": zuko.flows.NICE(4).state_dict()}, "belongs to no layer|has no order"),
]


@pytest.mark.parametrize("options, change, message", REFUSED, ids=lambda value: None)
def test_refusals(options, change, message):
    model = nflows_maf() if options is NFLOWS else zuko_maf()
    with pytest.raises(flowrt.ExportError, match=message):
        descriptions.read({**options, "state_dict": model.state_dict(), **change})


def test_other_layers_of_nflows_are_refused():
    for layer, message in (
        (spline(tails=None), "has 13 parameters for each feature; supported are affine layers, additive couplings and"),
        (mlp_coupling(), "_transform._transforms.0.transform_net in the state dict is not a ResidualNet"),
    ):
        with pytest.raises(flowrt.ExportError, match=message):
            descriptions.read({**NFLOWS, "spline": SPLINE, "state_dict": nflows_flow(layer).state_dict()})
    state_dict = nflows_flow(spline()).state_dict()
    with pytest.raises(flowrt.ExportError, match="'spline' is missing: a dictionary with tail_bound, min_bin_width"):
        descriptions.read({**NFLOWS, "state_dict": state_dict})
    with pytest.raises(flowrt.ExportError, match="'min_derivative' is missing: the least derivative at a knot, 1e-3"):
        few = {name: value for name, value in SPLINE.items() if name != "min_derivative"}
        descriptions.read({**NFLOWS, "spline": few, "state_dict": state_dict})


@pytest.mark.parametrize("standardised", ["independent", "none"])
@pytest.mark.parametrize("hidden", [8, 20])
def test_a_made_of_mixtures(standardised, hidden):
    """sbi's `made`, whose network has a feature more that is always 0."""
    x, context = 2 + 3 * torch.randn(50, 3), torch.randn(50, 2)
    estimator = builders.build_made(x, context, z_score_x=standardised, hidden_features=hidden)
    asked = {"layout": "nflows", "activation": "relu", "mixture_epsilon": 1e-2, "dim": 3}
    assert same(estimator, asked, std=0.3).context_dim == 2


@pytest.mark.parametrize("residual", [False, True])
def test_a_made_of_mixtures_of_the_coordinates_alone(residual):
    """As nflows has it, and sbi before 0.23."""
    made = MADEMoG(4, 12, None, num_mixture_components=3, use_residual_blocks=residual, custom_initialization=False)
    model = Flow(nt.ReversePermutation(4), made)
    same(model, {"layout": "nflows", "activation": "relu", "mixture_epsilon": 1e-2}, std=0.3)
    with pytest.raises(flowrt.ExportError, match="'mixture_epsilon' is missing: "):
        descriptions.read({"layout": "nflows", "activation": "relu", "state_dict": model.state_dict()})
