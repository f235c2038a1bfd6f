"""A value's digest is the same after a restart, and another as soon as something in it is changed."""

import os
import random
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, wraps
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from tlbook import _identity, losses, nets
from tlbook._identity import differences, digest, fingerprint
from tlbook.data.text import Vocabulary
from tlbook.errors import TlbookError
from tlbook.methods import DANN, TCA, SourceOnly

SCALE = 2.0


def scaled(x):
    return x * SCALE


def make(strength):
    return lambda x: x * strength


class Blur:
    def __init__(self, width):
        self.width = width

    def __call__(self, x):
        return x / self.width

    def soften(self, x):
        return self(x)


class Slotted:
    __slots__ = ("width",)

    def __init__(self, width):
        self.width = width


@dataclass(frozen=True)
class Setting:
    width: float


Pair = namedtuple("Pair", "a b")


def seeded(module):
    torch.manual_seed(0)
    return module()


def network(p=0.5, stride=1, frozen=False, hook=None, bias=0.0):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=stride), nn.BatchNorm2d(4), nn.Dropout(p))
    net[0].requires_grad_(not frozen)
    net[1].running_mean += bias
    if hook:
        net[0].register_forward_hook(hook)
    return net


CHANGES = {
    "whole and real number": (1, 1.0),
    "true and one": (True, 1),
    "numbers that print alike": (0.1 + 0.2, 0.3),
    "not a number": (float("nan"), float("inf")),
    "zeros": (0.0, -0.0),
    "list and tuple": ([1, 2], (1, 2)),
    "order": ([1, 2], [2, 1]),
    "nesting": ([[1], 2], [1, [2]]),
    "text and bytes": ("a", b"a"),
    "set": ({"a", "b"}, {"a", "c"}),
    "key": ({"lam": 1}, {"lim": 1}),
    "ordered": (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    "default": (defaultdict(list), defaultdict(set)),
    "named": (Pair(1, 2), Pair(1, 3)),
    "array": (np.arange(3), np.arange(1, 4)),
    "type of array": (np.zeros(2, np.float32), np.zeros(2)),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "objects in an array": (np.array([{"a": 1}], object), np.array([{"a": 2}], object)),
    "tensor": (torch.tensor([1.0]), torch.tensor([1.0 + 1e-7])),
    "bfloat16": (torch.ones(1, dtype=torch.bfloat16), torch.ones(1, dtype=torch.float16)),
    "needs a gradient": (torch.ones(1), torch.ones(1, requires_grad=True)),
    "global of a function": (partial(eval, "f"), partial(eval, "g")),
    "closure": (make(1.0), make(100.0)),
    "constant": (lambda p: 1 - p, lambda p: 1 - 2 * p),
    "operation": (lambda p: 1 - p, lambda p: 1 + p),
    "function called": (lambda x: x.flip(2), lambda x: x.roll(2)),
    "default value": (lambda p, a=1: p * a, lambda p, a=2: p * a),
    "keyword's default": (lambda p, *, a=1: p * a, lambda p, *, a=2: p * a),
    "inner function": (lambda p: (lambda: p)(), lambda p: (lambda: p + 1)()),
    "function of a module of ours": (lambda x: losses.coral(x, x), lambda x: losses.mmd2(x, x)),
    "partial": (partial(torch.optim.Adam, lr=1e-3), partial(torch.optim.Adam, lr=1e-2)),
    "optimizer": (partial(torch.optim.Adam, lr=1e-3), partial(torch.optim.SGD, lr=1e-3)),
    "state of an object": (Blur(1.0), Blur(2.0)),
    "method of an object": (Blur(1.0).soften, Blur(2.0).soften),
    "which method": (Blur(1.0).soften, Blur(1.0).__call__),
    "cached property": (cached_property(lambda self: 1), cached_property(lambda self: 2)),
    "slot": (Slotted(1), Slotted(2)),
    "dataclass": (Setting(1.0), Setting(2.0)),
    "Compose": (v2.Compose([v2.RandomCrop(8)]), v2.Compose([v2.RandomCrop(9)])),
    "function in a Compose": (v2.Compose([v2.Lambda(lambda x: x + 1)]), v2.Compose([v2.Lambda(lambda x: x + 2)])),
    "dropout": (network(), network(p=0.6)),
    "stride": (network(), network(stride=2)),
    "recurrent": (seeded(lambda: nn.GRU(2, 3)), seeded(lambda: nn.GRU(2, 3, num_layers=2))),
    "weights": (network(), seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)))[:1]),
    "statistics": (network(), network(bias=0.1)),
    "frozen": (network(), network(frozen=True)),
    "hook": (network(), network(hook=lambda m, x, y: y * 2)),
    "class of a module": (nn.ReLU(), nn.GELU()),
    "generator": (torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)),
    "numpy's generator": (np.random.default_rng(0), np.random.default_rng(1)),
    "Python's generator": (random.Random(0), random.Random(1)),
    "function of a library": (torch.relu, torch.tanh),
    "class of a library": (nn.ReLU, nn.GELU),
    "device": (torch.device("cpu"), torch.device("meta")),
    "type": (torch.float32, torch.float64),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_changes_the_digest(kind):
    one, other = CHANGES[kind]
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)
    assert digest({"inside": [one]}) != digest({"inside": [other]})


