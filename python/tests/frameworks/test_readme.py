"""The export of README, as it stands there."""

from pathlib import Path

import flowrt

README = Path(__file__).resolve().parents[3] / "README.md"


def test_the_three_lines_export_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = README.read_text().partition("```python\n")[2].partition("```")[0]
    assert len(lines.splitlines()) == 3
    exec(compile(lines, "README.md", "exec"), {})
    assert flowrt.Model("maf.flw").dim == 4
    assert "libflowrt" in capsys.readouterr().out  # the comparison that verify=True prints
