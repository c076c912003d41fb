"""The model of yoco-live: a YOCO decoder-decoder over visual tokens. Reads top to bottom.

YOCO: Sun et al. 2024, "You Only Cache Once" (arXiv:2405.05254). Departures, with reasons (more in docs/model.md):
- the shared K, V are not rotated (NoPE, as in YOCO-U and SambaY): time is content, and a cache has no maximum length;
- queries and keys are RMS-normalised per head, with a learned scale times log(n) (Scalable-Softmax, arXiv:2501.19399),
  so that attention stays as sharp over hours as over seconds;
- each query adds a score for a frame's time (`CrossAttention.when`), so keys need not hold the time of day;
- a softmax divides counts away, so each head also reports how many tokens it found (`attention_features`), and the first head of
  each layer counts the tokens that score above a threshold (`Tally`); questions about numbers need this, and `NumberCopy`
  copies the number into the answer;
- the time of the frames that are read is known exactly, so it is copied into the answer (`TimeCopy`), not decoded from the
  values of the stream's tokens;
- a written number is decoded from the values that are read, digit by digit, and copied into the answer (`WritingCopy`);
- the residual width differs from that of the word embeddings: two maps join them, which start as the words' principal
  components.

Shapes: B streams or segments, n tokens, W the width, H heads of size D, G heads of K and V.
"""

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from retention import GatedRetention
from text import digit_tokens


@dataclass(frozen=True)
class Config:
    self_decoder: str = "window"  # or "retention", see retention.py
    cache: str = "shared"  # or "layers": the baseline of layer_caches.py
    width: int = 256
    words_width: int = 576
    ffn: int = 768
    head_dim: int = 64
    self_layers: int = 4
    self_heads: int = 4
    self_kv_heads: int = 2
    cross_layers: int = 4
    cross_heads: int = 6
    kv_heads: int = 3
    window: int = 256  # tokens that a self-decoder layer sees, the current one included
    tokens_per_frame: int = 10
    labels: int = 0  # size of the table of names
    top_labels: int = 8
    tags: int = 8  # streams that one question may read
    detail: int = 24  # size of a vector's detail (projector.py)
    marks: int = 59  # size of a picture's marks: what it says, and in which colour (marks.py)

    def json(self) -> dict:
        return asdict(self)


DAY = 86_400_000
# The clock: days (tens, ones), hours, minutes, seconds (tens, ones each), tenths of a second.
DIGITS = [(10 * DAY, 10), (DAY, 10), (36_000_000, 3), (3_600_000, 10), (600_000, 6), (60_000, 10), (10_000, 6), (1_000, 10), (100, 10)]
# Periods of the Fourier features in ms: powers of two of a second, up to about three days.
PERIODS = [1000 * 2**i for i in range(1, 19)]


# The digits from hours to seconds, which a query may ask for and an answer may say.
CLOCK_DIGITS = DIGITS[2:8]
CLOCK_DIGITS_SIZE = sum(base for _, base in CLOCK_DIGITS)


