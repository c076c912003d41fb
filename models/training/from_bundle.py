"""A bundle -> a checkpoint: training continues from what is shipped, without the files of the run that made it.

python from_bundle.py --data DIR --work DIR --bundle ../yoco-small-1 --name small

Writes WORK/NAME.pt and WORK/projector.pt and, if the bundle has them, WORK/detail.pt and WORK/eyes.pt (its second
look). The graphs hold the large weights rounded (weights.py), and some of them as products with the frozen words. Those
are solved for by least squares, which is exact up to rounding, since there are more words than unknowns. What a bundle
lacks (probes, optimiser state) starts anew in `train.py --resume`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from backbone import EfficientNetLite0
from config import Config
from export import read_words
from eyes import SecondLook
from labels import read_sets
from model import YocoLive
from projector import Detail, Projector, Vocabulary
from text import word_embeddings
from weights import stored

# Parts of the projector that older bundles lack: the layers of each in the order of the graph, and the index of its
# first matrix product.
PROJECTOR_PARTS = {"occupied": (("cell", "around", "one", "narrow", "mixed", "all"), 4), "marks": (("palette.about", "palette.none", "shades", "narrow", "mixed", "all"), -7)}
LOOK = 4  # index of the second look's matrix product
OTHER = 0.4  # relative error from which on a name or word counts as another one; rounding causes 0.01


class Graph:
    """Initialisers by name, and the constant right-hand sides of the matrix products in the order of the graph."""

    def __init__(self, path: Path):
        graph = onnx.load(str(path)).graph
        self.values = stored(path)
        names = [n.input[1] for n in graph.node if n.op_type == "MatMul"]
        self.products = [self.values[n] for n in names if n in self.values]
        factors = [self.values[name] for n in graph.node if n.op_type == "Mul" for name in n.input if name in self.values]
        self.scales = [f.flatten() for f in factors if f.ndim == 2 and f.shape[1] == 1]  # of each layer, one per head


def solve(words: torch.Tensor, product: torch.Tensor) -> torch.Tensor:
    """`product = words @ W.T` -> W."""
    return torch.linalg.lstsq(words.double(), product.double()).solution.T.float()


def must_be_of_data(table: torch.Tensor, product: torch.Tensor, what: str) -> None:
    """Raises SystemExit unless the names or words of the data are those from which a product of the bundle was made:
    otherwise everything learned about them would end up in the wrong places."""
    only = "it can be read back with the data that it was trained on only"
    if len(table) != len(product):
        raise SystemExit(f"the bundle knows {len(product)} {what}, and the data has {len(table)}: {only}")
    if ((table @ solve(table, product).T - product).norm(dim=1) > OTHER * product.norm(dim=1)).any():
        raise SystemExit(f"the bundle and the data have different {what}: {only}")


def fill_self(model: YocoLive, graph: Graph) -> None:
    rest, movement = iter(graph.products), model.self_decoder.movement
    put = lambda linear: linear.weight.copy_(next(rest).T)
    for i, table in enumerate(model.clock.digits):
        table.weight.copy_(graph.values[f"clock.digits.{i}.weight"])
    put(model.clock.waves)
    for i, layer in enumerate(model.self_decoder.layers):
        # Older bundles have none.
        moves = (movement.read, movement.write) if i == 0 and "decoder.movement.read.bias" in graph.values else ()
        for linear in (layer.attention.q, layer.attention.k, layer.attention.v, layer.attention.o, *moves, layer.ffn.gate, layer.ffn.up, layer.ffn.down):
            put(linear)
        if moves:
            movement.read.bias.copy_(graph.values["decoder.movement.read.bias"])
        layer.attention.scale.copy_(graph.scales[i])
        layer.norm.gain.copy_(graph.values[f"decoder.layers.{i}.norm.gain"])
        layer.ffn_norm.gain.copy_(graph.values[f"decoder.layers.{i}.ffn_norm.gain"])
    put(model.self_decoder.k)
    put(model.self_decoder.v)
    model.self_decoder.norm.gain.copy_(graph.values["decoder.norm.gain"])


def fill_cross(model: YocoLive, graph: Graph, answers: list[int]) -> None:
    c, rest = model.c, iter(graph.products)
    counts = any("tally" in name for name in graph.values)  # older bundles have none
    for i, layer in enumerate(model.cross_decoder.layers):
        a = layer.attention
        for linear in (a.q, a.when, a.o, a.count, *((a.tally.into,) if counts else ()), layer.ffn.gate, layer.ffn.up, layer.ffn.down):
            linear.weight.copy_(next(rest).T)
        if counts:
            for part in ("weight", "bias"):
                getattr(a.tally.threshold, part).copy_(graph.values[f"decoder.layers.{i}.attention.tally.threshold.{part}"])
        layer.attention.scale.copy_(graph.scales[i])
        layer.norm.gain.copy_(graph.values[f"decoder.layers.{i}.norm.gain"])
        layer.ffn_norm.gain.copy_(graph.values[f"decoder.layers.{i}.ffn_norm.gain"])
    words = model.words[answers]
    # The bundle holds `out` times its scale; the model keeps its initial scale, so the weights are divided by it.
    model.out.weight.copy_(solve(words, next(rest).T).T / (model.out_scale * 4 / c.words_width))
    model.copy.weight.copy_(solve(words, next(rest).T).T * c.words_width**0.5)
    model.out_norm.gain.copy_(graph.values["norm.gain"])
    model.copy_gate.weight.copy_(graph.values["gate.weight"])
    model.copy_gate.bias.copy_(graph.values["gate.bias"])
    model.out_bias.copy_(graph.values["bias"])
    gates = {"counted.gate": model.counted.gate, "dated.gate": model.dated.gate, "written.gate": model.written.gate, "written.read": model.written.read}
    for name, linear in gates.items():
        if f"{name}.weight" in graph.values:  # older bundles lack some
            for part in ("weight", "bias"):
                getattr(linear, part).copy_(graph.values[f"{name}.{part}"])


def fill_part(part: nn.Module, layers: tuple[str, ...], prefix: str, graph: Graph, products: list[torch.Tensor]) -> None:
    """Fills layers from the graph's products, in order; convolutions, biases and buffers by name."""
    for name, product in zip(layers, products, strict=True):
        part.get_submodule(name).weight.copy_(product.T)
    for name, value in [*part.named_parameters(), *part.named_buffers()]:
        if f"{prefix}.{name}" in graph.values:
            value.copy_(graph.values[f"{prefix}.{name}"])


