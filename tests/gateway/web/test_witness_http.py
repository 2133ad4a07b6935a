"""`yimen witness serve` as an agency runs it: a process of its own, spoken to over real HTTP."""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest

from gateway.cli import main
from ledger.encoding import b64
from ledger.note import ED25519, Signer, VerifierKey, parse_note, parse_signature, parse_vkey, verify_note
from ledger.witness.request import LARGEST_BODY, write_request
from ledger.witness.witness import name_of
from tests.ledger.witness.logs import LOG, ORIGIN, Tree

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
A, B = Tree(), Tree(fork=4, branch="b")
PLAIN = "text/plain; charset=utf-8"


@dataclass
class House:
    """An agency's files, made with the agency's commands."""

    place: Path
    vkey: str

    @property
    def options(self) -> list[str]:
        return ["--directory", str(self.place / "state"), "--config", str(self.config)]

    @property
    def config(self) -> Path:
        return self.place / "witness.conf"

    @property
    def key(self) -> VerifierKey:
        return parse_vkey(self.vkey)


@dataclass
class Serving:
    process: asyncio.subprocess.Process
    said: Path
    client: aiohttp.ClientSession
    url: str = ""
    answers: list[int] = field(default_factory=list)

    async def add(self, body: bytes) -> tuple[int, str, bytes]:
        async with self.client.post(f"{self.url}/add-checkpoint", data=body) as answer:
            self.answers.append(answer.status)
            return answer.status, answer.headers["content-type"], await answer.read()

    async def get(self, path: str) -> tuple[int, str, bytes]:
        async with self.client.get(f"{self.url}{path}") as answer:
            return answer.status, answer.headers["content-type"], await answer.read()

    async def says(self, pattern: str) -> str:
        async with asyncio.timeout(20):
            while (found := re.search(pattern, self.said.read_text("utf-8"))) is None:
                assert self.process.returncode is None, self.said.read_text("utf-8")
                await asyncio.sleep(0.02)
        return found[0]


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    key, config = tmp_path / "ga.key", tmp_path / "witness.conf"
    assert main(["witness", "key", "new", "ga.example/witness", str(key)]) == 0
    made = House(tmp_path, capsys.readouterr().out.strip())
    config.write_text("# 公安\nkey ga.key")  # no LF at its end: the next line must not grow onto it
    assert main(["witness", "logs", "add", str(LOG.key), "--config", str(config)]) == 0
    assert main(["witness", "init", *made.options]) == 0
    capsys.readouterr()
    return made


@asynccontextmanager
async def serving(house: House, *command: str) -> AsyncIterator[Serving]:
    said = house.place / "said"
    words = command or (sys.executable, "-m", "gateway.cli", "witness", "serve")
    with said.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *words, *house.options, "--port", "0", cwd=ROOT, stdout=out, stderr=out,
            env={"PATH": os.environ["PATH"], "YIMEN_PORT": "not a number"},
        )  # fmt: skip
    timeout = aiohttp.ClientTimeout(20)
    async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as client:
        running = Serving(process, said, client)
        try:
            running.url = (await running.says(r"http://\S+:\d+")).strip()
            yield running
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 20)


