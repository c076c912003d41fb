"""Words for things of many names, such as "a bird" or "a person": which of them a picture shows, and which it surely
does not.

People seldom ask a camera for what a data set calls things. The words follow from labels the data already has:
ImageNet's classes are in WordNet order, so that kinds are ranges of class numbers; stamps and groceries have groups,
scenes have captions.
"""

import re
from dataclasses import dataclass

from labels import Sample

# Inclusive ranges of ImageNet's 1,000 class numbers, in the order of their WordNet ids.
CLASSES: dict[str, list[tuple[int, int]]] = {
    "animal": [(0, 397)],
    "fish": [(0, 6), (389, 397)],
    "shark": [(2, 4)],
    "bird": [(7, 24), (80, 100), (127, 146)],
    "chicken": [(7, 8)],
    "eagle": [(22, 22)],
    "owl": [(24, 24)],
    "parrot": [(87, 90)],
    "duck": [(97, 98)],
    "penguin": [(145, 145)],
    "frog": [(30, 32)],
    "turtle": [(33, 37)],
    "lizard": [(38, 48)],
    "snake": [(52, 68)],
    "spider": [(72, 77)],
    "crab": [(118, 121), (125, 125)],
    "lobster": [(122, 123)],
    "whale": [(147, 148)],
    "dog": [(151, 268)],
    "wolf": [(269, 271)],
    "fox": [(277, 280)],
    "cat": [(281, 285)],
    "bear": [(294, 297)],
    "insect": [(300, 326)],
    "beetle": [(300, 307)],
    "butterfly": [(321, 326)],
    "rabbit": [(330, 332)],
    "squirrel": [(335, 335)],
    "horse": [(339, 339), (603, 603)],
    "pig": [(341, 343)],
    "cow": [(345, 345), (690, 690)],
    "sheep": [(348, 349)],
    "monkey": [(370, 382)],
    "elephant": [(385, 386)],
    "panda": [(387, 388)],
    "car": [(436, 436), (468, 468), (511, 511), (609, 609), (627, 627), (656, 656), (661, 661), (751, 751), (817, 817)],
    "truck": [(555, 555), (569, 569), (675, 675), (717, 717), (864, 864), (867, 867)],
    "bus": [(654, 654), (779, 779), (874, 874)],
    "bicycle": [(444, 444), (671, 671)],
    "motorcycle": [(665, 665), (670, 670)],
    "airplane": [(404, 404), (895, 895), (908, 908)],
    "boat": [(472, 472), (484, 484), (554, 554), (576, 576), (625, 625), (814, 814), (914, 914)],
    "ship": [(403, 403), (510, 510), (628, 628), (724, 724)],
    "train": [(466, 466), (547, 547), (565, 565), (705, 705), (820, 820), (829, 829)],
    "vehicle": [(407, 408), (436, 436), (468, 468), (475, 475), (511, 511), (555, 555), (569, 569), (575, 575), (586, 586), (595, 595), (609, 609), (627, 627), (654, 654), (656, 656), (661, 661),
                (665, 665), (670, 670), (675, 675), (717, 717), (734, 734), (751, 751), (757, 757), (779, 779), (803, 803), (817, 817), (847, 847), (864, 864), (866, 867), (874, 874)],
    "clock": [(409, 409), (530, 530), (892, 892)],
    "telephone": [(487, 487), (528, 528), (707, 707)],
    "computer": [(527, 527), (620, 620), (681, 681)],
    "chair": [(423, 423), (559, 559), (765, 765)],
    "table": [(526, 526), (532, 532)],
    "bed": [(564, 564)],
    "sofa": [(831, 831)],
    "lamp": [(619, 619), (846, 846)],
    "camera": [(732, 732), (759, 759)],
    "keyboard": [(508, 508), (878, 878)],
    "cup": [(504, 504), (968, 968)],
    "bag": [(414, 414), (636, 636), (748, 748)],
    "knife": [(499, 499), (623, 623)],
    "tool": [(491, 491), (587, 587), (596, 596), (740, 740), (784, 784), (792, 792)],
    "gun": [(413, 413), (763, 764)],
    "bottle": [(440, 440), (720, 720), (737, 737), (898, 898), (907, 907)],
    "guitar": [(402, 402), (546, 546)],
    "piano": [(579, 579), (881, 881)],
    "drum": [(541, 541), (822, 822)],
    "musical instrument": [(401, 402), (420, 420), (432, 432), (486, 486), (513, 513), (541, 541), (546, 546), (558, 558), (566, 566), (577, 577), (579, 579), (593, 594), (642, 642), (683, 684), (687, 687),
                           (699, 699), (776, 776), (822, 822), (875, 875), (881, 881), (889, 889)],
    "hat": [(452, 452), (515, 515), (808, 808)],
    "shoe": [(502, 502), (514, 514), (630, 630), (770, 770), (774, 774)],
    "ball": [(429, 430), (574, 574), (722, 722), (768, 768), (805, 805), (852, 852), (890, 890)],
    "bridge": [(821, 821), (839, 839), (888, 888)],
    "building": [(425, 425), (449, 449), (483, 483), (497, 498), (663, 663), (668, 668), (698, 698)],
    "food": [(924, 957), (959, 959), (961, 965)],
    "bread": [(930, 932)],
    "drink": [(966, 967), (969, 969)],
    "fruit": [(948, 957)],
    "vegetable": [(936, 939), (943, 946)],
    "mushroom": [(947, 947), (992, 992), (996, 997)],
    "flower": [(985, 986)],
}
LAST_ANIMAL = 397
# Classes whose pictures may also show an animal, or what looks like one: apiary, barn, bird house, carousel, dogsled,
# horse cart, mask, muzzle, oxcart, plow, spider web, studio couch, teddy, totem pole, worm fence, coral reef, valley.
BESIDE_ANIMALS = {410, 425, 448, 476, 537, 603, 643, 676, 690, 730, 815, 831, 850, 863, 912, 973, 979}
# Classes whose pictures may also show airplanes, trains or instruments: carrier, airship, parachute, stage, drumstick,
# pick.
BESIDE_LARGE = {403, 405, 542, 701, 714, 819}
# Classes whose pictures may also show a ball: football helmet, racket, scoreboard, ballplayer.
BESIDE_BALLS = {560, 752, 781, 981}
# Classes whose pictures may also show something to eat or drink, or to prepare it with: from bakery to wok, and
# glasses, plates and shops.
BESIDE_FOOD = {415, 440, 441, 463, 467, 473, 499, 504, 505, 509, 521, 532, 544, 550, 567, 572, 582, 618, 623, 647, 651, 659, 712, 720, 737, 738, 739, 743, 760, 762, 766, 767, 773, 790, 791, 813, 827, 828, 849, 859, 868,
               891, 898, 899, 901, 907, 909, 910, 923, *range(924, 970)}
