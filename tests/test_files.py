import os

import pytest

from pgolf_compose.errors import ComposeError
from pgolf_compose.files import write_files


def test_a_file_with_our_mark_is_replaced(tmp_path):
    path = tmp_path / "train_gpt.py"
    write_files({path: b"#pgolf-compose\nold"})
    write_files({path: b"#pgolf-compose\nnew"})
    assert path.read_bytes() == b"#pgolf-compose\nnew"


def test_a_file_of_somebody_else_stays_and_so_do_its_neighbours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.py").write_text("import torch\n")
    with pytest.raises(ComposeError) as caught:
        write_files({tmp_path / "a.py": b"#pgolf-compose", tmp_path / "b.py": b"#pgolf-compose"})
    assert str(caught.value) == (
        "b.py: was not written by pgolf-compose and stays as it is; "
        "name another output with -o, or replace it with --force"
    )
    assert sorted(os.listdir(tmp_path)) == ["b.py"]
    write_files({tmp_path / "b.py": b"#pgolf-compose"}, force=True)
    assert (tmp_path / "b.py").read_bytes() == b"#pgolf-compose"


def test_if_one_cannot_be_written_none_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ComposeError) as caught:
        write_files({tmp_path / "a.py": b"1", tmp_path / "file" / "x" / "b.py": b"2"})
    assert str(caught.value) == "file: is a file; name a folder to write to with -o"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.py"
    write_files({path: b"#pgolf-compose\nold"})

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pgolf_compose.files.os.fdopen", full)
    with pytest.raises(ComposeError, match="No space left on device"):
        write_files({path: b"#pgolf-compose\nnew"})
    assert path.read_bytes() == b"#pgolf-compose\nold"
    assert os.listdir(tmp_path) == ["a.py"]


@pytest.mark.parametrize(
    "text",
    [
        "# I started from what pgolf-compose wrote\nimport torch\n",
        '"""Recipe for success, composed by me, not by pgolf-compose."""\n',
        "import torch\n#pgolf-compose\n",
    ],
)
def test_naming_us_is_not_our_mark(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ComposeError, match="was not written by pgolf-compose"):
        write_files({path: b"#pgolf-compose\n"})
    write_files({path: text.encode()})  # what would not change may be written
    assert path.read_text() == text


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.py").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "real.py")
    write_files({tmp_path / "link.py": b"#pgolf-compose\n"})
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "real.py").read_bytes() == b"#pgolf-compose\n"


def test_a_name_too_long_is_told(tmp_path):
    with pytest.raises(ComposeError, match="cannot be written: File name too long"):
        write_files({tmp_path / ("x" * 300): b""})


def test_a_folder_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").mkdir()
    with pytest.raises(ComposeError) as caught:
        write_files({tmp_path / "a.py": b""})
    assert str(caught.value) == "a.py: is no file; name one to write"
