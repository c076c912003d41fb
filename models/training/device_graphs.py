"""The decoders as graphs for a device (a GPU through WebGPU). The stream's state stays on the device, and what the host
reads and writes does not grow with it.

They are made from the same weights as the other graphs. self_decoder.py and cross_decoder.py say what they compute; the runtime's tests compare
both.

- `device_self_decoder`: one step of a stream's frames. Its window comes in and goes out as device tensors.
- `device_append`: writes a frame's K, V and time into a page. The page comes out as a new tensor: WebGPU's kernels do
  not write in place, and a page is small.
- `device_window`: copies a window to the host, for a snapshot.
- `device_cross_decoder_P`: one token for each of Q questions, over P pages in one softmax. Unused pages are masked.

Every kernel must run on the device: there are no 64-bit integers and no computed shapes (each Reshape infers at most
one size), and times come as features that the runtime computes (time-code.ts).

A page holds F frames, so `N = F * tokens_per_frame` tokens for each of G heads: keys `[G, D, N]`, laid out for the
product; values `[G, N, D]`; codes `[CODE - 2, F]`: the features of the frames' times; times `[F]`: seconds since the
page's first frame; before `[F]`: for how many seconds the previous frame was shown, which is only known when the next
one comes.
"""

import math

import torch
from torch import nn

from config import Config
from copy_paths import digits_read
from counting import COUNTS, MASS_FEATURES, attention_features
from model import YocoLive
from time_code import CODE, DIGITS, PERIODS, CLOCK_DIGITS_SIZE

PAGE_FRAMES = 256
# Numbers of pages that a question may read, each a graph of its own: a graph costs as much as it can read.
PAGES = (1, 4, 16)
CLOCK_SIZE = sum(base for _, base in DIGITS) + 2 * len(PERIODS)
UNSEEN = -1e30


class DeviceSelfDecoder(nn.Module):
    """tokens `[1, n, W]`, clock `[1, n, CLOCK_SIZE]` (one-hot digits, then Fourier features), past_k, past_v
    `[1, layers, window, G, D]`, of which past_length `[1]` are real -> shared K, V `[n, G, D]`, twice (for the device
    and for the host), and the next window."""

    def __init__(self, model: YocoLive):
        super().__init__()
        self.c, self.decoder, self.n = model.c, model.self_decoder, model.c.tokens_per_frame
        n = self.n
        tables = torch.cat([table.weight for table in model.clock.digits])
        self.register_buffer("clock", torch.cat([tables, model.clock.waves.weight.T]).detach())  # [CLOCK_SIZE, W]
        w = self.c.window
        back = torch.arange(n).unsqueeze(1) + w - torch.arange(w + n)
        self.register_buffer("outside", torch.zeros(n, w + n).masked_fill((back < 0) | (back >= w), UNSEEN))
        self.register_buffer("place", torch.arange(w + n).float())
        cos, sin = self.decoder.turns(w + n)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def forward(self, tokens, clock, past_k, past_v, past_length):
        c, n = self.c, self.n
        x = tokens + clock @ self.clock
        empty = (c.window - past_length - self.place).clamp(0, 1) * UNSEEN  # 0 from the first real token on
        mask = (self.outside + empty).clamp(min=UNSEEN).unsqueeze(0)
        next_k, next_v = [], []
        for i, layer in enumerate(self.decoder.layers):
            past = (past_k[:, i], past_v[:, i])
            y, (k, v) = layer.attention(layer.norm(x), mask, self.cos, self.sin, past)
            if i == 0:
                known = (past_length / n).clamp(0, 1).unsqueeze(-1)  # whether there is an earlier frame
                y = y + self.decoder.movement(v, past[1][:, -n:], known)
            next_k.append(torch.cat([past[0][:, n:], k], 1))
            next_v.append(torch.cat([past[1][:, n:], v], 1))
            x = layer.after(x, y)
        k, v = (z[0] for z in self.decoder.shared(x))
        return k, v, k + 0, v + 0, torch.stack(next_k, 1), torch.stack(next_v, 1)


