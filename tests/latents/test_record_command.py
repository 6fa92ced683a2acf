"""`meanfield record` writes a recording of each text."""

import numpy as np
import small_models

from meanfield.commands import main
from meanfield.latents import load, read


def test_texts_become_recordings(tmp_path, capsys):
    weights = small_models.write_llama(tmp_path / "a.gguf")
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("ab12a")
    two.write_text("cab")
    out = ["--out", str(tmp_path / "out"), "--note", "license=none"]
    given = ["record", "--weights", str(weights), "--text", str(one), str(two)]
    assert main([*given, *out]) == 0
    found, exact = load(tmp_path / "out" / "one.nc"), read(weights).record("ab12a")
    np.testing.assert_array_equal(found.states, exact.states)
    np.testing.assert_array_equal(found.mid, exact.mid)
    assert found.tokens.tolist() == [4, 5, 6, 0]
    assert found.provenance["license"] == "none" and found.provenance["text"] == "ab12a"
    assert load(tmp_path / "out" / "two.nc").n == 2
    assert "4 layers of 4 tokens" in capsys.readouterr().out
    assert main([*given, *out, "--tokens", "2", "--every", "2", "--half"]) == 0
    less = load(tmp_path / "out" / "one.nc")
    assert less.layers.tolist() == [0, 2, 3] and less.n == 2 and less.states.dtype == np.float16
    np.testing.assert_array_equal(less.states, exact.states[[0, 2, 3], :2].astype(np.float16))


def test_bad_commands_are_refused_in_a_sentence(tmp_path, capsys):
    weights, text = small_models.write_llama(tmp_path / "a.gguf"), tmp_path / "a.txt"
    text.write_bytes(b"\xff\xff")
    given = ["record", "--weights", str(weights), "--text", str(text)]
    for more, words in [
        ([], "a.txt (other bytes); look at its name, or save it again as UTF-8"),
        (["--tokens", "0"], "--tokens of 1 or more"),
        (["--every", "0"], "--every of 1 or more"),
    ]:
        assert main([*given, *more]) == 2
        assert words in capsys.readouterr().err
    text.write_text("")
    assert main(given) == 2
    assert "a.txt, which is empty; leave it out" in capsys.readouterr().err
    text.write_text("ab")
    assert main([*given, "--note", "x"]) == 2
    assert "--note author=me" in capsys.readouterr().err
    assert main(["record", "--weights", str(tmp_path / "b.gguf"), "--text", str(text)]) == 2
    assert "which is none" in capsys.readouterr().err