async def test_every_status_and_its_type(house: House) -> None:
    stranger = Signer(ORIGIN, ED25519, bytes(32))
    elsewhere = Signer("other.example/log", ED25519, bytes(32))
    async with serving(house) as witness:
        status, kind, line = await witness.add(A.request(0, 5))
        assert (status, kind) == (200, PLAIN)
        signed = A.note(5).with_signatures([parse_signature(line.decode())])
        assert house.key in {one.key for one in verify_note(signed, [house.key, LOG.key])}
        for body, expected in (
            (b"old 5\n", 400),
            (write_request(6, (), A.note(5)), 400),
            (Tree(origin="other.example/log", signers=(elsewhere,)).request(0, 5), 404),
            (Tree(signers=(stranger,)).request(5, 6), 403),
            (write_request(5, A.proof(4, 7), A.note(7)), 422),
            (write_request(5, (), B.note(5)), 422),
        ):
            status, kind, _ = await witness.add(body)
            assert (status, kind) == (expected, PLAIN)
        for body in (A.request(0, 5), A.request(6, 7)):
            assert await witness.add(body) == (409, "text/x.tlog.size", b"5\n")
        assert (await witness.add(b"x" * (LARGEST_BODY + 1)))[0] == 413
        assert (await witness.add(A.request(5, 5)))[0] == 200
        assert (await witness.add(A.request(5, 9)))[0] == 200
        for method, path in (
            ("GET", "/add-checkpoint"),
            ("PUT", "/add-checkpoint"),
            ("POST", f"/{name_of(ORIGIN)}/checkpoint"),
        ):
            async with witness.client.request(method, witness.url + path) as answer:
                assert answer.status == 405


async def test_what_monitors_read(house: House) -> None:
    async with serving(house) as witness:
        where = f"/{name_of(ORIGIN)}/checkpoint"
        assert (await witness.get(where))[0] == 404
        await witness.add(A.request(0, 5))
        await witness.add(A.request(5, 7))
        status, kind, body = await witness.get(where)
        assert (status, kind) == (200, PLAIN)
        assert {one.key for one in verify_note(parse_note(body), [house.key, LOG.key])} == {house.key, LOG.key}
        assert parse_note(body).text == A.checkpoint(7).text
        assert body == (house.place / "state" / name_of(ORIGIN)).read_bytes()
        for other in (name_of("other.example/log"), ORIGIN, name_of(ORIGIN).upper(), "..%2fwitness"):
            assert (await witness.get(f"/{other}/checkpoint"))[0] == 404


async def test_the_page_tells_the_agency_in_words(house: House) -> None:
    async with serving(house) as witness:
        assert "尚未见过" in (await witness.get("/"))[2].decode()
        await witness.add(A.request(0, 5))
        await witness.add(write_request(5, (), B.note(5)))
        async with witness.client.get(witness.url) as answer:
            page = await answer.text()
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert answer.headers["x-frame-options"] == "DENY"
        for shown in (ORIGIN, house.vkey, b64(A.checkpoint(5).root), "<dd>5</dd>", "+08:00", "立即上报"):
            assert shown.replace("+", "&#43;") in page.replace("+", "&#43;")
        for link in re.findall(r'href="(/[^"]+)"', page):
            assert (await witness.get(link))[0] == 200
        assert (await witness.get("/static/nothing"))[0] == 404
        assert (await witness.get("/livez"))[0] == 200
        figures = (await witness.get("/metrics"))[2].decode()
        assert f'witness_tree_size{{origin="{ORIGIN}"}} 5\n' in figures
        assert 'witness_requests_total{status="422"} 1\n' in figures
        assert "witness_splits 1\n" in figures
        assert "witness_log_keys 1\n" in figures
        assert "kept as evidence" in await witness.says("refused what a known log signed.*")


async def test_fuzzed_bodies_are_400_and_nothing_else(house: House) -> None:
    good, generator = A.request(3, 7), random.Random(4)
    async with serving(house) as witness:
        for _ in range(150):
            body = bytearray(good)
            for _ in range(generator.randint(1, 3)):
                at = generator.randrange(len(body))
                body[at : at + generator.randint(0, 4)] = generator.randbytes(generator.randint(0, 4))
            await witness.add(bytes(body))
        for _ in range(50):
            status, kind, _ = await witness.add(generator.randbytes(generator.randint(0, 300)))
            assert (status, kind) == (400, PLAIN)
        assert set(witness.answers) <= {400, 403, 404, 409}, "what was changed may still be well formed"
        assert witness.answers.count(400) > 150
        assert (await witness.add(A.request(0, 7)))[0] == 200
        assert "Traceback" not in witness.said.read_text("utf-8")