def fill_vision(model: YocoLive, projector: Projector, detail: Detail, vocab: Vocabulary, graph: Graph) -> tuple[bool, list[str]]:
    """Returns whether the bundle has details, and which of the projector's later parts (PROJECTOR_PARTS) it has."""
    labels, words = vocab.tensors()
    model.visual.from_labels.weight.copy_(solve(labels, graph.values["labels"]))
    model.visual.from_words.weight.copy_(solve(words, graph.values["words"]))
    model.visual.label.weight.copy_(graph.values["residual"])
    model.visual.slot.copy_(graph.values["slot"])
    _, up, label, word = graph.products[:4]
    projector.up.weight.copy_(up.T)
    projector.label.weight.copy_(label.T)
    projector.word.weight.copy_(word.T)
    for name in ("up", "label", "word"):
        getattr(projector, name).bias.copy_(graph.values[f"projector.{name}.bias"])
    for name in ("word_bias", "class_scale", "class_bias"):
        getattr(projector, name).copy_(graph.values[f"projector.{name}"].reshape(getattr(projector, name).shape))
    had = [part for part, (layers, _) in PROJECTOR_PARTS.items() if f"projector.{part}.{layers[0]}.bias" in graph.values]
    for part in had:
        layers, first = PROJECTOR_PARTS[part]
        fill_part(getattr(projector, part), layers, f"projector.{part}", graph, graph.products[first:][: len(layers)])
    if "marked" in graph.values:
        model.visual.from_marks.weight.copy_(graph.values["marked"].T)
    if "basis" not in graph.values:
        return False, had
    # The bundle's slots include `detail.middle`, which shifts all details alike.
    detail.basis.copy_(graph.values["basis"])
    model.visual.from_detail.weight.copy_(graph.values["detail"].T)
    return True, had


def fill_look(look: SecondLook, graph: Graph) -> None:
    """Fills the second look, and removes its product from those of the graph."""
    for name, value in look.named_parameters():
        if name == "names.weight":
            value.copy_(graph.products.pop(LOOK).T)
        else:
            value.copy_(graph.values[f"look.{name}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--name", default="small")
    args = parser.parse_args()
    bundle, work = Path(args.bundle), Path(args.work)
    held = json.loads((bundle / "config.json").read_text())
    if held["selfDecoder"] != "window":
        raise SystemExit(f"only bundles with a window can be read back, not {held['selfDecoder']}")
    samples = read_sets(args.data)
    vocab = Vocabulary(samples)
    config = Config(width=held["width"], head_dim=held["headDim"], self_layers=held["selfLayers"], self_kv_heads=held["selfKvHeads"],
                    cross_layers=held["crossLayers"], cross_heads=held["crossHeads"], kv_heads=held["kvHeads"], window=held["window"],
                    tokens_per_frame=held["tokensPerFrame"], labels=len(vocab.labels), tags=held.get("streamTags", Config.tags))
    model = YocoLive(config, torch.from_numpy(word_embeddings()), held["answerTokens"])
    projector, detail = vocab.projector(), Detail()
    vision, look = Graph(bundle / "vision.onnx"), None
    for what, kind, table in zip(("names", "words"), ("labels", "words"), vocab.tensors()):
        must_be_of_data(table, vision.values[kind], what)
    with torch.no_grad():
        fill_self(model, Graph(bundle / "self_decoder.onnx"))
        fill_cross(model, Graph(bundle / "cross_decoder.onnx"), held["answerTokens"])
        if "look.names.bias" in vision.values:
            look = SecondLook.of(samples, vocab, EfficientNetLite0.pretrained().fold())
            fill_look(look, vision)
        detailed, had = fill_vision(model, projector, detail, vocab, vision)
        if config.tags > 0:
            tags = np.frombuffer((bundle / "stream_tags.bin").read_bytes(), "<f4").reshape(config.tags, 2, config.kv_heads, config.head_dim)
            model.cross_decoder.tag_k.copy_(torch.from_numpy(tags[:, 0].copy()))
            model.cross_decoder.tag_v.copy_(torch.from_numpy(tags[:, 1].copy()))
        model.into.weight.copy_(solve(model.words, torch.from_numpy(np.array(read_words(bundle / "embeddings.bin", config.width)))))
    training = held.get("training", {})
    state = {"config": config.json(), "model": model.state_dict(), "step": training.get("steps", 0), "spent": 0.0, "earlier": 60.0 * training.get("minutes", 0), "stage": 3,
             "questions": training.get("questions", 0), "answers": held["answerTokens"], "kinds": training.get("kinds", False)}
    torch.save(state, work / f"{args.name}.pt")
    lacking = tuple(f"{part}." for part in PROJECTOR_PARTS if part not in had)
    torch.save({name: value for name, value in projector.state_dict().items() if not name.startswith(lacking)}, work / "projector.pt")
    if look:
        torch.save(look.state_dict(), work / "eyes.pt")
    if detailed:
        torch.save(detail.state_dict(), work / "detail.pt")


if __name__ == "__main__":
    main()