def test_a_global_that_a_function_uses_counts(monkeypatch):
    before = digest(scaled), digest(lambda x: scaled(x) + 1), digest(Blur)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert digest(scaled) != before[0]
    assert digest(lambda x: scaled(x) + 1) != before[1]
    assert digest(Blur) == before[2]


def test_the_body_of_a_class_counts():
    class Before(nn.Module):
        def forward(self, x):
            return x

    class After(nn.Module):
        def forward(self, x):
            return 2 * x

    After.__qualname__ = Before.__qualname__
    assert digest(Before()) != digest(After())

    class Derived(Before):
        pass

    class DerivedFromAnother(After):
        pass

    DerivedFromAnother.__qualname__ = Derived.__qualname__
    assert digest(Derived()) != digest(DerivedFromAnother())


def test_a_method_of_ours_that_is_edited_counts(monkeypatch):
    method = SourceOnly(nn.Identity(), nn.Linear(2, 2))
    before = digest(method)
    monkeypatch.setattr(SourceOnly, "losses", lambda self, source, target, progress: {})
    assert digest(method) != before


def test_use_does_not_change_what_a_class_is():
    class Fresh:
        pass

    before = digest(Fresh)
    digest(Fresh())  # pickled, as Python remembers on the class
    assert digest(Fresh) == before


def test_words_about_a_function_do_not_count():
    def one(x):
        """Doubles."""
        return 2 * x

    def two(x):
        """Twice as much."""  # and a comment

        return 2 * x

    two.__qualname__ = two.__name__ = "one"
    assert digest(one) == digest(two)


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": 2},
        {1.0, "b", (3, "c")},
        lru_cache(scaled),
        np.zeros((3, 2)).T,
        torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.zeros(()),
        np.float32(1),
        range(3),
        slice(1, None),
        Path("a"),
        OSError("x"),
        object(),
        staticmethod(scaled),
        torch.autograd.Function,
        losses.gradient_reversal,
        losses.mmd2,
        nets,
        partial(nn.BatchNorm2d, momentum=0.2),
        Vocabulary,
        TCA.fit,
        TCA(),
        nn.LSTM(2, 3),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_anything_with_a_value_has_a_digest(value):
    assert digest(value) == digest(value)


def test_equal_values_are_equal_however_they_were_made():
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest(make(1.0)) == digest(make(1.0))
    assert digest(network()) == digest(network())
    assert digest(np.zeros((2, 3)).T) == digest(np.zeros((3, 2)))
    x = torch.rand(2, 3, 4, 4)
    assert digest(x) == digest(x.to(memory_format=torch.channels_last))
    shared = [1, 2]
    assert digest([shared, shared]) == digest([[1, 2], [1, 2]])


def test_what_holds_itself_has_a_digest():
    around = [1]
    around.append(around)
    other = [2]
    other.append(other)
    assert digest(around) != digest(other)

    def countdown(n):
        return n and countdown(n - 1)

    assert digest(countdown) == digest(countdown)
    method = SourceOnly(nn.Identity(), nn.Linear(2, 2))
    method.itself = method.losses
    assert digest(method) == digest(method)


@pytest.mark.parametrize("value", [threading.Lock(), (i for i in range(3))], ids=["lock", "generator"])
def test_what_has_no_value_is_refused_in_one_line(value):
    with pytest.raises(TlbookError, match="cannot be told from another by its value") as refused:
        digest({"inside": value})
    assert "\n" not in str(refused.value)