async def test_twenty_at_once_get_one_cosignature(house: House) -> None:
    async with serving(house) as witness:
        await witness.add(A.request(0, 3))
        bodies = [(A, B)[n % 2].request(3, 4 + n % 7) for n in range(20)]
        answers = await asyncio.gather(*map(witness.add, bodies))
        statuses = sorted(status for status, _, _ in answers)
        assert statuses == [200, *[409] * 19]
        won = parse_note(bodies[[status for status, _, _ in answers].index(200)].partition(b"\n\n")[2])
        assert parse_note((await witness.get(f"/{name_of(ORIGIN)}/checkpoint"))[2]).text == won.text


async def test_a_second_process_on_the_directory_does_not_start(house: House) -> None:
    async with serving(house):
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.cli", "witness", "serve", *house.options, "--port", "0",
            cwd=ROOT, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(second.communicate(), 20)
        assert second.returncode == 1
        assert b"another process works on" in said
        assert b"Traceback" not in said
    async with serving(house):
        pass


async def test_killed_while_it_is_asked_it_remembers_whatever_it_answered(house: House) -> None:
    tree, answered = Tree(many=5000), 0
    for _ in range(3):
        async with serving(house) as witness:
            status, _, body = await witness.add(tree.request(4999, 5000))
            size = int(body)
            assert (status, size in (answered, answered + 1)) == (409, True), "cosigned, answered and forgotten"
            asyncio.get_running_loop().call_later(0.25, witness.process.kill)
            with suppress(aiohttp.ClientError):
                while True:
                    assert (await witness.add(tree.request(size, size + 1)))[0] == 200
                    size = answered = size + 1
            assert await witness.process.wait() == -signal.SIGKILL
    assert answered > 10


async def test_a_full_disk_is_503_and_nothing_is_cosigned(house: House) -> None:
    async with serving(house) as witness:
        await witness.add(A.request(0, 3))
        before = await witness.get(f"/{name_of(ORIGIN)}/checkpoint")
        process = psutil.Process(witness.process.pid)
        process.rlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # writes fail as on a full disk
        status, kind, body = await witness.add(A.request(3, 5))
        assert (status, kind) == (503, PLAIN)
        assert "—".encode() not in body
        assert await witness.get(f"/{name_of(ORIGIN)}/checkpoint") == before
        process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert (await witness.add(A.request(3, 5)))[0] == 200


async def test_logs_and_keys_are_read_anew_on_sighup(house: House) -> None:
    new = Signer(ORIGIN, ED25519, b"n" * 32)
    async with serving(house) as witness:
        assert (await witness.add(Tree(signers=(new,)).request(0, 3)))[0] == 403
        assert main(["witness", "logs", "add", str(new.key), "--config", str(house.config)]) == 0
        witness.process.send_signal(signal.SIGHUP)
        await witness.says("read anew: 1 logs")
        assert (await witness.add(Tree(signers=(new,)).request(0, 3)))[0] == 200
        house.config.write_text("nonsense\n")
        witness.process.send_signal(signal.SIGHUP)
        await witness.says("not read anew, the logs stay as they were: .* line 1")
        assert (await witness.add(Tree(signers=(new,)).request(3, 4)))[0] == 200
        assert main(["witness", "key", "new", "ga.example/other", str(house.place / "other.key")]) == 0
        house.config.write_text(f"key other.key\nlog {LOG.key}\n")
        witness.process.send_signal(signal.SIGHUP)
        await witness.says("not read anew, .*: the key changed")
        assert (await witness.add(Tree(signers=(new,)).request(4, 5)))[0] == 200, "nor are the logs of the other key's"


async def test_asked_to_end_it_ends_with_0(house: House) -> None:
    async with serving(house) as witness:
        witness.process.terminate()
        assert await asyncio.wait_for(witness.process.wait(), 20) == 0