# Prefixes of a stamp's category.
STAMPS = {
    "animal": ("animals/",), "fish": ("animals/fish",), "bird": ("animals/birds",), "insect": ("animals/insects",), "lizard": ("animals/lizards",),
    "dog": ("animals/mammals/dogs",), "cat": ("animals/mammals/cats",), "bear": ("animals/mammals/bears",), "fruit": ("food/fruit",),
    "vegetable": ("food/vegetables",), "flower": ("plants/flowers",), "tree": ("plants/trees",), "hat": ("clothes/hats",), "building": ("town/houses",),
    "airplane": ("vehicles/flight/planes",), "train": ("vehicles/locomotive",), "mushroom": ("plants/mushrooms",),
}
# Words in captions and in answers about rooms, each with others that imply it.
SAID = {
    "person": "people man men woman women boy boys girl girls child children kid kids baby toddler person adult adults crowd climber hiker skier player rider lady guy couple",
    "man": "men guy", "woman": "women lady", "boy": "boys", "girl": "girls", "child": "children kid kids boy boys girl girls toddler baby", "baby": "toddler infant",
    "animal": "dog dogs cat horse horses cow bird puppy puppies", "dog": "dogs puppy puppies", "cat": "cats kitten", "horse": "horses", "bird": "birds",
    "water": "lake river ocean pool sea stream waves", "snow": "snowy", "grass": "grassy", "beach": "sand", "mountain": "mountains", "rock": "rocks rocky cliff",
    "ball": "balls soccer tennis basketball football baseball", "bicycle": "bike bikes bicycles", "car": "cars", "motorcycle": "motorcycles motorbike", "vehicle": "vehicles car cars truck trucks bus van motorcycle",
    "boat": "boats kayak canoe", "bag": "bags backpack backpacks purse suitcase", "cup": "cups mug", "street": "road",
    "tree": "trees", "hat": "hats", "bench": "benches", "guitar": "guitars", "building": "buildings", "fence": "", "helmet": "",
    "table": "tables desk", "chair": "chairs armchair", "window": "windows", "lamp": "lamps", "picture": "pictures", "cabinet": "cabinets", "bed": "beds", "sofa": "sofas couch",
    "book": "books", "television": "tv", "mirror": "mirrors", "door": "doors", "pillow": "pillows", "curtain": "curtains", "towel": "towels", "sink": "sinks", "toilet": "",
    "plant": "ornamental_plant plants", "bottle": "bottles bottle_of_liquid", "computer": "laptop monitor", "clock": "clocks", "telephone": "phone",
}
# Other ways to ask for one, with their articles.
ALSO_CALLED = {
    "person": ["people", "anyone", "someone", "anybody", "somebody", "any people"], "child": ["children", "a kid", "kids"], "airplane": ["a plane"], "bicycle": ["a bike"],
    "telephone": ["a phone"], "television": ["a tv"], "sofa": ["a couch"], "dog": ["dogs", "any dog", "a puppy"], "car": ["cars", "any cars"], "animal": ["animals", "any animal"],
    "man": ["men"], "clothes": ["clothing", "any clothes"], "woman": ["women", "a lady"], "cat": ["a kitten", "cats"], "bird": ["birds"],
    "motorcycle": ["a motorbike", "a motor bike"], "vehicle": ["vehicles", "any vehicle"], "musical instrument": ["an instrument"], "food": ["something to eat", "any food"],
    "drink": ["something to drink"], "ship": ["ships"], "chicken": ["a hen"], "sheep": ["sheep"], "cup": ["a mug"],
}
UNCOUNTED = {"clothes", "water", "snow", "grass", "food", "fruit", "milk", "juice", "soy milk", "oat milk", "sour milk", "sour cream", "yoghurt", "soyghurt", "oatghurt"}
INDOORS = {"table", "chair", "window", "door", "lamp", "picture", "cabinet", "bed", "sofa", "book", "television", "mirror", "pillow", "curtain", "towel", "sink", "toilet", "computer", "clock", "telephone",
           "guitar"}
