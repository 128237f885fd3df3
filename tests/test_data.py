import json
import struct

import numpy as np
import pytest

from pgolf_compose import ComposeError
from pgolf_compose.data import Dataset, check_dataset, make_tiny, read_header

TINY = Dataset("tiny", "", 512)


def test_the_tiny_dataset_is_in_the_challenge_s_format(tiny):
    train, val = check_dataset(TINY, tiny)
    assert [shard.path.name for shard in train] == [
        "fineweb_train_000000.bin",
        "fineweb_train_000001.bin",
    ]
    for shard in [*train, *val]:
        words = np.fromfile(shard.path, dtype="<i4", count=256)
        tokens = np.fromfile(shard.path, dtype="<u2", offset=1024)
        assert words[:3].tolist() == [20240520, 1, len(tokens)] and not words[3:].any()
        assert tokens[0] == 1 and tokens.max() < 512
    assert sum(s.tokens for s in train) > 8 * sum(s.tokens for s in val) > 8 * 10_000


def test_its_tokens_are_the_text_they_were_made_from(tiny):
    from pydoc_data.topics import topics

    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(TINY.tokenizer_file(tiny)))
    tokens = np.fromfile(read_val(tiny), dtype="<u2", offset=1024).tolist()
    first = tokens[1 : tokens.index(1, 1)]
    text = topics[sorted(topics)[0]]
    assert model.decode(first).split() == text.split()
    assert [model.id_to_piece(i) for i in range(5)] == ["<pad>", "<s>", "</s>", "<unk>", "<0x00>"]


def read_val(folder):
    return TINY.shard_folder(folder) / "fineweb_val_000000.bin"


def test_making_it_twice_changes_nothing_and_mending_it_restores_it(tmp_path):
    folder = tmp_path / "tiny"
    assert make_tiny(folder, 400, more=False) is True
    before = (folder / "tiny.json").read_bytes()
    assert make_tiny(folder, 400, more=False) is False
    shard = folder / "datasets" / "fineweb10B_sp400" / "fineweb_val_000000.bin"
    shard.write_bytes(b"damaged")
    assert make_tiny(folder, 400, more=False) is True
    assert (folder / "tiny.json").read_bytes() == before
    assert json.loads(before)["text"].endswith("not FineWeb")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


def test_a_folder_with_other_things_is_left_alone(tree):
    folder = tree({"mine": {"notes.txt": "mine"}}) / "mine"
    with pytest.raises(ComposeError) as caught:
        make_tiny(folder, 400, more=False)
    assert str(caught.value) == "mine: holds other files; name a new folder"
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_vocabulary_too_large_for_the_text_is_told(tmp_path):
    with pytest.raises(ComposeError, match="does not make a tokenizer of 60000 pieces"):
        make_tiny(tmp_path / "tiny", 60000, more=False)
    assert list(tmp_path.iterdir()) == []


def shard(tokens=4, magic=20240520, version=1, told=None):
    header = struct.pack("<256i", magic, version, tokens if told is None else told, *[0] * 253)
    return header + b"\1\0" * tokens


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (shard()[:-3], "is damaged: 4 tokens are 1032 bytes, it has 1029; fetch it again"),
        (shard(told=5), "is damaged: 5 tokens are 1034 bytes, it has 1032; fetch it again"),
        (b"<html>", "is cut short: 6 bytes are less than a header"),
        (shard(magic=7), "is no token shard: it starts with 7, 1, not 20240520, 1"),
    ],
)
def test_a_damaged_shard_is_refused(tree, content, message):
    path = tree({"a.bin": content}) / "a.bin"
    with pytest.raises(ComposeError) as caught:
        read_header(path)
    assert str(caught.value) == f"a.bin: {message}"


def test_checking_a_dataset_tells_what_is_missing(tree, refuses, tiny):
    tree({"data": {"datasets": {"fineweb10B_sp1024": {"fineweb_train_000000.bin": shard()}}}})
    assert refuses("data", "sp1024", "nowhere") == (
        "nowhere/datasets/fineweb10B_sp1024: holds no train shards; the challenge's own script "
        "fetches them: cached_challenge_fineweb.py --variant sp1024\n"
    )
    assert "holds no val shards" in refuses("data", "sp1024")
    tree({"data": {"datasets": {"fineweb10B_sp1024": {"fineweb_val_000000.bin": shard()}}}})
    assert refuses("data", "sp1024") == (
        "data/tokenizers/fineweb_1024_bpe.model: there is no tokenizer here\n"
    )
    tree({"data": {"tokenizers": {"fineweb_1024_bpe.model": "garbage"}}})
    assert refuses("data", "sp1024") == (
        "data/tokenizers/fineweb_1024_bpe.model: is no SentencePiece model; fetch it again\n"
    )
    model = TINY.tokenizer_file(tiny).read_bytes()
    tree({"data": {"tokenizers": {"fineweb_1024_bpe.model": model}}})
    assert refuses("data", "sp1024") == (
        "data/tokenizers/fineweb_1024_bpe.model: has 512 pieces, sp1024 has 1024\n"
    )


def test_the_command_tells_what_it_made(tree, cli, monkeypatch):
    library = tree({"library": {"shelf.py": f'"""{"How books stand. " * 20}"""\n'}}) / "library"
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(library))
    made = json.loads(cli("data", "tiny", "here", "--vocab-size", "400", "--json").stdout)
    assert made["shards"] == {"train": 2, "val": 1}
    again = cli("data", "tiny", "here", "--vocab-size", "400")
    assert "already there" in again.stdout and "DATA_DIR=here" in again.stdout