def time_code(ms: torch.Tensor, since: torch.Tensor) -> torch.Tensor:
    """Features of frames' times. ms: their times, int64 `[.., F]`; since: ms since their stream's first frame ->
    `[.., F, CODE - 1]`.

    One-hot digits of the clock, Fourier features, and the logarithm of the seconds since the stream began.
    """
    digits = [(ms % DAY // unit % base).unsqueeze(-1) == torch.arange(base) for unit, base in CLOCK_DIGITS]
    return torch.cat([*(d.float() for d in digits), waves(ms), log_seconds(since).unsqueeze(-1)], -1)


def waves(ms: torch.Tensor) -> torch.Tensor:
    """Times in ms, int64 `[..]` -> their Fourier features `[.., 2 * PERIODS]`."""
    periods = torch.tensor(PERIODS)
    # The phase is taken in integers: a float32 number of seconds loses its fraction after weeks.
    phase = (ms.unsqueeze(-1) % periods).float() / periods.float() * (2 * math.pi)
    return torch.cat([phase.sin(), phase.cos()], -1)


def lasting(stood: torch.Tensor, age: torch.Tensor) -> torch.Tensor:
    """stood: how long each frame is shown; age: how long before the question it appeared; int64 ms -> for how many
    seconds it had been shown by then."""
    return torch.minimum(stood, age.clamp(min=0)).float() / 1000


def log_seconds(ms: torch.Tensor) -> torch.Tensor:
    return (ms.clamp(min=0).float() / 1000 + 1).log()


# The last feature is the logarithm of the seconds between a frame and the moment of the question.
CODE = CLOCK_DIGITS_SIZE + 2 * len(PERIODS) + 2


# Numbers by which each head says how much it found, beside what it read.
MASS_FEATURES = 4


def attention_features(share: torch.Tensor, most: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """share and most: the sum and the largest of the attention shares on the stream's tokens; own: the sum on the
    segment's own tokens; each `[..]` -> `[.., MASS_FEATURES]`.

    The sum over the largest share is the number of tokens read as much as the most read one; two features grow with it,
    one for small numbers and one for large. The third is the stream's share of the attention. The fourth is its
    log-odds against the segment's own tokens: each doubling of what is found adds log 2 and, unlike the first two, it
    does not depend on the single largest share.
    """
    count = share / (most + 1e-9)
    odds = ((share + 1e-6) / (own + 1e-6)).log()
    return torch.stack([count.clamp(max=32) / 8, (count + 1).log() / 2, share, odds / 8], -1)


# A tally is encoded by its closeness to each of these whole numbers, and its base-2 logarithm by that to each of these.
NUMBERS = range(13)
LOGARITHMS = [2 + i / 4 for i in range(25)]
TALLY = len(NUMBERS) + len(LOGARITHMS)
# Suffixes of the names of weights that older checkpoints lack; such a checkpoint can still be resumed and averaged.
LATER_PARTS = (".tag_k", ".tag_v", ".when.weight", ".count.weight", ".tally.threshold.weight", ".tally.threshold.bias", ".tally.into.weight", ".from_detail.weight", ".from_marks.weight", "counted.gate.weight", "counted.gate.bias",
               "dated.gate.weight", "dated.gate.bias", "written.read.weight", "written.read.bias", "written.gate.weight", "written.gate.bias", "movement.read.weight", "movement.read.bias", "movement.write.weight")
# Standard deviation of the noise that tells a mark from its word at the start: tens and ones share the same words.
MARKED = 1.0
OF_KIND = 0.3  # weight of a kind's word in the initial token of each name of this kind, beside the name's own words
# Keys of a checkpoint that only training needs.
FOR_TRAINING = ("muon", "adam", "last")
# The first positions of an answer, those next to a possible digit: only their tallies are supervised.
TALLY_TOKENS = 3
# The position of an answer whose count all later positions reuse, so that the last digit of a number comes from the
# same count as its first. The position before it predicts the space before a number.
COUNT_TOKEN = 1
# Only counts below this are copied into answers.
COUNTED_BELOW = 100
# How sharply a fractional count is rounded to the nearest whole number.
ROUNDING_SHARPNESS = 8
# Outputs of a tally: how many tokens it found, and for how many seconds their frames were shown.
COUNTS = 2
# Numbers that an answer may copy: the tokens, half of them (repetitions of a movement with two poses), and the seconds.
NUMBERS_SAID = 3
# A frame counts as shown until the next one, but for at most this many ms: a camera that was away showed nothing.
LONGEST = 10_000
# Floor for the probability of a digit.
PROBABILITY_FLOOR = 1e-3


def rms(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Norm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return rms(x) * self.gain


class SwiGLU(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.gate = nn.Linear(c.width, c.ffn, bias=False)
        self.up = nn.Linear(c.width, c.ffn, bias=False)
        self.down = nn.Linear(c.ffn, c.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Clock(nn.Module):
    """Time in ms, int64 `[B, n]` (negative: no time) -> `[B, n, W]`: digits of the clock and Fourier features."""

    def __init__(self, c: Config):
        super().__init__()
        self.digits = nn.ModuleList([nn.Embedding(base, c.width) for _, base in DIGITS])
        for table in self.digits:
            nn.init.normal_(table.weight, std=0.3)
        self.waves = nn.Linear(2 * len(PERIODS), c.width, bias=False)

    def forward(self, ms: torch.Tensor) -> torch.Tensor:
        t = ms.clamp(min=0)
        x = self.waves(waves(t))
        for table, (unit, base) in zip(self.digits, DIGITS):
            x = x + table(torch.div(t if unit >= DAY else t % DAY, unit, rounding_mode="floor") % base)
        return x * (ms >= 0).unsqueeze(-1)


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


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE (arXiv:2104.09864), halves convention. x `[B, n, H, D]`, cos and sin `[n, D/2]`."""
    a, b = x.chunk(2, -1)
    cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class WindowAttention(nn.Module):
    """Sliding-window attention. Its state is the last `window` keys and values; keys are stored unrotated."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.q = nn.Linear(c.width, c.self_heads * c.head_dim, bias=False)
        self.k = nn.Linear(c.width, c.self_kv_heads * c.head_dim, bias=False)
        self.v = nn.Linear(c.width, c.self_kv_heads * c.head_dim, bias=False)
        self.o = nn.Linear(c.self_heads * c.head_dim, c.width, bias=False)
        self.scale = nn.Parameter(torch.full((c.self_heads,), 1.2))

    def forward(self, x, mask, cos, sin, past=None):
        """x `[B, n, W]`; mask `[B or 1, n, P + n]`, 0 or -inf, P the length of the past; cos, sin `[P + n, D/2]`."""
        c, (b, n, _) = self.c, x.shape
        q = rms(self.q(x).view(b, n, c.self_heads, c.head_dim))
        k = rms(self.k(x).view(b, n, c.self_kv_heads, c.head_dim))
        v = self.v(x).view(b, n, c.self_kv_heads, c.head_dim)
        new = (k, v)
        if past is not None:
            k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
        p = k.shape[1] - n
        q = rotate(q, cos[p:], sin[p:]) * self.scale.view(-1, 1)
        k = rotate(k, cos, sin)
        group = c.self_heads // c.self_kv_heads
        q = q.view(b, n, c.self_kv_heads, group, c.head_dim).permute(0, 2, 3, 1, 4).reshape(b, c.self_kv_heads, group * n, c.head_dim)
        scores = q @ k.permute(0, 2, 3, 1) / math.sqrt(c.head_dim)  # [B, G, group * n, P + n]
        scores = scores.float().view(b, c.self_kv_heads, group, n, p + n) + mask[:, None, None]
        a = scores.softmax(-1).to(v.dtype).view(b, c.self_kv_heads, group * n, p + n)
        y = (a @ v.permute(0, 2, 1, 3)).view(b, c.self_kv_heads, group, n, c.head_dim).permute(0, 3, 1, 2, 4)
        return self.o(y.reshape(b, n, -1)), new


class Movement(nn.Module):
    """What a token shows that the same token of the previous frame did not: squared differences of the first layer's
    values.

    Attention alone would have to find the one token that is a frame older and then learn to subtract it before either
    is of any use. The window holds those values anyway, so this adds no state.
    """

    SIZE = 64

    def __init__(self, c: Config):
        super().__init__()
        self.read = nn.Linear(c.self_kv_heads * c.head_dim, self.SIZE)
        self.write = nn.Linear(self.SIZE, c.width, bias=False)

    def forward(self, v, before, known):
        """v and before: values of tokens, and of the same tokens a frame earlier, `[B, n, G, D]`; known `[B, n]`: 1
        where there is an earlier frame, else 0 -> `[B, n, W]`."""
        u = self.read((v - before).flatten(2)).pow(2)
        return self.write(u / (1 + u)) * known.unsqueeze(-1)


class SelfLayer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.norm = Norm(c.width)
        self.attention = GatedRetention(c.width, c.self_heads, c.head_dim) if c.self_decoder == "retention" else WindowAttention(c)
        self.ffn_norm, self.ffn = Norm(c.width), SwiGLU(c)

    def after(self, x, read):
        """x and what the attention or retention read from it -> the layer's output."""
        x = x + read
        return x + self.ffn(self.ffn_norm(x))


class SelfDecoder(nn.Module):
    """The lower half, which every token passes once. Ends in the shared K, V: `K = rms(norm(x) W_K)`,
    `V = norm(x) W_V`, NoPE."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.layers = nn.ModuleList([SelfLayer(c) for _ in range(c.self_layers)])
        self.movement = Movement(c) if c.self_decoder == "window" else None  # retention keeps no values
        self.norm = Norm(c.width)
        self.k = nn.Linear(c.width, c.kv_heads * c.head_dim, bias=False)
        self.v = nn.Linear(c.width, c.kv_heads * c.head_dim, bias=False)
        frequencies = 10_000.0 ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def turns(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        angles = torch.arange(n).float().unsqueeze(1) * self.frequencies
        return angles.cos(), angles.sin()

    def shared(self, x):
        b, n, _ = x.shape
        y = self.norm(x)
        shape = (b, n, self.c.kv_heads, self.c.head_dim)
        return rms(self.k(y).view(shape)), self.v(y).view(shape)

    def forward(self, x, shown):
        """A whole segment at once (training). x `[B, n, W]`; shown `[B, n]`: which tokens have a time, as those of
        frames do. Returns hidden, K, V."""
        n = x.shape[1]
        if self.c.self_decoder == "retention":
            for layer in self.layers:
                x = layer.after(x, layer.attention(layer.norm(x), self.frequencies))
            return (x, *self.shared(x))
        back = torch.arange(n).unsqueeze(1) - torch.arange(n)
        mask = torch.zeros(1, n, n).masked_fill((back < 0) | (back >= self.c.window), float("-inf"))
        cos, sin = self.turns(n)
        for i, layer in enumerate(self.layers):
            read, (_, v) = layer.attention(layer.norm(x), mask, cos, sin)
            if i == 0:
                t = self.c.tokens_per_frame
                before = F.pad(v, (0, 0, 0, 0, t, 0))[:, :n]
                read = read + self.movement(v, before, shown * (torch.arange(n) >= t))
            x = layer.after(x, read)
        return (x, *self.shared(x))

    def step(self, x, shown, past_k, past_v, past_length):
        """n new tokens of segments in progress (the exported graph).

        shown as in `forward`; past_k, past_v `[B, layers, P, G, D]`, the newest last, of which `past_length [B]` are
        real. Returns hidden, K, V of the new tokens, and their window keys and values `[B, layers, n, G, D]`.
        """
        n, p = x.shape[1], past_k.shape[2]
        key = torch.arange(p + n)
        back = (torch.arange(n).unsqueeze(1) + p) - key
        outside = (back < 0) | (back >= self.c.window)
        empty = key.unsqueeze(0) < (p - past_length).unsqueeze(1)  # [B, P + n]
        mask = torch.zeros(1, 1, 1).masked_fill(outside.unsqueeze(0) | empty.unsqueeze(1), -1e30)
        cos, sin = self.turns(p + n)
        new_k, new_v = [], []
        for i, layer in enumerate(self.layers):
            read, (k, v) = layer.attention(layer.norm(x), mask, cos, sin, (past_k[:, i], past_v[:, i]))
            if i == 0:
                t = self.c.tokens_per_frame
                before = torch.cat([torch.zeros_like(v[:, :1]).expand(-1, t, -1, -1), past_v[:, 0], v], 1)[:, p : p + n]
                known = (torch.arange(n) + past_length.unsqueeze(1) >= t) & shown
                read = read + self.movement(v, before, known.to(v.dtype))
            x = layer.after(x, read)
            new_k.append(k)
            new_v.append(v)
        return (x, *self.shared(x), torch.stack(new_k, 1), torch.stack(new_v, 1))

    def retain(self, x, _shown, past_k, past_v, new_length):
        """`step` for retention: inputs and outputs have the same names and order, but the whole state goes in and comes
        out.

        past_k, past_v `[B, layers, D / 2, H, D]`: the two halves of each state along its key axis, H the heads; of the
        n tokens the first new_length `[B]` are real.
        """
        new = []
        for i, layer in enumerate(self.layers):
            state = torch.cat([past_k[:, i], past_v[:, i]], 1).transpose(1, 2)  # [B, H, D, D]
            read, state = layer.attention.step(layer.norm(x), state, new_length, self.frequencies)
            x = layer.after(x, read)
            new.append(state.transpose(1, 2))
        return (x, *self.shared(x), *torch.stack(new, 1).chunk(2, 2))


class Tally(nn.Module):
    """Counts the stream's tokens that score above a threshold: each adds sigmoid(score - threshold), independently of
    the others.

    Unlike the shares of a softmax, these need not be even for their sum to be a count. Threshold and scores both grow
    with log n, so that tokens one unit below the threshold add up to no more in a long stream than in a short one.
    """

    def __init__(self, c: Config):
        super().__init__()
        self.threshold = nn.Linear(c.width, 1)
        self.into = nn.Linear(TALLY, c.width, bias=False)
        self.register_buffer("numbers", torch.tensor([float(n) for n in NUMBERS]), persistent=False)
        self.register_buffer("logarithms", torch.tensor(LOGARITHMS), persistent=False)

    def above(self, normed, log_n):
        """normed `[.., W]`, log_n `[..]` -> the threshold `[.., 1]`."""
        return self.threshold(normed) * (log_n / math.log(200)).unsqueeze(-1)

    def said(self, number):
        """number `[.., 1]` -> what is added to the residual stream, `[.., W]`."""
        near = (-2 * (number - self.numbers).pow(2)).exp()
        logarithm = (number + 1).log() / math.log(2)
        return self.into(torch.cat([near, (-16 * (logarithm - self.logarithms).pow(2)).exp()], -1))


class NumberCopy(nn.Module):
    """The copy path of numbers: a tally's count as the digits of an answer, as `YocoLive.copy` is the copy path of
    names.

    A count then need not pass through the layers' matrices, which learn each number by itself, the rare large ones
    last. Gates say whether a digit is due, the number's first or its second, and of which number. Below ten there is no
    second digit: the model need not learn that such an answer ends there, and a gate need not tell large numbers from
    small ones.
    """

    def __init__(self, c: Config):
        super().__init__()
        self.gate = nn.Linear(c.width, 2 * NUMBERS_SAID)
        numbers = torch.arange(COUNTED_BELOW)
        first = torch.where(numbers < 10, numbers, numbers // 10)
        self.register_buffer("numbers", numbers.float(), persistent=False)
        second = F.one_hot(numbers % 10, 10) * (numbers >= 10).unsqueeze(1)
        self.register_buffer("digits", torch.stack([F.one_hot(first, 10), second]).float(), persistent=False)

    def forward(self, y, counted):
        """y `[.., W]`, counted `[.., COUNTS]` -> what is added to the logits of the ten digits, `[.., 10]`."""
        gates, said = self.gate(y), 0
        tokens, seconds = counted[..., :1], counted[..., 1:]
        for i, number in enumerate((tokens, tokens / 2, seconds)):
            near = (-ROUNDING_SHARPNESS * (number.clamp(max=COUNTED_BELOW) - self.numbers).pow(2)).softmax(-1)
            for j in range(2):
                probable = (near @ self.digits[j] + PROBABILITY_FLOOR).log() - math.log(PROBABILITY_FLOOR)  # 0 at every other digit
                said = said + gates[..., 2 * i + j : 2 * i + j + 1] * probable
        return said


def tallied(above, lasting, tokens_per_frame: int, copies=1):
    """What a tally counted, `[.., COUNTS]`. above `[.., N]`: each token's score minus the threshold; lasting `[.., F]`:
    seconds for which each frame was shown.

    copies `[.., N]`: how many tokens each one stands for.
    """
    of_frames = (above.sigmoid() * copies).unflatten(-1, (-1, tokens_per_frame)).sum(-1)
    return torch.stack([of_frames.sum(-1), (of_frames * lasting).sum(-1)], -1)


def digits_read(evidence: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
    """The digits of the times that were read.

    evidence `[.., Q, F]` of each frame, one-hot digits `[.., F, CLOCK_DIGITS_SIZE]`
    -> `[.., Q, CLOCK_DIGITS_SIZE]`.

    Shares are squared: two frames on either side of a full minute have no meaningful mean, and the most read one is
    meant.
    """
    squares = evidence.pow(2)
    return (squares / (squares.sum(-1, keepdim=True) + 1e-9)) @ digits


class TimeCopy(nn.Module):
    """The copy path of times: when the frames that are read were shown, as the digits of an answer.

    Values also hold their time, as one of many things, and what is read from them has a wrong digit now and then; the
    frame itself is mostly right. Gates say which digit is due.
    """

    def __init__(self, c: Config):
        super().__init__()
        self.gate = nn.Linear(c.width, len(CLOCK_DIGITS))
        # For each of the CLOCK_DIGITS_SIZE features: the digit of the clock that it belongs to, and its value.
        of_digit = torch.cat([F.one_hot(torch.full((base,), i), len(CLOCK_DIGITS)) for i, (_, base) in enumerate(CLOCK_DIGITS)])
        number = torch.cat([F.one_hot(torch.arange(base), 10) for _, base in CLOCK_DIGITS])
        self.register_buffer("of_digit", of_digit.T.float(), persistent=False)
        self.register_buffer("number", number.float(), persistent=False)

    def forward(self, y, digits):
        """y `[.., W]`, digits `[.., CLOCK_DIGITS_SIZE]` of `digits_read` -> what is added to the ten digits' logits,
        `[.., 10]`."""
        probable = (digits + PROBABILITY_FLOOR).log() - math.log(PROBABILITY_FLOOR)  # 0 at every other digit
        return ((self.gate(y) @ self.of_digit) * probable) @ self.number


class WritingCopy(nn.Module):
    """The copy path of writing: the number written on what is read, as the digits of an answer.

    Values hold tens and ones as two of many things, and an answer's second digit must not repeat its first. `read`
    decodes both from the values; gates say which digit is due. A number of one digit has that digit first and no
    second.
    """

    NONE = 10  # the last of the eleven classes of a place: no digit

    def __init__(self, c: Config):
        super().__init__()
        self.read = nn.Linear(c.kv_heads * c.head_dim, 2 * (self.NONE + 1))
        self.gate = nn.Linear(c.width, 2)

    def places(self, values):
        """`[.., G * D]` -> logits of tens and of ones, `[.., 11]` each."""
        return self.read(values).split(self.NONE + 1, -1)

    def forward(self, y, values):
        """y `[.., W]`, the values that were read `[.., G * D]` -> what is added to the logits of the ten digits,
        `[.., 10]`."""
        tens, ones = (place.softmax(-1) for place in self.places(values))
        none, ones = tens[..., self.NONE :], ones[..., : self.NONE]
        gates, said = self.gate(y), 0
        for i, digit in enumerate((tens[..., : self.NONE] + none * ones, (1 - none) * ones)):
            said = said + gates[..., i : i + 1] * ((digit + PROBABILITY_FLOOR).log() - math.log(PROBABILITY_FLOOR))
        return said


class CrossAttention(nn.Module):
    """Reads the one shared K, V: the stream's up to the question's moment and the segment's own, in one softmax."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.q = nn.Linear(c.width, c.cross_heads * c.head_dim, bias=False)
        self.o = nn.Linear(c.cross_heads * c.head_dim, c.width, bias=False)
        self.scale = nn.Parameter(torch.full((c.cross_heads,), 1.2 / math.log(200)))
        self.when = nn.Linear(c.width, c.cross_heads * CODE, bias=False)
        self.count = nn.Linear(c.cross_heads * MASS_FEATURES, c.width, bias=False)
        self.tally = Tally(c)

    def times_asked(self, x, log_n):
        """x `[.., W]`, log_n `[..]` -> `[.., H, CODE]`: each head's weight for each feature of a frame's time."""
        return self.when(x).unflatten(-1, (self.c.cross_heads, CODE)) * (log_n / math.log(200))[..., None, None]

    def queries(self, x, log_n):
        """x `[B, n, W]`, log_n `[B, n]` -> `[B, n, H, D]`, scaled."""
        c = self.c
        q = rms(self.q(x).view(*x.shape[:2], c.cross_heads, c.head_dim))
        return q * (self.scale.view(-1, 1) * log_n[..., None, None])


class CrossLayer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.norm, self.attention = Norm(c.width), CrossAttention(c)
        self.ffn_norm, self.ffn = Norm(c.width), SwiGLU(c)


@dataclass(frozen=True)
class View:
    """What all layers of a reading share.

    log_n `[B, Q, A]`; mask `[B, 1, 1, Q, A, N + S]`; codes `[B, CODE - 1, F]`; ages `[B, 1, Q, 1, F]`; lasting
    `[B, Q, 1, F]`: for how many seconds each frame had been shown at the question's moment; copies `[B, Q, 1, N]`: how
    many tokens each one stands for, if not one.
    """

    log_n: torch.Tensor
    mask: torch.Tensor
    codes: torch.Tensor
    ages: torch.Tensor
    lasting: torch.Tensor
    copies: torch.Tensor | None


@dataclass(frozen=True)
class Reading:
    """The result of reading A tokens of each of Q questions.

    hidden `[B, Q, A, W]`; evidence and early `[B, Q, A, N]`: each stream token's share of the attention, mean over
    heads, in the last half of the layers (the evidence) and in the first (where a question of two steps takes its
    first); attended `[B, Q, A, G * D]`: what the last half read; above `[2, B, Q, A, N]`: by how much each stream token
    exceeds the tally's threshold in the two middle layers (from CrossDecoder.forward, only for the first TALLY_TOKENS
    tokens); counted `[B, Q, A, COUNTS]`: what the first layer of the last half counted; digits `[B, Q, A, CLOCK_DIGITS_SIZE]`:
    of the times of the evidence; middle `[B, Q, A, W]`: the hidden state before that layer.
    """

    hidden: torch.Tensor
    evidence: torch.Tensor
    early: torch.Tensor
    attended: torch.Tensor
    above: torch.Tensor
    counted: torch.Tensor
    digits: torch.Tensor
    middle: torch.Tensor


class CrossDecoder(nn.Module):
    """The upper half, which frames never enter. Only the last token of a question and the answer's tokens pass it."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.layers = nn.ModuleList([CrossLayer(c) for _ in range(c.cross_layers)])
        # Added to the K and V of each stream when one question reads several: nothing else tells the streams apart.
        self.tag_k = nn.Parameter(torch.zeros(c.tags, c.kv_heads, c.head_dim))
        self.tag_v = nn.Parameter(torch.zeros(c.tags, c.kv_heads, c.head_dim))
        self.register_buffer("each_token", torch.ones(1, c.tokens_per_frame), persistent=False)

    def tagged(self, k, v):
        """k, v of S streams, `[B, S, N, G, D]` -> the streams one after the other, each with its tag added,
        `[B, S * N, G, D]`."""
        s = k.shape[1]
        return (k + self.tag_k[:s, None]).flatten(1, 2), (v + self.tag_v[:s, None]).flatten(1, 2)

    def forward(self, x, k, v, times, since, stood, moments, mask, own_k, own_v, own_mask, of: float = 1, copies=None) -> Reading:
        """x `[B, Q, A, W]`: Q questions of A tokens on each of B streams.

        Stream: k, v `[B, N, G, D]`; times and since `[B, F]` of its frames as in `time_code`; stood `[B, F]`: for how
        many ms each was shown; mask `[B, Q, N]` (0 or -inf); moments `[B, Q]` of the questions in ms. Own: own_k, own_v
        `[B, Q, S, G, D]`, own_mask `[B, Q, A, S]`.
        of: factor by which the tokens that the stream's were chosen from outnumber them, when they are read through an
        index.
        copies `[B, Q, N]`: how many identical tokens each one stands for and is read as; default: one.
        """
        half = self.c.cross_layers // 2
        view = self.view(times, since, stood, moments, mask, own_mask, of, copies)
        evidence, early, attended, above = [], [], [], []
        for i, layer in enumerate(self.layers):
            if i == half:
                middle = x
            x, shares, read, over, count = self.layer(layer, x, k, v, own_k, own_v, view, carried=i == half)
            (evidence if i >= half else early).append(shares)
            if i >= half:
                attended.append(read)
            if i in (half - 1, half):
                above.append(over[:, :, :TALLY_TOKENS])
            if i == half:
                counted = count
        mean = lambda parts: torch.stack(parts).mean(0)
        evidence = mean(evidence)
        return Reading(x, evidence, mean(early), mean(attended), torch.stack(above), counted, self.digits(evidence, view), middle)

    def digits(self, evidence, view: "View"):
        """Evidence `[B, Q, A, N]` -> the digits of its times, `[B, Q, A, CLOCK_DIGITS_SIZE]`."""
        of_frames = evidence.unflatten(-1, (-1, self.c.tokens_per_frame)).sum(-1)
        if view.copies is not None:  # the sum of squares is then that over the single copies
            of_frames = of_frames / view.copies[..., :: self.c.tokens_per_frame].sqrt()
        return digits_read(of_frames, view.codes[:, :CLOCK_DIGITS_SIZE].transpose(1, 2).unsqueeze(1))

    def view(self, times, since, stood, moments, mask, own_mask, of: float = 1, copies=None) -> "View":
        """What is the same in all layers: which tokens each question sees, and when they were shown."""
        b, q_count, a_count = own_mask.shape[:3]
        read = (mask > -1) * (1 if copies is None else copies)
        context = read.sum(-1).unsqueeze(-1) * of + (own_mask > -1).sum(-1)  # [B, Q, A]
        full_mask = torch.cat([mask.unsqueeze(2).expand(b, q_count, a_count, mask.shape[-1]), own_mask], -1)[:, None, None]
        codes = time_code(times, since).transpose(1, 2)  # [B, CODE - 1, F]
        age = moments.unsqueeze(-1) - times.unsqueeze(1)  # [B, Q, F]
        return View(context.float().log(), full_mask, codes, log_seconds(age)[:, None, :, None], lasting(stood.unsqueeze(1), age).unsqueeze(2),
                    None if copies is None else copies.unsqueeze(2))

    def layer(self, layer: CrossLayer, x, k, v, own_k, own_v, view: "View", carried: bool = False):
        """One layer; shapes as in `forward`. Returns hidden, the shares of the stream's tokens, what was read from the
        stream, by how much each of its tokens exceeds the tally's threshold, `[B, Q, A, N]`, and what the tally
        counted, `[B, Q, A, COUNTS]`. carried: answer positions after COUNT_TOKEN take over its count."""
        c, (b, q_count, a_count, w) = self.c, x.shape
        n, s = k.shape[1], own_k.shape[2]
        group = c.cross_heads // c.kv_heads
        keys, values = k.permute(0, 2, 3, 1), v.permute(0, 2, 1, 3)  # [B, G, D, N], [B, G, N, D]
        own_keys, own_values = own_k.permute(0, 1, 3, 4, 2), own_v.permute(0, 1, 3, 2, 4)
        normed = layer.norm(x)
        asked = layer.attention.times_asked(normed, view.log_n).permute(0, 3, 1, 2, 4)  # [B, H, Q, A, CODE]
        when = (asked[..., :-1].flatten(1, 3) @ view.codes).view(b, c.cross_heads, q_count, a_count, -1)
        when = when + asked[..., -1:] * view.ages
        when = when.view(b, c.kv_heads, group, q_count, a_count, -1).repeat_interleave(c.tokens_per_frame, -1)
        q = layer.attention.queries(normed.reshape(b, q_count * a_count, w), view.log_n.view(b, -1))
        q = q.view(b, q_count, a_count, c.kv_heads, group, c.head_dim).permute(0, 3, 4, 1, 2, 5)  # [B, G, g, Q, A, D]
        on_stream = (q.reshape(b, c.kv_heads, group * q_count * a_count, c.head_dim) @ keys).view(b, c.kv_heads, group, q_count, a_count, n)
        own_q = q.permute(0, 3, 1, 2, 4, 5).reshape(b, q_count, c.kv_heads, group * a_count, c.head_dim)
        on_own = (own_q @ own_keys).view(b, q_count, c.kv_heads, group, a_count, s).permute(0, 2, 3, 1, 4, 5)
        scores = torch.cat([on_stream.float() / math.sqrt(c.head_dim) + when, on_own.float() / math.sqrt(c.head_dim)], -1) + view.mask
        above = scores[:, 0, 0, ..., :n] - layer.attention.tally.above(normed, view.log_n).float()
        # In a softmax, so many equal scores are one score raised by the logarithm of their number.
        if view.copies is not None:
            scores = torch.cat([scores[..., :n] + view.copies.log()[:, None, None], scores[..., n:]], -1)
        p = scores.softmax(-1)
        shares = p[..., :n].mean((1, 2))
        each = p[..., :n] if view.copies is None else p[..., :n] / view.copies[:, None, None]
        counts = attention_features(p[..., :n].sum(-1), each.amax(-1), p[..., n:].sum(-1)).permute(0, 3, 4, 1, 2, 5).flatten(3)  # [B, Q, A, H * MASS_FEATURES]
        p = p.to(values.dtype)
        y = (p[..., :n].reshape(b, c.kv_heads, -1, n) @ values).view(b, c.kv_heads, group, q_count, a_count, c.head_dim)
        own_p = p[..., n:].permute(0, 3, 1, 2, 4, 5).reshape(b, q_count, c.kv_heads, group * a_count, s)
        own_y = (own_p @ own_values).view(b, q_count, c.kv_heads, group, a_count, c.head_dim).permute(0, 2, 3, 1, 4, 5)
        read = y.mean(2).permute(0, 2, 3, 1, 4).reshape(b, q_count, a_count, -1)
        y = (y + own_y).permute(0, 3, 4, 1, 2, 5).reshape(b, q_count, a_count, -1)
        counted = tallied(above, view.lasting, c.tokens_per_frame, 1 if view.copies is None else view.copies)
        if carried:
            counted = counted[:, :, torch.arange(a_count).clamp(max=COUNT_TOKEN)]
        x = x + layer.attention.o(y) + layer.attention.count(counts) + layer.attention.tally.said(counted[..., :1])
        return x + layer.ffn(layer.ffn_norm(x)), shares, read, above, counted

    def read(self, x, keys, values, times, since, stood, ahead, moment, visible, context, own_k, own_v, own_length, counted):
        """One token for each of Q questions on one stream (the exported graph).

        - x `[Q, W]`;
        - keys, values: for each of the G heads `[N, D]`, as the cache holds them;
        - times, since `[F]`: when each of the N / tokens_per_frame frames was shown, on its stream's clock and since
          that stream's first frame, in ms;
        - stood `[F]`: for how long each was shown, in ms;
        - ahead `[F]`: how far the question's clock is ahead of the frame's, in ms;
        - moment `[Q]`: the question's time, in ms;
        - visible `[Q]`: how many of the N tokens a question may see;
        - context `[Q]`: how many tokens they were chosen from (the same number if all are read);
        - own_k, own_v `[Q, S, G, D]`, of which own_length `[Q]` are real;
        - counted `[Q, COUNTS]`: the count of an earlier token of the answer, which this one takes over; if negative, it
          counts anew.

        Returns hidden `[Q, W]`, the evidence of each frame `[Q, F]`, what the last half of the layers read
        `[Q, G * D]`, what the first of them counted `[Q, COUNTS]`, the digits of the times that the last half read
        `[Q, CLOCK_DIGITS_SIZE]`, and the scaled queries of all layers, each with its weights for the time features,
        `[Q, layers, H, D + CODE]`, with which an index of the cache is queried.
        """
        c, q_count, n, f = self.c, x.shape[0], keys[0].shape[0], times.shape[0]
        group = c.cross_heads // c.kv_heads
        log_n = (context + own_length).float().log().unsqueeze(0)
        # With one score per stream token, every elementwise pass over the scores costs as much as a matrix product. So
        # terms that depend on the frame alone are computed per frame, and the softmax over the stream is joined with
        # that over the segment's own tokens through their sums.
        frame_hidden = torch.arange(f).unsqueeze(0) * c.tokens_per_frame >= visible.unsqueeze(1)  # [Q, F]
        frame_mask = (frame_hidden.float() * -1e30).unsqueeze(1)
        own_mask = (torch.arange(own_k.shape[1]).unsqueeze(0) >= own_length.unsqueeze(1)).float().unsqueeze(1) * -1e30
        codes = time_code(times, since)
        age = moment.unsqueeze(1) - times - ahead  # [Q, F]
        ages, lasts = log_seconds(age), lasting(stood, age)
        evidence = attended = 0
        asked = []
        for i, layer in enumerate(self.layers):
            normed, attention = layer.norm(x), layer.attention
            q = attention.queries(normed.unsqueeze(0), log_n)[0] / math.sqrt(c.head_dim)  # [Q, H, D]
            wanted = attention.times_asked(normed, log_n[0])  # [Q, H, CODE]
            when = wanted[..., :-1] @ codes.T + wanted[..., -1:] * ages.unsqueeze(1) + frame_mask  # [Q, H, F]
            asked.append(torch.cat([q, wanted], -1))
            heads, read, counts = [], [], []
            for g in range(c.kv_heads):
                mine, mine_when = (z[:, g * group : (g + 1) * group] for z in (q, when))  # [Q, g, D], [Q, g, F]
                on_stream = (mine.reshape(-1, c.head_dim) @ keys[g].T).view(-1, c.tokens_per_frame)
                # Broadcasting a sum over groups of ten numbers takes four times as long as this product with ones.
                on_stream = torch.addmm(on_stream, mine_when.reshape(-1, 1), self.each_token).view(q_count, group, -1)  # [Q, g, N]
                on_own = mine @ own_k[:, :, g].transpose(1, 2) + own_mask
                if g == 0:
                    number = tallied(on_stream[:, 0] - attention.tally.above(normed, log_n[0]), lasts, c.tokens_per_frame)
                    if i == c.cross_layers // 2:
                        number = torch.where(counted < 0, number, counted)
                        said = number
                p = on_stream.softmax(-1)
                # top: 1 / sum of exp(score - best).
                best, top = on_stream.amax(-1, keepdim=True), p.amax(-1, keepdim=True)
                most = torch.maximum(best, on_own.amax(-1, keepdim=True))
                on_own = (on_own - most).exp()
                of_stream, of_own = (best - most).exp() / top, on_own.sum(-1, keepdim=True)
                share = of_stream / (of_stream + of_own)  # [Q, g, 1]
                on_own = on_own / (of_stream + of_own)
                counts.append(attention_features(share[..., 0], (top * share)[..., 0], on_own.sum(-1)))
                if i >= c.cross_layers // 2:
                    evidence = evidence + (share.transpose(1, 2) @ p)[:, 0]
                y = (p.reshape(-1, n) @ values[g]).view(q_count, group, c.head_dim) * share
                read.append(y.mean(1))
                heads.append(y + on_own @ own_v[:, :, g])
            if i >= c.cross_layers // 2:
                attended = attended + torch.cat(read, 1)
            x = x + attention.o(torch.cat(heads, 1).flatten(1)) + attention.count(torch.cat(counts, 1).flatten(1)) + attention.tally.said(number[:, :1])
            x = x + layer.ffn(layer.ffn_norm(x))
        late = c.cross_layers - c.cross_layers // 2
        evidence = evidence.view(q_count, -1, c.tokens_per_frame).sum(-1) / (c.cross_heads * late)
        dated = digits_read(evidence, codes[:, :CLOCK_DIGITS_SIZE])
        return x, evidence, attended / late, said, dated, torch.stack(asked, 1)


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


class YocoLive(nn.Module):
    """words `[vocabulary, words_width]`: the frozen embeddings; answers: ids of the tokens that an answer may hold."""

    def __init__(self, c: Config, words: torch.Tensor, answers: list[int]):
        super().__init__()
        self.c = c
        self.register_buffer("words", words, persistent=False)
        self.register_buffer("answers", torch.tensor(answers), persistent=False)
        self.into = nn.Linear(c.words_width, c.width, bias=False)
        self.visual = VisualTokens(c)
        self.clock = Clock(c)
        self.self_decoder = SelfDecoder(c)
        self.cross_decoder = CrossDecoder(c)
        self.out_norm = Norm(c.width)
        self.out = nn.Linear(c.width, c.words_width, bias=False)
        self.out_bias = nn.Parameter(torch.zeros(len(answers)))
        self.out_scale = nn.Parameter(torch.tensor(4.0))
        # The copy path: what the cross-attention read, as words. A name can be said as soon as it is looked at.
        self.copy = nn.Linear(c.kv_heads * c.head_dim, c.words_width, bias=False)
        self.copy_gate = nn.Linear(c.width, 1)
        self.counted = NumberCopy(c)
        self.dated = TimeCopy(c)
        self.written = WritingCopy(c)
        places = [answers.index(token) if token in answers else -1 for token in digit_tokens()]
        self.register_buffer("digits", (torch.tensor(places).unsqueeze(1) == torch.arange(len(answers))).float(), persistent=False)  # [10, answers]
        self._start()

    def _start(self) -> None:
        """The maps between words and width start as the principal components of the answers' words, and their
        inverse."""
        c = self.c
        used = self.words[self.answers]
        # With fewer words than W, the basis is completed with directions in which no words differ.
        basis = torch.linalg.svd(used - used.mean(0), full_matrices=len(used) < c.width).Vh[: c.width]  # [W, words_width]
        scale = (c.words_width / c.width) ** 0.5
        with torch.no_grad():
            for m in self.modules():
                if isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, std=0.7 * m.in_features**-0.5)
            nn.init.zeros_(self.copy_gate.weight)
            for gate in (self.counted.gate, self.dated.gate, self.written.gate):
                nn.init.zeros_(gate.weight)
                nn.init.zeros_(gate.bias)
            if self.self_decoder.movement:
                nn.init.zeros_(self.self_decoder.movement.write.weight)
            nn.init.constant_(self.copy_gate.bias, 0.5)
            self.into.weight.copy_(basis * scale * 0.7)
            self.visual.from_labels.weight.copy_(basis * scale * 0.7)
            self.visual.from_words.weight.copy_(basis * scale * 0.5)
            self.out.weight.copy_(basis.T)
            for layer in [*self.self_decoder.layers, *self.cross_decoder.layers]:
                layer.ffn.down.weight.mul_(0.3)
                layer.attention.o.weight.mul_(0.3)
            for layer in self.cross_decoder.layers:
                nn.init.zeros_(layer.attention.when.weight)
                nn.init.zeros_(layer.attention.count.weight)
                nn.init.zeros_(layer.attention.tally.into.weight)
                nn.init.zeros_(layer.attention.tally.threshold.weight)
                nn.init.constant_(layer.attention.tally.threshold.bias, 6.0)  # few tokens score this far above the rest
            nn.init.zeros_(self.visual.from_detail.weight)
            nn.init.zeros_(self.visual.from_marks.weight)
            nn.init.normal_(self.cross_decoder.tag_k, std=0.4)
            nn.init.normal_(self.cross_decoder.tag_v, std=1.5)  # values have a magnitude of about 2

    @torch.no_grad()
    def begin_marks(self, words: torch.Tensor) -> None:
        """words `[marks, words_width]`: the word for each mark. Marks start as names do, so that whatever reads names
        also reads marks."""
        weight = self.visual.from_labels.weight @ words.T
        self.visual.from_marks.weight.copy_(weight + MARKED * torch.randn_like(weight) * (words.norm(dim=-1) > 0))

    @torch.no_grad()
    def begin_kinds(self, words: torch.Tensor) -> None:
        """words `[labels, words_width]`: the words of each name's kinds. A question about a dog then finds a German
        shepherd by the word, without having learned that name by heart."""
        self.visual.label.weight.add_(OF_KIND * words @ self.visual.from_labels.weight.T)

    def embed(self, ids: torch.Tensor, ms: torch.Tensor) -> torch.Tensor:
        """Text: ids `[B, n]`, ms `[B, n]` (the moment of the question at its first token, negative elsewhere)."""
        return self.into(self.words[ids]) + self.clock(ms)

    def words_read(self, attended: torch.Tensor) -> torch.Tensor:
        """Values `[.., G * D]` -> a vector in word space, to be multiplied with the word embeddings."""
        return self.copy(attended) / self.c.words_width**0.5

    def logits(self, x: torch.Tensor, attended: torch.Tensor, counted: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
        """`[.., W]`, `[.., G * D]`, `[.., COUNTS]`, `[.., CLOCK_DIGITS_SIZE]` -> `[.., answers]`: the tokens of answers."""
        y = self.out_norm(x)
        said = self.out(y) * (self.out_scale * 4 / self.c.words_width)
        words = ((said + self.copy_gate(y) * self.words_read(attended)) @ self.words[self.answers].T).float()
        said = self.counted(y, counted.float()) + self.dated(y, digits.float()) + self.written(y, attended)
        return words + self.out_bias + said.float() @ self.digits
