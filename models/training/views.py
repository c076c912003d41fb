"""Views of the images: what a camera, a crop, a letterbox or an encoder would make of them.

Each view is a picture at the model's input size. Sprites are pasted on backgrounds at known places.
"""

import io
import random

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from backbone import IMAGE_SIZE
from colours import COLOURS, NAMES, painted
from labels import SPRITES, Sample
from signs import FIRST_VIEWS as FIRST_SIGN_VIEWS
from signs import SET as SIGNS
from signs import VIEWS as SIGN_VIEWS
from signs import sign_view

# Boards: cut-outs small enough to have a place, for "where" and "how many". There are many, since the places are what
# is to be learned, and a few hundred boards are learned by heart.
BOARDS = 14_000
BOARDS_KEPT = 12  # every twelfth is held out
BOARD = 100  # view numbers of boards start here
# Painted cut-outs (colours.py), one to a picture, for "what colour". Their view numbers start here and determine the
# colour.
PAINTED, PAINTED_VIEWS = 1000, 6_600
LIKE_ITS_GROUND = 90  # least distance between a painted thing's colour and the mean colour behind it
VIEWS = {"grocery": 6, "clothing": 6, "imagenet-samples": 4, "emoji": 3, "stamps": 4, "exercises": 2, "flickr": 3, "daquar": 2}


# A sprite in a view: its sample, and its centre x, centre y and size, all in 0..1.
Thing = tuple[int, float, float, float]


def _photo(sample: Sample) -> Image.Image:
    return Image.open(sample.path).convert("RGB")


def _crop(image: Image.Image, rng: random.Random, least: float) -> Image.Image:
    w, h = image.size
    area, ratio = rng.uniform(least, 1), rng.uniform(0.75, 1.33)
    cw = min(w, int((w * h * area * ratio) ** 0.5))
    ch = min(h, int((w * h * area / ratio) ** 0.5))
    x, y = rng.randint(0, w - cw), rng.randint(0, h - ch)
    return image.crop((x, y, x + cw, y + ch))


def _letterbox(image: Image.Image, rng: random.Random) -> Image.Image:
    """Fits a picture into the shape of a video, with bars, as players and `pad` filters do."""
    width, height = rng.choice([(320, 240), (320, 180), (320, 180), (240, 240), (240, 320)])
    scale = min(width / image.width, height / image.height)
    small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    bar = rng.choice([0, 0, 0, 0, 255, rng.randint(0, 255)])
    canvas = Image.new("RGB", (width, height), (bar, bar, bar))
    canvas.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
    return canvas


def _camera(image: Image.Image, rng: random.Random) -> Image.Image:
    """Light, colour, focus and compression of a cheap camera."""
    for enhance, spread in ((ImageEnhance.Brightness, 0.25), (ImageEnhance.Contrast, 0.25), (ImageEnhance.Color, 0.3)):
        image = enhance(image).enhance(rng.uniform(1 - spread, 1 + spread))
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        image.save(buffer, "jpeg", quality=rng.randint(25, 85))
        image = Image.open(buffer).convert("RGB")
    return image


def _fit(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC), np.uint8)


def photo_view(sample: Sample, number: int, rng: random.Random) -> np.ndarray:
    """View 0 is the picture as it is, 1 letterboxed, 2 a mild crop, the rest vary freely."""
    image = _photo(sample)
    if number == 0:
        return _fit(image)
    if number > 2 and rng.random() < 0.3 or number == 1:
        image = _letterbox(_crop(image, rng, 0.8) if number > 2 else image, rng)
    else:
        image = _crop(image, rng, 0.7 if number == 2 else 0.35)
    if rng.random() < 0.5 and sample.set != "daquar" and sample.set != "grocery":
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _fit(_camera(image, rng))


