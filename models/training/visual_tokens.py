"""What the projector has read of a picture -> its visual tokens."""

import torch
import torch.nn.functional as F
from torch import nn

from config import Config


def of_whole(x: torch.Tensor, vectors: int) -> torch.Tensor:
    """`[.., W]` -> `[.., vectors, W]`: x at the last vector, which is the whole picture; zeros at its cells."""
    return F.pad(x.unsqueeze(-2), (0, 0, vectors - 1, 0))


class VisualTokens(nn.Module):
    """Visual tokens `[.., 10, W]` from the mixtures of names and of words `[.., 10, words_width]`, the strongest names
    with their p, the detail `[.., 10, detail]` (what changes while a name stays) and the marks of the whole picture
    `[.., marks]`."""

    def __init__(self, c: Config):
        super().__init__()
        self.from_labels = nn.Linear(c.words_width, c.width, bias=False)
        self.from_words = nn.Linear(c.words_width, c.width, bias=False)
        self.label = nn.Embedding(c.labels, c.width)  # a small residual: what tells a name from its words
        nn.init.normal_(self.label.weight, std=0.1)
        self.slot = nn.Parameter(torch.randn(c.tokens_per_frame, c.width) * 0.1)
        self.from_detail = nn.Linear(c.detail, c.width, bias=False)
        self.from_marks = nn.Linear(c.marks, c.width, bias=False)

    def forward(self, label_mix, word_mix, top, top_p, detail, marks) -> torch.Tensor:
        residual = (self.label(top) * top_p.unsqueeze(-1)).sum(-2)
        x = self.from_labels(label_mix) + self.from_words(word_mix) + residual + self.slot + self.from_detail(detail)
        return x + of_whole(self.from_marks(marks), x.shape[-2])
