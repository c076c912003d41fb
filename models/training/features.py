"""Vision features of every view, once: `[views, 10, 1280]` in float16, through ONNX Runtime.

Views that `views.json` already lists are kept: after views were added to the plan, only those are made. An interrupted
run resumes from what it last wrote (every SAVED views).

python features.py --data DIR --work DIR
"""

import argparse
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from backbone import FEATURES, IMAGE_SIZE, VECTORS, EfficientNetLite0
from labels import Sample
from signs import read_all
from views import Views, plan_views

BATCH, SAVED = 8, 512
# What an unfinished run has so far: features, the pictures they are of, and a line of views.json for each view.
NEW_VALUES, NEW_PICTURES, NEW_VIEWS = "features.new.npy", "pictures.new.json", "views.new.jsonl"
_state: dict = {}


def export_eyes(eyes: nn.Module, path: Path) -> None:
    """Exports a network that reads RGB as a graph."""
    rgb = torch.zeros(1, IMAGE_SIZE, IMAGE_SIZE, 3, dtype=torch.uint8)
    torch.onnx.export(eyes, (rgb,), str(path), input_names=["rgb"], output_names=["seen"], opset_version=17,
                      dynamic_axes={"rgb": {0: "batch"}, "seen": {0: "batch"}}, dynamo=False)


def _start(model: str, data: str, seed: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    _state["session"] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    _state["views"] = Views(read_all(data), seed)


def _batch(plan: list[tuple[int, int]]) -> tuple[np.ndarray, list]:
    made = [_state["views"].make(i, n) for i, n in plan]
    seen = _state["session"].run(None, {"rgb": np.stack([picture for picture, _ in made])})[0]
    return seen.astype(np.float16), [[i, n, things] for (_, things), (i, n) in zip(made, plan)]


def encode_views(eyes: nn.Module, graph: Path, data: str, seed: int, plan: list[tuple[int, int]]):
    """Makes these views (sample, number) on all cores. Yields, in order and in batches, the output of `eyes` in
    float16, and the views' rows of views.json."""
    export_eyes(eyes, graph)
    batches, done = [plan[i : i + BATCH] for i in range(0, len(plan), BATCH)], 0
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), _start, (str(graph), data, seed)) as pool:
        for b, (seen, rows) in enumerate(pool.imap(_batch, batches, chunksize=4)):
            yield seen, rows
            done += len(rows)
            if b % 100 == 0:
                print(f"{done}/{len(plan)} views", flush=True)


def write_encoded(eyes: nn.Module, graph: Path, path: Path, data: str, seed: int, plan: list[tuple[int, int]], kind: type = np.float16) -> None:
    """Writes the output of `eyes` for these views, in order, as one array. The file appears only when it is complete.
    For integer types the values are rounded."""
    unfinished, out, done = path.with_suffix(".new.npy"), None, 0
    for seen, _ in encode_views(eyes, graph, data, seed, plan):
        if out is None:
            out = np.lib.format.open_memmap(unfinished, "w+", kind, (len(plan), *seen.shape[1:]))
        out[done : done + len(seen)] = seen if kind == np.float16 else np.rint(seen.astype(np.float32))
        done += len(seen)
    out.flush()
    unfinished.rename(path)


def pictures(samples: list[Sample]) -> list[str]:
    """Identifies each picture by its set, its file and the file's size. Drawn pictures have no file."""
    return [f"{s.set}/{Path(s.path).name}:{os.path.getsize(s.path) if os.path.isfile(s.path) else s.label}" for s in samples]


def kept(work: Path, plan: list[tuple[int, int]], samples: list[Sample]) -> list:
    """The views of an earlier run, if they are a prefix of the plan and of the same pictures."""
    if not all((work / name).exists() for name in ("views.json", "pictures.json", "features.npy")):
        return []
    views, before, now = json.loads((work / "views.json").read_text()), json.loads((work / "pictures.json").read_text()), pictures(samples)
    return views if [(i, n) for i, n, _ in views] == plan[: len(views)] and before == now[: len(before)] else []


def cut_off(work: Path, plan: list[tuple[int, int]], samples: list[Sample]) -> list:
    """The views of an interrupted run, if they are a prefix of this plan and of the same pictures."""
    if not all((work / name).exists() for name in (NEW_VALUES, NEW_PICTURES, NEW_VIEWS)) or json.loads((work / NEW_PICTURES).read_text()) != pictures(samples):
        return []
    whole, _, _ = (work / NEW_VIEWS).read_text().rpartition("\n")
    views = [json.loads(line) for line in whole.splitlines()]
    fits = len(np.load(work / NEW_VALUES, mmap_mode="r")) == len(plan) and [(i, n) for i, n, _ in views] == plan[: len(views)]
    return views if fits else []


def lines_of(views: list) -> str:
    return "".join(json.dumps(row) + "\n" for row in views)


def begin(work: Path, plan: list[tuple[int, int]], samples: list[Sample], views: list) -> np.memmap:
    """Creates the features file of a new run, with those of `views` already in it."""
    if not views:
        invalidate_derived(work)
    features = np.lib.format.open_memmap(work / NEW_VALUES, "w+", np.float16, (len(plan), VECTORS, FEATURES))
    if views:
        features[: len(views)] = np.load(work / "features.npy", mmap_mode="r")[: len(views)]
    (work / NEW_VIEWS).write_text(lines_of(views))
    (work / NEW_PICTURES).write_text(json.dumps(pictures(samples)))
    return features


def invalidate_derived(work: Path) -> None:
    """Removes the progress marks of projector.py and eyes.py: the rows they wrote belong to other views."""
    for path in (*work.glob("fold*.done"), work / "maps.json"):
        path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    work = Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    samples = read_all(args.data)
    plan = plan_views(samples)
    views = kept(work, plan, samples)
    if len(views) == len(plan):
        return
    begun = cut_off(work, plan, samples)
    if len(begun) > len(views):
        views, features = begun, np.lib.format.open_memmap(work / NEW_VALUES, "r+")
        (work / NEW_VIEWS).write_text(lines_of(views))  # drops a line that was cut off
    else:
        features = begin(work, plan, samples, views)
    saved = len(views)
    for values, rows in encode_views(EfficientNetLite0.pretrained(), work / "backbone.onnx", args.data, args.seed, plan[len(views) :]):
        features[len(views) : len(views) + len(rows)] = values
        views += rows
        if len(views) - saved >= SAVED:
            features.flush()  # before the lines that say that these views are there
            with open(work / NEW_VIEWS, "a") as lines:
                lines.write(lines_of(views[saved:]))
            saved = len(views)
    features.flush()
    (work / NEW_VALUES).rename(work / "features.npy")
    (work / "views.json").write_text(json.dumps(views))
    (work / NEW_PICTURES).rename(work / "pictures.json")
    (work / NEW_VIEWS).unlink()


if __name__ == "__main__":
    main()
