"""Two GIF films of cartpole: a training run, and a test of its policy."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..golden import cartpole
from ..golden.policy import Policy, encode
from ..pictures.style import BLUE, GREEN, ORANGE
from ..runs.policy.gymnasium_episodes import environment, episode
from ..spec.cartpole import EPISODE_STEPS, STATE_FRAC
from .base import Cell

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

Float = NDArray[np.float64]
WIDTH, HEIGHT = 560, 320
TEST_HEIGHT = 228  # without the learning curve
SCALE = 3  # frames are drawn larger by this factor, for smooth edges
FRAME_MS, STEPS_A_FRAME = 40, 2  # real time: a step is 0.02 s
PAUSE_FRAMES = 12  # after a fall
SHOWN_STEPS = 160  # of a training episode, at the most
SHOWN_SAMPLES = 7
TRACK_M = 2.4
PIXELS_A_METRE = 105.0
GROUND_Y = 205
POLE_M = 1.0
WHITE, INK, SOFT, FAINT = "#ffffff", "#222222", "#b8b8b8", "#e4e4e4"
SHADES = 8  # of a colour, in the palette


def training_video(cell: Cell) -> bytes:
    """Samples of a run in the order in which they were current, from the first to the best."""
    frames: list[Image] = []
    returns, played = np.array(cell["returns"]), np.array(cell["played"])
    for step in _telling_steps(returns):
        codes = np.array(cell["codes"][cell["sample"][step]])
        states, lasted = _training_episode(codes, int(cell["seed"]))
        words = [
            f"training step {step + 1} of {len(returns)}",
            f"{played[step]:,} episodes so far",
            f"mean return {returns[step]:.0f}",
        ]
        pushes = encode(states)[:, :5] @ cartpole.policy_weights(codes) > 0
        for at in range(0, len(states), STEPS_A_FRAME):
            graph = (played, returns, step)
            frames.append(_frame(states[at], bool(pushes[at]), words, at, graph, False))
        fell = lasted < EPISODE_STEPS and lasted < SHOWN_STEPS
        last = _frame(states[-1], bool(pushes[-1]), words, len(states) - 1, graph, fell)
        frames += [last] * PAUSE_FRAMES
    return _gif(frames)


def testing_video(cell: Cell) -> bytes:
    """One Gymnasium episode of the learnt policy."""
    policy = Policy(np.array(cell["weights"], float), np.array(cell["counts"], np.int64))
    states = episode(policy, environment(), int(cell["seed"]))
    pushes = policy.pushes_right(states)
    mean = float(np.mean(cell["tested"]))
    words = ["test: Gymnasium CartPole-v1", f"mean return {mean:.1f} of {EPISODE_STEPS}", ""]
    frames = [
        _frame(states[at], bool(pushes[at]), words, at, None, False)
        for at in range(0, len(states), STEPS_A_FRAME)
    ]
    return _gif(frames + [frames[-1]] * PAUSE_FRAMES)


def _telling_steps(returns: Float) -> list[int]:
    """The first step, the steps with the largest rise of the best return, and the last step."""
    best = np.maximum.accumulate(returns)
    levels = np.linspace(best[0], best[-1], SHOWN_SAMPLES)
    first = {int(np.argmax(best >= level)) for level in levels}
    return sorted(first | {len(returns) - 1})


def _training_episode(codes: NDArray[Any], seed: int) -> tuple[Float, int]:
    """States (n, 4) of the first training episode, in SI units, and its number of steps."""
    weights = cartpole.policy_weights(codes)
    state = cartpole.begin(seed, [0])
    states = [state[:, 0]]
    for _ in range(SHOWN_STEPS):
        state = cartpole.step(state, cartpole.action(state, weights))
        states.append(state[:, 0])
        if cartpole.fallen(state)[0]:
            break
    lasted = int(cartpole.episode_steps(weights, seed, 0, 1)[0])
    return np.array(states) / 2.0**STATE_FRAC, lasted


# -- drawing ---------------------------------------------------------------------------------------


@cache
def _font(size: int, bold: bool = False) -> FreeTypeFont:
    from matplotlib.font_manager import FontProperties, findfont
    from PIL import ImageFont

    found = findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal"))
    return ImageFont.truetype(found, size * SCALE)


def _frame(
    state: Float,
    right: bool,
    words: list[str],
    step: int,
    graph: tuple[NDArray[np.int64], Float, int] | None,
    fell: bool,
) -> Image:
    from PIL import Image, ImageDraw

    height = TEST_HEIGHT if graph is None else HEIGHT
    image = Image.new("RGB", (WIDTH * SCALE, height * SCALE), WHITE)
    draw = ImageDraw.Draw(image)

    def line(points: list[tuple[float, float]], colour: str, width: float) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        draw.line(scaled, fill=colour, width=round(width * SCALE), joint="curve")

    def text(x: float, y: float, what: str, colour: str, size: int, bold: bool = False) -> None:
        draw.text((x * SCALE, y * SCALE), what, fill=colour, font=_font(size, bold))

    middle = WIDTH / 2
    edge = TRACK_M * PIXELS_A_METRE
    line([(middle - edge, GROUND_Y), (middle + edge, GROUND_Y)], SOFT, 2)
    for side in (-1, 1):
        line([(middle + side * edge, GROUND_Y - 7), (middle + side * edge, GROUND_Y + 7)], SOFT, 2)
    x, top = middle + state[0] * PIXELS_A_METRE, GROUND_Y - 20
    box = [(x - 30) * SCALE, top * SCALE, (x + 30) * SCALE, (GROUND_Y - 2) * SCALE]
    draw.rounded_rectangle(box, radius=4 * SCALE, fill=INK)
    length = POLE_M * PIXELS_A_METRE
    tip = (x + length * np.sin(state[2]), top - length * np.cos(state[2]))
    line([(x, top), tip], ORANGE if fell else BLUE, 8)
    for centre, radius in (((x, top), 5), (tip, 4)):
        ring = [(c + s * radius) * SCALE for s in (-1, 1) for c in centre]
        draw.ellipse(ring, fill=SOFT if radius == 5 else (ORANGE if fell else BLUE))
    way, arrow = (1 if right else -1), GROUND_Y - 11
    start, end = x + way * 36, x + way * 58
    if not fell:
        line([(start, arrow), (end, arrow)], GREEN, 3)
        line([(end - way * 7, arrow - 5), (end, arrow), (end - way * 7, arrow + 5)], GREEN, 3)
    text(16, 12, words[0], INK, 15, bold=True)
    text(16, 34, words[1], INK, 13)
    text(16, 53, words[2], INK, 13)
    counter = f"{step * 0.02:4.1f} s"
    text(WIDTH - 82, 12, counter, INK, 15, bold=True)
    if fell:
        text(WIDTH - 82, 34, "fallen", ORANGE, 13)
    if graph is not None:
        _draw_graph(line, text, *graph)
    return image.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _draw_graph(line: Any, text: Any, played: NDArray[np.int64], returns: Float, step: int) -> None:
    """The learning curve up to the present step, below the track."""
    left, right, low, high = 70.0, WIDTH - 30.0, HEIGHT - 22.0, GROUND_Y + 28.0
    xs = left + (right - left) * played / played[-1]
    ys = low - (low - high) * returns / EPISODE_STEPS
    line([(left, low), (right, low)], SOFT, 1)
    line([(left, high), (right, high)], FAINT, 1)
    text(16, high - 8, "500", SOFT, 11)
    text(16, low - 12, "return", SOFT, 11)
    text(right - 118, low + 4, f"{played[-1]:,} episodes", SOFT, 11)
    corners = [(xs[0], ys[0])]
    for i in range(1, step + 1):
        corners += [(xs[i], ys[i - 1]), (xs[i], ys[i])]
    if len(corners) > 1:
        line(corners, BLUE, 2)
    line([(xs[step] - 3, ys[step]), (xs[step] + 3, ys[step])], ORANGE, 6)


def _gif(frames: list[Image]) -> bytes:
    """All frames in one palette, which avoids flicker and stores only the moving part."""
    from PIL import Image

    palette = _palette()
    flat = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    out = io.BytesIO()
    flat[0].save(
        out,
        format="GIF",
        save_all=True,
        append_images=flat[1:],
        duration=FRAME_MS,
        loop=0,
        optimize=False,
        disposal=1,
    )
    return out.getvalue()


@cache
def _palette() -> Image:
    """Every colour of the drawing with its shades towards white, for smooth edges."""
    from PIL import Image, ImageColor

    shades = np.linspace(0.0, 1.0, SHADES + 1)[1:, None]
    drawn = [np.array(ImageColor.getrgb(c), float) for c in (INK, SOFT, BLUE, ORANGE, GREEN)]
    # no shade of the faintest grey: Pillow would match white with a colour next to it
    plain = [[ImageColor.getrgb(c)] for c in (WHITE, FAINT)]
    colours = [*plain, *(255 + shades * (c - 255) for c in drawn)]
    sheet = Image.new("P", (1, 1))
    sheet.putpalette(np.rint(np.concatenate(colours)).astype(np.uint8).ravel().tolist())
    return sheet