class DeviceAppend(nn.Module):
    """Writes one frame into a page, at frame `place` `[1]`: k, v `[n, G, D]`, code `[CODE - 2, 1]`, seconds `[1]` since
    the page's first frame, and stood `[1]`: for how many seconds the previous frame was shown."""

    def __init__(self, c: Config, frames: int = PAGE_FRAMES):
        super().__init__()
        self.frames = frames
        self.register_buffer("frame", torch.arange(frames).float())
        self.register_buffer("token_frame", torch.arange(frames).repeat_interleave(c.tokens_per_frame).float())

    def forward(self, k, v, code, seconds, stood, place, keys, values, codes, times, before):
        here, token_here = ((f - place).abs() < 0.5 for f in (self.frame, self.token_frame))
        keys = torch.where(token_here, k.permute(1, 2, 0).repeat(1, 1, self.frames), keys)
        values = torch.where(token_here.unsqueeze(-1), v.permute(1, 0, 2).repeat(1, self.frames, 1), values)
        return keys, values, torch.where(here, code, codes), torch.where(here, seconds, times), torch.where(here, stood, before)


class DeviceWindow(nn.Module):
    def forward(self, past_k, past_v):
        return past_k + 0, past_v + 0


class DeviceCrossDecoder(nn.Module):
    """`CrossDecoder.read` over pages, for Q questions.

    - hidden `[Q, W]`;
    - log_n `[Q]`: logarithm of the number of tokens that a question reads, its own included;
    - own_k, own_v `[Q, S, G, D]`, own_mask `[Q, S]` (0 or UNSEEN);
    - counted `[Q, COUNTS]` as in `CrossDecoder.read`;
    - seen and until `[Q, P]`: how many frames of each page a question sees, and for how many seconds the last of them
      had been shown;
    - skipped `[P]`: frames at the start of a page that are no longer kept;
    - since `[P]` and age `[Q, P]`: seconds from the stream's first frame to the page's first, and from there to the
      question;
    - tag_k, tag_v `[P, G, D]`: the tag of the page's stream;
    - then keys, values, codes, times, before of each of the P pages.

    Returns logits `[Q, answers]`, the evidence of each frame `[Q, P * F]`, the queries for an index
    `[Q, layers, H, D + CODE]`, and what was counted `[Q, COUNTS]`.
    """

    def __init__(self, model: YocoLive, head: nn.Module, pages: int, frames: int = PAGE_FRAMES):
        super().__init__()
        self.c, self.head, self.pages, self.frames = model.c, head, pages, frames
        self.decoder = model.cross_decoder
        self.register_buffer("frame", torch.arange(frames).float())
        self.register_buffer("each_token", torch.ones(self.c.tokens_per_frame))
        self.register_buffer("zero", torch.zeros(1, 1))

    def forward(self, hidden, log_n, own_k, own_v, own_mask, counted, seen, until, skipped, since, age, tag_k, tag_v, *pages):
        c, p = self.c, self.pages
        g, h, d, n = c.kv_heads, c.cross_heads, c.head_dim, self.frames * c.tokens_per_frame
        frames, group = self.frames, h // g
        keys, values, codes, times, before = (pages[i :: len(PAGE)] for i in range(len(PAGE)))
        codes = torch.cat(codes, 1)  # [CODE - 2, P * F]
        times = torch.stack(times)  # [P, F]
        # Slices, since a single Split would have more outputs than a shader may bind.
        cut = lambda x, size: [x[..., i * size : (i + 1) * size] for i in range(p)]
        log_seconds = lambda seconds: (seconds.clamp(min=0) + 1).log()
        since = log_seconds(times + since.unsqueeze(-1)).reshape(1, 1, p * frames)
        age = log_seconds(age.unsqueeze(-1) - times).reshape(-1, 1, p * frames)  # [Q, 1, P * F]
        # The next frame's entry says for how long a frame was shown; for the last frame that is seen the host says it.
        after = torch.cat([torch.stack(before)[:, 1:], self.zero.expand(p, 1)], 1)  # [P, F]
        last = (1 - (self.frame - seen.unsqueeze(-1) + 1).abs()).clamp(min=0)  # [Q, P, F]
        lasts = (after + last * (until.unsqueeze(-1) - after)).reshape(-1, p * frames)
        unseen = (self.frame - seen.unsqueeze(-1) + 1).clamp(0, 1) + (skipped.unsqueeze(-1) - self.frame).clamp(0, 1)
        unseen = (unseen * UNSEEN).reshape(-1, 1, p * frames)
        tag_k, tag_v = tag_k.permute(1, 2, 0), tag_v.permute(1, 0, 2)  # [G, D, P], [G, P, D]
        own_keys, own_values = own_k.permute(2, 0, 3, 1), own_v.permute(2, 0, 1, 3)  # [G, Q, D, S], [G, Q, S, D]
        own_mask = own_mask.unsqueeze(0).unsqueeze(2)  # [1, Q, 1, S]
        sharp = log_n.unsqueeze(-1).unsqueeze(-1)
        evidence = attended = 0
        asked = []
        x = hidden
        for i, layer in enumerate(self.decoder.layers):
            normed = layer.norm(x)
            attention = layer.attention
            q = attention.q(normed).reshape(-1, h, d)
            q = q * torch.rsqrt(q.pow(2).mean(-1, keepdim=True) + 1e-6) * (attention.scale.view(-1, 1) * sharp) / math.sqrt(d)  # [Q, H, D]
            wanted = attention.when(normed).reshape(-1, h, CODE) * (sharp / math.log(200))  # [Q, H, CODE]
            asked.append(torch.cat([q, wanted], -1))
            when = wanted[..., :-2] @ codes + wanted[..., -2:-1] * since + wanted[..., -1:] * age + unseen  # [Q, H, P * F]
            when = when.reshape(-1, g, group, p * frames).permute(1, 0, 2, 3)  # [G, Q, group, P * F]
            when = (when.unsqueeze(-1) * self.each_token).reshape(g, -1, group, p * n)
            mine = q.reshape(-1, g, group, d).permute(1, 0, 2, 3)  # [G, Q, group, D]
            flat = mine.reshape(g, -1, d)
            on_tags = flat @ tag_k  # [G, Q * group, P]
            on_stream = torch.cat([flat @ k + tag for k, tag in zip(keys, cut(on_tags, 1))], -1).reshape(g, -1, group, p * n) + when
            on_own = mine @ own_keys + own_mask  # [G, Q, group, S]
            above = on_stream[0, :, 0] - attention.tally.above(normed, log_n)
            of_frames = above.sigmoid().reshape(-1, p * frames, c.tokens_per_frame).sum(-1)
            number = torch.stack([of_frames.sum(-1), (of_frames * lasts).sum(-1)], -1)  # [Q, COUNTS]
            if i == c.cross_layers // 2:
                number = torch.where(counted < 0, number, counted)
                said = number
            most = torch.maximum(on_stream.amax(-1, keepdim=True), on_own.amax(-1, keepdim=True))
            on_stream, on_own = (on_stream - most).exp(), (on_own - most).exp()
            total = on_stream.sum(-1, keepdim=True) + on_own.sum(-1, keepdim=True)
            on_stream, on_own = on_stream / total, on_own / total
            parts = cut(on_stream.reshape(g, -1, p * n), n)
            y = sum(part @ v for part, v in zip(parts, values)) + torch.cat([part.sum(-1, keepdim=True) for part in parts], -1) @ tag_v
            y = y.reshape(g, -1, group, d)
            counts = attention_features(on_stream.sum(-1), on_stream.amax(-1), on_own.sum(-1)).permute(1, 0, 2, 3)  # [Q, G, group, MASS_FEATURES]
            if i >= c.cross_layers // 2:
                evidence = evidence + on_stream.sum((0, 2)).reshape(-1, p * frames, c.tokens_per_frame).sum(-1)
                attended = attended + y.mean(2).permute(1, 0, 2).reshape(-1, g * d)
            heads = (y + on_own @ own_values).permute(1, 0, 2, 3).reshape(-1, h * d)
            x = x + attention.o(heads) + attention.count(counts.reshape(-1, h * MASS_FEATURES)) + attention.tally.said(number[:, :1])
            x = x + layer.ffn(layer.ffn_norm(x))
        late = c.cross_layers - c.cross_layers // 2
        evidence = evidence / (h * late)
        dated = digits_read(evidence, codes[:CLOCK_DIGITS_SIZE].T)
        return self.head.logits(x, attended / late, said, dated), evidence, torch.stack(asked, 1), said


