"""Copy paths: numbers, times and writing that were read go straight to the digits of an answer."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from config import Config
from time_code import CLOCK_DIGITS

# Only counts below this are copied into answers.
COUNTED_BELOW = 100
# How sharply a fractional count is rounded to the nearest whole number.
ROUNDING_SHARPNESS = 8
# Numbers that an answer may copy: the tokens, half of them (repetitions of a movement with two poses), and the seconds.
NUMBERS_SAID = 3
# Floor for the probability of a digit.
PROBABILITY_FLOOR = 1e-3


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
