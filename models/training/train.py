"""Stages 1 to 3: single frames, short streams, long streams. Resumable, seeded, logged as JSON lines.

python train.py --data DIR --work DIR --hours 1.5 [--resume]

The curriculum moves on when an accuracy is reached, at the latest after a share of the time: until `now` on one frame
is learned, longer streams teach nothing. Auxiliary losses beside the answer (reference in docs/model.md): the evidence
(the cross-attention is told which frames hold the answer) and its evenness, tallies, and linear probes, mostly of the
shared K and V (the time, since when, this name, the name before, changes, marks).
"""

import argparse
import json
import math
import random
import signal
import threading
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from asker import GENERAL, GENERAL_OF_KINDS
from batch import Batch
from checkpoint import LATER_PARTS
from colours import COLOURS
from config import Config
from counting import TALLY_TOKENS
from cross_decoder import Reading
from haystacks import Haystacks
from layer_caches import LayerCaches
from losses import tally_loss, asked_time_loss, digit_loss, evenness_loss
from marks import mark_words
from model import YocoLive
from muon import Muon
from phrasings import CHAT, NOT_SHOWN, STILL_SHOWN
from precision import add_device, mixed_precision
from questions_now import PLACES
from running_mean import RunningMean
from signs import WORDS
from streams import COMES_AGAIN, PART, SET_SHARE, StreamMaker
from text import END, digit_tokens, encode, word_embeddings
from time_code import DAY, DIGITS, CLOCK_DIGITS
from world import World

