"""What a thing is, told by its value: the same after a restart, another as soon as something in it is changed.

A checkpoint belongs to one run. Everything that the run's result depends on is told apart here: settings, arrays, the
parts of a network, and a reader's own functions and classes by what they do. No printed address and no order of a set
enters, so that a process started later finds the same digest.
"""

from __future__ import annotations

import dis
import enum
import hashlib
import importlib.metadata
import platform
import sys
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlbook.errors import TlbookError

__all__ = ["differences", "digest", "fingerprint"]

PLAIN = (type(None), type(Ellipsis), type(NotImplemented), bool, int, float, complex, str, bytes)
OF_MODULES = frozenset(vars(nn.Module()))  # what every module keeps for torch
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
OF_CLASSES = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__qualname__",
        "__annotations__",
        "__abstractmethods__",
        "_abc_impl",
        "__match_args__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__orig_bases__",
        "__parameters__",
        "__slots__",
        "__slotnames__",  # kept by Python once one of the class was pickled
        "_backward_cls",
        "__firstlineno__",
        "__static_attributes__",
        "__annotate__",
        "__annotate_func__",
    ]
)


def digest(value: object, named: Iterable[tuple[str, object]] = ()) -> str:
    """A hash of a value, 64 hexadecimal digits.

    Numbers, texts, containers, tensors and arrays count by content; objects by their class and state, as pickle sees
    it; modules of torch by their settings, parts, weights, and which of these are frozen. Functions and classes of a
    library count by name and version; the reader's own, and this package's, by their code, constants, defaults and
    closures, and by whatever else of that kind they use.

    Args:
        value: anything but what has a life outside the process, such as an open file.
        named: objects that are told elsewhere, such as the method of a bound function: here their name stands for them.

    Raises:
        TlbookError: for a value that cannot be told by what it is.

    Example:
        >>> digest({"lam": 1.0}) == digest({"lam": 1.0}), digest({"lam": 1.0}) == digest({"lam": 100.0})
        (True, False)
        >>> digest(lambda p: 1 - p) == digest(lambda p: 1 - p), digest(lambda p: 1 - p) == digest(lambda p: 1 - 2 * p)
        (True, False)
    """
    walk = _Walk()
    for name, part in named:
        walk.kept.append(part)
        walk.known[id(part)] = _hash("named", name)
    return walk.digest(value).hex()


def fingerprint(name: str, value: object) -> dict[str, str]:
    """The parts of a value and what each is, so that a change can be named.

    Args:
        name: what the value is called.
        value: as for :func:`digest`. A module of torch gets a line a setting; a dictionary one a key.

    Returns:
        For each part its value where that is short and plain, else the beginning of its digest. Equal for equal values.

    Example:
        >>> fingerprint("features", nn.Sequential(nn.Dropout(0.5)))["features.0.p"]
        '0.5'
    """
    return {part: _shown(inside) for part, inside in _parts(name, value)}


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """What two fingerprints differ in, a short phrase each: the name, what it was, what it is.

    Example:
        >>> differences({"lam": "1.0", "seed": "0"}, {"lam": "100.0", "seed": "0"})
        ['lam was 1.0, is 100.0']
    """
    names = [*before, *(name for name in now if name not in before)]
    pairs = [(name, before.get(name, "not there"), now.get(name, "not there")) for name in names]
    return [f"{name} was {was}, is {wants}" for name, was, wants in pairs if was != wants]


def _parts(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, nn.Module):
        for path, module in value.named_modules(prefix=name, remove_duplicate=False):
            yield path, type(module)
            yield from ((f"{path}.{key}", inside) for key, inside in _settings(module))
            for key, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
                yield f"{path}.{key}", tensor
    elif isinstance(value, dict) and value and all(isinstance(key, str) for key in value):
        for key, inside in value.items():
            yield from _parts(f"{name}.{key}", inside)
    else:
        yield name, value


def _settings(module: nn.Module) -> Iterator[tuple[str, object]]:
    """What a module was told, in the order of the names, and the hooks that somebody hung on it."""
    for key, inside in sorted(vars(module).items()):
        if key not in OF_MODULES:
            yield key, inside
        elif key in HOOKS and inside:
            yield key, list(inside.values())


