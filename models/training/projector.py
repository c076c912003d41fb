"""Stage 0: the projector alone. Vision features become mixtures of words before any decoder is trained.

python projector.py --work DIR --data DIR

Each of a picture's ten vectors gets two mixtures: of *labels* (whole names, each the mean of its words' embeddings; the
names of the 1,000 ImageNet classes also get the frozen classifier's own logits) and of *words* (of labels and
captions). The decoder must train on mixtures as soft as those it will meet, so the tokens of each view are made out of
fold, by a projector that did not see that picture (FOLDS projectors); the shipped projector is one more, trained on all
folds. Drawn views (boards, `views.BOARDS`, painted things and signs) get their tokens from the shipped projector. From
drawn views it learns only which cells are empty (`Occupied`, on boards) and their marks (`Marks`).

A projector is trained to see the same in all pictures of a name. What changes while a name stays (a movement) is kept
beside it: the *detail*, a fixed map of the features (`fit_detail`).
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import marks
import occupied
from backbone import CELLS, CLASSES, FEATURES, VECTORS, EfficientNetLite0
from colours import colours_of
from labels import FOLDS, SCENES, SPRITES, Sample
from precision import add_device, mixed_precision
from signs import SET as SIGNS
from signs import read_all
from text import WIDTH, encode, word_embeddings
from views import BOARD, BOARDS_KEPT, PAINTED, colour_of_view

HIDDEN = 1024
TOP = 8  # labels kept of each vector's mixture
DETAIL = 24  # size of a vector's detail
NOTHING = "nothing"
# Photographs that teach `occupied` what is not empty; all others, like those of users, are then not learned by heart.
PHOTOS_FITTED = 4_000
STOP_WORDS = set("a an the is are was were be of in on at with and or to from for by as it its his her their this that "
                 "there while who which up down out into over some two one three he she they . , ' \" -".split())


def content_ids(text: str) -> list[int]:
    words = [w.strip(".,!?\"'") for w in text.lower().split()]
    return [i for w in words if w and w not in STOP_WORDS for i in encode(w)]


def cosine(step: int, steps: int) -> float:
    """The learning rate of a step as a share of the peak: 50 steps of warm-up, then a cosine down to a fiftieth."""
    return min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


class Vocabulary:
    """The labels of the data, the words of labels, captions and answers, and their embeddings."""

    def __init__(self, samples: list[Sample]):
        imagenet = {s.extra["wnid"]: s.label for s in samples if s.set == "imagenet-samples"}
        trained = sorted({s.label for s in samples if s.label and s.set != "imagenet-samples"} | {NOTHING})
        self.labels = trained + sorted({v for v in imagenet.values()} - set(trained))
        self.trained = len(trained)  # the rest are known to the frozen classifier only
        index = {l: i for i, l in enumerate(self.labels)}
        self.index = index
        self.imagenet = [index[imagenet[w]] for w in sorted(imagenet)]  # class of the classifier -> label
        self.label_ids = [encode(l) for l in self.labels]
        words = {i for ids in self.label_ids for i in ids}
        for s in samples:
            for c in s.captions:
                words.update(content_ids(c))
            for _, a in s.qa:
                words.update(i for part in a.split(",") for i in encode(part.replace("_", " ")))
        self.words = sorted(words)
        self.word_index = {w: i for i, w in enumerate(self.words)}

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        e = torch.tensor(word_embeddings())
        labels = torch.stack([e[ids].mean(0) for ids in self.label_ids])
        return labels, e[self.words]

    def projector(self) -> "Projector":
        """A new projector."""
        return Projector(self.trained, len(self.labels), self.imagenet, self.tensors()[1], self.index[NOTHING])

    def bag(self, ids: list[int]) -> dict[int, float]:
        known = [self.word_index[i] for i in ids if i in self.word_index]
        return {w: known.count(w) / len(known) for w in set(known)}


class Projector(nn.Module):
    """Features `[..., 1280]` -> logits over labels and over words; `mixtures` for whole pictures `[B, 10, 1280]`."""

    def __init__(self, trained: int, labels: int, imagenet: list[int], word_table: torch.Tensor, nothing: int):
        super().__init__()
        self.trained, self.count = trained, labels
        self.up = nn.Linear(FEATURES, HIDDEN)
        self.label = nn.Linear(HIDDEN, trained)
        self.word = nn.Linear(HIDDEN, WIDTH)
        self.word_bias = nn.Parameter(torch.zeros(word_table.shape[0]))
        self.class_scale = nn.Parameter(torch.tensor(1.0))
        self.class_bias = nn.Parameter(torch.tensor(-2.0))
        self.register_buffer("word_table", word_table / WIDTH**0.5, persistent=False)
        # The classes of the classifier that each label names, two at most; 1000 stands for none.
        classes: list[list[int]] = [[] for _ in range(labels)]
        for i, l in enumerate(imagenet):
            classes[l].append(i)
        table = torch.tensor([[*c, CLASSES, CLASSES][:2] for c in classes])
        self.register_buffer("classes", table.T.contiguous(), persistent=False)
        self.register_buffer("nothing", F.one_hot(torch.tensor(nothing), labels).float(), persistent=False)
        self.occupied = occupied.Occupied()
        self.marks = marks.Marks()

    def forward(self, features: torch.Tensor, class_logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = F.dropout(F.gelu(self.up(features)), 0.1, self.training)
        label = F.pad(self.label(h), (0, self.count - self.trained), value=-12.0)
        # Log-sum-exp of both sources: a name that both know may be recognised by either.
        known = F.pad(class_logits, (0, 1), value=-1e4)
        for table in self.classes:
            other = self.class_scale * known[..., table] + self.class_bias
            label = torch.maximum(label, other) + (1 + (-(label - other).abs()).exp()).log()
        z = self.word(h)
        z = z * torch.rsqrt(z.pow(2).mean(-1, keepdim=True) + 1e-6)
        return label, z @ self.word_table.T * 2.0 + self.word_bias

    def mixtures(self, features: torch.Tensor, class_logits: torch.Tensor, second=lambda label: label) -> tuple[torch.Tensor, torch.Tensor]:
        """For pictures `[B, 10, 1280]`: p of each label and of each word. `occupied` alone decides p of NOTHING.

        second: joins the second look (eyes.py) with the logits over labels.
        """
        label, word = self(features, class_logits)
        label = second(label)
        p = (label.float() - 1e4 * self.nothing).softmax(-1)
        there = F.pad(self.occupied(features).float().sigmoid(), (0, 1), value=1.0).unsqueeze(-1)  # the whole frame always shows something
        return p * there + self.nothing * (1 - there), word.float().softmax(-1)


class Detail(nn.Module):
    """Features `[.., 1280]` -> `[.., DETAIL]`: the principal components of the difference between the two poses of an
    exercise, each scaled to unit size."""

    def __init__(self):
        super().__init__()
        self.register_buffer("basis", torch.zeros(FEATURES, DETAIL))
        self.register_buffer("middle", torch.zeros(DETAIL))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.basis - self.middle


def fit_detail(samples: list[Sample], views: list, features: torch.Tensor) -> Detail:
    """Fits the detail to the pairs of views of the start and the end of each exercise in training; it is fixed from
    then on."""
    poses: dict[str, dict[str, int]] = {}
    for row, (sample, number, _) in enumerate(views):
        s = samples[sample]
        if s.set == "exercises" and s.label and "pose" in s.extra and number == 0:
            poses.setdefault(s.label, {}).setdefault(s.extra["pose"], row)
    pairs = [list(rows.values()) for rows in poses.values() if len(rows) == 2]
    detail = Detail()
    if len(pairs) * VECTORS < DETAIL:  # too few pairs: all details are zero
        return detail
    a, b = (features[[pair[i] for pair in pairs]].float() for i in (0, 1))
    difference = (a - b).flatten(0, 1)
    _, size, directions = torch.linalg.svd(difference, full_matrices=False)
    basis = directions[:DETAIL].T * (len(difference) ** 0.5 / size[:DETAIL])
    detail.basis.copy_(basis)
    detail.middle.copy_(torch.cat([a, b]).flatten(0, 1).mean(0) @ basis)
    return detail


def targets(samples: list[Sample], views: list, vocab: Vocabulary) -> tuple[torch.Tensor, list[dict[int, float]]]:
    """The label of each of the ten vectors (-1: none), and the bag of words of each view's whole frame."""
    labels = torch.full((len(views), VECTORS), -1, dtype=torch.long)
    bags: list[dict[int, float]] = []
    for v, (sample, _, things) in enumerate(views):
        s = samples[sample]
        if things:
            names = [(vocab.index[samples[t].label], x, y, size) for t, x, y, size in things]
            labels[v, CELLS] = names[0][0] if len({n[0] for n in names}) == 1 else -1
            for cell in range(CELLS):
                cx, cy = (cell % 3 + 0.5) / 3, (cell // 3 + 0.5) / 3
                near = [(abs(cx - x) + abs(cy - y), n, x, y, size) for n, x, y, size in names
                        if abs(cx - x) < size / 2 + 0.1 and abs(cy - y) < size / 2 + 0.1]
                labels[v, cell] = min(near)[1] if near else vocab.index[NOTHING]
            bags.append(vocab.bag([i for n in names for i in vocab.label_ids[n[0]]]))
            continue
        if s.label:
            labels[v] = vocab.index[s.label]
            bags.append(vocab.bag(vocab.label_ids[vocab.index[s.label]]))
        elif s.captions:
            bags.append(vocab.bag([i for c in s.captions for i in content_ids(c)]))
        else:
            answers = [a for _, a in s.qa]
            bags.append(vocab.bag([i for a in answers for p in a.split(",") if not p.strip().isdigit()
                                   for i in encode(p.replace("_", " "))]))
    return labels, bags


def view_fold(sample: Sample, number: int, folds: int) -> int:
    """Pictures are folded whole. Sets with one or two pictures a name are folded by view, since their names would
    otherwise be unknown."""
    return (sample.fold + (number if sample.set in SPRITES | {"exercises"} else 0)) % folds


class Stage0:
    def __init__(self, data: str, work: str, folds: int = FOLDS):
        self.samples = read_all(data)
        self.views = json.loads((Path(work) / "views.json").read_text())
        self.features = torch.from_numpy(np.load(Path(work) / "features.npy")).to(torch.get_default_device())
        self.pixels = torch.from_numpy(np.load(Path(work) / "small.npy")).to(torch.get_default_device())
        self.vocab = Vocabulary(self.samples)
        self.label_table, self.word_table = self.vocab.tensors()
        self.labels, bags = targets(self.samples, self.views, self.vocab)
        width = max(len(b) for b in bags)
        self.bag_ids = torch.zeros(len(bags), width, dtype=torch.long)
        self.bag_p = torch.zeros(len(bags), width)
        for i, b in enumerate(bags):
            self.bag_ids[i, : len(b)] = torch.tensor(list(b), dtype=torch.long)
            self.bag_p[i, : len(b)] = torch.tensor(list(b.values()))
        self.fold = torch.tensor([view_fold(self.samples[s], n, folds) for s, n, _ in self.views])
        self.sign = torch.tensor([self.samples[s].set == SIGNS for s, _, _ in self.views])
        # Photographs only; drawn views are held out by row.
        self.held_out = torch.tensor([self.samples[s].validation for s, _, _ in self.views]) & ~self.sign
        self.board = torch.tensor([BOARD <= n < PAINTED for _, n, _ in self.views]) & ~self.sign
        self.painted = torch.tensor([n >= PAINTED for _, n, _ in self.views])
        self.colours = colours_of(self.samples)
        self.kept = self.board & (torch.arange(len(self.views)) % BOARDS_KEPT == 0)  # boards that nothing is trained on
        self.net = EfficientNetLite0.pretrained()

    def new(self) -> Projector:
        return self.vocab.projector()

    def train(self, rows: torch.Tensor, epochs: float, seed: int, name: str) -> Projector:
        torch.manual_seed(seed)
        projector = self.new().train()
        opt = torch.optim.AdamW(projector.parameters(), lr=1.5e-3, weight_decay=0.02)
        batch, start = 256, time.time()
        steps = int(len(rows) * epochs / batch)
        order = torch.cat([rows[torch.randperm(len(rows))] for _ in range(math.ceil(epochs))])
        for step in range(steps):
            opt.param_groups[0]["lr"] = 1.5e-3 * cosine(step, steps)
            b = order[step * batch : (step + 1) * batch]
            pick = torch.stack([torch.full((len(b),), CELLS), torch.randint(CELLS, (len(b),)), torch.randint(CELLS, (len(b),))], 1)
            x = self.features[b[:, None], pick].float()
            x = x + 0.3 * torch.randn_like(x) * x.std()
            y = self.labels[b[:, None], pick]
            with mixed_precision():
                label, word = projector(x, self.net.classify(x))
                loss_l = F.cross_entropy(label.float().flatten(0, 1), y.flatten(), ignore_index=-1, reduction="none", label_smoothing=0.02)
                # A cell of a photograph may show background alone, so it counts less than the whole frame.
                weight = torch.tensor([1.0, 0.25, 0.25]).expand(len(b), 3).flatten()
                weight = weight * (y.flatten() >= 0)
                loss_l = (loss_l * weight).sum() / weight.sum()
                logp = word[:, 0].float().log_softmax(-1)
                loss_w = -(logp.gather(1, self.bag_ids[b]) * self.bag_p[b]).sum(1).mean()
                loss = loss_l + 0.5 * loss_w
            opt.zero_grad()
            loss.backward()
            opt.step()
            if step % 50 == 0 or step == steps - 1:
                print(json.dumps({"stage": 0, "run": name, "step": step, "of": steps, "labels": round(loss_l.item(), 3),
                                  "words": round(loss_w.item(), 3), "s": round(time.time() - start)}), flush=True)
        return projector.eval()

    def fit_occupied(self, projector: Projector, seed: int) -> None:
        """Trains `occupied` on boards, and on photographs in training; prints how it does on those held out."""
        none = self.vocab.index[NOTHING]
        things = torch.tensor([bool(t) for _, _, t in self.views])
        boards, photos = (things & ~self.kept & ~self.painted).nonzero().flatten(), (~things & ~self.held_out & ~self.sign).nonzero().flatten()
        photos = photos[torch.randperm(len(photos), generator=torch.Generator(torch.get_default_device()).manual_seed(seed))[:PHOTOS_FITTED]]
        shown = (self.labels[:, :CELLS] != none).float()
        projector.occupied = occupied.fit(self.features, boards, shown[boards], photos, seed)
        kept, others = self.kept.nonzero().flatten(), (~things & self.held_out).nonzero().flatten()
        print(json.dumps({"stage": 0, "run": "occupied", **occupied.measured(projector.occupied, self.features, kept, shown[kept], others)}), flush=True)

    def fit_marks(self, projector: Projector, seed: int) -> None:
        """Trains `marks` on signs, painted things and everything else in training; prints how it does on what is held
        out."""
        right = torch.tensor([self.right_marks(sample, number, things) for sample, number, things in self.views])
        pictures = marks.Pictures(self.features, self.pixels, right)
        drawn = self.sign | self.painted
        kept = drawn & (torch.arange(len(self.views)) % BOARDS_KEPT == 0)
        rows, others = (drawn & ~kept).nonzero().flatten(), (~drawn & ~self.held_out & ~self.kept).nonzero().flatten()
        projector.marks = marks.fit(pictures, rows, others, seed)
        signs, known = (self.sign & kept).nonzero().flatten(), (right[:, 3] != marks.UNKNOWN) & (right[:, 3] < len(marks.COLOURS))
        things = {"painted": self.painted & kept, "clothing": self.held_out & ~drawn & known}
        of = {kind: which.nonzero().flatten() for kind, which in things.items()}
        print(json.dumps({"stage": 0, "run": "marks", **marks.measured(projector.marks, pictures, signs, self.held_out.nonzero().flatten(), of)}), flush=True)

    def right_marks(self, sample: int, number: int, things: list) -> list[int]:
        """The marks of a view: what it says and the colour of its thing. Scenes have none; a colour that is not known
        is UNKNOWN."""
        s = self.samples[sample]
        if s.set == SIGNS:
            return marks.right_marks(s.extra["says"], number)
        if s.set in SCENES:
            return marks.NO_MARKS
        return marks.coloured(colour_of_view((sample, number, things), self.colours))

    @torch.no_grad()
    def places(self, projector: Projector, rows: torch.Tensor) -> str:
        """On boards with a single thing: how often the cell that looks least empty is the thing's."""
        none, right = self.vocab.index[NOTHING], []
        rows = torch.tensor([r for r in rows.tolist() if len(self.views[r][2]) == 1], dtype=torch.long)
        if not len(rows):
            return "none"
        for b, _, _, top, top_p in self.outputs(projector, rows):
            empty = torch.where(top == none, top_p, 0).sum(-1)[:, :CELLS]
            right += [bool((self.labels[r, c] != none).item()) for r, c in zip(b.tolist(), empty.argmin(1).tolist())]
        return f"{np.mean(right):.3f} of {len(right)}"

    @torch.no_grad()
    def outputs(self, projector: Projector, rows: torch.Tensor):
        """Yields (rows, label mixture [n, 10, 576], word mixture, top labels, their p) in chunks."""
        for b in rows.split(256):
            x = self.features[b].float()
            with mixed_precision():
                p, w = projector.mixtures(x, self.net.classify(x))
            top = p.topk(TOP, -1)
            yield b, p @ self.label_table, w @ self.word_table, top.indices, top.values

    def accuracy(self, projector: Projector, rows: torch.Tensor) -> dict[str, str]:
        right: dict[str, list[bool]] = {}
        for b, _, _, top, _ in self.outputs(projector, rows):
            for i, row in enumerate(b.tolist()):
                want = self.labels[row, CELLS].item()
                if want >= 0:
                    key = f"{self.samples[self.views[row][0]].set} view {self.views[row][1]}"
                    right.setdefault(key, []).append(top[i, CELLS, 0].item() == want)
        return {k: f"{np.mean(v):.3f} of {len(v)}" for k, v in sorted(right.items())}


def grow(work: Path, shapes: dict, n: int) -> None:
    """Grows the token files to hold views that were added to the plan since they were written."""
    for key, (kind, width) in shapes.items():
        old = np.load(work / f"{key}.npy", mmap_mode="r")
        if len(old) < n:
            new = np.lib.format.open_memmap(work / f"{key}.new.npy", "w+", kind, (n, VECTORS, width))
            new[: len(old)] = old
            new.flush()
            (work / f"{key}.new.npy").rename(work / f"{key}.npy")


def finished_folds(work: Path, folds: int) -> set[int]:
    """The folds that an interrupted run finished. Raises SystemExit if it had another number of folds: other pictures
    would be in each of them, and some of those would get no tokens."""
    finished = set()
    for path in sorted(work.glob("fold*.done")):
        of = path.read_text()
        if of not in ("", str(folds)):  # those of older runs do not say
            raise SystemExit(f"{path} is one of {of} folds, not of {folds}: use --folds {of}, or remove fold*.done, and all folds begin anew")
        finished.add(int(path.stem.removeprefix("fold")))
    return finished


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--folds", type=int, default=FOLDS, help="number of folds; fewer take less time, and their tokens are a little softer")
    parser.add_argument("--done-folds", type=int, default=FOLDS, help="stop after this many folds; train.py then leaves out the pictures of the others")
    parser.add_argument("--seed", type=int, default=1)
    add_device(parser)
    args = parser.parse_args()
    work = Path(args.work)
    finished = finished_folds(work, args.folds)
    stage = Stage0(args.data, args.work, args.folds)
    drawn = stage.board | stage.sign | stage.painted
    (work / "colours.json").write_text(json.dumps(stage.colours))
    everything = (~stage.held_out & ~drawn).nonzero().flatten()
    n = len(stage.views)
    kept = stage.kept.nonzero().flatten()
    shapes = {"label_mix": (np.float16, WIDTH), "word_mix": (np.float16, WIDTH), "top": (np.int16, TOP), "top_p": (np.float16, TOP)}
    # Finished folds survive an interruption: their rows must not be cleared.
    if finished:
        grow(work, shapes, n)
    out = {key: np.lib.format.open_memmap(work / f"{key}.npy", "r+" if finished else "w+", kind, (n, VECTORS, width))
           for key, (kind, width) in shapes.items()}

    def write(projector: Projector, rows: torch.Tensor) -> None:
        for b, label_mix, word_mix, top, top_p in stage.outputs(projector, rows):
            for key, value in (("label_mix", label_mix), ("word_mix", word_mix), ("top", top), ("top_p", top_p)):
                out[key][b.cpu().numpy()] = value.cpu().numpy().astype(out[key].dtype)

    if (work / "detail.pt").exists():
        detail = Detail()
        detail.load_state_dict(torch.load(work / "detail.pt", map_location="cpu"))
    else:
        detail = fit_detail(stage.samples, stage.views, stage.features)
        torch.save(detail.state_dict(), work / "detail.pt")
    details = np.lib.format.open_memmap(work / "detail.npy", "w+", np.float16, (n, VECTORS, DETAIL))
    for b in torch.arange(n).split(1024):
        details[b.cpu().numpy()] = detail(stage.features[b].float()).cpu().numpy()
    details.flush()

    path = work / "projector.pt"
    fits = {"occupied": stage.fit_occupied, "marks": stage.fit_marks}
    # Left by an interrupted run, or read from a bundle (from_bundle.py); older bundles lack the parts that are fitted
    # afterwards.
    if path.exists():
        shipped = stage.new()
        sizes = {name: value.shape for name, value in shipped.state_dict().items()}
        # Parts that had another size then are fitted anew, like missing ones.
        weights = {name: value for name, value in torch.load(path, map_location="cpu").items() if value.shape == sizes.get(name)}
        missing = shipped.load_state_dict(weights, strict=False).missing_keys
        lacking = {name.split(".")[0] for name in missing}
        if lacking - set(fits):
            raise SystemExit(f"{path} lacks {', '.join(missing)}")
        shipped.eval()
    else:
        shipped, lacking = stage.train(everything, args.epochs * 1.25, args.seed, "all"), set(fits)
    for name in sorted(lacking):
        fits[name](shipped, args.seed)
        torch.save(shipped.state_dict(), path)
    written = np.lib.format.open_memmap(work / "marks.npy", "w+", np.float16, (n, marks.MARKS))
    with torch.no_grad():
        for b in torch.arange(n).split(1024):
            written[b.cpu().numpy()] = shipped.marks(stage.features[b].float(), stage.pixels[b].float() / 255).cpu().numpy()
    written.flush()
    validation = stage.held_out.nonzero().flatten()
    print(json.dumps({"stage": 0, "run": "all", "validation": stage.accuracy(shipped, validation),
                      "places": stage.places(shipped, kept)}), flush=True)
    write(shipped, validation)
    write(shipped, drawn.nonzero().flatten())
    for fold in range(min(args.folds, args.done_folds)):
        if fold in finished:
            continue
        inside = everything[stage.fold[everything] == fold]
        projector = stage.train(everything[stage.fold[everything] != fold], args.epochs, args.seed + 1 + fold, f"fold {fold}")
        projector.occupied = shipped.occupied
        print(json.dumps({"stage": 0, "run": f"fold {fold}", "validation": stage.accuracy(projector, inside)}), flush=True)
        write(projector, inside)
        (work / f"fold{fold}.done").write_text(str(args.folds))


if __name__ == "__main__":
    main()
