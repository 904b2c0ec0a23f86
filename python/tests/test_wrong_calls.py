"""One cause, one message: a wrong call says which array is wrong, with its numbers. No two say the same."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Model, ir
from flowrt.errors import Status
from flowrt.file import encode
from flowrt.library import load

HEADER = (Path(__file__).resolve().parents[2] / "include/flowrt.h").read_text()
WITH_CONTEXT = encode(flowrt.compile(random_flow(3, 3, 2)))
PLAIN = encode(flowrt.compile(random_flow(5, 3, 0)))
ROWS = np.zeros((4, 3))


def truncated(model, plain):
    Model(PLAIN[:-1])


def changed(model, plain):
    Model(PLAIN[:-1] + bytes([PLAIN[-1] ^ 1]))


# What is called, what its message must contain, its status.
MISTAKES = [
    (lambda model, plain: model.log_prob(ROWS), ["context", "2"], Status.CONTEXT_MISSING),
    (lambda model, plain: plain.log_prob(ROWS, np.zeros((4, 5))), ["no context", "(4, 5)"], Status.CONTEXT_UNUSED),
    (lambda model, plain: model.log_prob(ROWS, np.zeros((3, 2))), ["context", "3", "4"], Status.CONTEXT_ROWS),
    (lambda model, plain: model.log_prob(ROWS, np.zeros((4, 7))), ["context", "2", "(4, 7)"], Status.ARGUMENT),
    (lambda model, plain: plain.log_prob(np.zeros((4, 6))), ["x", "3", "(4, 6)"], Status.ARGUMENT),
    (lambda model, plain: plain.inverse(np.zeros((4, 8))), ["z", "3", "(4, 8)"], Status.ARGUMENT),
    (lambda model, plain: plain.sample(-1), ["n", "-1"], Status.ARGUMENT),
    (lambda model, plain: plain.sample(1, seed=-2), ["seed", "-2"], Status.ARGUMENT),
    (lambda model, plain: plain.sample(1, index=1 << 64), ["index", str(1 << 64)], Status.ARGUMENT),
    (truncated, [str(len(PLAIN)), str(len(PLAIN) - 1)], Status.TRUNCATED),
    (changed, ["checksum"], Status.CHECKSUM),
]


def test_each_wrong_call_has_a_text_of_its_own():
    model, plain = Model(WITH_CONTEXT), Model(PLAIN)
    texts = []
    for call, words, status in MISTAKES:
        with pytest.raises(LibraryError) as caught:
            call(model, plain)
        texts.append(str(caught.value))
        assert caught.value.status == status
        for word in words:
            assert re.search(rf"(?<!\w){re.escape(word)}(?!\w)", texts[-1]), f"{word!r} is not in {texts[-1]!r}"
    assert len(set(texts)) == len(MISTAKES) > 10


def warned(call) -> str:
    with pytest.warns(flowrt.NonfiniteWarning) as caught:
        call()
    return str(caught[0].message)


def test_a_broken_sensor_is_not_a_far_point():
    base = ir.ConditionalNormal([ir.Layer(np.zeros(6), context_weight=np.ones((6, 2)))])
    flow = ir.Flow(3, 2, [ir.Diagonal(np.full(3, 2.0), np.zeros(3))], base)  # z = 2 x
    model, rng = Model(encode(flowrt.compile(flow))), np.random.default_rng(1)
    x, context = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    broken, far, spoilt = x.copy(), x.copy(), context.copy()
    broken[2, 1], far[3, 0], spoilt[1, 1] = np.nan, 3e38, np.inf
    for verb, name in ((model.log_prob, "x"), (model.forward, "x"), (model.inverse, "z")):
        assert f"1 of 4 rows, the first is 2: {name} is nan in column 1" in warned(partial(verb, broken, context))
    for verb in (model.log_prob, model.forward):
        text = warned(partial(verb, far, context))
        assert "1 of 4 rows, the first is 3: its numbers are finite, but x is too far from the data" in text
    text = warned(partial(model.log_prob, x, spoilt))
    assert "1 of 4 rows, the first is 1: its context is inf in column 1" in text
    # Ten draws for each context.
    text = warned(lambda: model.sample(10, spoilt[:, None], seed=1))
    assert "10 of 40 rows, the first is (1, 0): its context is inf in column 1" in text


def test_a_log_prob_outside_of_the_support_is_not_what_is_wrong():
    plain = Model(encode(flowrt.compile(ir.Flow(1, 0, [], ir.BoxUniform(np.zeros(1), np.ones(1))))))
    assert "1 of 3 rows, the first is 2: x is nan" in warned(lambda: plain.log_prob([[2.0], [0.5], [np.nan]]))


def test_statuses_are_those_of_the_header():
    values = dict(re.findall(r"^ +FLOWRT_(?:ERR_)?(\w+) = (-?\d+),?\s", HEADER, re.MULTILINE))
    assert {status.name: int(status) for status in Status} == {name: int(value) for name, value in values.items()}
    messages = {load().flowrt_status_message(status) for status in Status}
    assert len(messages) == len(Status)
