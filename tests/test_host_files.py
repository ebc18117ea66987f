"""References into HERMES_HOME are dead, held against the host's own expanding of them; what an answer may send."""

from __future__ import annotations

import importlib
import os
import subprocess
from pathlib import Path

import pytest
from agent.context_references import parse_context_references, preprocess_context_references_async
from gateway.platforms import base
from hermes_hardened_adapters.common.host import files
from hermes_hardened_adapters.common.host.files import deliverable, homes, without_home_references
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MARK = "oystercatcher"
"""In the name and the text of everything in HERMES_HOME."""
ALLOWED = [
    "{top}/report.pdf",
    "report.pdf",
    "~/report.pdf",
    "{home}/../../../report.pdf",
    "{home}/cache/images/a.png",
    "{home}/audio_cache/b.ogg",
    "{home}/cache/generated/images/c.png",
    "{home}/cache/scratch/hermes_voice/c.ogg",
    "folder/cache/images/a.png",
    "{top}/missing.pdf",
]
REFUSED = [
    "{home}/state.db",
    "{home}/memories/MEMORY.md",
    "{home}/cache/web/c.md",
    "{home}/cache/images/../../state.db",
    "{home}/cache/images/out.png",
    "{home}/missing.db",
    "{top}/root/state.db",
    "{top}/root/profiles/play/cache/images/d.png",
    "root/profiles/work/state.db",
    "./folder/state.db",
    "~/link.pdf",
    "~/folder/memories/MEMORY.md",
    "link.pdf",
    "~/.hermes/state.db",
    "{top}//root/./profiles//work/state.db",
    "/proc/self/cwd/link.pdf",
    "/proc/self/root{home}/state.db",
    "/proc/self/environ",
    "{home}",
    "{top}",
    "/dev/zero",
    "a\0b",
]


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home with HERMES_HOME (hidden, as by default) in it, and ways into it."""
    home = tmp_path / ".hermes"
    for name in (f"memories/{MARK}.md", f"logs/{MARK}.log", f"{MARK} notes.md", f"cache/documents/{MARK}.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"{MARK}\n{MARK}\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "plan.md").write_text("the plan\nits end\n")
    (tmp_path / "link").symlink_to(home)
    (tmp_path / "project" / "memory.md").symlink_to(home / "memories" / f"{MARK}.md")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERMES_HOME", str(home))
    return tmp_path


async def expanded(text: str, cwd: Path) -> str:
    """What the host would put behind the text; the references themselves may hold the mark."""
    result = await preprocess_context_references_async(text, cwd=cwd, context_length=200_000, allowed_root=cwd)
    _, _, context = result.message.partition("--- Attached Context ---")
    return "\n".join(line for line in context.splitlines() if "@" not in line)


SPELLINGS = [
    f"@file:.hermes/memories/{MARK}.md",
    f"@file:./.hermes//memories/../memories/{MARK}.md:1-2",
    f"@file:~/.hermes/logs/{MARK}.log",
    f"@file:project/../link/memories/{MARK}.md",
    f'@file:".hermes/{MARK} notes.md"',
    f"@file:`.hermes/{MARK} notes.md`:1",
    f"@file:'.hermes/{MARK} notes.md'",
    f"@file:.hermes/memories/{MARK}.md,",
    f"(@file:.hermes/memories/{MARK}.md)",
    f"@@file:.hermes/memories/{MARK}.md",
    f"@file:a,@file:.hermes/memories/{MARK}.md",
    "@file:project/memory.md",
    f"@file:.hermes/cache/documents/{MARK}.txt",
    f"@file:{'./' * 3000}.hermes/memories/{MARK}.md",
    "@folder:.hermes/memories",
    "@folder:.hermes",
    "@folder:link/",
    "@folder:~/.hermes/logs;",
]


@pytest.mark.parametrize("text", SPELLINGS)
async def test_a_reference_into_the_home_is_dead(text: str, cwd: Path) -> None:
    """But for the swallowed one each is live before."""
    if not text.startswith("@file:a,"):
        assert MARK in await expanded(text, cwd)
    assert MARK not in await expanded(f"look {without_home_references(text, cwd / '.hermes', cwd)}", cwd)


@pytest.mark.parametrize(
    "text",
    [
        "see @file:project/plan.md:1 and @folder:project",
        "see @folder:.",  # the host's listing leaves out what begins with a dot
        "@url:https://example.com/file:x",
        "mail me@file:.hermes/x and @alice",
        "no reference",
    ],
)
def test_everything_else_stays_as_it_is(text: str, cwd: Path) -> None:
    assert without_home_references(text, cwd / ".hermes", cwd) == text


async def test_a_listing_that_goes_down_into_a_home_in_sight_is_dead(tmp_path: Path) -> None:
    home = tmp_path / "opt" / "data"
    home.mkdir(parents=True)
    (home / f"{MARK}.db").write_text("x")
    (tmp_path / "opt" / "other").mkdir()
    for folder in ("@folder:opt", "@folder:."):
        assert f"{MARK}.db" in await expanded(folder, tmp_path)
        assert not parse_context_references(without_home_references(folder, home, tmp_path))
    assert without_home_references("@folder:opt/other", home, tmp_path) == "@folder:opt/other"


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """A repository `code`, and one `dots` that has HERMES_HOME in it."""
    home = tmp_path / "dots" / ".hermes"
    home.mkdir(parents=True)
    (tmp_path / "code").mkdir()
    (home / "MEMORY.md").write_text("old")
    for command in (["init", "-q", "dots"], ["init", "-q", "code"], ["-C", "dots", "add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (home / "MEMORY.md").write_text(MARK)
    return tmp_path


# Hermes 0.22 leaves git's pipes open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_diff_that_covers_the_home_is_dead(repositories: Path) -> None:
    home, elsewhere, tmp_path = repositories / "dots" / ".hermes", repositories / "code", repositories
    assert MARK in await expanded("@diff", tmp_path / "dots")
    for text in ("@diff", "@staged", "@git:3"):
        assert not parse_context_references(without_home_references(text, home, tmp_path / "dots"))
        assert without_home_references(text, home, elsewhere) == text


@pytest.mark.parametrize("text", ["@url:file:///root/.hermes/x", "@url:'FILE:///x'", "@file:a\0b", "@file:loop/x"])
def test_what_cannot_be_judged_is_dead(text: str, cwd: Path) -> None:
    (cwd / "loop").symlink_to(cwd / "loop")
    assert not parse_context_references(without_home_references(text, cwd / ".hermes", cwd))


def test_a_profile_does_not_reach_the_root_or_its_neighbours(cwd: Path) -> None:
    home = cwd / ".hermes" / "profiles" / "work"
    home.mkdir(parents=True)
    text = f"@file:.hermes/memories/{MARK}.md"
    assert not parse_context_references(without_home_references(text, home, cwd))


def test_of_very_many_references_none_is_live(cwd: Path) -> None:
    assert not parse_context_references(without_home_references("@file:project/plan.md " * 51, cwd / ".hermes", cwd))
    assert len(parse_context_references(without_home_references("@file:project/plan.md " * 50, cwd / ".hermes", cwd)))


_PATHS = st.lists(
    st.sampled_from(
        [
            "~",
            ".",
            "..",
            ".hermes",
            "project",
            "link",
            "memories",
            "logs",
            f"{MARK}.md",
            f"{MARK} notes.md",
            "@file:",
            "",
        ]
    ),
    min_size=1,
    max_size=5,
).map("/".join)
_REFERENCES = st.tuples(
    st.sampled_from(["", "@", "(", ",", "\u200b", "x", '"', "`", ":"]),
    st.sampled_from(["@file:", "@folder:", "@url:", "@git:", "@diff", "@FILE:"]),
    st.sampled_from(["", '"', "`", "'"]),
    _PATHS,
    st.sampled_from(["", '"', "`", "'"]),
    st.sampled_from(["", ":1", ":1-2", ",", ";!", ")", "]}", "\u200b"]),
).map("".join)
_TEXTS = st.lists(st.tuples(_REFERENCES, st.sampled_from(["", " ", "\n", ",", "@"])).map("".join), max_size=4)


@given(_TEXTS.map("".join))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_spelling_reaches_the_home(cwd: Path, text: str) -> None:
    home = cwd / ".hermes"
    for reference in parse_context_references(without_home_references(text, home, cwd)):
        if reference.kind in {"file", "folder"} and "\0" not in reference.target:
            resolved = (cwd / os.path.expanduser(reference.target)).resolve()
            assert not resolved.is_relative_to(home.resolve()), reference


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a profile, ways into it from outside, and a report beside it; the working directory."""
    home = tmp_path / "root" / "profiles" / "work"
    for name in ("state.db", "memories/MEMORY.md", "cache/images/a.png", "audio_cache/b.ogg", "cache/web/c.md"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"x")
    (tmp_path / "root" / "state.db").write_bytes(b"x")
    other = tmp_path / "root" / "profiles" / "play" / "cache" / "images"
    other.mkdir(parents=True)
    (other / "d.png").write_bytes(b"x")
    (tmp_path / "report.pdf").write_bytes(b"x")
    (tmp_path / "link.pdf").symlink_to(home / "state.db")
    (tmp_path / "folder").symlink_to(home)
    (home / "cache" / "images" / "out.png").symlink_to(home / "state.db")
    (tmp_path / ".hermes").mkdir()
    (tmp_path / ".hermes" / "state.db").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("spelling", "allowed"), [(s, True) for s in ALLOWED] + [(s, False) for s in REFUSED])