def _shown(value: object) -> str:
    whole = digest(value)  # first, so that what cannot be told is refused
    if isinstance(value, type):
        return f"{value.__name__} {whole[:12]}"
    if isinstance(value, Tensor):
        return f"{'learns' if value.requires_grad else 'rests'}, {tuple(value.shape)}, {whole[:12]}"
    simple = all(type(part) in PLAIN for part in (value if isinstance(value, list | tuple) else [value]))
    shown = repr(value) if simple else ""
    return shown if 0 < len(shown) <= 60 else f"{type(value).__name__} {whole[:12]}"


class _Walk:
    """One walk through a value. What was met before has its digest; what is met inside itself counts by how far up."""

    def __init__(self) -> None:
        self.known: dict[int, bytes] = {}
        self.way: list[int] = []
        self.kept: list[object] = []  # so that no address is given to another object meanwhile

    def digest(self, value: object) -> bytes:
        if isinstance(value, PLAIN) and type(value) in PLAIN:
            return _hash(type(value).__name__, value.hex() if isinstance(value, float) else repr(value))
        if id(value) in self.known:
            return self.known[id(value)]
        if id(value) in self.way:
            return _hash("inside itself", str(len(self.way) - self.way.index(id(value))))
        self.kept.append(value)
        self.way.append(id(value))
        kind, *parts = self._taken_apart(value)
        found = _hash(kind, *(part if isinstance(part, bytes) else self.digest(part) for part in parts))
        self.way.pop()
        self.known[id(value)] = found
        return found

    def _taken_apart(self, value: Any) -> list[Any]:
        """A word for the kind, then its parts: bytes are digests already, anything else is walked through."""
        match value:
            case Tensor():
                return ["tensor", value.requires_grad, _array(value.detach())]
            case np.ndarray() if value.dtype != object:
                return ["array", _array(value)]
            case np.generic():
                return ["number", _array(np.asarray(value))]
            case enum.Enum():
                return ["enum", type(value), value.name]
            case nn.Module():
                own = [_hash("part", name, self.digest(part)) for name, part in _parts("", value) if part is not value]
                return ["module", *own]
            case torch.Generator():
                return ["generator", value.get_state()]
            case weakref.ref():  # as recurrent networks keep to their own weights
                return ["reference", value()]
            case OrderedDict():
                return ["ordered", type(value), *(part for item in value.items() for part in item)]
            case dict() | MappingProxyType() if type(value) in (dict, MappingProxyType):
                return ["dict", type(value), *sorted(_hash(self.digest(k), self.digest(v)) for k, v in value.items())]
            case set() | frozenset():
                return ["set", type(value), *sorted(_Walk().digest(member) for member in value)]
            case list() | tuple():
                return ["list", type(value), getattr(value, "__dict__", None), *value]
            case FunctionType():
                return self._function(value)
            case MethodType():
                return ["method", value.__func__, value.__self__]
            case staticmethod() | classmethod():
                return [type(value).__name__, value.__func__]
            case property():
                return ["property", value.fget, value.fset]
            case cached_property():
                return ["property", value.func]
            case type():
                return self._class(value)
            case ModuleType():
                return ["library", value.__name__, _version(value.__name__)]
            case CodeType():
                return self._code(value, {})
            case BuiltinFunctionType() if value.__self__ is None or isinstance(value.__self__, ModuleType):
                return ["library", value.__module__, value.__qualname__, _version(value.__module__ or "")]
        if isinstance(value, weakref.ref):
            return ["weak", value()]
        if hasattr(value, "__wrapped__") and callable(value):  # functools.cache and its like
            return ["wrapped", type(value), value.__wrapped__]
        if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
            return ["torch", repr(value)]
        if type(value).__name__ == "fortran":  # of scipy; its type has no home
            return ["library", value.__name__, _version("scipy")]
        if hasattr(value, "__objclass__"):  # a slot, or a method of a class written in C
            return ["descriptor", value.__name__]
        return self._object(value)

    def _object(self, value: Any) -> list[Any]:
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise TlbookError(
                f"{type(value).__name__} {value!r:.80} cannot be told from another by its value; expected numbers, "
                "arrays, functions and modules: build it inside the function that uses it, or leave out checkpoint="
            ) from error
        if isinstance(reduced, str):
            return ["global", type(value).__module__, reduced]
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        return ["object", make, arguments, state, list(items or ()), dict(pairs or ())]

    def _function(self, f: FunctionType) -> list[Any]:
        inside = [cell.cell_contents for cell in f.__closure__ or () if _filled(cell)]
        if _of_library(f.__module__) and _of_library(f.__globals__.get("__name__")):
            return ["library", f.__module__, f.__qualname__, _version(f.__module__), f.__defaults__, *inside]
        documented = f.__code__.co_consts[:1] == (f.__doc__,) and f.__doc__ is not None
        own = [f.__defaults__, f.__kwdefaults__, {k: v for k, v in vars(f).items() if k != "__wrapped__"}]
        return ["function", *self._code(f.__code__, f.__globals__, documented), *own, *inside]

    def _code(self, code: CodeType, names: dict[str, Any], documented: bool = False) -> list[Any]:
        constants = code.co_consts[1:] if documented else code.co_consts
        nested = [c for c in constants if isinstance(c, CodeType)]
        inner = [_hash(*(self._each(self._code(c, names)))) for c in nested]
        plain = [c for c in constants if not isinstance(c, CodeType)]
        form = [code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags]
        form += [code.co_exceptiontable, code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount]
        return ["code", *form, plain, *inner, *_used(code, names)]

    def _each(self, parts: list[Any]) -> list[bytes]:
        return [part if isinstance(part, bytes) else self.digest(part) for part in parts]

    def _class(self, cls: type) -> list[Any]:
        if _of_library(cls.__module__):
            return ["library", cls.__module__, cls.__qualname__, _version(cls.__module__)]
        inside = {name: part for name, part in vars(cls).items() if name not in OF_CLASSES}
        return ["class", cls.__qualname__, list(cls.__bases__), inside]


