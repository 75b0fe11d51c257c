"""The vectors of model names and of the limit on everything, beside the LiteLLM that is installed."""

import json
import os
import subprocess

from conftest import ROOT
from litellm_peer import litellm_python

SCRIPT = ROOT / "Tests" / "Integration" / "litellm_rules.py"


def test_litellm_answers_as_the_vectors_say():
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "TZ": "UTC"}
    run = subprocess.run([litellm_python(), str(SCRIPT), "check"], env=environment, check=True,
                         stdout=subprocess.PIPE, timeout=300)
    assert json.loads(run.stdout) == {"model_names.jsonl": [], "total_windows.jsonl": []}
