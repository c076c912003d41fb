"""Small pictures of every view, once: `[views, 28 * 28, 3]` in uint8, row by row. The backbone's features were made to
recognise things in any light, and hardly tell their colours.

python palette.py --data DIR --work DIR   # -> WORK/small.npy, of the views of features.py
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from backbone import FEATURES, IMAGE_SIZE
from colours import COLOURS
from features import write_encoded

SIDE = 28  # pixels; at 56 x 56 no more is read, and colours less reliably
BLOCK = IMAGE_SIZE // SIDE
DEEP, SHADES, PLACES = 48, 12, 49
NAMED = len(COLOURS) + 1  # the names of colours, and none


def small(rgb: torch.Tensor) -> torch.Tensor:
    """RGB `[B, 224, 224, 3]` in 0..255 -> the means of its blocks in 0..1, `[B, SIDE * SIDE, 3]`."""
    means = F.avg_pool2d(rgb.permute(0, 3, 1, 2).float() / 255, BLOCK)
    return means.flatten(2).transpose(1, 2)


class Palette(nn.Module):
    """A small picture `[B, SIDE * SIDE, 3]` in 0..1 and the standardised features of the whole `[B, 1, 1280]` -> how
    much of each of a few learned shades is at each place, `[B, 1, SHADES * PLACES]`, and logits of the colour names and
    of none, `[B, 1, 12]`.

    Each place of the map names the colour of its pixels from the pixels alone: shirts are often blue, and this one may
    be yellow. The features help to decide which places belong to the thing, and whether there is one.
    """

    def __init__(self):
        super().__init__()
        self.near = nn.Conv2d(3, 24, 3, 1, 1)
        self.wide = nn.Conv2d(24, 32, 3, 2, 1)
        self.wider = nn.Conv2d(32, DEEP, 3, 1, 1)
        self.shades = nn.Conv2d(32, SHADES, 1)
        self.named, self.thing = nn.Conv2d(DEEP, NAMED, 1), nn.Conv2d(DEEP, 1, 1)
        self.about, self.none = nn.Linear(FEATURES, DEEP), nn.Linear(FEATURES, 1)

    def forward(self, pixels: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        whole = F.dropout(whole, 0.3, self.training)
        about, none = self.about(whole), self.none(whole)
        picture = pixels.transpose(1, 2).unflatten(2, (SIDE, SIDE))
        wide = F.relu(self.wide(F.relu(self.near(picture))))  # [B, 32, 14, 14]
        shades = F.avg_pool2d(self.shades(wide), 2).flatten(1)
        maps = self.wider(wide)
        thing = self.thing(F.relu(maps + about.transpose(1, 2).unsqueeze(-1))).flatten(2).softmax(-1)
        named = (self.named(F.relu(maps)).flatten(2) * thing).sum(-1)
        return shades.unsqueeze(1), named.unsqueeze(1) + F.pad(none, (NAMED - 1, 0))


class Shrink(nn.Module):
    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return small(rgb) * 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, default=1, help="seed of features.py")
    args = parser.parse_args()
    work = Path(args.work)
    plan = [(sample, number) for sample, number, _ in json.loads((work / "views.json").read_text())]
    path = work / "small.npy"
    if path.exists() and len(np.load(path, mmap_mode="r")) == len(plan) and path.stat().st_mtime >= (work / "views.json").stat().st_mtime:
        return
    write_encoded(Shrink(), work / "shrink.onnx", path, args.data, args.seed, plan, np.uint8)


if __name__ == "__main__":
    main()
