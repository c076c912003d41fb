"""A checkpoint -> a bundle: four ONNX graphs and those for a device, word embeddings, the tokenizer, golden inputs and
outputs.

python export.py --data DIR --work DIR --name small --out ../yoco-small-1
"""

import argparse
import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from tokenizers import Tokenizer
from torch import nn

from backbone import IMAGE_SIZE, VECTORS, EfficientNetLite0
from config import Config
from counting import COUNT_TOKEN, COUNTS
from device_graphs import PAGE, PAGE_FRAMES, PAGES, device_graphs, page
from eyes import SecondLook, second_look
from labels import read_sets
from model import YocoLive
from palette import small
from projector import TOP, Detail, Projector, Vocabulary
from ranking_graph import overlap, ranking_graph
from text import END, START, normalise_text, tokenizer_json, word_embeddings
from time_code import DAY, DIGITS, time_code, waves
from visual_tokens import of_whole
from weights import KINDS, rounded, share, store

FORMAT = 7
OPSET = 17
TOLERANCE = 0.002
# The index must choose at least this share of the cells that an exact ranking chooses.
LEAST_OVERLAP = 0.95
# Times in ms of the golden time codes, which the runtime must reproduce.
MOMENTS = [0, 61_500, 3_599_999, 45_296_000, 1_700_000_000_123]


class VisionGraph(nn.Module):
    """rgb `[B, 224, 224, 3]` uint8 -> visual tokens `[B, 10, W]`, before the time is added."""

    def __init__(self, net: EfficientNetLite0, look: SecondLook | None, projector: Projector, detail: Detail, vocab: Vocabulary, model: YocoLive):
        super().__init__()
        self.net, self.look, self.projector = net, look, projector
        from_detail = model.visual.from_detail.weight.T
        self.register_buffer("basis", detail.basis)
        self.register_buffer("detail", from_detail)
        self.register_buffer("slot", model.visual.slot - detail.middle @ from_detail)
        labels, words = vocab.tensors()
        self.register_buffer("labels", labels @ model.visual.from_labels.weight.T)
        self.register_buffer("residual", model.visual.label.weight)
        self.register_buffer("words", words @ model.visual.from_words.weight.T)
        self.register_buffer("marked", model.visual.from_marks.weight.T)

    def forward(self, rgb):
        if self.look is None:
            features, second = self.net(rgb), ()
        else:
            maps = self.net.front(rgb)
            features, second = self.net.back(maps), (lambda label: self.look.combine(label, self.look(maps)),)
        p, word_p = self.projector.mixtures(features, self.net.classify(features), *second)
        strongest = p * (p >= p.topk(TOP, -1).values[..., -1:])
        tokens = p @ self.labels + strongest @ self.residual + word_p @ self.words + (features @ self.basis) @ self.detail + self.slot
        return tokens + of_whole(self.projector.marks(features, small(rgb)) @ self.marked, VECTORS)


class SelfGraph(nn.Module):
    """`length`: for a window, how many of its tokens are real; for retention, how many of the new ones."""

    def __init__(self, model: YocoLive):
        super().__init__()
        self.clock, self.decoder = model.clock, model.self_decoder
        self.step = self.decoder.retain if model.c.self_decoder == "retention" else self.decoder.step

    def forward(self, tokens, time_ms, past_k, past_v, length):
        return self.step(tokens + self.clock(time_ms), time_ms >= 0, past_k, past_v, length)