OUTDOORS = {"snow", "beach", "mountain", "street", "horse", "boat", "airplane", "train", "bus", "truck", "elephant", "bear", "monkey", "snake", "cow", "car", "grass", "tree",
            "fence", "building", "rock", "bench", "bridge", "water"}
ANIMALS = {word for word, ranges in CLASSES.items() if ranges[0][1] <= LAST_ANIMAL}
TRAFFIC = {"car", "truck", "bus", "train", "airplane", "street", "motorcycle", "ship", "vehicle"}
EATEN = {"food", "fruit", "vegetable", "bread"}
# What is hardly ever in a background by chance.
SELDOM = ANIMALS - {"insect", "beetle", "butterfly", "spider"}
LARGE = {"airplane", "train", "ship", "motorcycle", "piano", "guitar", "drum", "musical instrument"}
EATEN_OR_CUT = EATEN | {"drink", "knife", "mushroom"}
# What hardly ever lies beside things of other kinds.
APART = {"gun", "camera", "tool", "flower"}
# What people hold, wear or play, and animals are not seen with.
HELD = {"tool", "camera", "keyboard", "cup", "bag", "knife", "gun", "drum", "guitar", "musical instrument", "drink", "hat", "shoe", "telephone"}
# What a caption would not leave out.
FOREMOST = TRAFFIC - {"street", "car", "vehicle"} | {"dog", "horse", "cat", "bird", "animal", "bicycle", "snow", "boat", "beach", "elephant", "snake", "bear", "monkey", "fish", "bed", "sofa",
                                          "television", "toilet", "sink", "computer", "guitar", "vegetable", "fruit", "ball", "insect", "lizard"} | SELDOM | LARGE
