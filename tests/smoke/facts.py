"""Facts about AWS that the code assumes, because they could not be confirmed without an account.

The list is in docs/limits.md, "What could not be confirmed without an account".
"""

from __future__ import annotations

from dataclasses import dataclass

NEED_A_BROWSER = (
    "AAC parameters, track order, fragment length and delay of ingested streams",
    "the smallest video that ingestion accepts, and what becomes of audio alone",
    "whether a backend may call JoinStorageSession for a browser",
    "whether the speaker's role, whose condition is the tag env, may connect and join",
)
NEED_A_SUPPORT_CASE = ("whether an account's 100 channels with storage can be raised",)
NEED_A_BILL = ("which regions offer ingestion, and what a storage session costs there",)
LATER = "FACTS=1 asks it"


@dataclass(frozen=True)
class Fact:
    """A question, the observation, the code's assumption, and whether it holds (None: no
    assumption)."""

    question: str
    seen: str
    code: str
    holds: bool | None

    def line(self) -> str:
        """Returns the printed line."""
        result = {True: ": holds", False: ": DOES NOT HOLD", None: ""}[self.holds]
        return f"fact: {self.question}: {self.seen} | {self.code}{result}"


class Facts:
    """The facts that were tested."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []

    def add(self, question: str, seen: str, code: str, holds: bool | None) -> None:
        """Adds a fact."""
        self._facts.append(Fact(question, seen, code, holds))

    def report(self, local: bool, asked: bool) -> None:
        """Prints the facts and the open questions; prints nothing if there are no facts."""
        if not self._facts:
            return
        print("\nfacts (docs/limits.md, What could not be confirmed without an account)")
        if local:
            print("these are a local cloud's answers: they show that the questions work, and settle nothing about AWS")
        for fact in self._facts:
            print(fact.line())
        if not asked:
            print(f"not asked: deletion while mapped, GetMedia's ends and errors, names in use: {LATER}, with two "
                  "channels and streams of its own for about a minute")
        for open_question in NEED_A_BROWSER:
            print(f"still open: {open_question} (needs a browser with a camera)")
        for open_question in NEED_A_SUPPORT_CASE:
            print(f"still open: {open_question} (needs a support case)")
        for open_question in NEED_A_BILL:
            print(f"still open: {open_question} (needs a storage session in each region, and its bill)")
        wrong = [fact for fact in self._facts if fact.holds is False]
        if wrong:
            print(f"{len(wrong)} of the code's assumptions did not hold: please report the lines above")
        print(flush=True)
