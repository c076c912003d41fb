"""Names of colours: which colour a picture's thing has, and how a cut-out is painted in another.

The data names hardly any colours, so two kinds of pictures teach them: painted cut-outs (their colour is exact, and no
name gives it away), and pictures of one thing most of whose pixels have one colour. Where the colour is unclear, none
is named.
"""

import random

import numpy as np
from PIL import Image

from labels import SPRITES

COLOURS = {"red": (205, 30, 35), "orange": (245, 140, 25), "yellow": (245, 220, 40), "green": (35, 150, 60), "blue": (35, 80, 200), "purple": (125, 45, 150),
           "pink": (245, 150, 185), "brown": (120, 72, 35), "black": (12, 12, 12), "white": (248, 248, 248), "grey": (128, 128, 128)}
NAMES = list(COLOURS)
LIGHT = (0.3, 0.59, 0.11)  # the luminance weights of RGB
SIDE = 48  # pixels of the small pictures in which colours are determined
CLEAR = 0.7  # least share of the thing's pixels that must have one colour
MIDDLE = slice(SIDE * 3 // 10, SIDE * 7 // 10)  # the part of a clothing photograph that shows nothing but the garment


def named(pixels: np.ndarray) -> np.ndarray:
    """RGB `[n, 3]` -> the index in NAMES of each pixel's colour, -1 where people would not agree on one."""
    rgb = pixels.astype(np.float32) / 255
    value, least = rgb.max(1), rgb.min(1)
    chroma = value - least
    saturation = chroma / np.maximum(value, 1e-6)
    r, g, b = rgb.T
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(value == r, (g - b) / safe % 6, np.where(value == g, (b - r) / safe + 2, (r - g) / safe + 4)) * 60
    reddish, orangish = (hue < 14) | (hue >= 345), (hue >= 14) & (hue < 42)
    rules = [
        ("black", value < 0.17), ("white", (saturation < 0.1) & (value > 0.84)), ("grey", (saturation < 0.13) & (value > 0.26) & (value < 0.62)),
        ("pink", (reddish | (hue >= 318)) & (saturation > 0.2) & (saturation < 0.62) & (value > 0.72)),
        ("brown", (hue < 42) & (saturation > 0.3) & (value < 0.62) & (hue >= 8)),
        ("red", reddish & (saturation > 0.6) & (value > 0.35)), ("orange", orangish & (saturation > 0.62) & (value > 0.75)),
        ("yellow", (hue >= 42) & (hue < 66) & (saturation > 0.4) & (value > 0.65)), ("green", (hue >= 72) & (hue < 165) & (saturation > 0.22)),
        ("blue", (hue >= 185) & (hue < 255) & (saturation > 0.25)), ("purple", (hue >= 262) & (hue < 312) & (saturation > 0.22)),
    ]
    names = np.full(len(pixels), -1)
    for name, fits in reversed(rules):
        names[fits] = NAMES.index(name)
    return names


def most_of(pixels: np.ndarray) -> str | None:
    """The colour that most of these pixels have, or None if it is unclear."""
    if len(pixels) == 0:
        return None
    names, counts = np.unique(named(pixels), return_counts=True)
    best = int(counts.argmax())
    return NAMES[names[best]] if names[best] >= 0 and counts[best] >= CLEAR * len(pixels) else None


def colour_of_cut_out(image: Image.Image) -> str | None:
    """The colour of a cut-out's visible pixels, or None if it is unclear."""
    small = np.asarray(image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.BOX))
    return most_of(small[..., :3][small[..., 3] > 200])


def colour_of_middle(image: Image.Image) -> str | None:
    """The colour of the middle of a photograph that one thing all but fills, or None if it is unclear."""
    small = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX))
    return most_of(small[MIDDLE, MIDDLE].reshape(-1, 3))


def colours_of(samples: list) -> dict[int, str]:
    """The colours of labelled samples (labels.py) by their index, where clear: of cut-outs, and of clothing, whose
    photographs show little else."""
    found = {}
    for i, sample in enumerate(samples):
        if sample.set in SPRITES:
            found[i] = colour_of_cut_out(Image.open(sample.path))
        elif sample.set == "clothing":
            found[i] = colour_of_middle(Image.open(sample.path))
    return {i: colour for i, colour in found.items() if colour}


def painted(sprite: Image.Image, colour: str, rng: random.Random) -> Image.Image:
    """A cut-out repainted in one colour, with a little of its light and dark parts kept."""
    rgba = np.asarray(sprite.convert("RGBA")).astype(np.float32)
    light = rgba[..., :3] @ np.array(LIGHT, np.float32)
    shown = rgba[..., 3] > 0
    middle = light[shown].mean() if shown.any() else 0
    spread = rng.uniform(0.1, 0.3) * np.clip(light - middle, -110, 110)
    base = np.array([min(255, max(0, value + rng.randint(-18, 18))) for value in COLOURS[colour]], np.float32)
    rgba[..., :3] = np.clip(base + spread[..., None], 0, 255)
    return Image.fromarray(rgba.astype(np.uint8), "RGBA")