PROGRAM = """
import torch
from functools import partial
from torch import nn
from tlbook import nets
from tlbook._identity import digest
from tlbook.methods import DANN, SimCLR
from torchvision.transforms import v2
FACTOR = {"b", "a", "c"}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.words = nn.Linear(2, 2), {"x", "y", "z"}
    def forward(self, x):
        return self.inner(x) if "a" in FACTOR else x in {"p", "q", "r"}
torch.manual_seed(0)
method = DANN(Net(), nets.mlp(2, 2), nets.mlp(2, 1))
method.augment = v2.Compose([v2.RandomCrop(3), v2.Lambda(lambda x: x + 1)])
simclr = SimCLR(Net(), nets.mlp(2, 2), augment=lambda x: x.flip(0))
print(digest(method), digest(simclr), digest(partial(torch.optim.SGD, lr=0.1)))
"""


def test_another_process_finds_the_same(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    root = str(Path(__file__).parents[1])
    told = {
        subprocess.run(
            [sys.executable, str(program)],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    assert len(told.pop()) == 3 * 65


class Reduced:
    """Its state is made anew, of new objects, each time that somebody asks for it."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return Reduced, (self.number + 1000.5,)


def test_what_is_made_on_the_way_is_not_taken_for_what_was_made_before():
    alike, apart = [Reduced(0) for _ in range(50)], [Reduced(i) for i in range(50)]
    assert digest(apart) == digest([Reduced(i) for i in range(50)])
    assert digest(apart) != digest(alike)
    assert digest([Reduced(0), Reduced(1)]) != digest([Reduced(0), Reduced(0)])


def test_an_empty_tensor_has_one_digest():
    found = set()
    for left_in_memory in range(20):
        np.full(1, left_in_memory, np.uint8)
        found.add(digest(torch.empty(0)))
    assert len(found) == 1
    kinds = [torch.empty(0), torch.empty(0, 3), torch.empty(0, dtype=torch.int64), torch.zeros(1)]
    assert len({digest(x) for x in kinds}) == 4


def test_a_function_of_python_counts_by_pythons_version(monkeypatch):
    from tlbook import _identity

    before = digest(os.path.join)
    _identity._version.cache_clear()
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert digest(os.path.join) != before
    _identity._version.cache_clear()


def test_a_layer_that_is_used_twice_counts_twice():
    layer = nn.Linear(3, 3)
    once, twice = nn.Sequential(layer, nn.ReLU()), nn.Sequential(layer, nn.ReLU(), layer)
    assert digest(once) != digest(twice)
    told = fingerprint("net", twice)
    assert told["net.0.weight"] == told["net.2.weight"]
    assert differences(fingerprint("net", once), told)


def test_a_fingerprint_names_what_changed():
    heads = [nets.mlp(4, 1), nets.mlp(4, 1)]
    torch.manual_seed(0)
    before = fingerprint("method", DANN(network(), nets.mlp(4, 2), heads[0], gamma=10.0))
    torch.manual_seed(0)
    changed = DANN(network(p=0.6), nets.mlp(4, 2), heads[0], gamma=5.0)
    found = differences(before, fingerprint("method", changed))
    assert found[:2] == ["method.gamma was 10.0, is 5.0", "method.features.2.p was 0.5, is 0.6"]
    assert all("weight" in line or "bias" in line for line in found[2:])
    assert differences(before, before) == []
    assert differences({}, {"a": "1"}) == ["a was not there, is 1"]


def test_this_package_is_never_a_library_where_it_is_installed(monkeypatch, tmp_path):
    there = tmp_path / "site-packages" / "tlbook" / "__init__.py"
    monkeypatch.setattr(sys.modules["tlbook"], "__file__", str(there))
    monkeypatch.setattr(sys.modules["tlbook"], "__path__", [str(there.parent)])
    assert not _identity._of_library.__wrapped__("tlbook.methods.dann")
    assert _identity._of_library.__wrapped__("torch.nn")


def test_a_decorated_function_is_what_runs_and_what_it_says_of_itself():
    def plain(x):
        return x

    def decorated():
        @wraps(plain)
        def f(x):
            return 2 * x

        return f

    same, other = decorated(), decorated()
    same.__wrapped__ = scaled  # a note of where it comes from, which is not called
    other.factor = 3
    assert digest(decorated()) == digest(same)
    assert digest(decorated()) != digest(other)
