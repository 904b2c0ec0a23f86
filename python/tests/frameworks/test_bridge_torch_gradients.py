"""Gradients of a flow in PyTorch: those of the live model, in every shape, and a posterior by Pyro's samplers."""

from __future__ import annotations

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
import zuko
from pyro.infer.mcmc import HMC, MCMC, NUTS
from source_posterior import FILE, READINGS, moments
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file import encode
from flowrt.frameworks import choose


def exported(model):
    randomise(model, 0.5)
    return encode(flowrt.compile(choose(model).describe(model)))


LIVE = zuko.flows.MAF(4, 3, transforms=2, hidden_features=(24, 24), activation=nn.Tanh)
torch.manual_seed(1)
DATA = exported(LIVE)
EXACT = LIVE.double().eval()
MODEL = flowrt.Model(DATA)

SHAPES = {  # of x and context
    "a row each": ((9, 4), (9, 3)),
    "one context": ((9, 4), (3,)),
    "one context as a row": ((9, 4), (1, 3)),
    "one row": ((4,), (9, 3)),
    "all pairs": ((1, 5, 4), (6, 1, 3)),
}


def given(shapes, dtype=torch.float32):
    torch.manual_seed(2)
    return [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]


def broadcast(x, context):
    """Live log p of rows and contexts that broadcast."""
    x, context = torch.atleast_2d(x), torch.atleast_2d(context)
    shape = torch.broadcast_shapes(x.shape[:-1], context.shape[:-1])
    return EXACT(context.expand(*shape, 3)).log_prob(x.expand(*shape, 4))


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_gradients_are_those_of_the_live_model(shapes):
    x, context = given(shapes)
    found = MODEL.torch().log_prob(x, context)
    weights = torch.linspace(-1, 2, found.numel()).reshape(found.shape)
    (weights * found).sum().backward()
    double = [part.detach().double().requires_grad_() for part in (x, context)]
    expected = broadcast(*double)
    (weights * expected).sum().backward()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    for part, exact in zip((x, context), double):
        assert part.grad.shape == part.shape and part.grad.dtype == part.dtype
        assert torch.all((part.grad - exact.grad).abs() < 2e-5 * (1 + exact.grad.abs().max()))


def test_no_rows_have_no_gradients():
    x, context = given(((0, 4), (3,)))
    MODEL.torch().log_prob(x, context).sum().backward()
    assert x.grad.shape == (0, 4) and context.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("wanted", [(True, False), (False, True)])
def test_either_may_be_asked_for_alone(wanted):
    x, context = (part.detach().requires_grad_(ask) for part, ask in zip(given(SHAPES["a row each"]), wanted))
    MODEL.torch().log_prob(x, context).sum().backward()
    _, *exact = MODEL.log_prob_gradient(x.detach(), context.detach())
    for part, ask, gradient in zip((x, context), wanted, exact):
        assert np.array_equal(part.grad, gradient) if ask else part.grad is None


def test_a_flow_without_context_and_a_mixture():
    torch.manual_seed(3)
    data = exported(zuko.flows.MAF(4, 0, transforms=2, hidden_features=(16,)))
    other = exported(zuko.flows.MAF(4, 0, transforms=2, hidden_features=(16,)))
    mixture = flowrt.Mixture(flowrt.mixture.encode_mixture([data, other], np.array([0.3, 0.7])))
    for density in (flowrt.Model(data), mixture):
        x = torch.randn(6, 4, requires_grad=True)
        density.torch().log_prob(x).sum().backward()
        assert np.array_equal(x.grad, density.log_prob_gradient(x.detach())[1])


