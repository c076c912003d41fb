"""How a bundle stores its large weights: as float16, or as int8 with a scale for each output (or row of a table).

Graphs with the same weights share them: `share` writes each weight into one file, once.

The runtime computes in float32 either way: it folds the nodes after the stored weights (Cast, Mul) when it loads a
graph. The reference is rounded first, so that its weights and those of the graphs are identical to the last bit.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

LARGE = 1024  # elements; smaller weights stay float32
ALIGNED = 4096  # byte alignment of shared weights
GROUP = 32  # weights that share a scale in int4
# int4 exists for measurements only: its values are stored as float16.
KINDS = ("float16", "int8", "int4")


def rounded(module: nn.Module, kind: str) -> nn.Module:
    """Rounds the large weights in place to values that can be stored."""
    for value in [*module.parameters(), *module.buffers()]:
        if not value.is_floating_point() or value.numel() < LARGE:
            continue
        if kind == "float16" or value.ndim < 2:
            value.copy_(value.half().float())
        elif kind == "int4" and value.ndim == 2 and value.shape[1] % GROUP == 0:
            value.copy_(grid(value.unflatten(1, (-1, GROUP)), 7, 2).flatten(1))
        else:
            value.copy_(grid(value.flatten(1), 127, 1).view_as(value))
    return module.eval()


def grid(value: torch.Tensor, most: int, axis: int) -> torch.Tensor:
    scale = value.abs().amax(axis, keepdim=True).clamp(min=1e-12) / most
    return (value / scale).round() * scale


def store(path: Path, kind: str) -> None:
    """Rewrites the large weights of a graph: `NAME` becomes `NAME_f16`, or `NAME_i8` and `NAME_scale`, followed by the
    nodes that restore it."""
    model = onnx.load(str(path))
    graph, nodes, scales = model.graph, [], []
    for w in graph.initializer:
        if w.data_type != TensorProto.FLOAT or np.prod(w.dims) < LARGE:
            continue
        value, name = numpy_helper.to_array(w), w.name
        whole = in_whole_numbers(value) if kind == "int8" and value.ndim > 1 else None
        if whole is not None:
            codes, scale = whole
            w.CopyFrom(numpy_helper.from_array(codes, name + "_i8"))
            scales.append(numpy_helper.from_array(scale, name + "_scale"))
            nodes += [helper.make_node("Cast", [name + "_i8"], [name + "_whole"], to=TensorProto.FLOAT),
                      helper.make_node("Mul", [name + "_whole", name + "_scale"], [name])]
        elif np.array_equal(value.astype(np.float16).astype(np.float32), value):  # what was not rounded stays float32
            w.CopyFrom(numpy_helper.from_array(value.astype(np.float16), name + "_f16"))
            nodes.append(helper.make_node("Cast", [name + "_f16"], [name], to=TensorProto.FLOAT))
    graph.initializer.extend(scales)
    for node in reversed(nodes):
        graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def in_whole_numbers(value: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """int8 codes and scales along the first or the second axis, whichever `value` was rounded along; None if
    neither."""
    for axis in (0, 1):
        others = tuple(i for i in range(value.ndim) if i != axis)
        scale = (np.maximum(np.abs(value).max(others, keepdims=True), np.float32(1e-12)) / np.float32(127)).astype(np.float32)
        codes = np.round(value / scale)
        if np.abs(codes * scale - value).max() <= 1e-5 * np.abs(value).max():
            return codes.astype(np.int8), scale
    return None


def share(graphs: list[Path], weights: Path) -> None:
    """Moves the large weights of `graphs` to `weights`, a file beside them; weights that several graphs have are
    written once."""
    places: dict[str, tuple[int, int]] = {}
    with open(weights, "wb") as out:
        for path in graphs:
            model = onnx.load(str(path))
            for w in model.graph.initializer:
                raw = numpy_helper.to_array(w).tobytes()
                if len(raw) < LARGE:
                    continue
                key = hashlib.sha256(raw).hexdigest()
                if key not in places:
                    out.seek(-(-out.tell() // ALIGNED) * ALIGNED)
                    places[key] = out.tell(), len(raw)
                    out.write(raw)
                w.ClearField("raw_data")
                w.ClearField("float_data")
                w.data_location = TensorProto.EXTERNAL
                del w.external_data[:]
                for name, value in (("location", weights.name), ("offset", places[key][0]), ("length", places[key][1])):
                    w.external_data.add(key=name, value=str(value))
            onnx.save(model, str(path))


def stored(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a graph by name, as floats."""
    raw = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in onnx.load(str(path)).graph.initializer}
    values = {}
    for name, value in raw.items():
        if name.endswith("_i8"):
            values[name.removesuffix("_i8")] = value.float() * raw[name.removesuffix("_i8") + "_scale"]
        elif not (name.endswith("_scale") and name.removesuffix("_scale") + "_i8" in raw):
            values[name.removesuffix("_f16")] = value.float()
    return values
