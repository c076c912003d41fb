"""The graph of `CellRanking` in whole numbers: the index of a day is tens of megabytes of bytes, read for every token.

Made by hand, since PyTorch's exporter would write the keys out as floats first, which takes several times as long as the
product. Each query is rounded with a scale of its own, as each key of the index is already; what is asked of the age, one
number for each cell, stays as it is.

Keys and codes come as uint8, 128 for zero: ONNX Runtime multiplies uint8 with int8 five times as fast as int8 with int8 where
the processor lacks VNNI. It adds the products of neighbours in 16 bits there, so queries are rounded to 63 and not to 127:
`2 * 255 * 63` still fits. What follows the products has the cells in its last axis, along which all of it is fast.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from model import CODE, CellRanking, Config

FLOAT, INT8, UINT8, INT64 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT64
LARGEST, ZERO = 63, 128


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def add(self, kind: str, *inputs: str, **attributes) -> str:
        self.count += 1
        name = f"{kind}_{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, *values, kind=np.int64, scalar: bool = False) -> str:
        self.count += 1
        name = f"constant_{self.count}"
        value = np.array(values[0] if scalar else values, kind)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def quantised(self, x: str) -> tuple[str, str]:
        """Rows `[Q, n]` -> int8 `[n, Q]`, and the scale of each, `[Q, 1]`."""
        most = self.add("ReduceMax", self.add("Abs", x), axes=[1], keepdims=1)
        scale = self.add("Max", self.add("Div", most, self.constant(LARGEST, kind=np.float32, scalar=True)), self.constant(1e-12, kind=np.float32, scalar=True))
        whole = self.add("Cast", self.add("Round", self.add("Div", x, scale)), to=INT8)
        return self.add("Transpose", whole, perm=[1, 0]), scale

    def product(self, rows: str, x: str, count: int) -> str:
        """uint8 rows `[n, k]`, x `[count, k]` -> `[count, n]`."""
        whole, scale = self.quantised(x)
        y = self.add("MatMulInteger", rows, whole, self.constant(ZERO, kind=np.uint8, scalar=True))
        # One product brings in the scales and turns the result; to multiply rows of so few numbers takes longer.
        scales = self.add("Mul", self.constant(*np.eye(count).tolist(), kind=np.float32), scale)
        return self.add("Gemm", scales, self.add("Cast", y, to=FLOAT), transB=1)

    def row(self, x: str) -> str:
        return self.add("Unsqueeze", x, self.constant(0))

    def log_seconds(self, ms: str) -> str:
        """ms `[C]` -> `[1, C]`."""
        seconds = self.add("Div", self.add("Max", ms, self.constant(0, kind=np.float32, scalar=True)), self.constant(1000, kind=np.float32, scalar=True))
        return self.row(self.add("Log", self.add("Add", seconds, self.constant(1, kind=np.float32, scalar=True))))

    def slice(self, x: str, start: int, end: int, axis: int) -> str:
        return self.add("Slice", x, self.constant(start), self.constant(end), self.constant(axis))


def ranking_graph(c: Config, opset: int) -> onnx.ModelProto:
    """Inputs and output as of `CellRanking.forward`, but for keys and codes, to which ZERO is added."""
    g, group, size = Graph(), c.cross_heads // c.kv_heads, c.head_dim + CODE
    heads, mine_count = c.cross_layers * c.cross_heads, c.cross_layers * group
    times = g.add("Concat", g.log_seconds("since"), g.log_seconds("age"), axis=0)  # [2, C]
    every = g.add("Reshape", "queries", g.constant(heads, size))
    asked = g.slice(every, c.head_dim, size, 1)  # what is asked of the time, [layers * H, CODE]
    # The codes hold 127 for one.
    when = g.add("Div", g.product("codes", g.slice(asked, 0, CODE - 2, 1), heads), g.constant(127, kind=np.float32, scalar=True))
    when = g.add("Add", when, g.add("MatMul", g.slice(asked, CODE - 2, CODE, 1), times))  # [layers * H, C]
    by_head = g.add("Reshape", when, g.constant(c.cross_layers, c.cross_heads, -1))
    shares = []
    for head in range(c.kv_heads):
        first, last = head * group, (head + 1) * group
        mine = g.add("Reshape", g.slice(g.slice("queries", first, last, 1), 0, c.head_dim, 2), g.constant(mine_count, c.head_dim))
        scores = g.add("Mul", g.product(f"keys{head}", mine, mine_count), g.row(f"scales{head}"))
        scores = g.add("Reshape", scores, g.constant(mine_count, -1, CellRanking.KEYS))
        best = g.add("ReduceMax", scores, axes=[2], keepdims=0)
        wanted = g.add("Reshape", g.slice(by_head, first, last, 1), g.constant(mine_count, -1))
        shares.append(g.add("ReduceSum", g.add("Softmax", g.add("Add", best, wanted), axis=1), g.constant(0), keepdims=0))
    g.nodes.append(helper.make_node("TopK", [g.add("Sum", *shares), "count"], ["best", "chosen"], sorted=1))
    inputs = [("queries", FLOAT, [c.cross_layers, c.cross_heads, size]), ("count", INT64, [1]), ("codes", UINT8, ["cells", CODE - 2]),
              ("since", FLOAT, ["cells"]), ("age", FLOAT, ["cells"]), *((f"keys{h}", UINT8, ["keys", c.head_dim]) for h in range(c.kv_heads)),
              *((f"scales{h}", FLOAT, ["keys"]) for h in range(c.kv_heads))]
    values = [helper.make_tensor_value_info(*value) for value in inputs]
    graph = helper.make_graph(g.nodes, "kv_index", values, [helper.make_tensor_value_info("chosen", INT64, ["count"])], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def example(c: Config, cells: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random inputs of a cache of that many cells, four frames of half a second each."""
    r = np.random.default_rng(seed)
    times = np.arange(cells, dtype=np.float32) * 2000
    keys = {f"keys{h}": r.integers(-127, 128, (cells * CellRanking.KEYS, c.head_dim), dtype=np.int8) for h in range(c.kv_heads)}
    scales = {f"scales{h}": r.uniform(0.01, 0.03, cells * CellRanking.KEYS).astype(np.float32) for h in range(c.kv_heads)}
    return {"queries": r.normal(0, 1, (c.cross_layers, c.cross_heads, c.head_dim + CODE)).astype(np.float32), "count": np.array([max(1, cells // 20)]),
            "codes": r.integers(-127, 128, (cells, CODE - 2), dtype=np.int8), "since": times, "age": times[::-1].copy(), **keys, **scales}


def overlap(c: Config, path: Path, cells: int = 2_000) -> float:
    """Which share of the cells that the reference chooses the graph at `path` chooses too."""
    import onnxruntime
    feeds = example(c, cells)
    as_bytes = {k: (v.astype(np.int16) + ZERO).astype(np.uint8) if v.dtype == np.int8 else v for k, v in feeds.items()}
    mine = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, as_bytes)[0]
    theirs = CellRanking(c)(*(torch.from_numpy(x) for x in feeds.values()))
    return len(set(mine.tolist()) & set(theirs.tolist())) / len(theirs)
