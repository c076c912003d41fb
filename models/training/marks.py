"""What a picture says, and in which colour: the digits of a number, a word, the colour of a sign or of a thing, read
from all of its vectors at once.

The projector's mixtures are of things; of writing they know little more than that it is, say, a web site. A separate
small network is trained on drawn signs (signs.py), on painted cut-outs (colours.py), and on photographs, which mostly
say nothing. It also sees the picture itself, very small (palette.py): features tell the thing from its ground best, and
pixels tell its colour.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from backbone import CELLS, FEATURES, VECTORS
from colours import NAMES as COLOURS
from palette import NAMED, PLACES, SHADES, Palette
from signs import NUMBERS, WORDS, ground
from small_net import StandardFeatures, train
from text import WIDTH, digit_tokens, encode, word_embeddings

NARROW, MIXED = 96, 512
# Tens, ones, words and colours; the last class of each is none.
PARTS = (11, 11, len(WORDS) + 1, NAMED)
MARKS = sum(PARTS)
UNKNOWN = -1
STEPS, BATCH, OTHERS = 3_000, 160, 96
NOISE = 0.25
# Noise of small pictures: in brightness, of the whole picture in each colour channel, and of each pixel.
LIGHT, GRAIN = 0.04, 0.015


class Marks(StandardFeatures):
    """Features of a picture `[B, 10, 1280]` and its pixels (`palette.small`) -> p of each mark, `[B, MARKS]`. The
    classes for none are zeroed, so most pictures have hardly any marks."""

    def __init__(self):
        super().__init__()
        self.palette, self.shades = Palette(), nn.Linear(SHADES * PLACES, MIXED)
        self.narrow, self.mixed, self.all = nn.Linear(FEATURES, NARROW), nn.Linear(VECTORS * NARROW, MIXED), nn.Linear(MIXED, MARKS - NAMED)
        some = torch.ones(MARKS)
        some[torch.tensor(PARTS).cumsum(0) - 1] = 0
        self.register_buffer("some", some, persistent=False)

    def logits(self, x: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
        """`[B, MARKS]`, from features that are standardised already."""
        drop = lambda z, p: F.dropout(z, p, self.training)
        # Three dimensions throughout, so that each layer is a plain matrix product in the graph.
        shades, colours = self.palette(pixels, x[:, CELLS:])
        shown = self.shades(shades)
        z = drop(F.gelu(self.narrow(x)), 0.1).flatten(1).unsqueeze(1)
        says = self.all(drop(F.gelu(self.mixed(z) + shown), 0.2))
        return torch.cat([says, colours], -1).squeeze(1)

    def forward(self, features: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
        parts = self.logits(self.standard(features), pixels).float().split(PARTS, -1)
        return torch.cat([part.softmax(-1) for part in parts], -1) * self.some


def right_marks(says: str, number: int) -> list[int]:
    """The right class of each part, for a sign's view."""
    colour = COLOURS.index(ground(number))
    if says not in NUMBERS:
        return [10, 10, WORDS.index(says), colour]
    return [int(says) // 10 if len(says) == 2 else 10, int(says) % 10, len(WORDS), colour]


def mark_words() -> torch.Tensor:
    """The word for each mark, `[MARKS, WIDTH]`; zeros for none."""
    table, none = word_embeddings(), [0.0] * WIDTH
    digits = [*(table[token].tolist() for token in digit_tokens()), none]
    said = lambda texts: [*(table[encode(text)].mean(0).tolist() for text in texts), none]
    return torch.tensor(digits + digits + said(WORDS) + said(COLOURS))


NO_WRITING = [10, 10, len(WORDS)]
NO_MARKS = [*NO_WRITING, len(COLOURS)]


def coloured(colour: str | None) -> list[int]:
    """The right classes for a picture of one thing that says nothing: its colour, if it is known."""
    return [*NO_WRITING, COLOURS.index(colour) if colour else UNKNOWN]


@dataclass
class Pictures:
    """Features `[n, 10, 1280]`, small pictures `[n, SIDE * SIDE, 3]` in 0..255, and the right class of each part,
    `[n, 4]`, as in `right_marks`."""

    features: torch.Tensor
    pixels: torch.Tensor
    right: torch.Tensor

    def of(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.features[rows].float(), self.pixels[rows].float() / 255


def fit(pictures: Pictures, rows: torch.Tensor, others: torch.Tensor, seed: int) -> Marks:
    """Trains on these rows: drawn pictures, and others."""
    torch.manual_seed(seed)
    net = Marks().train()
    net.standardise(pictures.features[rows[torch.randperm(len(rows))[:1_000]]])

    def loss() -> torch.Tensor:
        b = torch.cat([rows[torch.randint(len(rows), (BATCH,))], others[torch.randint(len(others), (OTHERS,))]])
        features, pixels = pictures.of(b)
        x = net.standard(features)
        light = 1 + LIGHT * torch.randn(len(b), 1, 3)
        logits = net.logits(x + NOISE * torch.randn_like(x), pixels * light + GRAIN * torch.randn_like(pixels)).split(PARTS, -1)
        return sum(F.cross_entropy(part, pictures.right[b, k], ignore_index=UNKNOWN) for k, part in enumerate(logits))

    return train(net, STEPS, loss)


@torch.no_grad()
def measured(net: Marks, pictures: Pictures, rows: torch.Tensor, others: torch.Tensor, coloured: dict[str, torch.Tensor]) -> dict[str, float]:
    """On held-out rows: the share of numbers, words and grounds that are right, of photographs in which writing is
    seen, and of things whose colour is right."""
    def said(rows: torch.Tensor) -> torch.Tensor:
        logits = [net.logits(net.standard(features), pixels) for features, pixels in map(pictures.of, rows.split(512))]
        return torch.stack([part.argmax(-1) for part in torch.cat(logits).split(PARTS, -1)], 1)

    right = pictures.right[rows]
    hit = said(rows) == right
    word = right[:, 2] < len(WORDS)
    one, two = (right[:, 0] == 10) & ~word, right[:, 0] < 10
    text = hit[:, :3].all(1).float()
    written = (said(others)[:, :3] != torch.tensor(NO_WRITING)).any(1).float()
    return {"one digit": round(text[one].mean().item(), 3), "two digits": round(text[two].mean().item(), 3), "words": round(text[word].mean().item(), 3),
            "grounds": round(hit[:, 3].float().mean().item(), 3), "photographs that say something": round(written.mean().item(), 3),
            **{f"colours, {kind}": round((said(of)[:, 3] == pictures.right[of, 3]).float().mean().item(), 3) for kind, of in coloured.items()}}
