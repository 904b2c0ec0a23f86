"""One cause, one message: a wrong call says which array is wrong, with its numbers. No two say the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Model
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


def test_statuses_are_those_of_the_header():
    values = dict(re.findall(r"^ +FLOWRT_(?:ERR_)?(\w+) = (-?\d+),?\s", HEADER, re.MULTILINE))
    assert {status.name: int(status) for status in Status} == {name: int(value) for name, value in values.items()}
    messages = {load().flowrt_status_message(status) for status in Status}
    assert len(messages) == len(Status)
