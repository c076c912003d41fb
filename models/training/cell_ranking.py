"""The index of a long cache. The exported graph is that of ranking_graph.py."""

import torch
from torch import nn

from config import Config
from time_code import log_seconds


class CellRanking(nn.Module):
    """The index of a long cache, over its cells: R keys for each of C cells, head by head, in int8 with a scale each.

    queries `[layers, H, D + CODE]` of one token; codes: int8 `[C, CODE - 2]`, the time of each cell (for its digits,
    those of all of its frames); since, age `[C]`: ms from its stream's first frame, and to the question; keys: for each
    of the G heads int8 `[C * R, D]`, scales `[C * R]`; count `[1]`. Attention over the cells' keys stands in for
    attention over the cache. Returns the `count` cells with the most attention, summed over all layers and heads, the
    best first. The exported graph is that of ranking_graph.py.
    """

    KEYS = 2

    def __init__(self, c: Config):
        super().__init__()
        self.c = c

    def forward(self, queries, count, codes, since, age, *cells):
        c = self.c
        g, group = c.kv_heads, c.cross_heads // c.kv_heads
        when = torch.cat([codes.float() / 127, log_seconds(since).unsqueeze(-1), log_seconds(age).unsqueeze(-1)], -1)
        total = 0
        for head in range(g):
            mine = queries[:, head * group : (head + 1) * group].flatten(0, 1)  # [layers * group, D + CODE]
            scores = (cells[head].float() @ mine[:, : c.head_dim].T) * cells[g + head].unsqueeze(1)
            scores = scores.view(-1, self.KEYS, scores.shape[1]).max(1).values + when @ mine[:, c.head_dim :].T
            total = total + scores.softmax(0).sum(1)
        return total.topk(count[0]).indices