ANYONE = set("people person persons child children kid kids group crowd couple adult adults player players climber hiker skier rider baby toddler someone".split())
PEOPLE = {"person", "man", "woman", "boy", "girl", "child", "baby"}
SEVERAL = set("people men women boys girls children kids group crowd couple players two three four several".split())
NEARLY_ALL = 4  # of five captions
SAID_TWICE = 2  # of a picture's captions: a single one may be mistaken


@dataclass(frozen=True)
class Kinds:
    """Words for what a picture shows, and for what it surely does not. Of all other words nothing is known.

    main: what a person would say first about a scene that has no name of its own.
    """

    shown: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    main: str | None = None


def group_of(sample: Sample) -> str:
    return sample.extra["group"].replace("-", " ").lower()


def kinds_of(sample: Sample, number: int | None, groups: set[str]) -> Kinds:
    """number: the picture's ImageNet class, if any; groups: those of all groceries."""
    known = _OF_SET.get(sample.set)
    shown, absent = _of_class(number) if number is not None else known(sample, groups) if known else (set(), set())
    # A prairie chicken is not a chicken, but a question about a chicken may mean it.
    own = set((sample.label or "").split())
    return Kinds(frozenset(shown), frozenset(absent - shown - own), _main(sample))


def _of_class(number: int) -> tuple[set[str], set[str]]:
    """Nobody noted what stands beside a thing; beside an animal there is seldom another one, or food."""
    shown = {word for word, ranges in CLASSES.items() if any(a <= number <= z for a, z in ranges)}
    if number > LAST_ANIMAL:
        large = set() if number in BESIDE_LARGE or shown & {*TRAFFIC, "boat", "musical instrument"} else LARGE
        eaten = set() if number in BESIDE_FOOD else EATEN_OR_CUT
        held = HELD - {"cup", "drink", "tool"} if shown & EATEN else set()
        small = {"building"} if shown & {*HELD, *EATEN} else set()
        return shown, (set() if number in BESIDE_ANIMALS else SELDOM) | large | eaten | held | small | APART | (set() if number in BESIDE_BALLS else {"ball"})
    # Wild dogs and cats are neither or both; tame ones live with people and their things.
    wild, tame = 269 <= number <= 293, 151 <= number <= 268 or 281 <= number <= 285
    alone = wild or shown & {"bird", "insect", "spider", "monkey"}
    return shown, (ANIMALS | EATEN_OR_CUT | TRAFFIC | LARGE | APART - {"flower"} | (set() if tame else INDOORS | HELD) | (PEOPLE if alone else set())) - ({"dog", "cat"} if wild else set())


def _of_stamp(sample: Sample, _groups: set[str]) -> tuple[set[str], set[str]]:
    category = sample.extra.get("category", "") + "/"
    return {word for word, starts in STAMPS.items() if category.startswith(starts)}, set()


def _of_grocery(sample: Sample, groups: set[str]) -> tuple[set[str], set[str]]:
    shelves = {"__Fruit__": {"fruit", "food"}, "__Vegetables__": {"vegetable", "food"}}
    shown = next((words for name, words in shelves.items() if name in sample.path), set())
    # "Apple juice" is not an apple, but a question about an apple may mean it.
    others = {group for group in groups if not set(group.split()) & set((sample.label or "").split())}
    return shown | ({group_of(sample)} if "group" in sample.extra else set()), others | ANIMALS | OUTDOORS | INDOORS | PEOPLE | HELD - {"cup", "bag", "drink"} | {"fruit", "vegetable", "ball", "clothes"}


def _of_clothing(sample: Sample, groups: set[str]) -> tuple[set[str], set[str]]:
    worn = {"hat": {"hat"}, "shoes": {"shoe"}}.get(sample.label or "", set())
    return worn | {"clothes"}, groups | EATEN | ANIMALS | OUTDOORS - {"grass", "fence"} | {"television", "sink", "toilet", "computer", "ball", "bottle"} | HELD - {"bag", "hat", "shoe"}


def _captions(sample: Sample) -> list[set[str]]:
    """The words of each caption."""
    return [set(re.findall(r"[a-z]+", caption.lower())) for caption in sample.captions]


def _ways(word: str) -> set[str]:
    """All words that imply this one."""
    return {word, *SAID[word].split()}


