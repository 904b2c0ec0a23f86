"""Pictures of a flow beside data: what is in them, and that they are written."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from random_flows import flow as random_flow

import flowrt
from flowrt import ir
from flowrt.cli import main
from flowrt.file import encode
from flowrt.plot import plot, ranks_of_data

SHIFT = ir.Autoregressive([ir.Layer(np.zeros(2), context_weight=-np.eye(2))], ir.Additive())
NORMAL = flowrt.Model(
    encode(flowrt.compile(ir.Flow(3, 0, [ir.Diagonal(np.full(3, 0.5), np.zeros(3))], names=list("abc"))))
)
AROUND_CONTEXT = flowrt.Model(encode(flowrt.compile(ir.Flow(2, 2, [SHIFT]))))


def axes_of(figure) -> dict:
    return {axes.get_label(): axes for axes in figure.axes}


def test_draws_data_and_their_names_are_shown():
    x = NORMAL.sample(100, seed=8)
    figure = plot(NORMAL, x, draws=500, seed=3)
    axes = axes_of(figure)
    assert set(axes) == {f"corner {i} {j}" for i in range(3) for j in range(i + 1)} | {"log p", "ranks", "density"}
    draws = NORMAL.sample(500, seed=3)
    histogram = axes["corner 1 0"].collections[0].get_array()
    (a, b), (c, d) = axes["corner 1 0"].get_xlim(), axes["corner 1 0"].get_ylim()
    inside = (draws[:, 0] >= a) & (draws[:, 0] <= b) & (draws[:, 1] >= c) & (draws[:, 1] <= d)
    assert histogram.sum() == np.sum(inside) > 480
    np.testing.assert_allclose(axes["corner 1 0"].collections[1].get_offsets(), x[:, [0, 1]], rtol=1e-6)
    assert axes["corner 2 1"].get_xlabel() == "b" and axes["corner 2 0"].get_ylabel() == "c"


def test_a_picture_without_data_has_draws_alone():
    assert "ranks" not in axes_of(plot(NORMAL, draws=100))
    one = flowrt.Model(encode(flowrt.compile(random_flow(5, 1, 0))))
    assert set(axes_of(plot(one, draws=100))) == {"corner 0 0", "log p"}


def test_ranks_are_in_the_band_for_draws_and_out_of_it_for_others():
    def share(x):
        return float(axes_of(plot(NORMAL, x, draws=500))["ranks"].get_title().split(": ")[1].split(" %")[0])

    x = NORMAL.sample(400, seed=8)
    assert share(x) < 15
    assert share(x + 1.0) > 60 and share(2 * x) > 50 and share(x / 2) > 50


def test_ranks_are_those_among_draws_of_the_same_context():
    """Contexts lie far apart, so a shift by a deviation shows among draws of the same context alone."""
    contexts = np.random.default_rng(0).normal(scale=100, size=(300, 2))
    x = AROUND_CONTEXT.sample(300, contexts, seed=5)
    seen = {}

    class Spy(flowrt.Model):
        def sample(self, n, context=None, *arguments, **options):
            seen[n] = context
            return super().sample(n, context, *arguments, **options)

    axes = axes_of(plot(Spy(AROUND_CONTEXT.to_bytes()), x, contexts, draws=450))
    assert float(axes["ranks"].get_title().split(": ")[1].split(" %")[0]) < 15
    shifted = axes_of(plot(AROUND_CONTEXT, x + 1.0, contexts, draws=450))
    assert float(shifted["ranks"].get_title().split(": ")[1].split(" %")[0]) > 50
    np.testing.assert_array_equal(seen[450][310], np.float32(contexts[10]))  # contexts in turn
    assert len(seen[300 * 99]) == 300 * 99


def test_log_p_says_how_many_rows_are_unlike_the_draws():
    x = np.concatenate([NORMAL.sample(80, seed=8), np.full((20, 3), 30.0)])
    title = axes_of(plot(NORMAL, x))["log p"].get_title()
    assert title.startswith("log p: 2") and "% of the data lie below 99 % of the draws" in title


def test_the_density_is_that_of_the_flow():
    axes = axes_of(plot(AROUND_CONTEXT, context=[5.0, -5.0]))["density"]
    mesh = axes.collections[0]
    values = np.asarray(mesh.get_array()).reshape(80, 80)
    up, across = np.unravel_index(np.argmax(values), values.shape)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert abs(left + (across + 0.5) / 80 * (right - left) - 5) < 0.1
    assert abs(low + (up + 0.5) / 80 * (high - low) + 5) < 0.1
    cell = (right - left) * (high - low) / 80**2
    assert abs(values.sum() * cell - 2 * np.pi) < 0.05  # exp(log p - its largest) of a normal


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_command_writes_a_picture(suffix, tmp_path, capsys):
    path, data = tmp_path / "m.flw", tmp_path / "x.csv"
    path.write_bytes(NORMAL.to_bytes())
    np.savetxt(data, NORMAL.sample(50, seed=1), delimiter=",")
    output = tmp_path / f"out.{suffix}"
    assert main(["plot", str(path), str(data), "-n", "200", "--columns", "2,0", "-o", str(output)]) == 0
    assert capsys.readouterr().err == f"flowrt: wrote {output}\n"
    if suffix == "png":
        pixels = imread(output)
        assert pixels.shape[0] > 500 and len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 100
    else:
        assert output.read_bytes()[:5] in (b"%PDF-", b"<?xml")


def test_a_mixture_is_shown_too_and_the_name_is_that_of_the_file(tmp_path):
    path = tmp_path / "m.flm"
    path.write_bytes(flowrt.mixture.encode_mixture([NORMAL.to_bytes()] * 2, np.array([0.5, 0.5])))
    assert main(["plot", str(path), "-n", "100"]) == 0
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--columns", "7"], "columns must be some of 0 .. 2, not [7]"),
        (["-o", "out.xyz"], "matplotlib writes no .xyz"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments, text, tmp_path, capsys):
    path = tmp_path / "m.flw"
    path.write_bytes(NORMAL.to_bytes())
    assert main(["plot", str(path), *arguments]) == 1
    assert text in capsys.readouterr().err


def test_a_missing_context_and_contexts_without_rows_are_said():
    with pytest.raises(flowrt.Error, match="needs a context of 2"):
        plot(AROUND_CONTEXT)
    with pytest.raises(flowrt.Error, match="context has 4 rows, not 1, and there are no rows of x"):
        plot(AROUND_CONTEXT, context=np.zeros((4, 2)))
    with pytest.raises(flowrt.Error, match="context has 4 rows, not 1, and there are 3 rows"):
        plot(AROUND_CONTEXT, np.zeros((3, 2)), np.zeros((4, 2)))


def test_without_matplotlib_the_way_on_is_said(tmp_path):
    (tmp_path / "m.flw").write_bytes(NORMAL.to_bytes())
    program = "import sys; sys.modules['matplotlib'] = None; from flowrt.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "plot", str(tmp_path / "m.flw")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and 'pip install "flowrt[plot]"' in result.stderr


def test_rows_that_are_ranked_are_spread_over_all():
    from flowrt.plot import _shown

    x = NORMAL.sample(2000, seed=8)
    ranks = ranks_of_data(NORMAL, _shown(NORMAL, x, None, 10, 0), 0)
    assert ranks.shape == (500, 4) and ranks.min() >= 0 and ranks.max() <= 99
