"""The verdict on a page: its headline, and the marks on figures that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from ...pages.content import Headline, Tone
from ...readable import count
from ..verdict import Judgement, Verdict

TONES = {
    Verdict.SETTLED: Tone.GOOD,
    Verdict.PREDICTIONS: Tone.CAUTION,
    Verdict.ROUGH: Tone.CAUTION,
    Verdict.BIASED: Tone.BAD,
    Verdict.STICKY: Tone.BAD,
    Verdict.DISAGREE: Tone.BAD,
    Verdict.UNKNOWN: Tone.BAD,
}
MEANING = {
    Verdict.SETTLED: "The Markov chains agree and have enough effective samples. You can use the "
    "predictions, the weights and their uncertainties.",
    Verdict.PREDICTIONS: "You can use the probabilities and their uncertainties, but not the "
    "weights of the network.",
    Verdict.ROUGH: "You can use the predictions, but there are too few effective samples. Do not "
    "use the intervals yet.",
    Verdict.BIASED: "Do not use the uncertainties: a known imperfection moves the posterior.",
    Verdict.STICKY: "Do not use the predictions yet: a chain was stuck at one sample.",
    Verdict.DISAGREE: "Do not use the predictions yet: the chains do not agree.",
    Verdict.UNKNOWN: "Do not use the predictions: nothing is known about their quality.",
}


MOST_REASONS = 4
"""Reasons of a headline; a run of many classes can have more, which ``numbers_section`` shows."""


def headline(judgement: Judgement, answer: Sequence[str], advice: str = "") -> Headline:
    """The result in plain words: the answer, its worth, and what to do next.

    ``answer``: sentences. ``advice``: a sentence for a usable result; any other result has the
    remedies of the judgement.
    """
    verdict = judgement.verdict
    reasons, more = judgement.reasons[:MOST_REASONS], len(judgement.reasons) - MOST_REASONS
    sentences = [*answer, MEANING[verdict], *(sentence(reason) for reason in reasons)]
    if more > 0:
        sentences.append(f"The result in numbers has {count(more, 'more reason')}.")
    if verdict.usable and advice:
        sentences.append(advice)
    return Headline(TONES[verdict], verdict.label, tuple(sentences))


def sentence(text: str) -> str:
    """A text as a sentence: a capital letter and a full stop.

    >>> sentence("only 12 effective samples: try --steps 2000")
    'Only 12 effective samples: try --steps 2000.'
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def mark(verdict: Verdict, weights: bool = False, answers: bool = False) -> str:
    """The mark on a figure that cannot be used, for its title; empty if it can be used.

    ``weights``: the figure shows weights, which need more than spreads of probabilities.
    ``answers``: it shows no spreads or intervals, which need more effective samples.
    """
    usable = verdict is Verdict.SETTLED or (verdict is Verdict.PREDICTIONS and not weights)
    usable = usable or (verdict is Verdict.ROUGH and answers)
    return "" if usable else verdict.label


def caution(
    verdict: Verdict, what: str, weights: bool = False, answers: bool = False
) -> tuple[str, ...]:
    """A sentence that says that ``what`` ("the probabilities") cannot be used; none if it can."""
    label = mark(verdict, weights, answers)
    if not label:
        return ()
    return (f"Verdict: {label}. Do not use {what} of this run; the reasons are in the headline.",)


def marked(title: str, label: str) -> str:
    """A title with the mark of ``mark`` behind it."""
    return f"{title} ({label})" if label else title