def test_a_path_is_judged_by_where_it_leads(layout: Path, spelling: str, allowed: bool) -> None:
    home = layout / "root" / "profiles" / "work"
    path = spelling.format(top=layout, home=home)
    resolved = deliverable(path, homes(home))
    assert resolved == (str(Path(path).expanduser().resolve()) if allowed else None)


def test_a_home_that_is_a_link_is_the_same_home(layout: Path) -> None:
    own = homes(layout / "folder")
    assert deliverable(str(layout / "root" / "profiles" / "work" / "cache" / "images" / "a.png"), own)
    assert deliverable(str(layout / "root" / "profiles" / "work" / "state.db"), own) is None
    assert deliverable(str(layout / "root" / "state.db"), own) is None


def test_an_open_descriptor_is_a_path_like_any_other(layout: Path) -> None:
    home = layout / "root" / "profiles" / "work"
    with (home / "state.db").open("rb") as secret, (layout / "report.pdf").open("rb") as report:
        assert deliverable(f"/proc/self/fd/{report.fileno()}", homes(home)) == str(layout / "report.pdf")
        assert deliverable(f"/proc/self/fd/{secret.fileno()}", homes(home)) is None


def test_the_hosts_media_caches_may_be_sent(hermes_home: Path) -> None:
    caches: list[Path] = [getattr(base, f"get_{name}_cache_dir")() for name in ("image", "audio", "video", "document")]
    # Fails when a new Hermes brings one.
    caches += [hermes_home / "cache" / name for name in base._MEDIA_DELIVERY_CACHE_SUBDIRS]
    for cache in caches:
        assert deliverable(str(cache / "file.bin"), homes(hermes_home)), cache
    host_root = importlib.import_module("hermes_constants").get_default_hermes_root()
    assert host_root in homes(hermes_home)
    assert os.path.expanduser("~/.hermes") in map(str, files.homes(hermes_home))
