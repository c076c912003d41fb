"""The last step before export: calibrates how readily the model says "yes" and "it was not shown", and how much marks
count.

python calibrate.py --data DIR --work DIR --name mixed --out calibrated

Averaging weights, and training one task more than another, leave these answers too likely or too unlikely. Their output
biases are fitted on streams of held-out pictures (and ImageNet's, all of which training has): that of "yes" is lowered
until NO_RIGHT of the things that were not seen are answered with no; that of "it was not shown" is raised as far as it
costs at most COST of the right answers about what was shown. Before that, the colours and the writing of marks.py are
scaled in a frame's token by the factors that answer most questions about them and cost at most COST of the names: a
decoder that was trained with less certain marks relies on what things of a name mostly look like.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from checkpoint import FOR_TRAINING
from marks import MARKS
from palette import NAMED
from phrasings import NOT_SHOWN, STILL_SHOWN
from streams import StreamMaker
from text import encode
from train import Trainer

SHOP = {"grocery": 0.6, "clothing": 0.4}
# Sets, frames of a stream, streams in a batch, questions on each, batches. Streams of minutes are batched as long ones
# are in training.
STREAMS = [(SHOP, 60, 8, 24, 6), ({"imagenet-samples": 1}, 48, 8, 24, 6), ({**SHOP, "imagenet-samples": 0.5}, 600, 1, 64, 12)]
MINUTES, PART = 200, 60  # frames
SEED = 101
TASKS = {"seen": 3, "seennow": 1.5, "when": 1, "before": 1, "after": 1, "left": 1}
NEGATIVE_SHARE = 0.4
STEPS = np.arange(0, 3.01, 0.05)
COST = 0.01
# The share of absent things that must be answered with no: to claim a thing that was never there does more harm than to
# miss one. A third of them are look-alikes (HARD_NEGATIVE_SHARE, asker.py); of things at random far fewer are claimed.
NO_RIGHT = 0.965
LOUDER = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
# Columns of the marks' map, then frames, sets, streams, questions on each and tasks of an evaluation: the first task
# asks about these marks, "now" measures what they may cost.
LOUD = {
    "colours": (slice(MARKS - NAMED, MARKS), (8, {"painted": 0.6, "clothing": 0.4}, 128, 8, {"colour": 3, "now": 1})),
    "writing": (slice(0, MARKS - NAMED), (8, {"signs": 0.6, "grocery": 0.2, "imagenet-samples": 0.2}, 128, 8, {"reads": 3, "now": 2})),
}


@torch.no_grad()
def margins(trainer: Trainer, yes: int, no: int, not_shown: int):
    """Margins of logits: yes over no where yes is right, and where no is; NOT_SHOWN over the best other answer where
    NOT_SHOWN is right, and where that other answer is."""
    of_yes, of_no, absent, shown = [], [], [], []
    for sets, frames, number, questions, batches in STREAMS:
        if not trainer.unseen.has(sets):
            continue
        maker = StreamMaker(trainer.unseen, SEED, sets=sets, absent_share=NEGATIVE_SHARE)
        for _ in range(batches):
            batch = maker.batch_of_one(frames, frames // PART, questions, TASKS) if frames > MINUTES else maker.batch(number, frames, questions, TASKS)
            logits, target, want, *_ = trainer.forward(batch)
            row = torch.full(want.shape, -1)
            row[want] = torch.arange(len(target))
            for i, j in ((i, j) for i, tasks in enumerate(batch.tasks) for j in range(len(tasks))):
                if batch.made[i][2][j].answer == STILL_SHOWN:
                    continue  # it begins with the same token as NOT_SHOWN
                own, right = logits[row[i, j, 0]], target[row[i, j, 0]].item()
                if right in (yes, no):
                    (of_yes if right == yes else of_no).append((own[yes] - own[no]).item())
                    continue
                others = own.clone()
                others[not_shown] = -torch.inf
                margin = (own[not_shown] - others.max()).item()
                if right == not_shown:
                    absent.append(margin)
                elif others.argmax().item() == right:
                    shown.append(margin)
    return tuple(np.array(x) for x in (of_yes, of_no, absent, shown))


def marks_made_loud(trainer: Trainer) -> None:
    """Scales the model's map of marks in place."""
    weight = trainer.model.visual.from_marks.weight.data
    for part, (columns, asked) in LOUD.items():
        if not trainer.unseen.has(asked[1]):
            continue
        before, right = weight[:, columns].clone(), {}
        own, other = asked[-1]
        for factor in LOUDER:
            weight[:, columns] = before * factor
            tasks = trainer.evaluate(*asked)
            right[factor] = {task: tasks.get(task, {"accuracy": 0})["accuracy"] for task in (own, other)}
        allowed = [factor for factor in LOUDER if right[factor][other] >= right[1.0][other] - COST]
        best = max(allowed, key=lambda factor: right[factor][own])
        weight[:, columns] = before * best
        print(f"{part}: x {best}; right {right}")
    trainer.model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", required=True, help="name of the new checkpoint")
    args = parser.parse_args()
    state = torch.load(Path(args.work) / f"{args.name}.pt", map_location="cpu")
    config = {field: value for field, value in state["config"].items() if field != "labels"}
    settings = {"seed": 1, "config": json.dumps(config), "lr": 0.0, "adam_lr": 0.0}
    trainer = Trainer(argparse.Namespace(data=args.data, work=args.work, name=args.name, **settings))
    trainer.model.load_state_dict(state["model"])
    trainer.model.eval()
    marks_made_loud(trainer)
    yes, no, not_shown = (trainer.place[encode(text)[0]].item() for text in ("yes", "no", NOT_SHOWN))
    of_yes, of_no, absent, shown = margins(trainer, yes, no, not_shown)
    if not all(len(asked) for asked in (of_yes, of_no, absent, shown)):
        raise SystemExit("the data has nothing that could be asked for: neither groceries nor clothing nor photographs of ImageNet's classes")
    less = next((b for b in STEPS if (of_no <= b).mean() >= NO_RIGHT), STEPS[-1])
    more = max(b for b in STEPS if (shown + b < 0).mean() >= (shown < 0).mean() - COST)
    print(f"yes: {-less:.2f}; right of {len(of_yes)} yes {(of_yes > 0).mean():.3f} -> {(of_yes > less).mean():.3f}, of {len(of_no)} no "
          f"{(of_no <= 0).mean():.3f} -> {(of_no <= less).mean():.3f}")
    print(f"not shown: +{more:.2f}; right of {len(absent)} {(absent > 0).mean():.3f} -> {(absent + more > 0).mean():.3f}")
    state["model"]["visual.from_marks.weight"] = trainer.model.visual.from_marks.weight.detach().clone()
    state["model"]["out_bias"][yes] -= float(less)
    state["model"]["out_bias"][not_shown] += float(more)
    torch.save({k: v for k, v in state.items() if k not in FOR_TRAINING}, Path(args.work) / f"{args.out}.pt")


if __name__ == "__main__":
    main()
