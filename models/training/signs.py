"""Signs: numbers and a few words on a plain ground. They teach what a screen or a sign says, and its colour.

The data has no such pictures, so they are drawn, each text on many grounds and in many typefaces from Python packages.

As a program it draws those of the recorded tests, in typefaces that are not trained on:

python signs.py --faces /usr/share/fonts/truetype/dejavu --out ../../test/recorded/signs
"""

import argparse
import json
import random
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from backbone import IMAGE_SIZE
from colours import COLOURS, LIGHT
from labels import Sample, read_sets

SET = "signs"
NUMBERS = [str(n) for n in range(100)]
WORDS = ["exit", "stop", "open", "closed", "push", "pull", "danger", "warning", "caution", "police", "taxi", "hotel", "parking", "private", "welcome", "sale",
         "toilet", "help", "start", "finish", "on", "off", "live", "error"]
TEXTS = NUMBERS + WORDS
VIEWS = 110  # of each text: ten in each colour
FIRST_VIEWS = 55  # those that come before the painted things in the plan of the views
FACES = ("font_roboto", "font_source_sans_pro", "font_source_serif_pro", "font_caladea", "font_manrope", "font_hanken_grotesk")
POINTS = 160  # font size before the letters are fitted
LEAST_CONTRAST = 75


def sign_samples() -> list[Sample]:
    """One sample for each text, without a label: the projector knows no names of signs; `Marks` reads them."""
    return [Sample(SET, f"{SET}/{text}", None, extra={"says": text}) for text in TEXTS]


def read_all(data: str) -> list[Sample]:
    """The samples of the data's sets, then the signs. Raises what `read_sets` raises."""
    return [*read_sets(data), *sign_samples()]


def sign_name(sample: Sample) -> str:
    """What a sign is called: `number 42`, `exit sign`."""
    says = sample.extra["says"]
    return f"number {says}" if says in NUMBERS else f"{says} sign"


def ground(number: int) -> str:
    """The ground colour of the view with this number, of any text."""
    return list(COLOURS)[number % len(COLOURS)]


@cache
def _faces() -> list[str]:
    """Font files, one list per package, so that each package has the same share."""
    found = []
    for package in FACES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"signs need the Python package {package.replace('_', '-')} (requirements.txt)")
        files = sorted(str(path) for path in Path(spec.origin).parent.rglob("*") if path.suffix in (".ttf", ".otf"))
        found.append(files)
    return found


def sign_view(sample: Sample, number: int, rng: random.Random, faces: list[list[str]] | None = None) -> Image.Image:
    """A sample's text in a random typeface, size, slant and place on its ground, in a legible colour."""
    text = sample.extra["says"]
    if text not in NUMBERS:
        text = rng.choice([text, text.upper(), text.upper(), text.capitalize()])
    back = _shade(COLOURS[ground(number)], rng)
    inks = [ink for ink in [(0, 0, 0), (255, 255, 255), *COLOURS.values()] if _contrast(ink, back) > LEAST_CONTRAST]
    ink = rng.choice(inks[:1] + inks)  # the first, black or white, twice as often as the others
    face = ImageFont.truetype(rng.choice(rng.choice(faces or _faces())), POINTS)
    stroke = rng.choice([0, 0, 0, 3, 6])
    left, top, right, bottom = face.getbbox(text, stroke_width=stroke)
    letters = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
    ImageDraw.Draw(letters).text((4 - left, 4 - top), text, 255, font=face, stroke_width=stroke)
    letters = letters.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC, expand=True)
    # Videos of any shape are squeezed into a square, which makes letters narrower or wider.
    squeezed = letters.width * rng.uniform(0.55, 1.2)
    scale = IMAGE_SIZE * min(rng.uniform(0.4, 0.95) / squeezed, rng.uniform(0.4, 0.95) / letters.height)
    letters = letters.resize((max(1, round(squeezed * scale)), max(1, round(letters.height * scale))))
    canvas = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), back)
    place = tuple(rng.randint(0, max(0, IMAGE_SIZE - side)) for side in letters.size)
    canvas.paste(Image.new("RGB", letters.size, ink), place, letters)
    return _lit(canvas, rng)


def _shade(colour: tuple[int, int, int], rng: random.Random) -> tuple[int, ...]:
    return tuple(min(255, max(0, value + rng.randint(-18, 18))) for value in colour)


def _contrast(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    return abs(sum(weight * (x - y) for weight, x, y in zip(LIGHT, a, b)))


def _lit(canvas: Image.Image, rng: random.Random) -> Image.Image:
    """A little brighter on one side, as signs and screens are."""
    if rng.random() < 0.5:
        return canvas
    ramp = np.linspace(rng.uniform(0.8, 1), rng.uniform(1, 1.1), IMAGE_SIZE)
    ramp = ramp[:, None, None] if rng.random() < 0.5 else ramp[None, :, None]
    return Image.fromarray((np.asarray(canvas, np.float32) * ramp).clip(0, 255).astype(np.uint8))


RECORDED, RECORDED_SIZE, RECORDED_COLOURS = 48, (320, 240), 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", required=True, help="folder of font files")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    faces = [sorted(str(path) for path in Path(args.faces).iterdir() if path.suffix == ".ttf" and "Math" not in path.name and "ExtraLight" not in path.name)]
    rng, out, listed = random.Random(1), Path(args.out), []
    out.mkdir(parents=True, exist_ok=True)
    numbers, words = rng.sample(sign_samples()[:10], 8) + rng.sample(sign_samples()[10:100], 24), rng.sample(sign_samples()[100:], RECORDED - 32)
    for i, sample in enumerate(numbers + words):
        file = f"{sample.extra['says']}.png"
        sign_view(sample, i, rng, faces).resize(RECORDED_SIZE, Image.Resampling.BICUBIC).quantize(RECORDED_COLOURS).save(out / file, optimize=True)
        listed.append({"file": file, "says": sample.extra["says"], "ground": ground(i)})
    (out / "signs.json").write_text("[\n" + ",\n".join(f"  {{ {json.dumps(line)[1:-1]} }}" for line in listed) + "\n]\n")


if __name__ == "__main__":
    main()