def _used(code: CodeType, names: dict[str, Any]) -> Iterator[Any]:
    """The globals that a function uses, in order: ``losses.coral`` of a module of ours is that function."""
    instructions = list(dis.get_instructions(code))
    for at, instruction in enumerate(instructions):
        if instruction.opname not in ("LOAD_GLOBAL", "LOAD_NAME") or instruction.argval not in names:
            continue
        value = names[instruction.argval]
        for following in instructions[at + 1 :]:
            if not isinstance(value, ModuleType) or _of_library(value.__name__):
                break
            if following.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            value = getattr(value, following.argval, following.argval)
        yield value


def _filled(cell: CellType) -> bool:
    return cell != CellType()  # empty where a function names what is not there yet


def _hash(*parts: str | bytes) -> bytes:
    hashed = hashlib.sha256()
    for part in parts:
        part = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hashed.update(len(part).to_bytes(8, "little") + part)
    return hashed.digest()


def _array(x: Any) -> bytes:
    """The digest of a tensor's or an array's type, shape and bytes, wherever it lies and in whatever order."""
    if isinstance(x, Tensor):
        x = x.cpu().resolve_conj().resolve_neg().contiguous()
        kind, shape = str(x.dtype), tuple(x.shape)
        content = x.reshape(-1).view(torch.uint8).numpy() if x.numel() else np.empty(0, np.uint8)
    else:
        kind, shape, content = x.dtype.str, x.shape, np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    return _hash(kind, repr(shape), content.tobytes())


@cache
def _of_library(module: str | None) -> bool:
    """Whether a module is Python's or an installed package, and neither ours nor the reader's."""
    top = (module or "__main__").partition(".")[0]
    if top in ("tlbook", "__main__"):
        return False
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    package = sys.modules.get(top)
    places = [getattr(package, "__file__", None), *getattr(package, "__path__", ())]
    return any(part in ("site-packages", "dist-packages") for place in places if place for part in Path(place).parts)


@cache
def _version(module: str) -> str:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return platform.python_version()
    try:
        return str(getattr(sys.modules.get(top), "__version__", None) or importlib.metadata.version(top))
    except importlib.metadata.PackageNotFoundError:
        return ""