def _of_scene(sample: Sample, groups: set[str]) -> tuple[set[str], set[str]]:
    """Things that no caption names may be in the background, except those that a caption would begin with."""
    captions = _captions(sample)
    times = {word: sum(bool(said & _ways(word)) for said in captions) for word in SAID}
    absent = groups | {word for word in FOREMOST if times.get(word, 0) == 0}
    if times["person"] == 0:
        absent |= PEOPLE
    elif not any(said & ANYONE for said in captions):
        # All captions say who it is.
        absent |= {word for word, one in (("woman", "girl"), ("girl", "woman"), ("man", "boy"), ("boy", "man")) if times[word] == times[one] == 0}
        absent |= {"child", "baby"} if times["child"] == 0 else set()
    return {word for word, n in times.items() if n >= SAID_TWICE}, absent


def _main(sample: Sample) -> str | None:
    """The one person, animal, car or boat that nearly all captions name; "people" for several persons."""
    captions = _captions(sample)
    often = lambda words, least=NEARLY_ALL: sum(bool(said & words) for said in captions) >= least
    if not often(_ways("person"), SAID_TWICE):
        return next((word for word in ("dog", "horse", "cat", "bird", "car", "boat") if often(_ways(word))), None)
    if any(often(_ways(animal), SAID_TWICE) for animal in ("dog", "horse")) or not often(_ways("person")):
        return None
    if often(SEVERAL, SAID_TWICE):
        return "people"
    one = [word for word in ("man", "woman", "boy", "girl") if often({word}, SAID_TWICE)]
    return "people" if len(one) > 1 else one[0] if one and often({one[0]}, 3) else None if one else "person"


def _of_room(sample: Sample, groups: set[str]) -> tuple[set[str], set[str]]:
    said = {a for _, answer in sample.qa for a in answer.split(",")} | {w for question, _ in sample.qa for w in question.split()}
    return {word for word in SAID if said & _ways(word)} - PEOPLE - OUTDOORS, groups | ANIMALS | OUTDOORS - {"water"}


def _of_exercise(_sample: Sample, groups: set[str]) -> tuple[set[str], set[str]]:
    return {"person"}, groups | EATEN | ANIMALS | OUTDOORS - {"bench"} | {"baby", "sofa", "television", "toilet", "sink"}


def _of_sign(_sample: Sample, groups: set[str]) -> tuple[set[str], set[str]]:
    """A sign shows nothing but writing."""
    return set(), groups | ANIMALS | EATEN | TRAFFIC | OUTDOORS | INDOORS | PEOPLE


_OF_SET = {"signs": _of_sign, "stamps": _of_stamp, "grocery": _of_grocery, "clothing": _of_clothing, "flickr": _of_scene, "daquar": _of_room, "exercises": _of_exercise}


# Who is counted in scenes: singular and plural.
COUNTED = {"man": "men", "woman": "women", "boy": "boys", "girl": "girls", "child": "children", "kid": "kids", "person": "people", "dog": "dogs", "horse": "horses"}
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_SAID_NUMBER = re.compile(rf"\b({'|'.join(NUMBERS)})\s+(?:\w+\s+){{0,2}}?({'|'.join([*COUNTED, *COUNTED.values()])})\b")
SAID_BY_MOST = 3  # of five captions


def numbers_of(sample: Sample) -> dict[str, int]:
    """How many of whom a scene shows, keyed by the plural word: numbers that most captions give and none
    contradicts."""
    said: dict[str, list[int]] = {}
    for caption in sample.captions:
        for number, who in _SAID_NUMBER.findall(caption.lower()):
            # "a group of men" does not count as one man.
            if (NUMBERS[number] == 1) == (who in COUNTED):
                said.setdefault(COUNTED.get(who, who), []).append(NUMBERS[number])
    numbers = {word: all_[0] for word, all_ in said.items() if len(all_) >= SAID_BY_MOST and len(set(all_)) == 1}
    # If nearly all captions count the same people, and nobody else is named, these are all the people.
    if set(said) == set(numbers) and len(numbers) == 1 and (word := next(iter(numbers))) in ("men", "women", "boys", "girls") and len(said[word]) >= NEARLY_ALL:
        numbers["people"] = numbers[word]
    return numbers
