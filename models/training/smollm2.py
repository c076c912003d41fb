"""SmolLM2-135M's layers -> a checkpoint for `train.py --resume`: the candidates that do not start from scratch.

python smollm2.py --data DIR --work DIR --name all --self-layers 0-14 --cross-layers 15-29
python train.py --data DIR --work DIR --name all --resume --config "$(cat DIR/all.config.json)"

Lower layers become the self-decoder and upper ones the cross-decoder, whose single K, V are the mean of the upper
layers' (docs/model.md, Size). The norms of queries and keys are new; their scale keeps the mean magnitude of the
scores.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch

from config import Config
from labels import read_sets
from model import YocoLive
from projector import Vocabulary
from text import WIDTH, checkpoint, word_embeddings

HEADS, KV_HEADS, HEAD_DIM, FFN = 9, 3, 64, 1536
# The number of tokens at which the cross-layers' scale times log n (cross_decoder.py) is SmolLM2's own scale.
CROSS_TOKENS = 200


def layers_of(text: str) -> list[int]:
    """`0-5,24-29` -> the indices of the layers."""
    parts = [part.split("-") for part in text.split(",")]
    return [i for part in parts for i in range(int(part[0]), int(part[-1]) + 1)]


class Weights:
    def __init__(self):
        self.tensors = {t.name: t for t in checkpoint().tensors}

    def of(self, name: str) -> torch.Tensor:
        t = self.tensors[f"{name}.weight"]
        return torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type), np.float32))

    def layer(self, i: int, name: str) -> torch.Tensor:
        return self.of(f"blk.{i}.{name}")

    def turned(self, i: int, name: str, heads: int) -> torch.Tensor:
        """The weights of q or k, reordered from the file's interleaved rotation to rotation by halves."""
        w = self.layer(i, name)
        return w.view(heads, HEAD_DIM // 2, 2, WIDTH).transpose(1, 2).reshape(w.shape)


def strength(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """The mean magnitude of query-key products relative to that of two normed vectors, for each head of q."""
    size = lambda w, heads: w.view(heads, -1).norm(dim=1)
    return size(q, HEADS) * size(k, KV_HEADS).repeat_interleave(HEADS // KV_HEADS) / HEAD_DIM


def fill(model: YocoLive, weights: Weights, lower: list[int], upper: list[int]) -> None:
    for layer, i in [*zip(model.self_decoder.layers, lower), *zip(model.cross_decoder.layers, upper)]:
        layer.norm.gain.copy_(weights.layer(i, "attn_norm"))
        layer.ffn_norm.gain.copy_(weights.layer(i, "ffn_norm"))
        layer.attention.q.weight.copy_(weights.turned(i, "attn_q", HEADS))
        layer.attention.o.weight.copy_(weights.layer(i, "attn_output"))
        for part in ("gate", "up", "down"):
            getattr(layer.ffn, part).weight.copy_(weights.layer(i, f"ffn_{part}"))
    normed = lambda w, i: w * weights.layer(i, "attn_norm")
    for layer, i in zip(model.self_decoder.layers, lower):
        q, k = weights.turned(i, "attn_q", HEADS), weights.turned(i, "attn_k", KV_HEADS)
        layer.attention.k.weight.copy_(k)
        layer.attention.v.weight.copy_(weights.layer(i, "attn_v"))
        layer.attention.scale.copy_(strength(normed(q, i), normed(k, i)))
    keys = torch.stack([normed(weights.turned(i, "attn_k", KV_HEADS), i) for i in upper]).mean(0)
    model.self_decoder.k.weight.copy_(keys)
    model.self_decoder.v.weight.copy_(torch.stack([normed(weights.layer(i, "attn_v"), i) for i in upper]).mean(0))
    for layer, i in zip(model.cross_decoder.layers, upper):
        layer.attention.scale.copy_(strength(normed(weights.turned(i, "attn_q", HEADS), i), keys) / np.log(CROSS_TOKENS))
    # Words enter at the RMS of the checkpoint's embeddings, and leave through the same embeddings.
    size = weights.of("token_embd").pow(2).mean().sqrt()
    for linear in (model.into, model.visual.from_labels, model.visual.from_words):
        linear.weight.copy_(torch.eye(WIDTH) * size)
    model.out.weight.copy_(torch.eye(WIDTH))
    model.out_norm.gain.copy_(weights.of("output_norm") / weights.of("output_norm").pow(2).mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--self-layers", type=layers_of, required=True)
    parser.add_argument("--cross-layers", type=layers_of, required=True)
    args = parser.parse_args()
    torch.manual_seed(1)
    from train import World, answer_vocabulary  # imported late: it imports the whole recipe

    world = World(args.data, args.work, validation=False)
    shape = {"width": WIDTH, "ffn": FFN, "self_layers": len(args.self_layers), "self_heads": HEADS, "self_kv_heads": KV_HEADS, "cross_layers": len(args.cross_layers),
             "cross_heads": HEADS, "kv_heads": KV_HEADS}
    config = Config(labels=len(Vocabulary(read_sets(args.data)).labels), **shape)
    answers = answer_vocabulary(world)
    model = YocoLive(config, torch.from_numpy(word_embeddings()), answers)
    with torch.no_grad():
        fill(model, Weights(), args.self_layers, args.cross_layers)
    work = Path(args.work)
    torch.save({"config": config.json(), "model": model.state_dict(), "step": 0, "spent": 0.0, "stage": 1, "questions": 0, "answers": answers}, work / f"{args.name}.pt")
    (work / f"{args.name}.config.json").write_text(json.dumps(shape))


if __name__ == "__main__":
    main()
