"""The graph of `CellRanking` in integers: the index of a day is tens of megabytes, read for every token.

It is built by hand: PyTorch's exporter would convert the keys to floats first, which takes several times as long as the
product. Each query is quantised with its own scale, as each key of the index already is. The weights of since and age,
of which each cell has one number, stay in float.

Keys and codes come as uint8 with zero point 128: where the processor lacks VNNI, ONNX Runtime multiplies uint8 by int8
five times as fast as int8 by int8. There it adds the products of neighbours in 16 bits, so queries are quantised to 63
instead of 127: `2 * 255 * 63` still fits. After the products the cells are the last axis, along which everything is
fast.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from cell_ranking import CellRanking
from config import Config
from time_code import CODE

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
        """Rows `[Q, n]` -> int8 `[Q, n]`, and a scale for each row, `[Q, 1]`."""
        most = self.add("ReduceMax", self.add("Abs", x), axes=[1], keepdims=1)
        scale = self.add("Max", self.add("Div", most, self.constant(LARGEST, kind=np.float32, scalar=True)), self.constant(1e-12, kind=np.float32, scalar=True))
        return self.add("Cast", self.add("Round", self.add("Div", x, scale)), to=INT8), scale

    def product(self, rows: str, whole: str, scale: str, count: int, *added: str, one: float = 1) -> str:
        """uint8 rows `[n, k]` times `whole` `[count, k]` with its `scale`, as `quantised` returns them -> `[count, n]`,
        plus what is `added`. one: the integer that stands for 1.0 in the rows."""
        y = self.add("MatMulInteger", rows, self.add("Transpose", whole, perm=[1, 0]), self.constant(ZERO, kind=np.uint8, scalar=True))
        # One Gemm applies the scales and transposes the result; multiplying such short rows elementwise takes longer.
        scales = self.add("Mul", self.constant(*(np.eye(count) / one).tolist(), kind=np.float32), scale)
        return self.add("Gemm", scales, self.add("Cast", y, to=FLOAT), *added, transB=1)

    def log_seconds(self, ms: str) -> str:
        """ms `[C]` -> `[1, C]`."""
        seconds = self.add("Div", self.add("Max", ms, self.constant(0, kind=np.float32, scalar=True)), self.constant(1000, kind=np.float32, scalar=True))
        return self.add("Unsqueeze", self.add("Log", self.add("Add", seconds, self.constant(1, kind=np.float32, scalar=True))), self.constant(0))

    def slice(self, x: str, start: int, end: int, axis: int) -> str:
        return self.add("Slice", x, self.constant(start), self.constant(end), self.constant(axis))


def ranking_graph(c: Config, opset: int) -> onnx.ModelProto:
    """Inputs and output are those of `CellRanking.forward`, except that ZERO is added to keys and codes."""
    g, group, size = Graph(), c.cross_heads // c.kv_heads, c.head_dim + CODE
    count = c.cross_layers * group  # queries of one head
    times = g.add("Concat", g.log_seconds("since"), g.log_seconds("age"), axis=0)  # [2, C]
    total = None
    for head in range(c.kv_heads):
        asked = g.add("Reshape", g.slice("queries", head * group, (head + 1) * group, 1), g.constant(count, size))
        best = best_key(g, c, head, g.slice(asked, 0, c.head_dim, 1), count)
        # Only for this head's queries: the time scores of all queries together would take three times the memory.
        of_ages = g.add("MatMul", g.slice(asked, size - 2, size, 1), times)
        # In the codes 127 stands for one.
        wanted = g.product("codes", *g.quantised(g.slice(asked, c.head_dim, size - 2, 1)), count, of_ages, one=127)
        shares = g.add("Softmax", g.add("Add", best, wanted), axis=1)
        share = g.add("MatMul", g.constant(*np.ones((1, count)).tolist(), kind=np.float32), shares)  # faster than ReduceSum
        total = share if total is None else g.add("Add", total, share)
    total = g.add("Reshape", total, g.constant(-1))
    g.nodes.append(helper.make_node("TopK", [total, "count"], ["best", "chosen"], sorted=1))
    inputs = [("queries", FLOAT, [c.cross_layers, c.cross_heads, size]), ("count", INT64, [1]), ("codes", UINT8, ["cells", CODE - 2]),
              ("since", FLOAT, ["cells"]), ("age", FLOAT, ["cells"]), *((f"keys{h}", UINT8, ["keys", c.head_dim]) for h in range(c.kv_heads)),
              *((f"scales{h}", FLOAT, ["keys"]) for h in range(c.kv_heads))]
    values = [helper.make_tensor_value_info(*value) for value in inputs]
    graph = helper.make_graph(g.nodes, "kv_index", values, [helper.make_tensor_value_info("chosen", INT64, ["count"])], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def best_key(g: Graph, c: Config, head: int, mine: str, count: int) -> str:
    """For each cell the score of its key that matches a query best, `[count, C]`.

    All keys of a cell form one row here, and each query is repeated for each of them, padded with zeros. The keys'
    scores then lie in separate rows, and the maximum of two rows is several times as fast as that of two neighbours.
    """
    keys, (whole, scale) = CellRanking.KEYS, g.quantised(mine)
    none = g.constant(*np.zeros((count, c.head_dim)).tolist(), kind=np.int8)
    each = [g.add("Concat", *(whole if at == key else none for at in range(keys)), axis=1) for key in range(keys)]
    rows = g.add("Reshape", f"keys{head}", g.constant(-1, keys * c.head_dim))
    scores = g.product(rows, g.add("Concat", *each, axis=0), g.add("Concat", *[scale] * keys, axis=0), count * keys)
    scales = g.add("Transpose", g.add("Reshape", f"scales{head}", g.constant(-1, keys)), perm=[1, 0])
    scores = g.add("Mul", g.add("Reshape", scores, g.constant(keys, count, -1)), g.add("Unsqueeze", scales, g.constant(1)))
    names = [f"scores{head}_{key}" for key in range(keys)]
    g.nodes.append(helper.make_node("Split", [scores], names, axis=0))
    return g.add("Reshape", g.add("Max", *names), g.constant(count, -1))


def example(c: Config, cells: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Random inputs for a cache of `cells` cells, each four frames of half a second."""
    r = np.random.default_rng(seed)
    times = np.arange(cells, dtype=np.float32) * 2000
    keys = {f"keys{h}": r.integers(-127, 128, (cells * CellRanking.KEYS, c.head_dim), dtype=np.int8) for h in range(c.kv_heads)}
    scales = {f"scales{h}": r.uniform(0.01, 0.03, cells * CellRanking.KEYS).astype(np.float32) for h in range(c.kv_heads)}
    return {"queries": r.normal(0, 1, (c.cross_layers, c.cross_heads, c.head_dim + CODE)).astype(np.float32), "count": np.array([max(1, cells // 20)]),
            "codes": r.integers(-127, 128, (cells, CODE - 2), dtype=np.int8), "since": times, "age": times[::-1].copy(), **keys, **scales}


def overlap(c: Config, path: Path, cells: int = 2_000) -> float:
    """The share of the cells chosen by the reference that the graph at `path` chooses too."""
    import onnxruntime
    feeds = example(c, cells)
    as_bytes = {k: (v.astype(np.int16) + ZERO).astype(np.uint8) if v.dtype == np.int8 else v for k, v in feeds.items()}
    mine = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, as_bytes)[0]
    theirs = CellRanking(c)(*(torch.from_numpy(x) for x in feeds.values()))
    return len(set(mine.tolist()) & set(theirs.tolist())) / len(theirs)