@dataclass(frozen=True)
class StateShape:
    """The shape of each half of the state that a segment carries from step to step (`past_k` and `past_v`):
    `[layers, rows, heads, D]`."""

    rows: int
    heads: int
    length: str  # name of the graph's input that says how many are real

    @staticmethod
    def of(c: Config) -> "StateShape":
        if c.self_decoder == "retention":
            return StateShape(c.head_dim // 2, c.self_heads, "new_length")
        return StateShape(c.window, c.self_kv_heads, "past_length")


class CrossGraph(nn.Module):
    def __init__(self, model: YocoLive):
        super().__init__()
        self.c, self.decoder, self.norm = model.c, model.cross_decoder, model.out_norm
        words = model.words[model.answers]
        self.gate = model.copy_gate
        self.register_buffer("table", words @ model.out.weight * (model.out_scale.detach() * 4 / model.c.words_width))  # [answers, W]
        self.register_buffer("copy", words @ model.copy.weight / model.c.words_width**0.5)  # [answers, G * D]
        self.register_buffer("bias", model.out_bias.detach())
        self.counted, self.dated, self.written = model.counted, model.dated, model.written
        self.register_buffer("digits", model.digits)

    def forward(self, hidden, times, since, stood, ahead, moment, visible, context, own_k, own_v, own_length, counted, *cache):
        g = self.c.kv_heads
        x, evidence, attended, said, dated, queries = self.decoder.read(hidden, cache[:g], cache[g:], times, since, stood, ahead, moment, visible, context, own_k, own_v, own_length, counted)
        return self.logits(x, attended, said, dated), evidence, queries, said

    def logits(self, x, attended, counted, dated):
        y = self.norm(x)
        said = self.counted(y, counted) + self.dated(y, dated) + self.written(y, attended)
        return y @ self.table.T + self.gate(y) * (attended @ self.copy.T) + self.bias + said @ self.digits


def to_graph(module: nn.Module, args: tuple, path: Path, kind: str, inputs: dict[str, dict[int, str]], outputs: dict[str, dict[int, str]]) -> None:
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, args, str(path), input_names=list(inputs), output_names=list(outputs), opset_version=OPSET,
                          dynamic_axes={**inputs, **outputs}, dynamo=False)
    store(path, kind)


