"""What an ONNX file says of itself, read without an ONNX library and without loading the weights.

An ONNX file is a protobuf message: fields of a number and a length. Walking over the lengths finds
a file that was cut short or is something else, in milliseconds for a file of gigabytes.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asr.errors import ModelDamagedError

_MODEL_GRAPH, _MODEL_OPERATORS, _MODEL_METADATA = 7, 8, 14
_GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 5, 11, 12
_TENSOR_EXTERNAL_DATA = 13
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LEAST_OCTETS = 16

Shape = tuple[int, ...]


class _NotProtobufError(Exception):
    """The octets are no protobuf message."""


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """A model's description of itself.

    Attributes:
        metadata: Keys and values its maker wrote into it.
        inputs: Shape of each input by name, in the model's order; 0 for a size that may vary.
        outputs: Likewise.
    """

    metadata: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: dict[str, Shape] = field(default_factory=dict)

    def number(self, key: str, default: int = 0) -> int:
        """Return a whole number from the metadata; the default where there is none."""
        try:
            return int(float(self.metadata.get(key, default)))
        except (ValueError, OverflowError):
            return default


def read_onnx(path: Path, remedy: str) -> OnnxFacts:
    """Read what the model says of itself and check that it is whole.

    Args:
        path: The file.
        remedy: What the operator should do when it is damaged.

    Raises:
        ModelDamagedError: It is no ONNX model, is cut short, or a file with its weights is missing.
    """
    try:
        if path.stat().st_size < _LEAST_OCTETS:
            raise ModelDamagedError(path, "the file is empty or next to it", remedy)
        with path.open("rb") as stream:
            # Not closed here: an error's traceback may still hold a piece of it.
            octets = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        facts, beside = _model(memoryview(octets))
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ModelDamagedError(path, f"cannot be read ({reason})", remedy) from None
    except (_NotProtobufError, UnicodeDecodeError):
        raise ModelDamagedError(path, "is no whole ONNX model", remedy) from None
    for name in sorted(beside):
        if Path(name).name != name or not (path.parent / name).is_file():
            raise ModelDamagedError(
                path, "its weights are in another file, which is missing", remedy
            )
        if (path.parent / name).stat().st_size < beside[name]:
            raise ModelDamagedError(path.parent / name, "is cut short", remedy)
    return facts


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at >= len(view):
            raise _NotProtobufError
        octet = view[at]
        at += 1
        value |= (octet & 0x7F) << (7 * place)
        if octet < 0x80:
            return value, at
    raise _NotProtobufError


def _fields(view: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, value (of a varint) and content (of a message) of each field."""
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        value, size = 0, 0
        if kind == _VARINT:
            value, at = _varint(view, at)
        elif kind == _LENGTH:
            size, at = _varint(view, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise _NotProtobufError
        if not number or at + size > len(view):
            raise _NotProtobufError
        yield number, value, view[at : at + size]
        at += size


def _model(view: memoryview) -> tuple[OnnxFacts, dict[str, int]]:
    facts = OnnxFacts()
    beside: dict[str, int] = {}
    seen: set[int] = set()
    for number, _, content in _fields(view):
        seen.add(number)
        if number == _MODEL_GRAPH:
            _graph(content, facts, beside)
        elif number == _MODEL_METADATA:
            key, value = _entry(content)
            facts.metadata[key] = value
    if not seen >= {_MODEL_GRAPH, _MODEL_OPERATORS} or not facts.outputs:
        raise _NotProtobufError
    return facts, beside


def _graph(view: memoryview, facts: OnnxFacts, beside: dict[str, int]) -> None:
    weights: set[str] = set()
    for number, _, content in _fields(view):
        if number == _GRAPH_INITIALIZER:
            weights.add(_tensor(content, beside))
        elif number in (_GRAPH_INPUT, _GRAPH_OUTPUT):
            name, shape = _value_info(content)
            (facts.inputs if number == _GRAPH_INPUT else facts.outputs)[name] = shape
    # Old exporters list the weights among the inputs.
    for name in weights & facts.inputs.keys():
        del facts.inputs[name]


def _tensor(view: memoryview, beside: dict[str, int]) -> str:
    """Return a tensor's name; note the file beside the model that holds its values."""
    name = ""
    external: dict[str, str] = {}
    for number, _, content in _fields(view):
        if number == 8:
            name = _text(content)
        elif number == _TENSOR_EXTERNAL_DATA:
            key, value = _entry(content)
            external[key] = value
    if "location" in external:
        try:
            end = int(external.get("offset", "0")) + int(external.get("length", "0"))
        except ValueError:
            raise _NotProtobufError from None
        beside[external["location"]] = max(end, beside.get(external["location"], 0))
    return name


def _value_info(view: memoryview) -> tuple[str, Shape]:
    """Read name and shape: ValueInfoProto, TypeProto, TensorTypeProto, TensorShapeProto."""
    name = ""
    sizes: list[int] = []
    for number, _, content in _fields(view):
        if number == 1:
            name = _text(content)
        elif number == 2:
            for tensor in _inside(content, 1):
                for shape in _inside(tensor, 2):
                    sizes = [_size(dimension) for dimension in _inside(shape, 1)]
    return name, tuple(sizes)


def _size(dimension: memoryview) -> int:
    return next((value for number, value, _ in _fields(dimension) if number == 1), 0)


def _inside(view: memoryview, wanted: int) -> list[memoryview]:
    return [content for number, _, content in _fields(view) if number == wanted]


def _entry(view: memoryview) -> tuple[str, str]:
    parts = {number: _text(content) for number, _, content in _fields(view) if number in (1, 2)}
    return parts.get(1, ""), parts.get(2, "")


def _text(content: memoryview) -> str:
    return bytes(content).decode("utf-8")
