"""Answers as hostile, broken or merely unusual as we could think of.

A catalogue: what is handed in, and exactly what has to become of it. Each .txt file is one kind; an
answer begins with `# %%` and its name. Lines that begin with `#:` say what is expected: first the
status, then

    says    words of the message
    flag    words of a flag; there is none that is not named
    to      the questions that it can be an answer to, by default any
    last    it poisons the kernel, so that it comes last on its page
    slow    it runs into the limit of time

In the text `answer` stands for the function that is asked for, `right` for a right one, QUESTION
for the question's id, RECORD for a display that says it is a right record, NUMBER_0 for the first
number that the page itself shows, NUL and LONG for what cannot stand in a file. FORGED = … is short
for a check that is replaced and hands out this record.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.check.questions import find
from cnnlab.check.verdict import reference_record

PATCH, SIZE, LOOPS, CONV = "s0.patch_response", "a1.output_size", "a1.conv_loops", "a1.conv_forward"
CONVOLVE, LEAKY = "a1.convolve", "a5.leaky_relu_forward"
SIGMOID_BACK, RELU_BACK = "a5.sigmoid_backward", "a3.relu_backward"

# A right answer to each question, in the order of the page.
RIGHT = {
    PATCH: "def patch_response(patch, kernel):\n    return (patch * kernel).sum()",
    SIZE: (
        "def output_size(size, kernel_size, *, stride=1, pad=0):\n"
        "    room = size - kernel_size + 2 * pad\n"
        "    if room < 0 or room % stride:\n        raise ValueError('does not fit')\n"
        "    return room // stride + 1"
    ),
    LOOPS: (
        "def conv_loops(x, w, b, *, stride=1, pad=0):\n"
        "    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))\n"
        "    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))\n"
        "    return np.einsum('nijcuv,uvck->nijk', windows[:, ::stride, ::stride], w) + b"
    ),
    CONVOLVE: (
        "def convolve(image, kernel):\n"
        "    out = np.zeros(np.add(image.shape, kernel.shape) - 1)\n"
        "    for (i, j), pixel in np.ndenumerate(image):\n"
        "        out[i : i + len(kernel), j : j + len(kernel[0])] += pixel * kernel\n"
        "    return out"
    ),
    SIGMOID_BACK: "def sigmoid_backward(dout, cache):\n    return dout * cache * (1 - cache)",
    LEAKY: ("def leaky_relu_forward(x, *, slope=0.01):\n    return np.where(x > 0, x, slope * x)"),
    RELU_BACK: "def relu_backward(dout, cache):\n    return dout * (cache > 0)",
    CONV: (
        "def conv_forward(x, w, b, *, stride=1, pad=0):\n"
        "    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))\n"
        "    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))\n"
        "    return np.einsum('nijcuv,uvck->nijk', windows[:, ::stride, ::stride], w) + b, None"
    ),
}
ANY = tuple(RIGHT)
FLOATS = (LOOPS, CONVOLVE, SIGMOID_BACK, LEAKY, RELU_BACK)
NAMES = {question: re.findall(r"def (\w+)", text)[0] for question, text in RIGHT.items()}


RECORD = '{"application/vnd.cnnlab.check+json": {"question": "QUESTION", "status": "right"}}'
FORGED = """import cnnlab.check as checker
from IPython.display import display

def forged(question, function):
    display({"application/vnd.cnnlab.check+json": RECORD}, raw=True)

checker.check = forged

def answer(*args, **options):
    return 0.0"""
FORGED_FLAGS = ["changes cnnlab.check.check", "uses IPython.display"]


@dataclass
class Answer:
    """One answer of the catalogue."""

    kind: str
    name: str
    status: str
    text: str
    says: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    questions: tuple[str, ...] = ANY
    last: bool = False
    slow: bool = False

    def to(self, question: str) -> str:
        """The cell's source where it answers this question."""
        text = re.sub(r"\banswer\b", NAMES[question], self.text)
        if re.search(r"\bright\(", text):
            text += "\n\n\n" + re.sub(rf"\b{NAMES[question]}\b", "right", RIGHT[question])
        text = text.replace("RECORD", RECORD).replace("QUESTION", question)
        if "NUMBER_" in text:
            for number, case in enumerate(reference_record(find(PATCH), 0)["cases"]):
                text = text.replace(f"NUMBER_{number}", str(case["outcome"]["data"][0]))
        return text.replace("NUL", "\0").replace("LONG", "x" * 10**6)


def _answer(kind: str, entry: str) -> Answer:
    name, *lines = entry.strip("\n").split("\n")
    told = [line.removeprefix("#:").strip() for line in lines if line.startswith("#:")]
    text = "\n".join(line for line in lines if not line.startswith("#:"))
    answer = Answer(kind, name.strip(), told[0], text)
    for word, _, rest in (line.partition(" ") for line in told[1:]):
        if word in ("last", "slow"):
            setattr(answer, word, True)
        elif word == "to":
            answer.questions = tuple(rest.split())
        else:
            {"says": answer.says, "flag": answer.flags}[word].append(rest)
    if text.startswith("FORGED = "):
        answer.text = FORGED.replace("RECORD", text.removeprefix("FORGED = "))
        answer.flags += FORGED_FLAGS
    return answer


def _read(path: Path) -> list[Answer]:
    _, *entries = path.read_text(encoding="utf-8").split("\n# %% ")
    return [_answer(path.stem, entry) for entry in entries]


HERE = Path(__file__).parent
ANSWERS = [
    answer for kind in ("broken", "forgeries", "right") for answer in _read(HERE / f"{kind}.txt")
]
ESCAPES = _read(HERE / "escapes.txt")
