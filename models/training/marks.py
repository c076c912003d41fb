"""What a picture says and of which colour it is: the digits of a number, a word, the colour of a sign or of a thing, read from all of its vectors at once.

The projector's mixtures are of things; of writing they know as much as that it is a web site. A small network of its own is trained on drawn
signs (signs.py), on cut-outs that are painted (colours.py), and on photographs, which mostly say nothing.
"""

import torch
import torch.nn.functional as F
from torch import nn

from backbone import FEATURES, VECTORS
from colours import NAMES as COLOURS
from signs import NUMBERS, WORDS, ground
from small_net import StandardFeatures, train
from text import WIDTH, digit_tokens, encode, word_embeddings

NARROW, MIXED = 96, 512
# Tens, ones, words and colours; the last one of each: none.
PARTS = (11, 11, len(WORDS) + 1, len(COLOURS) + 1)
MARKS = sum(PARTS)
UNKNOWN = -1
STEPS, BATCH, OTHERS = 3_000, 160, 96
NOISE = 0.25


class Marks(StandardFeatures):
    """Features of a picture `[B, 10, 1280]` -> p of each mark, `[B, MARKS]`; of no mark at all zeros, so that most pictures are told nothing."""

    def __init__(self):
        super().__init__()
        self.narrow, self.mixed, self.all = nn.Linear(FEATURES, NARROW), nn.Linear(VECTORS * NARROW, MIXED), nn.Linear(MIXED, MARKS)
        some = torch.ones(MARKS)
        some[torch.tensor(PARTS).cumsum(0) - 1] = 0
        self.register_buffer("some", some, persistent=False)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Of features that are standardised already, `[B, MARKS]`."""
        drop = lambda z, p: F.dropout(z, p, self.training)
        # Of three dimensions all along, so that the graph has a plain product for each.
        z = drop(F.gelu(self.narrow(x)), 0.1).flatten(1).unsqueeze(1)
        return self.all(drop(F.gelu(self.mixed(z)), 0.2)).squeeze(1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        parts = self.logits(self.standard(features)).float().split(PARTS, -1)
        return torch.cat([part.softmax(-1) for part in parts], -1) * self.some


def right_marks(says: str, number: int) -> list[int]:
    """Of a sign's view: which of each part."""
    colour = COLOURS.index(ground(number))
    if says not in NUMBERS:
        return [10, 10, WORDS.index(says), colour]
    return [int(says) // 10 if len(says) == 2 else 10, int(says) % 10, len(WORDS), colour]


def mark_words() -> torch.Tensor:
    """The word that says each mark, `[MARKS, WIDTH]`; zeros for none."""
    table, none = word_embeddings(), [0.0] * WIDTH
    digits = [*(table[token].tolist() for token in digit_tokens()), none]
    said = lambda texts: [*(table[encode(text)].mean(0).tolist() for text in texts), none]
    return torch.tensor(digits + digits + said(WORDS) + said(COLOURS))


NO_WRITING = [10, 10, len(WORDS)]
NO_MARKS = [*NO_WRITING, len(COLOURS)]


def coloured(colour: str | None) -> list[int]:
    """Of a picture of one thing, which says nothing: its colour, where it is known."""
    return [*NO_WRITING, COLOURS.index(colour) if colour else UNKNOWN]


def fit(features: torch.Tensor, rows: torch.Tensor, right: torch.Tensor, others: torch.Tensor, right_of_others: torch.Tensor, seed: int) -> Marks:
    """Trains it on these rows of features: signs, and other pictures; `right`, `right_of_others`: `[rows, 4]` as of `right_marks`."""
    torch.manual_seed(seed)
    net = Marks().train()
    net.standardise(features[rows[torch.randperm(len(rows))[:1_000]]])

    def loss() -> torch.Tensor:
        i, j = torch.randint(len(rows), (BATCH,)), torch.randint(len(others), (OTHERS,))
        x = net.standard(features[torch.cat([rows[i], others[j]])].float())
        logits = net.logits(x + NOISE * torch.randn_like(x)).split(PARTS, -1)
        want = torch.cat([right[i], right_of_others[j]])
        return sum(F.cross_entropy(part, want[:, k], ignore_index=UNKNOWN) for k, part in enumerate(logits))

    return train(net, STEPS, loss)


@torch.no_grad()
def measured(net: Marks, features: torch.Tensor, rows: torch.Tensor, right: torch.Tensor, others: torch.Tensor, coloured: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, float]:
    """On rows that it was not trained on: numbers, words and grounds that are right, photographs that are said to say something, and things whose colour is right."""
    said = lambda rows: torch.cat([torch.stack([part.argmax(-1) for part in net.logits(net.standard(features[b].float())).split(PARTS, -1)], 1) for b in rows.split(512)])
    hit = said(rows) == right
    word = right[:, 2] < len(WORDS)
    one, two = (right[:, 0] == 10) & ~word, right[:, 0] < 10
    text = hit[:, :3].all(1).float()
    written = (said(others)[:, :3] != torch.tensor(NO_WRITING)).any(1).float()
    return {"one digit": round(text[one].mean().item(), 3), "two digits": round(text[two].mean().item(), 3), "words": round(text[word].mean().item(), 3),
            "grounds": round(hit[:, 3].float().mean().item(), 3), "photographs that say something": round(written.mean().item(), 3),
            **{f"colours, {kind}": round((said(of)[:, 3] == colours[:, 3]).float().mean().item(), 3) for kind, (of, colours) in coloured.items()}}
