"""A second look: the backbone's last stages, trained on the names of the sets whose pictures are photographs of one
thing.

python eyes.py --data DIR --work DIR

EfficientNet-Lite0 was trained on other classes. A copy of its stages six and seven and of its head learns the names of
groceries and clothing. The frozen stages stay beside it: all else is still read from their features, and they say how
likely it is that a thing with one of these names is there at all; both say which of the names it is
(`SecondLook.combine`). Unlike training the frozen stages themselves, this cannot damage anything else.

The decoder still trains on tokens without the second look, which knows the training pictures by heart: its tokens of
those would be more certain than of any other picture. Writes WORK/eyes.pt, and the tokens of the held-out pictures
anew.
"""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from backbone import CELLS, FEATURES, EfficientNetLite0
from features import write_encoded
from labels import Sample
from precision import add_device, mixed_precision
from projector import Stage0, Vocabulary, cosine
from signs import read_all

NAMED = ("grocery", "clothing")
BATCH, LR, NAMES_LR = 64, 3e-4, 2e-3
# Share of the steps whose pictures are mixtures of two (mixup, arXiv:1710.09412), so that it does not become
# overconfident.
MIXED = 0.5
SMOOTHED = 0.05
DROPPED = 0.2
# Weights of the projector and of the second look in which of the names it is, chosen so that confidence matches
# accuracy.
FIRST, SECOND = 0.25, 0.85


