"""The rules that call an image decoration: it keeps its scores, but by default gets no edge."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

ICON_SIDE = 64
SMALL_SIDE = 160
RULE_ASPECT = 20
RULE_THICKNESS = 40
"""Pixels. A cut-out of a toolbar may be 25 times as wide as high, but is thicker than a dividing line."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[\u4e00-\u9fff]+")
DECORATION_WORDS = frozenset(
    """
    icon icons ico logo logos favicon badge badges bullet bullets avatar avatars emoji emojis spacer spacers sprite
    sprites button buttons btn divider separator 图标 徽标 标志 头像 徽章
    """.split()  # noqa: SIM905 (a list of 25 words in quotes is harder to read)
)


@dataclass(frozen=True)
class Look:
    """What the rules look at: paths of an image, size in pixels, whether it is of one colour, places in documents."""

    paths: tuple[str, ...]
    width: int | None
    height: int | None
    one_colour: bool
    places: tuple[str | None, ...] = ()
    """Per path: why its place inside a document makes it decoration, else None."""

    @property
    def longest(self) -> float:
        """Longest side; infinite when the size is unknown, so that no rule on smallness holds."""
        return max(self.width, self.height) if self.width and self.height else float("inf")

    @property
    def shortest(self) -> float:
        """Shortest side; infinite when unknown."""
        return min(self.width, self.height) if self.width and self.height else float("inf")


@dataclass(frozen=True)
class Rule:
    """Why an image is decoration, and when."""

    reason: str
    holds: Callable[[Look], bool]


ONE_COLOUR = "one colour only"
# The first that holds gives the reason. One colour stands first: that is how it is known again from a table of
# before, which has no column for it.
RULES = (
    Rule(ONE_COLOUR, lambda look: look.one_colour),
    Rule(f"icon: no side over {ICON_SIDE} px", lambda look: look.longest <= ICON_SIDE),
    Rule("icon: a file of icons", lambda look: all(path.lower().endswith(".ico") for path in look.paths)),
    Rule(
        f"line: over {RULE_ASPECT} times as long as thick, at most {RULE_THICKNESS} px thick",
        lambda look: look.shortest <= RULE_THICKNESS and look.longest > RULE_ASPECT * look.shortest,
    ),
    Rule(
        f"named as decoration and no side over {SMALL_SIDE} px",
        lambda look: look.longest <= SMALL_SIDE and named_as_decoration(look.paths),
    ),
)


RULE_REASONS = frozenset(rule.reason for rule in RULES)


def decorative_reason(look: Look) -> str | None:
    """The rule that makes an image decoration; None for content."""
    by_rule = next((rule.reason for rule in RULES if rule.holds(look)), None)
    # A logo of one document may be the subject of another, or lie there as a file of its own.
    return by_rule or (look.places[0] if look.places and all(look.places) else None)


def named_as_decoration(paths: Iterable[str]) -> bool:
    """Whether a word such as `icon` or `logo` is in the name or a folder of any of the paths."""
    return any(
        word.lower() in DECORATION_WORDS
        for path in paths
        for part in (*PurePosixPath(path).parts[:-1], PurePosixPath(path).stem)
        for word in WORD.findall(part)
    )
