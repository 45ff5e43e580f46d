"""``python -m marram``: the program `marram` of this installation."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig


def main() -> int:
    """Become the program; return only when it is not there."""
    program = shutil.which("marram", path=sysconfig.get_path("scripts")) or shutil.which("marram")
    if program is None:
        print("marram: the program is not installed here (pip install marram)", file=sys.stderr)
        return 69
    os.execv(program, ["marram", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