WITHOUT = """
import sys
from gateway.{entry} import main
class Ended(BaseException): pass
import asyncio
real = asyncio.run
def run(task):
    async def once():
        running = asyncio.ensure_future(task)
        import urllib.error, urllib.request
        for _ in range(400):  # until it listens
            try:
                await asyncio.to_thread(urllib.request.urlopen, "http://127.0.0.1:" + sys.argv[-1] + "/livez")
                break
            except urllib.error.URLError:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(lambda: [urllib.request.urlopen("http://127.0.0.1:" + sys.argv[-1] + path).read() for path in ("/livez", "/metrics", "/")])
        print(" ".join(sorted({{name.partition(".")[0] for name in sys.modules}})))
        import os, signal
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    real(once())
asyncio.run = run
sys.exit(main())
"""


@pytest.mark.parametrize("entry", ["cli", "bootstrap.witness"])
async def test_it_needs_no_database_no_graphql_and_no_settings(house: House, entry: str) -> None:
    from gateway.web.serve import bind

    with bind("127.0.0.1", 0) as free:
        port = str(free.getsockname()[1])
    command = ["witness", "serve"] if entry == "cli" else ["serve"]
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", WITHOUT.format(entry=entry), *command, *house.options, "--port", port],
        cwd=ROOT, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.split())
    assert {"ledger", "starlette", "uvicorn"} <= loaded
    assert not loaded & {
        "sqlalchemy",
        "strawberry",
        "graphql",
        "alembic",
        "aiosqlite",
        "psycopg",
        "schema",
        "adapters",
        "cedarpy",
    }


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda place: (place / "ga.key").chmod(0o644), "chmod 600"),
        (lambda place: (place / "ga.key").write_text(LOG.secret()), "log's key"),
        (lambda place: (place / "ga.key").write_text("PRIVATE+KEY+x"), "no private key"),
        (lambda place: (place / "ga.key").unlink(), "No such file"),
        (lambda place: (place / "witness.conf").write_text("log x\n"), "line 1"),
        (lambda place: (place / "witness.conf").write_text("# nothing\n"), "key FILE"),
        (lambda place: (place / "witness.conf").write_text("key a\nkey b\n"), "line 2"),
        (lambda place: (place / "witness.conf").write_text(f"key ga.key\nlog {LOG.key}\nlog {LOG.key}\n"), "line 3: the same"),
        (lambda place: (place / "state" / "witness").unlink(), "init"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said_and_nothing_is_served(
    house: House, spoil: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(house.place)  # type: ignore[operator]
    assert main(["witness", "serve", *house.options, "--port", "0"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("WITNESS_REFUSED: ")
    assert said in told
    assert "PRIVATE" not in told


def test_the_commands_for_keys_and_state(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    key = house.place / "ga.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert main(["witness", "key", "show", str(key)]) == 0
    assert capsys.readouterr().out.strip() == house.vkey
    assert house.key.type == 4
    assert main(["witness", "key", "new", "other", str(key)]) == 1, "a key is never replaced"
    assert main(["witness", "key", "new", "a b", str(house.place / "new")]) == 1
    assert main(["witness", "init", *house.options]) == 1, "nor a memory"
    elsewhere = ["--directory", str(house.place / "elsewhere"), "--config", str(house.config)]
    assert main(["witness", "init", *elsewhere]) == 1, "nor has a key two"
    assert not (house.place / "elsewhere").exists()
    assert main(["witness", "logs", "add", house.vkey, "--config", str(house.config)]) == 1, "a witness is no log"
    assert main(["witness", "logs", "add", str(LOG.key), "--config", str(house.config)]) == 0, "once is enough"
    assert main(["witness", "logs", "list", "--config", str(house.config)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(LOG.key)
    assert main(["witness", "status", *house.options]) == 0
    assert capsys.readouterr().out.splitlines() == [house.vkey, f"{ORIGIN}  尚未见过 nothing seen yet"]
