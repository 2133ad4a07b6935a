"""`python -m bench.as_child DIR PROGRAM [ARGUMENT ...]`: PROGRAM in DIR, ending when the bench that started it dies."""

from __future__ import annotations

import os
import sys

from demo.processes import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    os.chdir(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])  # the kernel keeps the parent's death in mind across exec
