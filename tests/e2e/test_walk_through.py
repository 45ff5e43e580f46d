"""README's two nodes: its commands, as they are written."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from processes import free_port

ROOT = Path(__file__).parents[2]
WRITTEN_PORT = "7400"


def commands() -> str:
    text = (ROOT / "README.md").read_text()
    section = text.split("## Two nodes in five minutes", 1)[1].split("\n## ", 1)[0]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found, "README has no commands for two nodes"
    return found[1]


def test_the_commands_for_two_nodes_do_what_they_say(program: Path, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/marram").symlink_to(program.resolve())
    script = commands().replace(f":{WRITTEN_PORT}", f":{free_port()}")
    environment = {name: value for name, value in os.environ.items() if "MARRAM" not in name}

    done = subprocess.run(
        ["bash", "-eu", "-c", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    assert done.stdout.count("plant/1/temp 21.5\n") == 1
    assert done.stdout.count("plant/1/temp 22.0\n") == 1
    assert done.stdout.index("21.5") < done.stdout.index("22.0")
    assert re.search(r"^gw .* up .*hub-data/trusted$", done.stdout, re.MULTILINE)
    assert re.search(r"^mesh +2 nodes, ", done.stdout, re.MULTILINE)
    assert "2 nodes, 1 link\n" in done.stdout
    assert (tmp_path / "mesh.svg").read_text().startswith("<svg ")