def _background(backgrounds: list[Sample], rng: random.Random) -> Image.Image:
    if rng.random() < 0.35 and backgrounds:
        image = _crop(_photo(rng.choice(backgrounds)), rng, 0.2).resize((IMAGE_SIZE, IMAGE_SIZE))
        return ImageEnhance.Contrast(image).enhance(rng.uniform(0.3, 0.8))
    top, bottom = (np.array([rng.randint(0, 255) for _ in range(3)]) for _ in range(2))
    if rng.random() < 0.5:
        top = bottom = np.array([rng.choice([0, 255, rng.randint(180, 255)])] * 3)
    ramp = np.linspace(0, 1, IMAGE_SIZE)[:, None, None]
    return Image.fromarray((top * (1 - ramp) + bottom * ramp + np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3))).astype(np.uint8))


def sprite_view(samples: list[Sample], number: int, first: int, sprites: list[int], backgrounds: list[Sample],
                rng: random.Random) -> tuple[np.ndarray, list[Thing]]:
    """Views 0 and 1: one large sprite; 2: one to three, mostly different, at places of a 3 x 3 grid; 3: one to six
    copies of one."""
    canvas = _background(backgrounds, rng)
    things: list[Thing] = []
    if number < 2:
        size = rng.uniform(0.55, 0.95)
        x, y = (rng.uniform(size / 2, 1 - size / 2) for _ in range(2))
        things = [(first, x, y, size)]
    else:
        cells = rng.sample(range(9), rng.randint(1, 3) if number == 2 else rng.randint(1, 6))
        for i, cell in enumerate(cells):
            which = first if i == 0 or number == 3 else rng.choice(sprites)
            size = rng.uniform(0.26, 0.34)
            things.append((which, (cell % 3 + 0.5) / 3 + rng.uniform(-0.03, 0.03), (cell // 3 + 0.5) / 3 + rng.uniform(-0.03, 0.03), size))
    for which, x, y, size in things:
        _paste(canvas, samples[which], x, y, size, size)
    return _fit(_camera(canvas, rng) if number != 0 else canvas), things


def board_view(samples: list[Sample], first: int, sprites: list[int], backgrounds: list[Sample], rng: random.Random) -> tuple[np.ndarray, list[Thing]]:
    """One thing, several, or copies of one, at places of a 3 x 3 grid, in a picture that may have been wide or tall."""
    canvas = _background(backgrounds if rng.random() < 0.5 else [], rng)
    kind = rng.random()
    cells = rng.sample(range(9), 1 if kind < 0.3 else rng.randint(1, 6))
    copies = kind < 0.7
    wide = rng.choice([1, 1, 4 / 3, 4 / 3, 16 / 9, 3 / 4])
    even = rng.random() < 0.7
    side = rng.uniform(0.2, 0.34)
    things: list[Thing] = []
    for i, cell in enumerate(cells):
        size = (side if even else rng.uniform(0.2, 0.34)) + rng.uniform(-0.02, 0.02)
        x, y = (cell % 3 + 0.5) / 3 + rng.uniform(-0.04, 0.04), (cell // 3 + 0.5) / 3 + rng.uniform(-0.04, 0.04)
        things.append((first if copies or i == 0 else rng.choice(sprites), x, y, size))
    for which, x, y, size in things:
        _paste(canvas, samples[which], x, y, size / max(wide, 1), size * min(wide, 1))
    return _fit(_camera(canvas, rng) if rng.random() < 0.7 else canvas), things


def painted_view(sample: Sample, index: int, number: int, backgrounds: list[Sample], rng: random.Random) -> tuple[np.ndarray, list[Thing]]:
    """One large cut-out in the colour of this view number, on a ground of another colour."""
    colour = paint(number)
    while True:
        canvas = _background(backgrounds, rng)
        if np.linalg.norm(np.asarray(canvas, np.float32).mean((0, 1)) - np.array(COLOURS[colour])) > LIKE_ITS_GROUND:
            break
    size = rng.uniform(0.45, 0.95)
    x, y = (rng.uniform(size / 2, 1 - size / 2) for _ in range(2))
    _paste_image(canvas, painted(Image.open(sample.path), colour, rng), x, y, size, size)
    return _fit(_camera(canvas, rng)), [(index, x, y, size)]


def paint(number: int) -> str:
    """The colour of the painted view with this number."""
    return NAMES[number % len(NAMES)]


def colour_of_view(view: tuple[int, int, list[Thing]], colours: dict[int, str]) -> str | None:
    """The colour of the one thing that a view (sample, number, things) shows, or None if it is not known; `colours` of
    samples as returned by `colours_of`."""
    sample, number, things = view
    if number >= PAINTED:
        return paint(number)
    return colours.get(sample) if len(things) < 2 and number < BOARD else None


def _paste(canvas: Image.Image, sample: Sample, x: float, y: float, width: float, height: float) -> None:
    """Fits the sprite into width x height around (x, y), all as shares of the picture."""
    _paste_image(canvas, Image.open(sample.path).convert("RGBA"), x, y, width, height)


def _paste_image(canvas: Image.Image, sprite: Image.Image, x: float, y: float, width: float, height: float) -> None:
    sprite = sprite.crop(sprite.getbbox() or (0, 0, *sprite.size))
    scale = IMAGE_SIZE / max(sprite.size)
    sprite = sprite.resize((max(1, round(sprite.width * scale * width)), max(1, round(sprite.height * scale * height))))
    canvas.paste(sprite, (round(x * IMAGE_SIZE - sprite.width / 2), round(y * IMAGE_SIZE - sprite.height / 2)), sprite)


def plan_views(samples: list[Sample]) -> list[tuple[int, int]]:
    """(sample, view number) for every view, in order: photographs and sprites, boards (each by its first thing), signs,
    painted things, and the signs that were added later."""
    plan = [(i, n) for i, s in enumerate(samples) if s.set != SIGNS for n in range(VIEWS[s.set])]
    sprites = [i for i, s in enumerate(samples) if s.set in SPRITES]
    # As many as there are numbers before those of painted things.
    boards = [(sprites[b % len(sprites)], BOARD + b // len(sprites)) for b in range(min(BOARDS, (PAINTED - BOARD) * len(sprites)))]
    painted = [(sprites[b * 7 % len(sprites)], PAINTED + b) for b in range(PAINTED_VIEWS if sprites else 0)]
    signs = lambda numbers: [(i, n) for i, s in enumerate(samples) if s.set == SIGNS for n in numbers]
    return plan + boards + signs(range(FIRST_SIGN_VIEWS)) + painted + signs(range(FIRST_SIGN_VIEWS, SIGN_VIEWS))


class Views:
    """Makes the views of a list of samples. Each view has its own random generator, so their order does not matter."""

    def __init__(self, samples: list[Sample], seed: int):
        self.samples, self.seed = samples, seed
        self.sprites = [i for i, s in enumerate(samples) if s.set in SPRITES]
        self.backgrounds = [s for s in samples if s.set in ("flickr", "daquar") and not s.validation]

    def make(self, index: int, number: int) -> tuple[np.ndarray, list[Thing]]:
        """The picture, and the sprites in it (none in a photograph)."""
        sample = self.samples[index]
        rng = random.Random(f"{self.seed}/{sample.set}/{sample.path.rsplit('/', 1)[-1]}/{number}")
        if sample.set == SIGNS:
            return _fit(_camera(sign_view(sample, number, rng), rng)), []
        if number >= PAINTED:
            return painted_view(sample, index, number, self.backgrounds, rng)
        if number >= BOARD:
            return board_view(self.samples, index, self.sprites, self.backgrounds, rng)
        if sample.set in SPRITES:
            return sprite_view(self.samples, number, index, self.sprites, self.backgrounds, rng)
        return photo_view(sample, number, rng), []
