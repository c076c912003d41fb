"""How people ask: phrasings of each task. The last HELD_OUT of each list are never trained on; they measure paraphrase.

`{x}` is a thing with or without its article, `{t}` a time of the stream.
"""

HELD_OUT = 3

PHRASINGS: dict[str, list[str]] = {
    "now": [
        "what is shown now?", "what is this?", "what do you see?", "what is shown?", "what's this", "whats on screen right now",
        "what is in front of the camera?", "which object is visible now?", "name the thing in the picture", "what do you see now?",
        "what am i showing you?", "what is it?", "what's in the picture at the moment?", "identify this object", "what is being shown right now?",
        "what can you see?", "tell me what is on the screen", "what thing is this", "what is visible at this moment?",
        "what is the camera looking at?", "what object do you see right now?", "what is on the picture now",
    ],
    "describe": [
        "what is happening?", "describe the scene", "describe what you see", "what's going on?", "what is going on in the picture?",
        "give me a description", "can you describe this?", "whats happening now", "describe the image", "tell me what is happening",
        "what happens here?", "summarise the scene", "please describe the picture", "what is happening right now?", "explain what you see here",
    ],
    "where": [
        "where is {x}?", "where's {x}", "in which part of the picture is {x}?", "where do you see {x}?", "where can i find {x}?",
        "on which side is {x}?", "what is the position of {x}?", "tell me where {x} is", "where in the image is {x}?", "locate {x}",
        "where is {x} now?", "whereabouts is {x}?", "where is {x} in the frame?", "at which place is {x}?", "find {x}",
    ],
    "howmany": [
        "how many {xs} are there?", "how many {xs}?", "count the {xs}", "how many {xs} do you see?", "what is the number of {xs}?",
        "how many {xs} are shown?", "how many {xs} can you see?", "number of {xs}", "how many {xs} are in the picture?", "tell me how many {xs} there are",
        "how many {xs} are visible?", "can you count the {xs}?", "how many {xs} are on screen now?", "please count {xs}", "give the number of {xs}",
    ],
    "attribute": [
        "what equipment is used?", "which equipment is used in this exercise?", "what is the person using?", "what gear is used here?",
        "with what equipment is this done?", "what equipment do you see?", "name the equipment", "what tool is used for the exercise?",
        "which kind of equipment is it?", "what does the exercise need?", "what equipment is needed?", "what do they train with?",
        "what kind of equipment is shown?", "which equipment does the person have?", "what is being used to train?",
    ],
    "seen": [
        "have you seen {x}?", "did you see {x}?", "was there {x}?", "has {x} been shown?", "was {x} shown?", "did {x} appear?",
        "did {x} show up", "have you ever seen {x}?", "has there been {x}?", "was {x} in the video?", "have you seen {x} so far?", "any {x} so far?",
        "did i show you {x}?", "is there {x} in the video?", "has {x} appeared?", "do you remember seeing {x}?", "did you notice {x}?",
        "have we seen {x} yet?", "was there ever {x} on screen?", "did {x} come up at any time?",
    ],
    "seennow": [
        "is this {x}?", "do you see {x}?", "is {x} shown now?", "is there {x} now?", "can you see {x}?", "is {x} visible?",
        "do you see {x} right now?", "is it {x}?", "is {x} on screen?", "are we looking at {x}?", "is that {x}", "is {x} in the picture?",
        "is {x} there at the moment?", "are you seeing {x}?", "does the camera show {x} now?",
    ],
    "first": [
        "what was shown first?", "what was the first thing shown?", "what came first?", "what did you see first?", "what was the first object?",
        "which thing was shown first?", "what did the video start with?", "what was at the start?", "first thing you saw?", "what appeared first?",
        "what was there in the beginning?", "what did you see at the beginning?", "name the first object", "what was the very first thing?",
        "which object came first?", "what was shown at the very beginning?", "what did it start with",
    ],
    "last": [
        "what was shown last?", "what was the last thing shown?", "what came last?", "what is the last thing you saw?", "what was the last object?",
        "which thing was shown last?", "what did you see last?", "last thing you saw?", "what appeared last?", "what is the most recent thing?",
        "what is the latest object?", "name the last object", "what was the very last thing?", "what was shown most recently?",
        "which object came last?", "what is the newest thing you saw?", "what did you see most recently?",
    ],
    "before": [
        "what came before {x}?", "what was shown before {x}?", "what did you see before {x}?", "what was there before {x}?", "before {x}, what was shown?",
        "what was before {x}", "which thing came before {x}?", "what appeared before {x}?", "what was shown just before {x}?", "what came right before {x}?",
        "what preceded {x}?", "what was the thing before {x}?", "what object was shown before {x}?", "what was on screen before {x}?",
        "what did i show you before {x}?", "which object preceded {x}?", "just before {x} what did you see?",
    ],
    "after": [
        "what came after {x}?", "what was shown after {x}?", "what did you see after {x}?", "what was there after {x}?", "after {x}, what was shown?",
        "what was after {x}", "which thing came after {x}?", "what appeared after {x}?", "what was shown just after {x}?", "what came right after {x}?",
        "what followed {x}?", "what was the thing after {x}?", "what object was shown after {x}?", "what was on screen after {x}?", "what came next after {x}?",
        "what did i show you after {x}?", "which object followed {x}?", "just after {x} what did you see?",
    ],
    "at": [
        "what was shown at {t}?", "what did you see at {t}?", "what was there at {t}?", "at {t} what was shown?", "what was on screen at {t}?",
        "what was visible at {t}?", "which thing was shown at {t}?", "what object was there at {t}?", "what was at {t}", "what was in the picture at {t}?",
        "what is shown at {t}?", "name the thing shown at {t}", "what appeared at {t}?", "what could be seen at {t}?",
        "what was i showing you at {t}?", "which object did you see at {t}?", "at {t}, what was on the screen?",
    ],
    "when": [
        "when did {x} appear?", "when was {x} shown?", "when did you see {x}?", "when did {x} show up?", "at what time did {x} appear?",
        "when did you first see {x}?", "what time was {x} shown?", "when was there {x}?", "at which moment did {x} appear?", "when did {x} come?",
        "when does {x} appear?", "since when is {x} shown?", "when did i show you {x}?", "when did {x} first appear?",
        "at what moment was {x} shown?", "tell me when {x} appeared", "what was the time when you saw {x}?",
    ],
    "left": [
        "when did {x} disappear?", "when did {x} leave?", "when was {x} gone?", "until when was {x} shown?", "when did {x} go away?",
        "at what time did {x} disappear?", "when was {x} taken away?", "when was {x} no longer shown?", "when did you last see {x}?",
        "at which moment did {x} leave?", "when did {x} vanish?", "tell me when {x} disappeared", "until what time was {x} there?",
        "when was the last time you saw {x}?", "when did {x} stop being shown?",
    ],
    "which": [
        "which camera shows {x}?", "on which camera is {x}?", "what camera shows {x}", "which camera sees {x}?", "where do you see {x}?", "which camera has {x} now?",
        "on what camera do you see {x}?", "which stream shows {x}?", "which of the cameras shows {x}?", "tell me which camera shows {x}",
        "which one shows {x}?", "on which camera can {x} be seen?", "which camera is looking at {x}?", "in which stream is {x}?", "what camera is {x} on?",
    ],
    "whichever": [
        "which camera has seen {x}?", "on which camera was {x}?", "which camera saw {x}?", "on which camera did {x} appear?", "which camera has shown {x}?",
        "what camera saw {x}", "which stream has seen {x}?", "on which camera was {x} shown?", "where was {x} seen?", "which of the cameras saw {x}?",
        "on what camera did {x} show up?", "tell me which camera saw {x}", "which camera showed {x}?", "which one has seen {x}?", "on which stream did {x} appear?",
    ],
    "oncamera": [
        "what does camera {n} show?", "what is on camera {n}?", "what do you see on camera {n}?", "what is camera {n} looking at?", "what's on camera {n} now",
        "what is shown on camera {n}?", "camera {n}: what is it?", "what can be seen on camera {n}?", "which thing does camera {n} show?", "name the object on camera {n}",
        "what does camera {n} see?", "on camera {n}, what do you see?", "what is visible on camera {n}?", "tell me what camera {n} shows", "what thing is on camera {n}?",
    ],
    "different": [
        "how many different things were shown?", "how many things did you see?", "how many objects were shown?", "how many different objects were there?",
        "count the different things", "how many different things have you seen?", "how many different objects did you see so far?", "how many things were there in total?",
        "number of different things shown?", "how many distinct objects appeared?", "how many items were shown?", "how many different items have you seen?",
        "how many separate things were shown?", "what is the count of different objects?", "how many different things appeared?",
    ],
}

FOLLOW_UPS: dict[str, list[str]] = {
    "when": ["when did it appear?", "when was it shown?", "since when?", "when did that show up?", "when did you see it?"],
    "before": ["what came before it?", "and before that?", "what was shown before that?", "what did you see before it?"],
    "after": ["what came after it?", "and after that?", "what was shown after that?", "what followed it?"],
}

NOT_SHOWN = "it was not shown"
STILL_SHOWN = "it is still shown"

CHAT: list[tuple[list[str], str]] = [
    (["hello", "hi", "hi there", "hey", "good morning", "hello there"], "hello, ask me about the video"),
    (["who are you?", "what are you?", "what is your name?", "what can you do?", "help"], "i watch the video and answer questions about it"),
    (["thanks", "thank you", "thanks a lot", "ok thanks", "great, thank you"], "you are welcome"),
    (["how are you?", "how is it going?", "are you ok?"], "i am well and watching the video"),
    (["bye", "goodbye", "see you", "good night"], "goodbye"),
    (["what is the weather tomorrow?", "tell me a joke", "who is the president?", "what is two plus two?", "write a poem", "what is the capital of france?"],
     "i only know what the video shows"),
]