@pytest.mark.parametrize("dtype, digits", [(torch.float64, 1e-6), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_each_gradient_has_the_type_of_its_tensor(dtype, digits):
    x, context = given(SHAPES["one context"], dtype)
    context = context.detach().float().requires_grad_()
    found = MODEL.torch().log_prob(x, context)
    assert found.dtype == dtype
    found.sum().backward()
    assert x.grad.dtype == dtype and context.grad.dtype == torch.float32
    _, by_x, by_context = MODEL.log_prob_gradient(x.detach().float(), context.detach())
    torch.testing.assert_close(x.grad.double(), torch.tensor(by_x, dtype=torch.float64), rtol=digits, atol=digits)
    torch.testing.assert_close(context.grad, torch.tensor(by_context).sum(0), rtol=10 * digits, atol=10 * digits)


def test_rows_of_numpy_beside_a_context_that_asks():
    x, context = np.ones((3, 4)), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    found = MODEL.torch().log_prob(x, context, threads=2)
    found.sum().backward()
    assert found.dtype == torch.float64 and np.allclose(context.grad, MODEL.log_prob_gradient(x, np.zeros(3))[2].sum(0))


def test_a_second_derivative_is_refused_where_it_is_needed():
    x, context = given(SHAPES["one context"])
    (slope,) = torch.autograd.grad(MODEL.torch().log_prob(x, context).sum(), x, create_graph=True)  # may be asked for
    with pytest.raises(flowrt.Error, match="second derivative of log p is asked for: libflowrt has the first alone"):
        slope.square().sum().backward()


def test_functions_of_torch():
    x, context = (part.detach() for part in given(SHAPES["a row each"]))
    bridge, (_, by_x, by_context) = MODEL.torch(), MODEL.log_prob_gradient(x, context)
    assert np.array_equal(torch.func.grad(lambda x: bridge.log_prob(x, context).sum())(x), by_x)
    each = torch.func.vmap(torch.func.grad(lambda x, context: bridge.log_prob(x, context).sum(), (0, 1)))(x, context)
    assert np.array_equal(each[0], by_x) and np.array_equal(each[1], by_context)
    of_chains = torch.func.vmap(torch.func.grad(lambda context: bridge.log_prob(x[:5], context).sum()), in_dims=1)
    pairs = MODEL.log_prob_gradient(x[None, :5], context[:, None])[2]
    torch.testing.assert_close(of_chains(context.T), torch.tensor(pairs).sum(1))
    vectorized = torch.autograd.functional.jacobian(lambda x: bridge.log_prob(x, context), x, vectorize=True)
    jacobian = torch.autograd.functional.jacobian(lambda x: bridge.log_prob(x, context), x)
    assert torch.equal(jacobian[range(9), range(9)], torch.tensor(by_x)) and jacobian.count_nonzero() <= 36
    assert torch.equal(vectorized, jacobian)


def test_what_has_no_gradient_says_so():
    bridge, (x, context) = MODEL.torch(), given(SHAPES["a row each"])
    for call in (bridge.forward, bridge.inverse):
        with pytest.raises(flowrt.Error, match="asks for gradients, which only log_prob has"):
            call(x, context)
    with pytest.raises(flowrt.Error, match="context asks for gradients"):
        bridge.sample(9, context)
    with torch.no_grad():
        assert bridge.forward(x, context)[0].shape == (9, 4)


# ---- a posterior ----


@pytest.mark.parametrize("kernel", [NUTS, HMC])
def test_the_posterior_of_pyro_is_that_of_an_integral(kernel):
    bridge, readings = flowrt.Model(FILE).torch(), torch.tensor(READINGS)

    def model():
        theta = pyro.sample("theta", dist.Normal(0, 1).expand([2]).to_event(1))
        pyro.factor("likelihood", bridge.log_prob(readings, theta).sum())

    pyro.set_rng_seed(0)
    options = {"step_size": 0.05} if kernel is NUTS else {"num_steps": 6, "step_size": 0.05}
    chain = MCMC(kernel(model, **options), num_samples=400, warmup_steps=100, disable_progbar=True)
    chain.run()
    theta = chain.get_samples()["theta"].double().numpy()
    mean, sd, _ = moments()
    assert np.all(np.abs(theta.mean(0) - mean) < 0.25 * sd)  # four errors of 250 independent draws
    np.testing.assert_allclose(theta.std(0), sd, rtol=0.2)
    assert chain.diagnostics()["divergences"]["chain 0"] == []
