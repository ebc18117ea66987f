"""The files of contexts: a folder of its own for each, whose it is, and who may read it."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.tenancy import memory
from hermes_hardened_adapters.common.tenancy.chats import Unknown
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


# -- names

HOSTILE = [
    "signal:group:AbC=",
    "signal:group:abc=",
    "a/b",
    "a_b",
    "a\\b",
    "A",
    "a",
    "é",
    "e\u0301",
    "..",
    ".",
    "../../etc",
    "/etc/passwd",
    "a\0b",
    "a\nb",
    "con",
    "-rf",
    ".hidden",
    "x" * 5_000,
    "x" * 4_999,
    "\ud800",
    "\udfff",
    "a" * 40,
    "a" * 41,
    "語" * 60,
    " ",
    "a ",
    "a.",
    "",
]


def test_no_two_contexts_have_one_folder_even_where_case_does_not_count() -> None:
    names = [memory.folder_name(context) for context in HOSTILE]
    assert len({name.lower() for name in names}) == len(HOSTILE)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}-[0-9a-f]{12}", name) for name in names)


@given(st.text(st.characters(), max_size=60))
def test_a_folder_is_one_step_below_the_contexts(context: str) -> None:
    assert memory.folder(Path("/home"), context).parent == Path("/home/memories/contexts")
    assert not {"/", "\\", "\0"} & set(memory.folder_name(context))


# -- folders


@pytest.mark.usefixtures("umask")
def test_a_folder_is_its_owners_alone_under_every_umask(tmp_path: Path) -> None:
    path = memory.make_folder(tmp_path, "me")
    assert [rights(each) for each in (path, path.parent, path.parent.parent)] == [0o700] * 3
    assert [(file.name, rights(file)) for file in path.iterdir()] == [("context.json", 0o600)]
    assert json.loads((path / "context.json").read_text()) == {"context": "me"}


def test_a_folder_that_is_open_to_others_is_closed_and_the_hosts_stays(tmp_path: Path) -> None:
    path = memory.folder(tmp_path, "me")
    path.mkdir(parents=True)
    for each in (path, path.parent, path.parent.parent):
        each.chmod(0o755)
    memory.make_folder(tmp_path, "me")
    assert [rights(each) for each in (path, path.parent, path.parent.parent)] == [0o700, 0o700, 0o755]


def test_all_files_are_closed_and_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    path = memory.make_folder(tmp_path, "me")
    path.chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    files = [path / name for name in ("MEMORY.md", "MEMORY.md.lock", "USER.md", "MEMORY.md.bak.1700000000")]
    for file in (*files, elsewhere):
        file.touch()
        file.chmod(0o666)
    (path / "link").symlink_to(elsewhere)
    (path / "loose").symlink_to(tmp_path / "nowhere")
    memory.make_private(path)
    assert rights(path) == 0o700
    assert {rights(file) for file in files} == {0o600}
    assert rights(elsewhere) == 0o666


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    memory.make_private(tmp_path / "gone")


def test_a_home_in_which_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "memories").write_text("a file")
    with pytest.raises(OSError, match="memories"):
        memory.make_folder(tmp_path, "me")


# -- labels


@pytest.mark.parametrize(
    "written",
    ["", "{", "[]", "5", "{}", '{"context": 5}', '{"context": "other"}', '{"context": "\\ud800"}', "[" * 99_999],
)
def test_a_label_that_is_not_this_folders_is_not_believed_and_written_anew(tmp_path: Path, written: str) -> None:
    path = memory.make_folder(tmp_path, "me")
    (path / "context.json").write_text(written)
    assert memory.label(path) is None
    assert not list(memory.stored(tmp_path))
    assert memory.make_folder(tmp_path, "me") == path
    assert memory.label(path) == "me"
    assert [file.name for file in path.iterdir()] == ["context.json"]


def test_a_label_that_is_no_text_is_not_believed(tmp_path: Path) -> None:
    path = memory.make_folder(tmp_path, "me")
    (path / "context.json").write_bytes(b"\xff\xfe")
    assert memory.label(path) is None


def test_a_folder_copied_to_another_name_is_nobodys(tmp_path: Path) -> None:
    path = memory.make_folder(tmp_path, "me")
    (path / "MEMORY.md").write_text("mine")
    shutil.copytree(path, path.with_name("other-0123456789ab"))
    shutil.copytree(path, memory.folder(tmp_path, "you"))
    assert [each.context for each in memory.stored(tmp_path)] == ["me"]


def test_two_contexts_of_one_hash_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "folder_name", lambda context: "same-0123456789ab")
    path = memory.make_folder(tmp_path, "me")
    assert memory.folder(tmp_path, "me") == path
    for use in (memory.folder, memory.make_folder):
        with pytest.raises(Unknown):
            use(tmp_path, "you")
    assert [each.context for each in memory.stored(tmp_path)] == ["me"]


def test_many_threads_make_one_folder(tmp_path: Path) -> None:
    together, failed = threading.Barrier(8), []

    def make() -> None:
        together.wait()
        for n in range(50):
            try:
                memory.make_folder(tmp_path, f"context {n}")
            except BaseException as exc:
                failed.append(exc)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {each.context for each in memory.stored(tmp_path)} == {f"context {n}" for n in range(50)}


def test_stored_contexts(tmp_path: Path) -> None:
    assert not list(memory.stored(tmp_path))
    made = {context: memory.make_folder(tmp_path, context) for context in ("b", "a", "語", "x" * 5_000)}
    (tmp_path / "memories" / "contexts" / "notes.txt").write_text("x")
    assert {each.context: each.path for each in memory.stored(tmp_path)} == made


# -- entries


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (b" \n", []),
        (b"one", ["one"]),
        ("one\n§\ntwo § more\n§\n\n§\n one ".encode(), ["one", "two § more"]),
        ("\ufeffone\n§\ntwo".encode(), ["one", "two"]),
        (b"\xff\xfe", []),
    ],
)
def test_entries(tmp_path: Path, content: bytes, found: list[str]) -> None:
    (tmp_path / "MEMORY.md").write_bytes(content)
    assert memory.entries(tmp_path / "MEMORY.md") == found


def test_entries_of_what_is_no_file(tmp_path: Path) -> None:
    assert memory.entries(tmp_path) == memory.entries(tmp_path / "missing") == []


def test_a_block() -> None:
    assert memory.block("MEMORY", [], 10) == ""
    assert (
        memory.block("MEMORY", ["one", "two"], 2_200) == f"{'═' * 46}\nMEMORY [9/2,200 chars]\n{'═' * 46}\none\n§\ntwo"
    )
