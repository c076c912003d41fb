"""Graphs for `npm run bench -- transformer`: decoder-only Transformers, and two that measure the machine.

python transformer_graph.py --bundle ../yoco-small-1 --out ../../bench/graphs

Weights are a formula that ONNX Runtime folds to constants when it loads a graph, so that a file takes a few hundred
kilobytes. Speed and size do not depend on the values; the output means nothing. The graphs are as fast as is known to
be possible with the operators of the bundle's graphs:
- cached K and V go in as a view of each head's buffer, `[N, D]`, already rotated; only the new ones come out;
- one matrix makes q, k and v, one makes gate and up; logits are computed for the requested rows only (none for a
  frame).
"""

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

OPSET = 17


@dataclass(frozen=True)
class Shape:
    layers: int
    width: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int


class Layer(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.qkv = nn.Linear(s.width, (s.heads + 2 * s.kv_heads) * s.head_dim, bias=False)
        self.o = nn.Linear(s.heads * s.head_dim, s.width, bias=False)
        self.gate_up = nn.Linear(s.width, 2 * s.ffn, bias=False)
        self.down = nn.Linear(s.ffn, s.width, bias=False)
        self.norm, self.ffn_norm = nn.Parameter(torch.ones(s.width)), nn.Parameter(torch.ones(s.width))


def rms(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gain


class Transformer(nn.Module):
    """x `[n, W]`, position `[n]`, rows `[r]` (those whose logits are wanted), then for each layer and head `[N, D]` of
    K, and of V."""

    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.layers = nn.ModuleList([Layer(s) for _ in range(s.layers)])
        self.norm = nn.Parameter(torch.ones(s.width))
        self.head = nn.Linear(s.width, s.vocabulary, bias=False)
        self.register_buffer("frequencies", 10_000.0 ** (-torch.arange(0, s.head_dim, 2).float() / s.head_dim))

    def forward(self, x, position, rows, *past):
        s, n = self.s, x.shape[0]
        past_k, past_v = past[: s.layers * s.kv_heads], past[s.layers * s.kv_heads :]
        angles = position.float().unsqueeze(1) * self.frequencies
        cos, sin = angles.cos().unsqueeze(0), angles.sin().unsqueeze(0)
        future = (torch.arange(n).unsqueeze(0) > torch.arange(n).unsqueeze(1)).float() * -1e30  # [n, n]
        group = s.heads // s.kv_heads
        new_k, new_v = [], []
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(rms(x, layer.norm)).view(n, -1, s.head_dim).transpose(0, 1)  # [H + 2 G, n, D]
            turned, v = qkv[: s.heads + s.kv_heads], qkv[s.heads + s.kv_heads :]
            a, b = turned.chunk(2, -1)
            turned = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
            q, k = turned[: s.heads] / math.sqrt(s.head_dim), turned[s.heads :]
            read = []
            for g in range(s.kv_heads):
                keys, values = past_k[i * s.kv_heads + g], past_v[i * s.kv_heads + g]
                mine = q[g * group : (g + 1) * group].reshape(-1, s.head_dim)  # [g * n, D]
                before = mine @ keys.T
                own = ((mine @ k[g].T).view(group, n, n) + future).view(group * n, n)
                p = torch.cat([before, own], -1).softmax(-1)
                length = keys.shape[0]
                read.append((p[:, :length] @ values + p[:, length:] @ v[g]).view(group, n, s.head_dim))
            x = x + layer.o(torch.cat(read).transpose(0, 1).reshape(n, -1))
            gate, up = layer.gate_up(rms(x, layer.ffn_norm)).chunk(2, -1)
            x = x + layer.down(F.silu(gate) * up)
            new_k.append(k)
            new_v.append(v)
        return self.head(rms(x[rows], self.norm)), torch.stack(new_k), torch.stack(new_v)


def shrink(path: Path) -> None:
    """Replaces each large weight by `sin(12.9898 i) * scale` of its index i: nodes that are folded when the graph is
    loaded."""
    model = onnx.load(str(path))
    graph, kept, made = model.graph, [], []
    for w in graph.initializer:
        size = int(np.prod(w.dims))
        if w.data_type != TensorProto.FLOAT or size < 1024:
            kept.append(w)
            continue
        n = w.name
        # Laid out `[in, out]`, as exported for MatMul; Glorot's scale keeps activations near one.
        values = {"from": np.float32(0), "to": np.float32(size), "by": np.float32(1), "step": np.float32(12.9898),
                  "scale": np.float32(math.sqrt(2 / w.dims[0])), "dims": np.array(w.dims, np.int64)}
        kept += [numpy_helper.from_array(np.asarray(value), f"{n}.{key}") for key, value in values.items()]
        made += [
            helper.make_node("Range", [f"{n}.from", f"{n}.to", f"{n}.by"], [f"{n}.i"]),
            helper.make_node("Mul", [f"{n}.i", f"{n}.step"], [f"{n}.x"]),
            helper.make_node("Sin", [f"{n}.x"], [f"{n}.sin"]),
            helper.make_node("Mul", [f"{n}.sin", f"{n}.scale"], [f"{n}.flat"]),
            helper.make_node("Reshape", [f"{n}.flat", f"{n}.dims"], [n]),
        ]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for node in reversed(made):
        graph.node.insert(0, node)
    del graph.value_info[:]
    for node in graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def transformer(s: Shape, path: Path) -> None:
    n, length = 3, 7
    names = [f"{kind}{i}_{g}" for kind in "kv" for i in range(s.layers) for g in range(s.kv_heads)]
    past = [torch.zeros(length, s.head_dim) for _ in names]
    args = (torch.zeros(n, s.width), torch.arange(length, length + n), torch.tensor([n - 1]), *past)
    with torch.no_grad():
        torch.onnx.export(
            Transformer(s).eval(), args, str(path), input_names=["x", "position", "rows", *names], output_names=["logits", "new_k", "new_v"],
            dynamic_axes={"x": {0: "n"}, "position": {0: "n"}, "rows": {0: "r"}, "logits": {0: "r"}, "new_k": {2: "n"}, "new_v": {2: "n"},
                          **{name: {0: "past"} for name in names}},
            opset_version=OPSET, dynamo=False)
    shrink(path)


def small(path: Path, node: onnx.NodeProto, inputs: dict[str, list], output: list, constants: list | None = None) -> None:
    value = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
    graph = helper.make_graph([node], path.stem, [value(k, d) for k, d in inputs.items()], [value("y", output)], constants or [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    c = json.loads((Path(args.bundle) / "config.json").read_text())
    # The bundle's config lacks the FFN size: it is a dimension of a weight.
    weights = onnx.load(str(Path(args.bundle) / "cross_decoder.onnx")).graph.initializer
    ffn = max(w.dims[1] for w in weights if len(w.dims) == 2 and w.dims[0] == c["width"] and w.dims[1] not in (c["crossHeads"] * c["headDim"], len(c["answerTokens"])))
    shapes = {
        # Every layer has the heads of the bundle's cross-decoder.
        "transformer": Shape(c["selfLayers"] + c["crossLayers"], c["width"], ffn, c["crossHeads"], c["kvHeads"], c["headDim"], len(c["answerTokens"])),
        "smollm2-135m": Shape(30, 576, 1536, 9, 3, 64, 49_152),
    }
    for name, shape in shapes.items():
        transformer(shape, out / f"{name}.onnx")
    small(out / "matmul.onnx", helper.make_node("MatMul", ["a", "b"], ["y"]), {"a": ["m", "k"], "b": ["k", "n"]}, ["m", "n"])
    small(out / "sum.onnx", helper.make_node("ReduceSum", ["a", "axis"], ["y"], keepdims=0), {"a": ["m", "k"]}, ["m"],
          [numpy_helper.from_array(np.array([1], np.int64), "axis")])
    camel = lambda key: "".join(part.title() if i else part for i, part in enumerate(key.split("_")))
    described = {name: {camel(key): value for key, value in asdict(shape).items()} for name, shape in shapes.items()}
    (out / "shapes.json").write_text(json.dumps(described, indent=2) + "\n")


if __name__ == "__main__":
    main()
