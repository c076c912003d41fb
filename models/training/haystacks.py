"""Haystacks of up to a day: streams of an hour, and of ten minutes that stand for more, each asked several times.

The self-decoder takes seconds for an hour, and is never trained on one. What it wrote is cached as long as it is not
trained, and steps take turns at a few streams. They ask only whether a thing was seen, since its first token is the
answer: every further token would read the whole stream again.

`python haystacks.py` compares tokens that stand for copies with the copies themselves.
"""

import random

import torch

from batch import Batch
from config import Config
from cross_decoder import CrossDecoder
from precision import mixed_precision
from streams import StreamMaker

SHAPES = [(7200, 120), (1200, 20), (1200, 20)]  # frames, and the parts in which the self-decoder sees them
TASKS = {"seen": 1}
QUESTIONS = 48  # per step
STREAMS, TIMES_ASKED = 8, 12


class Haystacks:
    def __init__(self, trainer):
        self.trainer = trainer
        self.kept: list[tuple[Batch, int]] = []  # each with how many of its questions were asked

    def next(self, maker: StreamMaker) -> Batch:
        if len(self.kept) < STREAMS:
            self.kept.append((self.made(maker), 0))
            chosen = len(self.kept) - 1
        else:
            chosen = random.randrange(STREAMS)
        batch, asked = self.kept[chosen]
        if asked + QUESTIONS < batch.sep.shape[1]:
            self.kept[chosen] = (batch, asked + QUESTIONS)
        else:
            del self.kept[chosen]
        return batch.part(asked, QUESTIONS, 1)

    def made(self, maker: StreamMaker) -> Batch:
        batch = maker.batch_of_one(*random.choice(SHAPES), QUESTIONS * (TIMES_ASKED if self.keeps else 1), TASKS, hay=True)
        if self.keeps:
            with torch.no_grad(), mixed_precision():
                batch.cached = self.trainer.cache(batch, writing=False)[1:]
        return batch

    @property
    def keeps(self) -> bool:
        """Whether K and V are cached: they stay valid only if no step trains the self-decoder."""
        return self.trainer.args.reading_share == 1


@torch.no_grad()
def main() -> None:
    torch.manual_seed(1)
    c, frames, number = Config(), 20, 30
    decoder = CrossDecoder(c).eval()
    for layer in decoder.layers:  # a new decoder counts hardly anything
        torch.nn.init.constant_(layer.attention.tally.threshold.bias, 1.0)
        torch.nn.init.normal_(layer.attention.tally.into.weight, std=0.05)
        torch.nn.init.normal_(layer.attention.count.weight, std=0.05)
    k, v = (torch.randn(1, frames * c.tokens_per_frame, c.kv_heads, c.head_dim) for _ in range(2))
    questions, own = torch.randn(1, 3, 1, c.width), torch.randn(2, 1, 3, 4, c.kv_heads, c.head_dim)
    times = torch.arange(frames)[None] * 500
    often = torch.arange(frames) % 3 == 0

    def reading(which: torch.Tensor, copies: torch.Tensor | None):
        tokens = (which.unsqueeze(1) * c.tokens_per_frame + torch.arange(c.tokens_per_frame)).flatten()
        mask, own_mask = torch.zeros(1, 3, len(tokens)), torch.zeros(1, 3, 1, 4)
        stood = torch.full((1, len(which)), 500)
        moments = torch.full((1, 3), frames * 500)
        return decoder(questions, k[:, tokens], v[:, tokens], times[:, which], times[:, which], stood, moments, mask, *own, own_mask, copies=copies)

    every = torch.arange(frames)
    copies = torch.where(often, float(number), 1.0).repeat_interleave(c.tokens_per_frame).expand(1, 3, -1)
    one, all_of_them = reading(every, copies), reading(torch.cat([every, *[every[often]] * (number - 1)]), None)
    largest = max(float((a - b).abs().max() / b.abs().max()) for a, b in ((getattr(one, name), getattr(all_of_them, name)) for name in ("hidden", "attended", "counted", "digits")))
    print(f"tokens that stand for copies and the copies differ by {largest:.1e} of the largest number at most")
    if largest > 1e-5:
        raise SystemExit("they must agree to 1e-5")


if __name__ == "__main__":
    main()
