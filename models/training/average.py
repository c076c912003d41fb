"""The mean of checkpoints of one run and of those it continued from. It keeps more of the old and new tasks than each
of them.

python average.py --work DIR --out mixed small=0.73 base=0.19 continued=0.08

The first checkpoint supplies the weights that another one lacks, and its probes; optimiser state is dropped. With
--later-from-first it also supplies all parts that were added to the model later (LATER_PARTS): for a mean with a
checkpoint that has them but never trained them.
"""

import argparse
from pathlib import Path

import torch

from checkpoint import FOR_TRAINING, LATER_PARTS
from config import Config


def average(states: list[dict], shares: list[float], later_from_first: bool = False) -> dict:
    """`shares` add up to one. Raises SystemExit if the checkpoints have different configurations."""
    first = states[0]
    for state in states:
        # Fields that an older checkpoint lacks have their default values.
        if {**Config().json(), **state["config"], "tags": 0} != {**Config().json(), **first["config"], "tags": 0}:
            raise SystemExit("the checkpoints have different configurations")
        if state.get("kinds", False) != first.get("kinds", False):
            raise SystemExit("in some of the checkpoints names begin with their kinds, in others they do not")
    weights = {}
    for name, value in first["model"].items():
        mean = not (later_from_first and name.endswith(LATER_PARTS)) and all(name in state["model"] for state in states)
        weights[name] = sum(share * weight(state, name, first) for share, state in zip(shares, states)) if mean else value
    return {**{k: v for k, v in first.items() if k not in FOR_TRAINING}, "model": weights}


def weight(state: dict, name: str, first: dict) -> torch.Tensor:
    """A weight, for the answers of `first`: tokens that this checkpoint could not answer keep the bias of `first`."""
    own = state["model"][name]
    if name != "out_bias" or state["answers"] == first["answers"]:
        return own
    bias = dict(zip(state["answers"], own))
    return torch.stack([bias.get(token, there) for token, there in zip(first["answers"], first["model"][name])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True, help="name of the new checkpoint")
    parser.add_argument("--later-from-first", action="store_true", help="take the parts that were added to the model later (LATER_PARTS) from the first checkpoint")
    parser.add_argument("parts", nargs="+", help="NAME=SHARE")
    args = parser.parse_args()
    names, shares = zip(*(part.split("=") for part in args.parts))
    shares = [float(share) for share in shares]
    if abs(sum(shares) - 1) > 1e-6:
        raise SystemExit("the shares must add up to 1")
    work = Path(args.work)
    states = [torch.load(work / f"{name}.pt", map_location="cpu") for name in names]
    torch.save(average(states, shares, args.later_from_first), work / f"{args.out}.pt")


if __name__ == "__main__":
    main()
