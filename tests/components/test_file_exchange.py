from __future__ import annotations

from pathlib import Path

from components.file_exchange import FileExchange


def test_what_one_machine_puts_another_one_gets(url: str, tmp_path: Path) -> None:
    one, other = FileExchange(tmp_path / "one", url), FileExchange(tmp_path / "other", url)
    files = [one.root / "scan" / name for name in ("index.json", ".draft")]
    files[0].parent.mkdir(parents=True)
    for file in files:
        file.write_text(file.name)
    one.put(*files)
    wanted = [other.root / "scan" / name for name in ("index.json", ".draft", "of nobody")]
    other.get(*wanted)
    assert [path.read_text() for path in wanted[:2]] == ["index.json", ".draft"]
    assert not wanted[2].exists()
    wanted[0].write_text("what is here stays")
    other.get(wanted[0])
    assert wanted[0].read_text() == "what is here stays"


def test_on_one_disk_nothing_is_done(tmp_path: Path) -> None:
    FileExchange().put(tmp_path / "not there")
    FileExchange().get(tmp_path / "not there")
    assert list(tmp_path.iterdir()) == []
