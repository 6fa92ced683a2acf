"""What the README shows is so."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_ten_lines_run_and_tokens_cluster(capsys):
    (lines,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict = {}
    exec(lines, names)
    # Counts are integers, which must pass through the solver's buffers without a warning.
    counts = names["run"].values["clusters"].tolist()
    assert counts == sorted(counts, reverse=True) and counts[-1] < 10 < counts[0]
    assert capsys.readouterr().out


def test_its_pictures_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README.read_text())
    assert pictures and all((README.parent / picture).is_file() for picture in pictures)
