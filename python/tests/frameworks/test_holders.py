"""What stands around a flow or inside of it: modules that hold one, compiled and traced parts, another device."""

from __future__ import annotations

import copy

import pytest
import torch
import zuko
from live import agree
from nflows import transforms as nt
from nflows_models import affine, flow
from torch import nn

import flowrt


class Wrapper(nn.Module):
    def __init__(self, *flows):
        super().__init__()
        self.flows = nn.ModuleList(flows)
        self.head = nn.Linear(2, 2)


class Experiment:
    def __init__(self, model):
        self.scaler, self.model = 3.0, model


def refused(thing, message):
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.save("never-written.flw", thing)


def test_what_holds_one_flow_is_told_its_name():
    inner = flow(affine())
    refused(Wrapper(inner), r"Wrapper is not a flow .*, but its .flows\[0\] \(Flow\) is one: give that, and do outside")
    refused(Experiment(Wrapper(zuko.flows.MAF(3))), r"but its .model.flows\[0\] \(MAF\) is one: give that")
    refused({"flow": inner, "loss": 0.3}, r"no description, but it holds one, \['flow'\] \(Flow\): give that$")
    refused([Wrapper(inner)], r"it holds one, \[0\].flows\[0\] \(Flow\): give that$")


def test_what_holds_several_flows_is_told_all():
    inner = flow(affine())
    both = r"it holds several flows, .flows\[0\] \(Flow\), .flows\[1\] \(Flow\): give one of them"
    refused(Wrapper(inner, copy.deepcopy(inner)), both)


THINGS = [nn.Linear(2, 2), 3, "flow.pt", [1, 2], Experiment(4)]


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: type(thing).__name__)
def test_what_holds_none_is_told_nothing_of_parts(thing):
    with pytest.raises(flowrt.ExportError) as error:
        flowrt.save("never-written.flw", thing)
    assert str(error.value).endswith(")")


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_parts_in_wrappers_are_looked_through(wrap, tmp_path):
    model = flow(affine(), affine()).eval()
    expected = agree(copy.deepcopy(model))
    inner = copy.deepcopy(model)
    inner._transform._transforms[0].autoregressive_net = wrap(inner._transform._transforms[0].autoregressive_net)
    outer = copy.deepcopy(inner)
    outer._transform = wrap(outer._transform)
    for wrapped in (inner, outer):
        flowrt.save(tmp_path / "flow.flw", wrapped)
        assert [len(step.layers) for step in agree(wrapped).steps] == [len(step.layers) for step in expected.steps]


def test_compiled_parts_of_zuko():
    model = zuko.flows.MAF(3, 2)
    model.transform.transforms[0].hyper = torch.compile(model.transform.transforms[0].hyper)
    agree(model)


def test_traced_parts_are_named():
    model = flow(affine()).eval()
    traced = torch.jit.trace(model._transform, torch.zeros(2, 3), check_trace=False)
    refused(traced, "is a model that torch.jit has compiled, .* give the model as it was before")
    net = model._transform._transforms[0]
    net.autoregressive_net = torch.jit.trace(net.autoregressive_net, torch.zeros(2, 3))
    refused(model, "its part _transform._transforms.0.autoregressive_net is one that torch.jit has compiled")


def test_programs_of_torch_export_are_named():
    network = flow(affine()).eval()._transform._transforms[0].autoregressive_net
    program = torch.export.export(network, (torch.ones(2, 3),))
    refused(program, "is a model that torch.export has made, .* give the model as it was before")


def test_classes_and_functions_are_no_models():
    refused(zuko.flows.MAF, "MAF is a class: give an object of it")
    refused(flow(affine()).log_prob, "log_prob is a function: give the trained model itself")


def test_what_holds_a_model_that_no_file_has_is_told_why():
    refused(Wrapper(zuko.flows.NAF(3)), r"; its .flows\[0\]: .* is not supported")
    refused(Wrapper(zuko.flows.NAF(3), zuko.flows.MAF(3)), r"but its .flows\[1\] \(MAF\) is one: give that")


@pytest.mark.parametrize("make", [lambda: flow(affine(), nt.LULinear(3)), lambda: zuko.flows.NSF(3, 2)])
def test_another_default_device(make, tmp_path):
    """ "meta" stands for a GPU: whatever lands on it cannot be computed with."""
    model = make()
    torch.set_default_device("meta")
    try:
        flowrt.save(tmp_path / "flow.flw", model, verify=True)
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)