class SecondLook(nn.Module):
    """Maps of stage five `[B, 112, 14, 14]` -> logits of the names of NAMED, for each of the ten vectors,
    `[B, 10, names]`.

    frozen: the backbone, folded; names: indices of these names among the labels; classes: the labels that the frozen
    classifier knows.
    """

    def __init__(self, frozen: EfficientNetLite0, names: list[int], classes: list[int], labels: int):
        super().__init__()
        self.stages = copy.deepcopy(frozen.back)
        self.names = nn.Linear(FEATURES, len(names))
        nn.init.zeros_(self.names.weight)
        nn.init.zeros_(self.names.bias)
        column = torch.full((labels,), len(names))
        column[names] = torch.arange(len(names))
        # [labels]: a label's index among the names, or their number if it is none of them.
        self.register_buffer("column", column, persistent=False)
        others = (column == len(names)).float()
        # A lemon on a shop's shelf is one thing, any other lemon another: of these the classifier knows more.
        others[classes] = 1
        self.register_buffer("others", others, persistent=False)  # [labels]: 1 where the second look has no say

    @staticmethod
    def of(samples: list[Sample], vocab: Vocabulary, frozen: EfficientNetLite0) -> "SecondLook":
        names = sorted({vocab.index[s.label] for s in samples if s.set in NAMED})
        return SecondLook(frozen, names, vocab.imagenet, len(vocab.labels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.names(F.dropout(self.stages(maps), DROPPED, self.training))

    def combine(self, label: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Combines the projector's logits over labels `[.., labels]` with those of the second look.

        The names together stay as likely as the projector says; which of them it is, both say (a product of experts).
        Names that are classes of the frozen classifier too keep their logits.
        """
        known = label - 1e4 * self.others
        which = (FIRST * known + SECOND * F.pad(told, (0, 1))[..., self.column] - 1e4 * self.others).log_softmax(-1)
        return torch.where(self.others > 0, label, known.logsumexp(-1, keepdim=True) + which)


class Front(nn.Module):
    def __init__(self, net: EfficientNetLite0):
        super().__init__()
        self.net = net

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.net.front(rgb)


def write_maps(data: str, work: Path, views: list, rows: list[int], seed: int) -> np.ndarray:
    """The frozen stages' maps for these rows of views.json, `[rows, C, 14, 14]` in float16; cached in WORK as long as
    the rows are the same."""
    path, listed = work / "maps.npy", work / "maps.json"
    plan = [(views[r][0], views[r][1]) for r in rows]
    if path.exists() and listed.exists() and json.loads(listed.read_text()) == [list(p) for p in plan]:
        return np.load(path)
    with torch.device("cpu"):  # through ONNX Runtime
        write_encoded(Front(EfficientNetLite0.pretrained()), work / "front.onnx", path, data, seed, plan)
    listed.write_text(json.dumps(plan))
    return np.load(path)


def second_look(work: Path, samples: list[Sample], vocab: Vocabulary, frozen: EfficientNetLite0) -> SecondLook | None:
    """The trained second look, or None if there is none."""
    if not (work / "eyes.pt").exists():
        return None
    look = SecondLook.of(samples, vocab, frozen)
    look.load_state_dict(torch.load(work / "eyes.pt", map_location="cpu"))
    return look.eval()


class SecondLookTraining:
    """`done`: training is finished, so only held-out pictures are loaded."""

    def __init__(self, data: str, work: Path, view_seed: int, done: bool):
        self.stage = stage = Stage0(data, str(work))
        sets = [stage.samples[s].set for s, _, _ in stage.views]
        drawn = stage.board | stage.sign | stage.painted
        named = torch.tensor([kind in NAMED for kind in sets])
        self.rows = (~drawn & (stage.held_out | (named & (not done)))).nonzero().flatten()
        self.named, self.held_out = named[self.rows], stage.held_out[self.rows]
        self.sets = [sets[r] for r in self.rows.tolist()]
        self.maps = torch.from_numpy(write_maps(data, work, stage.views, self.rows.tolist(), view_seed)).to(torch.get_default_device())
        frozen = EfficientNetLite0.pretrained().fold()
        self.look = second_look(work, stage.samples, stage.vocab, frozen) or SecondLook.of(stage.samples, stage.vocab, frozen)
        self.projector = stage.new()
        self.projector.load_state_dict(torch.load(work / "projector.pt", map_location="cpu"))
        self.projector.eval()
        self.right = self.look.column[stage.labels[self.rows, CELLS].clamp(min=0)]

    def train(self, epochs: float, seed: int, rate_of: float) -> None:
        """`rate_of`: factor for the learning rates."""
        torch.manual_seed(seed)
        np.random.seed(seed)
        look = self.look.requires_grad_(True).train()
        opt = torch.optim.AdamW([{"params": look.stages.parameters(), "scale": LR}, {"params": look.names.parameters(), "scale": NAMES_LR}], weight_decay=0.02)
        told = (self.named & ~self.held_out).nonzero().flatten()
        steps, start = int(len(told) * epochs / BATCH), time.time()
        order = torch.cat([told[torch.randperm(len(told))] for _ in range(math.ceil(epochs))])
        for step in range(steps):
            rate = rate_of * cosine(step, steps)
            for group in opt.param_groups:
                group["lr"] = group["scale"] * rate
            loss = self.loss(order[step * BATCH : (step + 1) * BATCH])
            opt.zero_grad()
            loss.backward()
            opt.step()
            if step % 100 == 0 or step == steps - 1:
                print(json.dumps({"stage": "eyes", "step": step, "of": steps, "names": round(loss.item(), 3), "s": round(time.time() - start)}), flush=True)
            if step % 400 == 399:
                print(json.dumps({"stage": "eyes", "step": step, **self.measured()}), flush=True)
        look.eval()

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        """The loss on whole pictures, and on one cell of each, which counts less because it may show background
        alone."""
        x, right = self.maps[rows].float(), F.one_hot(self.right[rows], self.look.names.out_features).float()
        if torch.rand(()) < MIXED:
            share, others = float(np.random.beta(0.4, 0.4)), torch.randperm(len(rows))
            x, right = share * x + (1 - share) * x[others], share * right + (1 - share) * right[others]
        with mixed_precision():
            told = self.look(x)
        cell = told[torch.arange(len(rows)), torch.randint(CELLS, (len(rows),))]
        right = right * (1 - SMOOTHED) + SMOOTHED / right.shape[-1]
        each = lambda logits: -(logits.float().log_softmax(-1) * right).sum(-1).mean()
        return (each(told[:, CELLS]) + 0.25 * each(cell)) / 1.25

    def joined(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features, and the projector's logits over labels before and after the second look."""
        features = self.stage.features[self.rows[rows]].float()
        label, _ = self.projector(features, self.stage.net.classify(features))
        with mixed_precision():
            told = self.look(self.maps[rows].float())
        return features, label, self.look.combine(label, told.float())

    @torch.no_grad()
    def measured(self) -> dict:
        """On held-out pictures: how often the whole picture, and the mean of its ten vectors, names it; the loss in
        nats; and the confidence."""
        training = self.look.training
        self.look.eval()
        results: dict[str, dict[str, list]] = {}
        for b in (self.held_out & self.named).nonzero().flatten().split(128):
            _, before, now = self.joined(b)
            right = self.stage.labels[self.rows[b], CELLS]
            for i, row in enumerate(b.tolist()):
                of = results.setdefault(self.sets[row], {})
                for when, label in (("before", before), ("now", now)):
                    p = label[i].softmax(-1)
                    of.setdefault(f"whole_{when}", []).append(float(p[CELLS].argmax() == right[i]))
                    of.setdefault(f"ten_{when}", []).append(float(p.mean(0).argmax() == right[i]))
                    of.setdefault(f"nats_{when}", []).append(-float(p[CELLS, right[i]].clamp(min=1e-6).log()))
                    of.setdefault(f"sure_{when}", []).append(float(p[CELLS].max()))
        self.look.train(training)
        return {kind: {key: round(float(np.mean(value)), 3) for key, value in of.items()} for kind, of in results.items()}

    @torch.no_grad()
    def write_tokens(self, work: Path) -> None:
        """Replaces the tokens of the held-out pictures by those with the second look."""
        out = {key: np.lib.format.open_memmap(work / f"{key}.npy", "r+") for key in ("label_mix", "top", "top_p")}
        for b in self.held_out.nonzero().flatten().split(128):
            features = self.stage.features[self.rows[b]].float()
            with mixed_precision():
                told = self.look(self.maps[b].float()).float()
                p, _ = self.projector.mixtures(features, self.stage.net.classify(features), lambda label: self.look.combine(label.float(), told))
            top, rows = p.topk(out["top"].shape[-1], -1), self.rows[b].cpu().numpy()
            for key, value in {"label_mix": p @ self.stage.label_table, "top": top.indices, "top_p": top.values}.items():
                out[key][rows] = value.float().cpu().numpy().astype(out[key].dtype)
        for array in out.values():
            array.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--resume", action="store_true", help="train an existing second look for this many more epochs")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--view-seed", type=int, default=1, help="seed of features.py")
    add_device(parser)
    args = parser.parse_args()
    work = Path(args.work)
    if not any(sample.set in NAMED for sample in read_all(args.data)):
        print(json.dumps({"stage": "eyes", "left_out": f"the data has none of {', '.join(NAMED)}"}))
        return
    done = (work / "eyes.pt").exists() and not args.resume
    lesson = SecondLookTraining(args.data, work, args.view_seed, done)
    if not done:
        lesson.train(args.epochs, args.seed, args.rate)
        torch.save(lesson.look.state_dict(), work / "eyes.pt")
    print(json.dumps({"stage": "eyes", **lesson.measured()}), flush=True)
    lesson.write_tokens(work)


if __name__ == "__main__":
    main()
