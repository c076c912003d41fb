"""Which cells of a picture show a thing. Where it is and how many there are can only be said if empty cells look empty.

A cell's feature sees far beyond the cell, so the cells beside a thing look like it too. Each cell is therefore compared
with all others of its picture.
"""

import torch
import torch.nn.functional as F
from torch import nn

from backbone import CELLS, FEATURES, VECTORS
from small_net import StandardFeatures, train

HIDDEN, NARROW, MIXED = 128, 48, 192
STEPS, BATCH, PHOTOS = 2_500, 192, 64
PHOTOS_WEIGHT = 0.3
SURELY = 10.0  # log-odds
NOISE = 0.3  # relative to a feature's own spread, so that cut-outs are not learned by heart


class Occupied(StandardFeatures):
    """Features of a picture `[B, 10, 1280]` -> the log-odds that each of its cells shows a thing, `[B, 9]`."""

    def __init__(self):
        super().__init__()
        self.cell, self.around, self.one = nn.Linear(FEATURES, HIDDEN), nn.Linear(FEATURES, HIDDEN, bias=False), nn.Linear(HIDDEN, 1)
        self.narrow, self.mixed, self.all = nn.Linear(FEATURES, NARROW), nn.Linear(VECTORS * NARROW, MIXED), nn.Linear(MIXED, CELLS)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.odds(self.standard(features))

    def odds(self, x: torch.Tensor) -> torch.Tensor:
        """`forward`, for features that are standardised already."""
        drop = lambda z: F.dropout(z, 0.2, self.training)
        cells = x[:, :CELLS]
        alone = self.one(drop(F.gelu(self.cell(cells) + self.around(cells.mean(1, keepdim=True)))))
        # Three dimensions throughout, so that each layer is a plain matrix product in the graph.
        together = self.all(drop(F.gelu(self.mixed(F.gelu(self.narrow(x)).flatten(1).unsqueeze(1)))))
        return alone.squeeze(-1) + together.squeeze(1)


def fit(features: torch.Tensor, boards: torch.Tensor, shown: torch.Tensor, photos: torch.Tensor, seed: int) -> Occupied:
    """Trains on these rows of features: boards, with what their cells show `[boards, 9]` (0 or 1), and photographs,
    which are never empty."""
    torch.manual_seed(seed)
    net = Occupied().train()
    if len(boards) == 0:  # no boards to learn from: no cell is ever empty
        with torch.no_grad():
            for value in net.parameters():
                value.zero_()
            net.one.bias.fill_(SURELY)
        return net.eval()
    net.standardise(features[boards[torch.randperm(len(boards))[:4_000]]])

    def loss() -> torch.Tensor:
        i, j = torch.randint(len(boards), (BATCH,)), torch.randint(max(1, len(photos)), (min(PHOTOS, len(photos)),))
        x = net.standard(features[torch.cat([boards[i], photos[j]])].float())
        odds = net.odds(x + NOISE * torch.randn_like(x))
        return F.binary_cross_entropy_with_logits(odds[:BATCH], shown[i]) + PHOTOS_WEIGHT * F.softplus(-odds[BATCH:]).sum() / (PHOTOS * CELLS)

    return train(net, STEPS, loss)


@torch.no_grad()
def measured(net: Occupied, features: torch.Tensor, boards: torch.Tensor, shown: torch.Tensor, photos: torch.Tensor) -> dict[str, float]:
    """On held-out rows: the share of cells that are right, of boards with the right number of occupied cells, and of
    photographs' cells that look empty."""
    said = lambda rows: torch.cat([net(features[b].float()) > 0 for b in rows.split(512)])
    occupied = said(boards)
    return {"cells": round((occupied == (shown > 0)).float().mean().item(), 3), "counts": round((occupied.sum(1) == shown.sum(1)).float().mean().item(), 3),
            "empty cells of photographs": round(1 - said(photos).float().mean().item(), 3)}