# Kinds of batches as (frames of a stream, streams in a batch, questions on each); every shape is about as much work.
SHAPES = {
    "single": [(1, 96, 3), (2, 64, 4)],
    "short": [(4, 40, 6), (8, 24, 9), (12, 16, 12)],
    "usual": [(16, 12, 16), (30, 8, 22), (60, 5, 32), (60, 5, 32), (120, 3, 48)],
    # Small cut-outs at known places, for "where" and "how many".
    "boards": [(1, 96, 3), (8, 24, 6), (16, 12, 10), (30, 8, 16)],
    # Sentences are long compared with all other answers, so they come in batches of their own.
    "scenes": [(1, 64, 2), (2, 40, 3), (8, 14, 6)],
    "signs": [(1, 96, 3), (2, 64, 4), (8, 24, 8), (16, 12, 12), (30, 8, 16), (60, 4, 24)],
    # Counting questions alone: among all the others there are too few of them for the model to learn soon to read its
    # tallies.
    "counts": [(16, 12, 16), (30, 8, 22), (60, 5, 32), (60, 5, 32)],
    # How often things came, asked of streams in which things come again.
    "times": [(16, 12, 16), (30, 8, 22), (60, 5, 32), (60, 5, 32)],
    # Things asked for by words for many: a dog, a fruit, a vehicle.
    "kinds": [(1, 96, 3), (4, 40, 6), (8, 24, 9), (16, 12, 14), (30, 8, 20)],
}
# As (groups of streams that one question reads, streams in a group, frames of each, questions on each group).
SEVERAL_SHAPES = [(6, 2, 8, 16), (4, 4, 8, 24), (2, 4, 12, 32), (3, 8, 4, 32)]
# One stream, as (its frames, the parts in which the self-decoder sees it, questions).
LONG_SHAPES = [(240, 4, 64), (240, 4, 64), (600, 10, 64), (600, 10, 64), (1200, 20, 48), (2400, 40, 24)]
HAYSTACK_SHARE = 0.12  # share of the long streams that are haystacks of up to a day (haystacks.py)
# Share of the long streams in which everything has a name and nothing comes twice. A question then picks one thing
# among the most things, which are also the most alike.
DISTINCT = 0.6
LONG_COUNTS = 0.5  # share of the counting steps that use streams of minutes, whose counts have two digits
LONG_COUNT_SHAPES = [(240, 4, 64), (240, 4, 64), (600, 10, 64)]
# Each stage's kinds of steps and their weights; the last stage also has "counts", weighted by `--counting`.
SHARES = {
    1: {"single": 1},
    2: {"single": 0.45, "short": 0.47, "several": 0.08},
    3: {"single": 0.08, "short": 0.1, "usual": 0.2, "boards": 0.2, "signs": 0.24, "scenes": 0.36, "several": 0.06, "long": 0.9, "times": 0.1, "kinds": 0.25},
}
SETS_OF = {
    "usual": SET_SHARE,
    "boards": {"boards": 0.8, "flickr": 0.1, "grocery": 0.1},
    "scenes": {"flickr": 0.6, "imagenet-samples": 0.14, "grocery": 0.06, "clothing": 0.06, "boards": 0.06, "signs": 0.04, "painted": 0.02, "exercises": 0.02},
    "signs": {"signs": 0.5, "painted": 0.25, "clothing": 0.1, "emoji": 0.05, "flickr": 0.05, "grocery": 0.05},
    "counts": {**SET_SHARE, "exercises": 0.3, "boards": 0.1},
    "times": {**SET_SHARE, "exercises": 0.04, "boards": 0.02},
    "kinds": {"imagenet-samples": 0.4, "flickr": 0.33, "grocery": 0.12, "clothing": 0.03, "exercises": 0.03, "stamps": 0.04, "daquar": 0.05},
    # The number of different things in a stream of minutes is asked only if all of them have names.
    "many": {"grocery": 0.4, "clothing": 0.1, "imagenet-samples": 0.4, "emoji": 0.1},
}
# Share of the streams of "counts" and "many" of which only a part is read, more than elsewhere (PART): what the rest
# showed must be left out.
PART_OF_COUNTS = 0.45
# The set without which a kind of step has nothing to ask about.
NEEDS = {"boards": "boards", "scenes": "flickr"}
WRITING_PARTS = 4
# Frames of the previous part that each part of a long stream sees again. Otherwise its first frame would look like the
# beginning of a stream, a new thing after nothing, and neither counts of things nor what came before could be learned
# from it.
PART_OVERLAP = 12
SURE = 0.9  # share of attention on the right frames above which the loss of the evidence is zero
COUNTED = {"different", "repetitions", "duration", "howmany", "times"}
# Tasks that ask whether a thing is or was there, ask something of it that presupposes this, or ask whether anything
# changed. A tally of the last tokens of its frames tells this among hours of other things as well as among seconds,
# whereas shares of attention shrink with everything else in the stream.
PRESENCE_TASKS = {"seen", "seennow", "seenkind", "seennowkind", "when", "before", "after", "left", "haschanged", "seenwithin"}
# Noise on details: pictures must not be recognised by them, and a video encoder changes them from frame to frame.
DETAIL_NOISE = 0.12
BOARD_TASKS = {"where": 6, "howmany": 5, "seennow": 1, "now": 1}
COUNT_TASKS = {"different": 6, "duration": 5, "repetitions": 3, "howmany": 4}
TIMES_TASKS = {"times": 8, "left": 3, "seen": 1, "when": 1, "different": 1, "now": 1}
KIND_TASKS = {"seen": 5, "seennow": 4, "choice": 3, "whichof": 3, "when": 2, "left": 1, "before": 1, "after": 1, "times": 1, "now": 1, "at": 1}
SCENE_TASKS = {"describe": 6, "now": 1, "howmanyseen": 2, "chat": 1}
SIGN_TASKS = {"reads": 5, "ground": 3, "colour": 5, "now": 2, "seen": 1, "when": 1, "before": 1, "after": 1}
SINGLE_TASKS = {"now": 10, "choice": 2, "seen": 2, "seennow": 4, "describe": 1, "where": 3, "howmany": 2, "attribute": 1, "when": 1, "first": 1, "at": 1, "howmanyseen": 1}
# Least sum of a frame's marks for them to be supervised: a frame that says nothing has nothing to read.
MARKED_FROM = 1.0
WARM_UP = 60  # steps
# About how many steps the running mean of the weights covers; it is reported and saved, without the noise of single
# steps.
MEAN_STEPS = 300
BRIEF_REPORT = ("single", "short", "paraphrased")


def answer_vocabulary(world: World) -> list[int]:
    """Every token that an answer of the data may hold."""
    texts = [*world.vocab.labels, *PLACES, NOT_SHOWN, STILL_SHOWN, *COLOURS, *WORDS, "number", "sign", "camera", "1 second", "2 seconds", "yes", "no", *(a for _, a in CHAT), *sorted(world.kind_words)]
    for s in world.samples:
        texts += [c.lower().rstrip(" .") for c in s.captions]
        texts += [a.replace("_", " ") for _, q in s.qa for a in q.split(",")]
        texts += [s.extra["equipment"]] if "equipment" in s.extra else []
    ids = {END} | set(encode("0123456789:"))
    for text in texts:
        ids.update(encode(text))
    return sorted(ids)


class Probes(nn.Module):
    """Linear probes: `asked` reads a question's hidden state, the others the shared K and V of each frame's last token.
    Used in training only."""

    def __init__(self, c: Config):
        super().__init__()
        size = c.kv_heads * c.head_dim
        self.now = nn.Linear(size, sum(n for _, n in DIGITS))
        self.since = nn.Linear(size, sum(n for _, n in DIGITS))
        self.words = nn.ModuleList([nn.Linear(size, c.words_width) for _ in range(3)])
        self.change = nn.Linear(size, 3)
        self.asked = nn.Linear(c.width, sum(n for _, n in CLOCK_DIGITS))
        self.marks = nn.Linear(size, c.marks)


