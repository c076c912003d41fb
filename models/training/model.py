"""The model of yoco-live: a YOCO decoder-decoder over visual tokens.

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

Bottom up: config.py (the shape), time_code.py, layers.py, visual_tokens.py, self_decoder.py, counting.py,
copy_paths.py, cross_decoder.py, cell_ranking.py, and here the whole. All of them write shapes in the same letters.

Shapes: B streams or segments, n tokens, W the width, H heads of size D, G heads of K and V.
"""

import torch
from torch import nn

from config import Config
from copy_paths import NumberCopy, TimeCopy, WritingCopy
from cross_decoder import CrossDecoder
from layers import Norm
from self_decoder import SelfDecoder
from text import digit_tokens
from time_code import Clock
from visual_tokens import VisualTokens

# Standard deviation of the noise that tells a mark from its word at the start: tens and ones share the same words.
MARKED = 1.0
OF_KIND = 0.3  # weight of a kind's word in the initial token of each name of this kind, beside the name's own words


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