def fuse_pads(path: Path) -> None:
    """Folds each Pad before a Conv into the Conv's own padding: a Pad costs a copy and a change of layout on each side.

    TensorFlow's SAME on even sizes: k - 1 pixels in total at stride 1, k - 2 at stride 2, the odd one right and below.
    """
    graph = onnx.load(str(path))
    pads = {node.output[0]: node for node in graph.graph.node if node.op_type == "Pad"}
    fused = set()
    for node in graph.graph.node:
        if node.op_type != "Conv" or node.input[0] not in pads:
            continue
        attributes = {a.name: a for a in node.attribute}
        kernel, stride = attributes["kernel_shape"].ints[0], attributes["strides"].ints[0]
        total = kernel - stride
        attributes["pads"].ints[:] = [total // 2] * 2 + [total - total // 2] * 2
        fused.add(node.input[0])
        node.input[0] = pads[node.input[0]].input[0]
    for name in fused:
        graph.graph.node.remove(pads[name])
    onnx.save(graph, str(path))


def words_table(model: YocoLive, path: Path) -> None:
    """`embeddings.bin`: int8 rows `[vocabulary, W]`, then a float32 scale for each row."""
    rows = (model.words @ model.into.weight.T).detach().numpy()
    scale = np.abs(rows).max(1) / 127
    with open(path, "wb") as f:
        f.write(np.round(rows / scale[:, None]).astype(np.int8).tobytes())
        f.write(scale.astype(np.float32).tobytes())


def read_words(path: Path, width: int) -> np.ndarray:
    raw = path.read_bytes()
    count = len(raw) // (width + 4)
    rows = np.frombuffer(raw, np.int8, count * width).reshape(count, width)
    return rows.astype(np.float32) * np.frombuffer(raw, np.float32, count, count * width)[:, None]


def picture(number: int) -> np.ndarray:
    """A synthetic picture of waves and a disc, `[224, 224, 3]` uint8. The runtime's tests generate the same one."""
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE].astype(np.int64)
    channels = [(x * (number + 1) + y * 2) % 256, (x + y * (number + 2)) % 256, (x * y // 64 + 40 * number) % 256]
    rgb = np.stack(channels, -1)
    disc = (x - 112) ** 2 + (y - 80 - 10 * number) ** 2 < (30 + 5 * number) ** 2
    rgb[disc] = [220, 40 * number % 256, 30]
    return rgb.astype(np.uint8)


class Goldens:
    def __init__(self, folder: Path):
        self.folder, self.index = folder, {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, value) -> None:
        value = np.ascontiguousarray(value.detach().numpy() if isinstance(value, torch.Tensor) else value)
        (self.folder / f"{name}.bin").write_bytes(value.tobytes())
        self.index[name] = {"shape": list(value.shape), "type": str(value.dtype)}

    def close(self, **more) -> None:
        (self.folder / "golden.json").write_text(json.dumps({"tensors": self.index, **more}, indent=1) + "\n")


@torch.no_grad()
def golden(model: YocoLive, vision: VisionGraph, head: CrossGraph, words: np.ndarray, tokenizer: str, folder: Path, frames: int = 6) -> None:
    """Writes the goldens: the whole path of the reference, at once and in float32, from pictures to tokens, shared K
    and V, and the logits of an answer."""
    out = Goldens(folder)
    rgb = torch.from_numpy(np.stack([picture(i) for i in range(frames)]))
    times = torch.arange(frames) * 500
    tokens = vision(rgb)
    x = (tokens + model.clock(times[None])[0].unsqueeze(1)).flatten(0, 1)[None]
    _, k, v = model.self_decoder(x, torch.ones(x.shape[:2]))
    question = "what was shown first?"
    ids = [START, *Tokenizer.from_str(tokenizer).encode(normalise_text(question)).ids, END]
    ms = torch.full((1, len(ids)), -1)
    ms[0, 0] = times[-1]
    answer: list[int] = []
    for _ in range(12):
        e = torch.from_numpy(words[ids + answer])[None]
        clock = torch.cat([ms, torch.full((1, len(answer)), -1)], 1)
        hidden, own_k, own_v = model.self_decoder(e + model.clock(clock), clock >= 0)
        unwritten = torch.arange(hidden.shape[1]) > torch.arange(len(ids) - 1, hidden.shape[1]).unsqueeze(1)
        own_mask = torch.zeros(unwritten.shape).masked_fill(unwritten, float("-inf"))[None, None]
        read = model.cross_decoder(hidden[:, len(ids) - 1 :].unsqueeze(1), k, v, times[None], times[None], torch.full((1, frames), 500), times[None, -1:], torch.zeros(1, 1, k.shape[1]), own_k.unsqueeze(1), own_v.unsqueeze(1), own_mask)
        logits = head.logits(read.hidden[0, 0, -1:], read.attended[0, 0, -1:], read.counted[0, 0, -1:], read.digits[0, 0, -1:])[0]
        if not answer:
            out.add("first_logits", logits)
            out.add("first_evidence", read.evidence[0, 0, 0].view(frames, -1).sum(-1))
        token = model.answers[int(logits.argmax())].item()
        answer.append(token)
        if token == END:
            break
    out.add("last_logits", logits)
    out.add("time_code", time_code(torch.tensor(MOMENTS), torch.zeros(len(MOMENTS), dtype=torch.long))[:, :-1])
    out.add("tokens", tokens)
    out.add("k", k[0])
    out.add("v", v[0])
    out.close(frames=frames, intervalMs=500, moments=MOMENTS, question=question, questionIds=ids, answerIds=answer)


def export(model: YocoLive, projector: Projector, detail: Detail, vocab: Vocabulary, net: EfficientNetLite0, out: Path, card: dict, tokenizer: str, kind: str = "float16",
           page_frames: int = PAGE_FRAMES, look: SecondLook | None = None) -> None:
    """`kind`: how large weights are stored (weights.py); `page_frames`: frames of a device page (device_graphs.py);
    `look`: the second look (eyes.py), if any."""
    c = model.c
    out.mkdir(parents=True, exist_ok=True)
    model.eval()
    projector.eval()
    vision = rounded(VisionGraph(net, look, projector, detail, vocab, model), kind)
    self_graph, cross_graph = rounded(SelfGraph(model), kind), rounded(CrossGraph(model), kind)
    rgb = torch.from_numpy(np.stack([picture(0)]))
    to_graph(vision, (rgb,), out / "vision.onnx", kind, {"rgb": {0: "batch"}}, {"tokens": {0: "batch"}})
    fuse_pads(out / "vision.onnx")
    b, n, state, on_window = 2, 3, StateShape.of(c), c.self_decoder == "window"
    past = torch.zeros(b, c.self_layers, 7 if on_window else state.rows, state.heads, c.head_dim)
    past_axes, window_axes = ({0: "batch", 2: "past"}, {0: "batch", 2: "n"}) if on_window else ({0: "batch"}, {0: "batch"})
    to_graph(self_graph, (torch.zeros(b, n, c.width), torch.zeros(b, n, dtype=torch.long), past, past, torch.zeros(b, dtype=torch.long)),
             out / "self_decoder.onnx", kind,
             {"tokens": {0: "batch", 1: "n"}, "time_ms": {0: "batch", 1: "n"}, "past_k": past_axes, "past_v": past_axes, state.length: {0: "batch"}},
             {"hidden": {0: "batch", 1: "n"}, "k": {0: "batch", 1: "n"}, "v": {0: "batch", 1: "n"}, "window_k": window_axes, "window_v": window_axes})
    own = torch.zeros(b, 5, c.kv_heads, c.head_dim)
    cache = [torch.zeros(2 * c.tokens_per_frame, c.head_dim) for _ in range(2 * c.kv_heads)]
    when = torch.zeros(2, dtype=torch.long)
    to_graph(cross_graph, (torch.zeros(b, c.width), when, when, when, when, torch.zeros(b, dtype=torch.long), torch.full((b,), 20), torch.full((b,), 20), own, own, torch.full((b,), 5), torch.full((b, COUNTS), -1.0), *cache), out / "cross_decoder.onnx", kind,
             {"hidden": {0: "questions"}, "times": {0: "frames"}, "since": {0: "frames"}, "stood": {0: "frames"}, "ahead": {0: "frames"}, "moment": {0: "questions"}, "visible": {0: "questions"}, "context": {0: "questions"}, "own_k": {0: "questions", 1: "own"}, "own_v": {0: "questions", 1: "own"},
              "own_length": {0: "questions"}, "counted": {0: "questions"}, **{f"{kind}{g}": {0: "stream"} for kind in "kv" for g in range(c.kv_heads)}},
             {"logits": {0: "questions"}, "evidence": {0: "questions", 1: "frames"}, "queries": {0: "questions"}, "counts": {0: "questions"}})
    decoders = ["self_decoder.onnx", "cross_decoder.onnx"]
    # There are no device graphs for retention yet.
    for name, module, inputs, outputs, axes in device_graphs(model, cross_graph, page_frames) if on_window else []:
        to_graph(module, tuple(inputs.values()), out / f"{name}.onnx", kind, dict.fromkeys(inputs, {}) | {k: v for k, v in axes.items() if k in inputs},
                 dict.fromkeys(outputs, {}) | {k: v for k, v in axes.items() if k in outputs})
        decoders.append(f"{name}.onnx")
    share([out / name for name in decoders], out / "decoders.weights")
    onnx.save(ranking_graph(c, OPSET), str(out / "kv_index.onnx"))
    tags = torch.stack([model.cross_decoder.tag_k.flatten(1), model.cross_decoder.tag_v.flatten(1)], 1)  # [tags, 2, G * D]
    (out / "stream_tags.bin").write_bytes(tags.numpy().astype("<f4").tobytes())
    words_table(model, out / "embeddings.bin")
    (out / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    words = read_words(out / "embeddings.bin", c.width)
    golden(model, vision, cross_graph, words, tokenizer, out / "golden")
    files = ["vision.onnx", *decoders, "decoders.weights", "kv_index.onnx", "stream_tags.bin", "embeddings.bin", "tokenizer.json"]
    config = {
        "format": FORMAT,
        "name": card.get("name", out.name),
        "licence": card["licence"],
        "selfDecoder": c.self_decoder,
        "imageSize": IMAGE_SIZE,
        "tokensPerFrame": VECTORS,
        "width": c.width,
        "headDim": c.head_dim,
        "selfLayers": c.self_layers,
        "selfKvHeads": state.heads,
        "crossLayers": c.cross_layers,
        "crossHeads": c.cross_heads,
        "kvHeads": c.kv_heads,
        "streamTags": c.tags,
        "window": state.rows,
        **({"devicePageFrames": page_frames} if on_window else {}),
        "vocabulary": words.shape[0],
        "startToken": START,
        "endToken": END,
        "countedAt": COUNT_TOKEN,
        "maxAnswerTokens": 32,
        "endsAtRepetition": card.get("endsAtRepetition", True),
        "answerTokens": model.answers.tolist(),
        "parameters": sum(p.numel() for m in (model, projector, net, *([look] if look else [])) for p in m.parameters()),
        "training": card.get("training", {}),
        "files": {f: {"bytes": (out / f).stat().st_size, "sha256": hashlib.sha256((out / f).read_bytes()).hexdigest()} for f in files},
    }
    (out / "config.json").write_text(json.dumps(config) + "\n")


def clock_code(ms: int) -> np.ndarray:
    """The clock input of the device self-decoder for one time: one-hot digits, then Fourier features."""
    digits = [np.eye(base, dtype=np.float32)[(ms if unit >= DAY else ms % DAY) // unit % base] for unit, base in DIGITS]
    return np.concatenate([*digits, waves(torch.tensor(ms)).numpy()])


def on_pages(out: Path, c: Config, page_frames: int, pages: int, tokens: np.ndarray, times: np.ndarray, hidden, own_k, own_v):
    """Runs the device graphs on the CPU: frames through the window into a page, then one token of a question over
    `pages` pages, of which the others are empty. Returns the logits and evidence, and K."""
    session = lambda n: onnxruntime.InferenceSession(str(out / f"device_{n}.onnx"), providers=["CPUExecutionProvider"])
    decoder, append, cross = session("self_decoder"), session("append"), session(f"cross_decoder_{pages}")
    shape = (1, c.self_layers, c.window, c.self_kv_heads, c.head_dim)
    past_k, past_v, held, host = np.zeros(shape, np.float32), np.zeros(shape, np.float32), [p.numpy() for p in page(c, page_frames)], []
    float32 = lambda *values: np.array(values, np.float32)
    for i, ms in enumerate(times):
        clock = np.tile(clock_code(int(ms)), (1, len(tokens[i]), 1))
        k, v, host_k, _, past_k, past_v = decoder.run(None, {"tokens": tokens[i : i + 1], "clock": clock, "past_k": past_k, "past_v": past_v,
                                                            "past_length": float32(min(c.window, i * len(tokens[i])))})
        code = time_code(torch.tensor([int(ms)]), torch.zeros(1, dtype=torch.long))[:, :-1].numpy().T
        held = append.run(None, {"k": k, "v": v, "code": code, "seconds": float32((ms - times[0]) / 1000), "stood": float32((ms - times[i - 1]) / 1000 if i else 0), "place": float32(i), **dict(zip(PAGE, held))})
        host.append(host_k)
    empty = [p.numpy() for p in page(c, page_frames)]
    feeds = {f"{name}{i}": value for i in range(pages) for name, value in zip(PAGE, held if i == 0 else empty)}
    read = float32(*[len(times)] + [0] * (pages - 1))
    tags = np.zeros((pages, c.kv_heads, c.head_dim), np.float32)
    total = len(times) * len(tokens[0]) + own_k.shape[1]
    age = float32((times[-1] - times[0]) / 1000).repeat(pages)
    logits, evidence, *_ = cross.run(None, {"hidden": hidden, "log_n": np.log(float32(total)), "own_k": own_k, "own_v": own_v, "own_mask": np.zeros((1, own_k.shape[1]), np.float32), "counted": np.full((1, COUNTS), -1, np.float32), "until": np.zeros((1, pages), np.float32),
                                           "seen": read[None], "skipped": np.zeros(pages, np.float32), "since": np.zeros(pages, np.float32), "age": age[None], "tag_k": tags, "tag_v": tags, **feeds})
    return (logits[0], evidence[0]), {"k": np.concatenate(host)}


def check(out: Path, c: Config) -> None:
    """Compares the graphs with the goldens, frame by frame; raises SystemExit if they differ."""
    config = json.loads((out / "config.json").read_text())
    index = json.loads((out / "golden" / "golden.json").read_text())
    load = lambda n: np.frombuffer((out / "golden" / f"{n}.bin").read_bytes(), index["tensors"][n]["type"]).reshape(index["tensors"][n]["shape"])
    session = lambda n: onnxruntime.InferenceSession(str(out / n), providers=["CPUExecutionProvider"])
    tokens = session("vision.onnx").run(None, {"rgb": np.stack([picture(i) for i in range(index["frames"])])})[0]
    report = {"tokens": np.abs(tokens - load("tokens")).max()}
    decoder, p, state = session("self_decoder.onnx"), config["window"], StateShape.of(c)
    on_window = c.self_decoder == "window"
    shape = (1, config["selfLayers"], p, config["selfKvHeads"], config["headDim"])
    past_k, past_v, k, v = np.zeros(shape, np.float32), np.zeros(shape, np.float32), [], []
    for i in range(index["frames"]):
        feed = {"tokens": tokens[i : i + 1], "time_ms": np.full((1, 10), i * index["intervalMs"], np.int64), "past_k": past_k, "past_v": past_v,
                state.length: np.array([min(p, i * 10) if on_window else 10], np.int64)}
        _, new_k, new_v, window_k, window_v = decoder.run(None, feed)
        k.append(new_k[0])
        v.append(new_v[0])
        past_k = np.concatenate([past_k, window_k], 2)[:, :, -p:]
        past_v = np.concatenate([past_v, window_v], 2)[:, :, -p:]
    k, v = np.concatenate(k), np.concatenate(v)
    report |= {"k": np.abs(k - load("k")).max(), "v": np.abs(v - load("v")).max()}
    words = read_words(out / "embeddings.bin", config["width"])
    ids = index["questionIds"]
    ms = np.full((1, len(ids)), -1, np.int64)
    ms[0, 0] = (index["frames"] - 1) * index["intervalMs"]
    zero = np.zeros((1, shape[1], 1 if on_window else p, *shape[3:]), np.float32)
    hidden, own_k, own_v, _, _ = decoder.run(None, {"tokens": words[ids][None], "time_ms": ms, "past_k": zero, "past_v": zero, state.length: np.array([0 if on_window else len(ids)])})
    cache = {f"{kind}{g}": np.ascontiguousarray(x[:, g]) for kind, x in (("k", k), ("v", v)) for g in range(config["kvHeads"])}
    times = np.arange(index["frames"]) * index["intervalMs"]
    logits, evidence, *_ = session("cross_decoder.onnx").run(None, {"hidden": hidden[:, -1], "times": times, "since": times, "stood": np.full_like(times, index["intervalMs"]), "ahead": np.zeros_like(times), "moment": times[-1:], "visible": np.array([len(k)]), "context": np.array([len(k)]), "own_k": own_k, "own_v": own_v,
                                                                "own_length": np.array([len(ids)]), "counted": np.full((1, COUNTS), -1, np.float32), **cache})
    report |= {"logits": np.abs(logits[0] - load("first_logits")).max(), "evidence": np.abs(evidence[0] - load("first_evidence")).max()}
    for pages in PAGES if on_window else ():
        on_device, seen = on_pages(out, c, config["devicePageFrames"], pages, tokens, times, hidden[:, -1], own_k, own_v)
        report |= {f"device_k_{pages}": np.abs(seen["k"] - load("k")).max(), f"device_logits_{pages}": np.abs(on_device[0] - load("first_logits")).max(),
                   f"device_evidence_{pages}": np.abs(on_device[1][: len(times)] - load("first_evidence")).max()}
    ranked = overlap(c, out / "kv_index.onnx")
    print(json.dumps({**{k: float(v) for k, v in report.items()}, "ranked": ranked}))
    # Written so that a NaN fails too.
    if not all(difference <= TOLERANCE for difference in report.values()) or ranked < LEAST_OVERLAP:
        raise SystemExit("the graphs differ from the reference")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--name", default="small")
    parser.add_argument("--out", required=True)
    parser.add_argument("--called", help="name of the bundle; default: the name of its folder")
    parser.add_argument("--weights", choices=KINDS, default="int8")
    args = parser.parse_args()
    work, out = Path(args.work), Path(args.out)
    state = torch.load(work / f"{args.name}.pt", map_location="cpu")
    samples = read_sets(args.data)
    vocab = Vocabulary(samples)
    if state["config"].get("cache", "shared") != "shared":
        raise SystemExit("only a shared cache is exported: the service has no other")
    model = YocoLive(Config(**state["config"]), torch.from_numpy(word_embeddings()), state["answers"])
    model.load_state_dict(state["model"])
    net = EfficientNetLite0.pretrained().fold()
    projector = vocab.projector()
    projector.load_state_dict(torch.load(work / "projector.pt", map_location="cpu"))
    detail = Detail()
    detail.load_state_dict(torch.load(work / "detail.pt", map_location="cpu"))
    training = {"steps": state["step"], "questions": state["questions"], "minutes": round((state["spent"] + state.get("earlier", 0)) / 60), "kinds": state.get("kinds", False)}
    with torch.no_grad():
        export(model, projector, detail, vocab, net, out, {"licence": "Apache-2.0 (code and recipe); see MODEL_CARD.md for the data", "training": training, "name": args.called or out.name},
               tokenizer_json(), args.weights, look=second_look(work, samples, vocab, net))
    check(out, model.c)


if __name__ == "__main__":
    main()
