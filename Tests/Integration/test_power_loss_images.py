"""Runs power_loss_images.sh, which needs root and loop mounts; elsewhere it must say why not."""

import os
import re
import sys
from pathlib import Path

from conftest import run

SCRIPT = Path(__file__).with_name("power_loss_images.sh")
COPIES = max(6, int(os.environ.get("BUDGETD_KILLS", "20")) // 4)


def test_images_copied_while_writing(budgetd, tmp_path):
    result = run(SCRIPT, tmp_path, sys.executable, COPIES, timeout=120,
                 env={**os.environ, "BUDGETD_BIN": budgetd})
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    last = result.stdout.strip().splitlines()[-1]
    if last != f"power_loss_images: {COPIES} images checked":
        reason = re.fullmatch(r"power_loss_images: cannot run here: (.+)", last)
        assert reason, result.stdout + result.stderr
        assert os.geteuid() != 0 or "refused" in reason[1] or "no " in reason[1], last


def test_it_says_why_it_cannot(budgetd, tmp_path):
    """Without the right to mount: a reason, and no success."""
    drop = () if os.geteuid() != 0 else (
        "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    result = run(*drop, SCRIPT, tmp_path, sys.executable, COPIES, timeout=120,
                 env={**os.environ, "BUDGETD_BIN": budgetd})
    assert result.returncode == 0, result
    assert re.search(r"^power_loss_images: cannot run here: \w+", result.stdout), result
    assert "images checked" not in result.stdout