def page(c: Config, frames: int = PAGE_FRAMES) -> tuple[torch.Tensor, ...]:
    """An empty page."""
    g, d, n = c.kv_heads, c.head_dim, frames * c.tokens_per_frame
    return torch.zeros(g, d, n), torch.zeros(g, n, d), torch.zeros(CODE - 2, frames), torch.zeros(frames), torch.zeros(frames)


PAGE = ("keys", "values", "codes", "times", "before")


def device_graphs(model: YocoLive, head: nn.Module, frames: int = PAGE_FRAMES):
    """Yields (name, module, example inputs by name, output names, dynamic axes)."""
    c = model.c
    n, q, s, g, d = c.tokens_per_frame, 2, 5, c.kv_heads, c.head_dim
    window = torch.zeros(1, c.self_layers, c.window, c.self_kv_heads, d)
    yield ("device_self_decoder", DeviceSelfDecoder(model),
           {"tokens": torch.zeros(1, n, c.width), "clock": torch.zeros(1, n, CLOCK_SIZE), "past_k": window, "past_v": window, "past_length": torch.zeros(1)},
           ["k", "v", "host_k", "host_v", "next_k", "next_v"], {})
    kv = torch.zeros(n, g, d)
    yield ("device_append", DeviceAppend(c, frames),
           {"k": kv, "v": kv, "code": torch.zeros(CODE - 2, 1), "seconds": torch.zeros(1), "stood": torch.zeros(1), "place": torch.zeros(1), **dict(zip(PAGE, page(c, frames)))},
           [f"next_{name}" for name in PAGE], {})
    yield "device_window", DeviceWindow(), {"past_k": window, "past_v": window}, ["host_k", "host_v"], {}
    for p in PAGES:
        own = torch.zeros(q, s, g, d)
        inputs = {"hidden": torch.zeros(q, c.width), "log_n": torch.ones(q), "own_k": own, "own_v": own, "own_mask": torch.zeros(q, s), "counted": torch.full((q, COUNTS), -1.0), "seen": torch.ones(q, p), "until": torch.zeros(q, p),
                  "skipped": torch.zeros(p), "since": torch.zeros(p), "age": torch.zeros(q, p), "tag_k": torch.zeros(p, g, d), "tag_v": torch.zeros(p, g, d)}
        pages = {f"{name}{i}": value for i in range(p) for name, value in zip(PAGE, page(c, frames))}
        outputs = ["logits", "evidence", "queries", "counts"]
        axes = {**{name: {0: "questions"} for name in ("hidden", "log_n", "counted", "seen", "until", "age", *outputs)},
                **{name: {0: "questions", 1: "own"} for name in ("own_k", "own_v", "own_mask")}}
        yield f"device_cross_decoder_{p}", DeviceCrossDecoder(model, head, p, frames), {**inputs, **pages}, outputs, axes
