"""A digest: all that is worth telling of a stretch of time, as plain values and as blocks of Slack's format."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

NAMED = 20
"""Failures, orphans and problems that a digest names; of the others it says how many there are."""
SLACK_SECTION = 2900
"""Slack refuses a section of more than 3,000 characters, and a message of more than 50 blocks."""


@dataclass(frozen=True)
class FailedCollection:
    """A collection with runs that failed."""

    collection: str
    failures: int
    step: str
    """Where the last of them stopped; empty when its process died."""
    message: str
    link: str | None = None
    """Address of that run in Dagster's UI."""


@dataclass(frozen=True)
class OrphanFound:
    """An image that no document uses, and the document that wants it."""

    collection: str
    image: str
    document: str
    confidence: float | None


@dataclass(frozen=True)
class Digest:
    """What happened between two moments."""

    since: datetime
    until: datetime
    failures: Sequence[FailedCollection] = ()
    orphans: Sequence[OrphanFound] = ()
    """New ones with a suggestion, the surest first."""
    problems: Sequence[str] = ()
    """What keeps automation from running collections, in sentences."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.failures or self.orphans or self.problems)

    @property
    def summary(self) -> str:
        """One line."""
        counts = {
            "collection failed|collections failed": len(self.failures),
            "new orphan with a suggestion|new orphans with suggestions": len(self.orphans),
            "collection held back|collections held back": len(self.problems),
        }
        said = [f"{count} {words.split('|')[count != 1]}" for words, count in counts.items() if count]
        return "kg-pipeline: " + (", ".join(said) or "nothing new")

    def as_json(self) -> dict[str, Any]:
        """The generic form: counts of everything, the first NAMED of each kind."""
        return {
            "source": "kg-pipeline",
            "summary": self.summary,
            "since": self.since.isoformat(timespec="seconds"),
            "until": self.until.isoformat(timespec="seconds"),
            "counts": {
                "failures": len(self.failures),
                "orphans": len(self.orphans),
                "problems": len(self.problems),
            },
            "failures": [asdict(failed) for failed in self.failures[:NAMED]],
            "orphans": [asdict(orphan) for orphan in self.orphans[:NAMED]],
            "problems": list(self.problems[:NAMED]),
        }

    def as_slack(self) -> dict[str, Any]:
        """The form that Slack's incoming webhooks take, and Mattermost's."""
        sections = {
            "Failed": [_failed(failed) for failed in self.failures],
            "New orphans with suggestions": [_orphan(orphan) for orphan in self.orphans],
            "Held back": [f"• {_escaped(problem)}" for problem in self.problems],
        }
        blocks = [
            {"type": "section", "text": {"type": "mrkdwn", "text": _section(title, lines)}}
            for title, lines in sections.items()
            if lines
        ]
        return {"text": self.summary, "blocks": blocks}


def _failed(failed: FailedCollection) -> str:
    name = f"<{failed.link}|{_escaped(failed.collection)}>" if failed.link else f"*{_escaped(failed.collection)}*"
    times = f" ({failed.failures} times)" if failed.failures > 1 else ""
    step = f" in `{failed.step}`" if failed.step else ""
    return f"• {name}{times}{step}: {_escaped(failed.message)}"


def _orphan(orphan: OrphanFound) -> str:
    sure = f", confidence {orphan.confidence:.2f}" if orphan.confidence is not None else ""
    return f"• {_escaped(orphan.collection)}: `{_escaped(orphan.image)}` fits `{_escaped(orphan.document)}`{sure}"


def _section(title: str, lines: Sequence[str]) -> str:
    """A heading and as many lines as fit, with how many do not."""
    shown = list(_fitting(lines[:NAMED], SLACK_SECTION - len(title) - 40))
    rest = [f"… and {len(lines) - len(shown)} more"] if len(shown) < len(lines) else []
    return "\n".join([f"*{title}*", *shown, *rest])


def _fitting(lines: Iterable[str], room: int) -> Iterable[str]:
    for line in lines:
        cut = line if len(line) <= 600 else f"{line[:599]}…"
        room -= len(cut) + 1
        if room < 0:
            return
        yield cut


def _escaped(text: str) -> str:
    """The three characters that mean something to Slack; a line is a line."""
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