class Trainer:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        random.seed(args.seed)
        self.args = args
        self.world = World(args.data, args.work, validation=False)
        self.unseen = World(args.data, args.work, validation=True)
        self.config = Config(labels=len(self.world.vocab.labels), **json.loads(args.config))
        self.answers = answer_vocabulary(self.world)
        self.model = YocoLive(self.config, torch.tensor(word_embeddings()), self.answers)
        self.model.begin_marks(mark_words())
        self.model.begin_kinds(self.world.kinds_of_names())
        if self.config.cache == "layers":
            self.model.caches = LayerCaches(self.config)
        self.probes = Probes(self.config)
        self.place = torch.full((self.model.words.shape[0],), -1)
        self.place[torch.tensor(self.answers)] = torch.arange(len(self.answers))
        vocab = self.world.vocab
        self.bag_ids = torch.zeros(len(vocab.labels), 8, dtype=torch.long)
        self.bag_p = torch.zeros(len(vocab.labels), 8)
        for i, ids in enumerate(vocab.label_ids):
            bag = list(vocab.bag(ids).items())[:8]
            self.bag_ids[i, : len(bag)] = torch.tensor([k for k, _ in bag])
            self.bag_p[i, : len(bag)] = torch.tensor([p for _, p in bag])
        self.label_words = self.model.words[vocab.words]
        layers = [self.model.self_decoder, self.model.cross_decoder, *([self.model.caches] if self.config.cache == "layers" else [])]
        # The map from tallies is a table of which a question uses few rows: Muon's steps, equally large in all
        # directions, would bury them.
        inside = [p for m in layers for name, p in m.named_parameters() if p.ndim == 2 and not name.endswith("tally.into.weight")]
        known = {id(p) for p in inside}
        rest = [p for p in [*self.model.parameters(), *self.probes.parameters()] if id(p) not in known]
        self.muon = Muon(inside, lr=args.lr)
        # Maps to words multiply hundreds of numbers with hundreds more, so they need far smaller steps.
        readings = {id(p) for p in [*self.model.copy.parameters(), *self.probes.words.parameters()]}
        groups = [{"params": [p for p in rest if id(p) not in readings], "scale": 1.0}, {"params": [p for p in rest if id(p) in readings], "scale": 0.1}]
        self.adam = torch.optim.AdamW(groups, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)
        self.mean = RunningMean(self.model, MEAN_STEPS)
        self.step, self.spent, self.stage, self.questions = 0, 0.0, 1, 0
        self.earlier = 0.0  # seconds that earlier runs took, from which this one continues
        self.writing = True  # whether this step trains the self-decoder
        self.haystacks = Haystacks(self)

    # --- the loss ---------------------------------------------------------------------------------------------

    def forward(self, batch: Batch):
        m, c = self.model, self.config
        b, t = batch.times.shape
        count, a = batch.answer.shape[1:]
        # The self-decoder is trained on streams that are not too long; longer ones train the cross-decoder alone, at a
        # third of the cost.
        own_caches = c.cache == "layers"
        writing = (self.writing and batch.parts <= WRITING_PARTS or own_caches) and torch.is_grad_enabled()
        frames, k, v = (None, *batch.cached) if batch.cached else self.cache(batch, writing)
        own, together = (k, v), batch.together
        b //= together
        if together > 1:
            k, v = m.cross_decoder.tagged(*(z.view(b, together, *z.shape[1:]) for z in own))
        length = batch.ids.shape[1]
        with torch.set_grad_enabled(writing):
            hidden, own_k, own_v = self.segments(batch)
        position = (batch.sep.unsqueeze(-1) + torch.arange(a)).clamp(max=length - 1)  # [B, Q, A]
        hidden = hidden.view(b, count, length, c.width)
        x = hidden.gather(2, position.unsqueeze(-1).expand(-1, -1, -1, c.width))
        seen = torch.arange(t * c.tokens_per_frame) < batch.frames.unsqueeze(-1) * c.tokens_per_frame
        seen = seen & (torch.arange(t * c.tokens_per_frame) >= batch.begins[:, None, None] * c.tokens_per_frame)
        mask = torch.zeros(seen.shape).masked_fill(~seen, float("-inf")).repeat(1, 1, together)
        written = torch.arange(length) <= position.unsqueeze(-1)
        own_mask = torch.zeros(written.shape).masked_fill(~written, float("-inf"))
        began = batch.times.gather(1, batch.begins.repeat_interleave(together).unsqueeze(1))
        stream_times = (batch.times, (batch.times - began).clamp(min=0), batch.stood)
        times, since, stood = (z.view(b, together * t) for z in stream_times)
        moments = times.gather(1, batch.frames - 1)  # the streams of a group share one clock
        if own_caches:
            read, *own = m.caches(m.cross_decoder, frames, hidden, *stream_times, (moments, mask), together)
            first = position[None, :, :, :TALLY_TOKENS, None].expand(2, -1, -1, -1, read.above.shape[-1])
            of_answer = {key: z.gather(2, position.unsqueeze(-1).expand(-1, -1, -1, z.shape[-1])) for key, z in vars(read).items() if key != "above"}
            read = Reading(**of_answer, above=read.above.gather(3, first))
        else:
            read = m.cross_decoder(x, k, v, times, since, stood, moments, mask, own_k.view(b, count, length, c.kv_heads, c.head_dim),
                                   own_v.view(b, count, length, c.kv_heads, c.head_dim), own_mask, batch.of, batch.copies)
        want = batch.answer >= 0
        # Only the scored tokens.
        logits = m.logits(read.hidden[want], read.attended[want], read.counted[want], read.digits[want])
        target = self.place[batch.answer[want]]
        return logits, target, want, read, *own

    def cache(self, batch: Batch, writing: bool) -> tuple[torch.Tensor, ...]:
        """Runs frames through the self-decoder: hidden and the shared K, V `[B, N, ..]`, with gradients if
        `writing`."""
        m, (b, _) = self.model, batch.times.shape
        detail = batch.detail
        if m.training:
            detail = detail + DETAIL_NOISE * torch.randn_like(detail)
        x = m.visual(batch.label_mix, batch.word_mix, batch.top, batch.top_p, detail, batch.marks)
        x = x[torch.arange(b).unsqueeze(1), batch.frame_row]  # [B, T, 10, W]
        if m.training:
            x = x + 0.05 * torch.randn_like(x)
        x = (x + m.clock(batch.times).unsqueeze(2)).flatten(1, 2)
        with torch.set_grad_enabled(writing):
            return self.in_parts(x, batch.parts)

    def in_parts(self, x: torch.Tensor, parts: int) -> tuple[torch.Tensor, ...]:
        """Runs frames' tokens `[B, N, W]` through the self-decoder; all parts of a long stream but the first run side
        by side. Returns hidden, K, V `[B, N, ..]`."""
        shown = lambda z: torch.ones(z.shape[:2])
        if parts == 1:
            return self.model.self_decoder(x, shown(x))
        length, again = x.shape[1] // parts, PART_OVERLAP * self.config.tokens_per_frame
        first, later = x[:, :length], torch.cat([x[:, i * length - again : (i + 1) * length] for i in range(1, parts)])
        first, later = (self.model.self_decoder(z, shown(z)) for z in (first, later))
        # From part by part, each with all streams, to stream by stream.
        rest = (z[:, again:].unflatten(0, (parts - 1, len(x))).transpose(0, 1).flatten(1, 2) for z in later)
        return tuple(torch.cat(z, 1) for z in zip(first, rest))

    def segments(self, batch: Batch):
        """Runs all questions and answers through the self-decoder, short segments apart from long ones, to save
        padding."""
        m, (count, length) = self.model, batch.ids.shape
        cut = 2 * (length // 3)
        outputs = None
        for rows, n in (((batch.lengths <= cut).nonzero().flatten(), cut), ((batch.lengths > cut).nonzero().flatten(), length)):
            if len(rows) == 0:
                continue
            parts = m.self_decoder(m.embed(batch.ids[rows, :n], batch.text_times[rows, :n]), batch.text_times[rows, :n] >= 0)
            outputs = outputs or [torch.zeros(count, length, *p.shape[2:], dtype=p.dtype) for p in parts]
            for whole, part in zip(outputs, parts):
                whole[rows, :n] = part
        return outputs

    def loss(self, batch: Batch):
        c = self.config
        logits, target, want, read, k, v = self.forward(batch)
        evidence, early, above = read.evidence, read.early, read.above
        each = F.cross_entropy(logits, target, reduction="none")
        weight = torch.tensor([[0.5 if t in ("describe", "chat") else 1.0 for t in row] for row in batch.tasks])
        weight = weight.unsqueeze(-1).expand(want.shape)[want]
        answer = (each * weight).sum() / weight.sum()

        pointing, even, masses = answer.new_zeros(()), answer.new_zeros(()), []
        counted, presence = (torch.tensor([[task in tasks for task in row] for row in batch.tasks]) for tasks in (COUNTED, PRESENCE_TASKS))
        for shares, frames in ((evidence, batch.evidence), (early, batch.anchor)):
            tokens = (frames.unsqueeze(-1) * batch.cells.unsqueeze(2)).flatten(2)  # [B, Q, N]
            mass = (shares * tokens.unsqueeze(2)).sum(-1)  # [B, Q, A]
            told = want & (frames.sum(-1) > 0).unsqueeze(-1)
            masses.append(mass[told].mean() if told.any() else answer.new_zeros(()))
            if told.any():
                pointing = pointing - (mass[told].clamp(1e-4, SURE) / SURE).log().sum() / want.sum()
                even = even + evenness_loss(shares[:, :, 0], frames, tokens, counted)

        said = want[:, :, :TALLY_TOKENS]
        first = torch.arange(said.shape[-1]) == 0
        tally = tally_loss(above, batch, said & (counted.unsqueeze(-1) | presence.unsqueeze(-1) & first), presence)
        b, t = batch.times.shape
        frames = torch.randperm(b * t)[:160]
        last = lambda z: z.view(b * t, c.tokens_per_frame, -1)[:, -1][frames]
        vk, vv = last(k), last(v)
        clock = answer.new_zeros(())
        for reading, ms in ((self.probes.now(vv), batch.times), (self.probes.since(vv), batch.since)):
            ms, at = ms.flatten()[frames], 0
            for unit, base in DIGITS[2:8]:
                clock = clock + F.cross_entropy(reading[:, at : at + base].float(), ms % DAY // unit % base) / 12
                at += base
        changing = F.cross_entropy(self.probes.change(vk).float(), batch.change.flatten()[frames])
        naming = answer.new_zeros(())
        before, now_key, before_key = ((lambda x, p=p: p(x) / c.words_width**0.5) for p in self.probes.words)
        readings = ((self.model.words_read, vv, batch.label), (before, vv, batch.previous), (now_key, vk, batch.label), (before_key, vk, batch.previous))
        for probe, source, label in readings:
            label = label.flatten()[frames]
            known = label >= 0
            if known.any():
                logp = (probe(source[known]) @ self.label_words.T).float().log_softmax(-1)
                label = label[known]
                naming = naming - (logp.gather(1, self.bag_ids[label]) * self.bag_p[label]).sum(1).mean() / 4
        asked = asked_time_loss(self.probes.asked, read.middle[:, :, 0], batch)
        marks = batch.marks[torch.arange(b).unsqueeze(1), batch.frame_row].flatten(0, 1)[frames]
        marked = marks.sum(-1) > MARKED_FROM
        reading = F.binary_cross_entropy_with_logits(self.probes.marks(vv[marked]).float(), marks[marked]) if marked.any() else answer.new_zeros(())
        written = digit_loss(self.model.written, vv[marked], marks[marked])
        total = answer + 0.3 * pointing + 0.15 * even + 0.3 * tally + 0.15 * clock + 0.15 * naming + 0.3 * changing + 0.2 * asked + reading + written
        return total, {"answer": answer, "evidence": pointing, "even": even, "tally": tally, "clock": clock, "names": naming, "change": changing, "asked": asked, "marks": reading, "written": written, "mass": masses[0], "early": masses[1]}

    # --- evaluation -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def evaluate(self, frames: int, sets: dict[str, float] | None, streams: int = 32, questions: int = 12, tasks=None,
                 held_out: bool = False, seed: int = 7, several: bool = False) -> dict[str, dict[str, float]]:
        """Share of exact answers by task and set; empty if the data has none of the sets. It uses teacher forcing,
        which agrees with greedy decoding up to the first error."""
        if sets is not None and not self.unseen.has(sets):
            return {}
        self.model.eval()
        maker = StreamMaker(self.unseen, seed, held_out, sets)
        right: dict[str, list[float]] = {}
        for _ in range(math.ceil(streams / 8)):
            if frames > 200:
                batch = maker.batch_of_one(frames, frames // 60, questions)
            else:
                batch = maker.batch_of_several(2, 4, frames, questions) if several else maker.batch(8, frames, questions, tasks)
            with mixed_precision():
                logits, target, want, read, *_ = self.forward(batch)
            hit = torch.ones(want.shape, dtype=torch.bool)
            hit[want] = logits.argmax(-1) == target
            near = self.within_one(hit, want, logits.argmax(-1), target)
            hit = hit.all(-1)
            mass = (read.evidence[:, :, 0] * batch.evidence.repeat_interleave(self.config.tokens_per_frame, 2)).sum(-1)
            for i in range(len(batch.tasks)):
                for j, task in enumerate(batch.tasks[i]):
                    for key in (task, f"{task} {batch.kinds[i][j]}"):
                        right.setdefault(key, []).append(float(hit[i, j]))
                    if task == "repetitions":
                        right.setdefault("repetitions_within_one", []).append(float(near[i, j]))
                    if batch.evidence[i, j].any():
                        right.setdefault("mass", []).append(float(mass[i, j]))
        self.model.train()
        return {k: {"accuracy": round(sum(v) / len(v), 3), "total": len(v)} for k, v in sorted(right.items())}

    def within_one(self, hit: torch.Tensor, want: torch.Tensor, said: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Which answers are right if their number may be off by one, `[B, Q]`. hit `[B, Q, A]`; said and target: of the
        tokens of `want`, those predicted and the right ones."""
        digit = torch.full((len(self.answers),), -1)
        for value, token in enumerate(digit_tokens()):
            digit[self.place[token]] = value
        digits = lambda tokens: torch.full(want.shape, -1).masked_scatter(want, digit[tokens])  # [B, Q, A]
        meant, heard = digits(target), digits(said)
        numbers = [0, 0]
        for a in range(want.shape[-1]):
            is_digit = meant[..., a] >= 0
            numbers = [torch.where(is_digit, number * 10 + of[..., a], number) for number, of in zip(numbers, (meant, heard))]
        # A digit for each digit, and all other tokens exact.
        told = ((meant < 0) | (heard >= 0)).all(-1) & (hit | (meant >= 0)).all(-1)
        return hit.all(-1) | (told & ((numbers[0] - numbers[1]).abs() == 1))

    def report(self) -> dict:
        shop = {"grocery": 0.6, "clothing": 0.4}
        asked = lambda *tasks: dict.fromkeys(("now", "seen", "first", "before", "after", "at", "when", *tasks), 1)
        kinds = {
            "single": lambda: self.evaluate(1, None, 96, 3, {"now": 1}),
            "short": lambda: self.evaluate(8, shop, 32, 12, asked()),
            "paraphrased": lambda: self.evaluate(8, shop, 32, 12, asked(), held_out=True),
            # Asked by words for things of many names, mostly about scenes, which have no other names.
            "kinds": lambda: self.evaluate(8, {**shop, "flickr": 1}, 48, 12, {"seen": 1, "seennow": 1, "now": 1}),
            "exercises": lambda: self.evaluate(24, {"exercises": 1}, 16, 8, {"repetitions": 1}),
            "boards": lambda: self.evaluate(1, {"boards": 1}, 96, 3, BOARD_TASKS),
            "signs": lambda: self.evaluate(2, {"signs": 1}, 48, 4, SIGN_TASKS),
            "minutes": lambda: self.evaluate(600, shop, 32, 48),
            "several": lambda: self.evaluate(8, shop, 32, 16, several=True),
            "long": lambda: self.evaluate(60, shop, 24, 16, asked("left", "different", "duration", "changed", "haschanged")),
        }
        with self.mean.swapped_in():
            reported = {kind: evaluate() for kind, evaluate in kinds.items() if self.args.report == "all" or kind in BRIEF_REPORT}
        # Results by set are reported for single frames only.
        return {kind: {k: v["accuracy"] for k, v in tasks.items() if kind == "single" or " " not in k} for kind, tasks in reported.items() if tasks}

    # --- the run ----------------------------------------------------------------------------------------------

    def save(self) -> None:
        path = Path(self.args.work) / f"{self.args.name}.pt"
        with self.mean.swapped_in():
            mean = {name: value.clone() for name, value in self.model.state_dict().items()}
        state = {"config": self.config.json(), "model": mean, "last": self.model.state_dict(), "averaged": self.mean.count, "probes": self.probes.state_dict(), "muon": self.muon.state_dict(),
                 "adam": self.adam.state_dict(), "step": self.step, "spent": self.spent, "earlier": self.earlier, "stage": self.stage, "questions": self.questions,
                 "answers": self.answers, "kinds": True}
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)

    def resume(self) -> None:
        state = torch.load(Path(self.args.work) / f"{self.args.name}.pt", map_location="cpu")
        # A checkpoint from before some parts existed may be resumed: those parts start anew.
        own = self.config.json()
        others = [f"{field} {value} in place of {own.get(field)}" for field, value in state["config"].items() if field != "tags" and value != own.get(field)]
        if others:
            why = " (labels are the names of the data, which must be those that it was trained on)" if state["config"]["labels"] != own["labels"] else ""
            raise SystemExit(f"the checkpoint has another configuration: {', '.join(others)}{why}")
        # A new run (--restart-clock) starts from the running mean, an interrupted one resumes from its last weights.
        weights, now = state["model"] if self.args.restart_clock else state.get("last", state["model"]), self.model.state_dict()
        marked = "visual.from_marks.weight" in weights
        for name in now:
            if name.endswith(LATER_PARTS) and (name not in weights or weights[name].shape != now[name].shape):
                weights[name] = now[name]
        if state["answers"] != self.answers:  # the data's answers may have gained tokens
            bias = dict(zip(state["answers"], weights["out_bias"].tolist()))
            weights["out_bias"] = torch.tensor([bias.get(token, 0.0) for token in self.answers])
        self.model.load_state_dict(weights)
        if not marked:  # again, from the trained maps of words
            self.model.begin_marks(mark_words())
        if not state.get("kinds"):  # nor do the names of an older checkpoint hold their kinds
            self.model.begin_kinds(self.world.kinds_of_names())
        self.mean.begin()
        if not self.args.restart_clock and "last" in state and state.get("kinds"):
            self.mean.resume(state["model"], state.get("averaged", MEAN_STEPS))
        if "probes" in state:
            self.probes.load_state_dict(state["probes"], strict=False)
        sizes = lambda optimiser: [len(group["params"]) for group in optimiser["param_groups"]]
        if "adam" in state and state["answers"] == self.answers and all(sizes(state[name]) == sizes(getattr(self, name).state_dict()) for name in ("muon", "adam")):
            # A checkpoint from a bundle has no optimiser state, and that of a model with other parameters does not fit.
            self.muon.load_state_dict(state["muon"])
            self.adam.load_state_dict(state["adam"])
        self.step, self.stage, self.questions = state["step"], state["stage"], state["questions"]
        self.spent, self.earlier = state["spent"], state.get("earlier", 0.0)
        if self.args.restart_clock:
            self.spent, self.earlier = 0.0, self.spent + self.earlier

    def log(self, **values) -> None:
        line = json.dumps({"step": self.step, "stage": self.stage, "minutes": round(self.spent / 60, 1), "questions": self.questions, **values})
        print(line, flush=True)
        with open(Path(self.args.work) / f"{self.args.name}.jsonl", "a") as f:
            f.write(line + "\n")

    def update(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step of both optimisers; returns the parts of the loss."""
        with mixed_precision():
            loss, parts = self.loss(batch)
        self.muon.zero_grad()
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in self.adam.param_groups for p in group["params"]], 1.0)
        self.muon.step()
        self.adam.step()
        self.mean.update()
        return parts

    def next_batch(self, makers: dict[str, StreamMaker]) -> Batch:
        """A batch of a kind drawn by the shares of this stage."""
        shares = dict(SHARES[self.stage])
        if self.stage == 3:
            shares |= {"counts": self.args.counting, **self.args.shares}
        if self.config.cache != "shared":
            shares.pop("long", None)
        for kind, needed in NEEDS.items():
            if not self.world.has([needed]):
                shares.pop(kind, None)
        kind = random.choices(list(shares), list(shares.values()))[0]
        maker = makers.get(kind, makers["usual"])
        if kind == "several":
            return maker.batch_of_several(*random.choice(SEVERAL_SHAPES))
        if kind == "long":
            if random.random() < self.args.haystack_share:
                return self.haystacks.next(maker)
            distinct = random.random() < DISTINCT
            return (makers.get("many", maker) if distinct else maker).batch_of_one(*random.choice(LONG_SHAPES), distinct=distinct)
        if kind == "counts" and self.config.cache == "shared" and random.random() < LONG_COUNTS:
            return makers.get("many", maker).batch_of_one(*random.choice(LONG_COUNT_SHAPES), COUNT_TASKS, distinct=True)
        frames, streams, questions = random.choice(SHAPES[kind])
        if kind == "times":
            return maker.batch(streams, frames, questions, TIMES_TASKS, again=COMES_AGAIN)
        if kind == "scenes":
            return maker.batch(streams, frames, questions, SCENE_TASKS, long=True)
        tasks = {"boards": BOARD_TASKS, "signs": SIGN_TASKS, "counts": COUNT_TASKS, "kinds": KIND_TASKS}.get(kind, SINGLE_TASKS if frames == 1 else None)
        return maker.batch(streams, frames, questions, tasks)

    def run(self) -> None:
        makers = {kind: StreamMaker(self.world, self.args.seed + self.step, sets=sets, part=PART_OF_COUNTS if kind in ("counts", "many") else PART, general=GENERAL_OF_KINDS if kind == "kinds" else GENERAL) for kind, sets in SETS_OF.items() if self.world.has(sets)}
        budget, first = self.args.hours * 3600, self.step
        if first > 0:  # a resumed run draws anew, so that it does not repeat the same kinds of steps in the same order
            random.seed(self.args.seed + first)
            torch.manual_seed(self.args.seed + first)
        window: dict[str, list[float]] = {}
        since_report = since_save = 0.0
        stopped = asked_to_stop()
        now = time.process_time if self.args.clock == "processor" else time.time
        while self.spent < budget and not stopped.is_set():
            start = now()
            decay = self.args.decay_from
            rate = min(1, (self.step - first + 1) / WARM_UP, max(0.02, (1 - self.spent / budget) / (1 - decay)))
            self.muon.param_groups[0]["lr"] = self.args.lr * rate
            for group in self.adam.param_groups:
                group["lr"] = self.args.adam_lr * rate * group["scale"]
            batch = self.next_batch(makers)
            self.writing = random.random() >= self.args.reading_share
            parts = self.update(batch)
            self.step += 1
            self.questions += batch.answer.shape[0] * batch.answer.shape[1]
            for k, v in parts.items():  # before the clock is read, since this waits for the GPU
                window.setdefault(k, []).append(float(v.detach()))
            took = now() - start
            self.spent += took
            since_report += took
            since_save += took
            window.setdefault("s", []).append(took)
            window.setdefault("tokens_s", []).append((batch.times.numel() * self.config.tokens_per_frame + int(batch.lengths.sum())) / took)
            if self.step % 50 == 0 or self.spent >= budget:
                self.log(**{k: round(sum(v) / len(v), 3) for k, v in window.items()})
                window.clear()
            if since_report > self.args.report_minutes * 60:
                since_report = 0
                begun = time.time()
                report = self.report()
                self.log(report=report, report_s=round(time.time() - begun))
                recall = [report.get("short", {}).get(t, 0) for t in ("first", "before", "after", "at")]
                if self.stage == 1 and (report["single"].get("now grocery", 0) > 0.7 or self.spent > 0.2 * budget):
                    self.stage = 2
                elif self.stage == 2 and (sum(recall) / 4 > 0.6 or self.spent > 0.5 * budget):
                    self.stage = 3
            if since_save > 240:
                since_save = 0
                self.save()
        if self.step > first:  # a run that had already finished reports nothing and keeps its files
            if not stopped.is_set():
                self.log(report=self.report())
            self.save()
        if stopped.is_set():
            raise SystemExit(f"stopped at step {self.step}; --resume goes on from it")


def asked_to_stop() -> threading.Event:
    """Set by SIGTERM or SIGINT: the step in progress finishes and the checkpoint is saved, so nothing is lost. A second
    signal of the kind ends the run at once."""
    event = threading.Event()

    def stop(number: int, _frame: object) -> None:
        event.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return event


def shares_of(text: str) -> dict[str, float]:
    try:
        shares = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON ({error})") from None
    if not isinstance(shares, dict) or not all(isinstance(share, (int, float)) and share >= 0 for share in shares.values()):
        raise argparse.ArgumentTypeError("expected an object of numbers from 0 on")
    known = [*SHARES[3], "counts"]
    if wrong := [kind for kind in shares if kind not in known]:
        raise argparse.ArgumentTypeError(f"there are no steps called {wrong[0]!r}; there are {', '.join(known)}")
    return shares


# Values of the fields of Config that are not numbers.
CHOICES = {"self_decoder": ("window", "retention"), "cache": ("shared", "layers")}


def config_of(text: str) -> str:
    """Checks that the JSON sets fields of Config, and returns it unchanged."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON ({error})") from None
    known = Config().json()
    if not isinstance(fields, dict):
        raise argparse.ArgumentTypeError("expected an object")
    for field, value in fields.items():
        if field not in known or field == "labels":  # the data decides how many labels there are
            raise argparse.ArgumentTypeError(f"there is no field {field!r}; there are {', '.join(name for name in known if name != 'labels')}")
        choices = CHOICES.get(field)
        if (value not in choices) if choices else type(value) is not int:
            raise argparse.ArgumentTypeError(f"{field}: expected {' or '.join(choices) if choices else 'a whole number'}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="clock of --hours: wall time, or processor time of all threads together, which other programs do not use up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=1e-3)
    parser.add_argument("--decay-from", type=float, default=0.5, help="share of the time after which the learning rates decay linearly")
    parser.add_argument("--name", default="small")
    parser.add_argument("--config", type=config_of, default="{}", help="fields of Config as JSON")
    parser.add_argument("--report-minutes", type=float, default=3)
    parser.add_argument("--report", choices=("all", "brief"), default="all", help="brief: only single frames, short streams and paraphrases, for large models")
    parser.add_argument("--reading-share", type=float, default=0.0, help="share of the steps that train the cross-decoder only; these cost a third")
    parser.add_argument("--counting", type=float, default=0.08, help="last stage: share of steps that ask for numbers only, relative to SHARES")
    parser.add_argument("--shares", type=shares_of, default="{}", help='last stage: shares of kinds of steps that replace those of SHARES, as JSON: {"boards": 0.4}')
    parser.add_argument("--haystack-share", type=float, default=HAYSTACK_SHARE, help="share of the long streams that are haystacks of up to a day")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--restart-clock", action="store_true", help="with --resume: start a new schedule from the checkpoint's averaged weights")
    add_device(parser)
    args = parser.parse_args()
    if args.resume and not (Path(args.work) / f"{args.name}.pt").exists():
        parser.error(f"--resume: {Path(args.work) / args.name}.pt is missing")
    trainer = Trainer(args)
    if args.resume:
        trainer.resume()
    trainer.run()


if __name__ == "__main__":
    main()
