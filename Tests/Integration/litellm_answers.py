"""Asks the real LiteLLM what the vectors of Tests/LiteLLMConfigTests answer, and prints where it answers
otherwise: one JSON object with a list for each file. Run with the Python that has LiteLLM."""

import json
import sys
from pathlib import Path

import litellm
from litellm import Router
from litellm.litellm_core_utils.duration_parser import duration_in_seconds

OUTPUT, sys.stdout = sys.stdout, sys.stderr
VECTORS = Path(__file__).resolve().parents[1] / "LiteLLMConfigTests" / "Vectors"
# The lists ask for months' lengths from a day of their own, which no clock here is set to.
MONTHS = "mo"


def lines(name):
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def provider(model, custom=None, base=None):
    try:
        return litellm.get_llm_provider(model=model, custom_llm_provider=custom, api_base=base)[1]
    except Exception:  # LiteLLM has no provider for it
        return None


def seconds(text):
    try:
        return duration_in_seconds(text)
    except ValueError:
        return None


def main():
    answers = {"providers.jsonl": [], "provider_entries.jsonl": [], "model_ids.jsonl": [],
               "durations.jsonl": []}
    for line in lines("providers.jsonl"):
        got = provider(line["model"])
        if got != line["provider"]:
            answers["providers.jsonl"].append([line["model"], line["provider"], got])
    for line in lines("provider_entries.jsonl"):
        names = [line["model"], line.get("custom_llm_provider"), line.get("api_base")]
        got = provider(*names)
        if got != line["provider"]:
            answers["provider_entries.jsonl"].append([names, line["provider"], got])
    router = Router(model_list=[])
    for line in lines("model_ids.jsonl"):
        got = router.generate_model_id(line["model_name"], line["litellm_params"])
        if got != line["id"]:
            answers["model_ids.jsonl"].append([line["model_name"], line["id"], got])
    for line in lines("durations.jsonl"):
        if MONTHS in line["duration"]:
            continue
        got, wanted = seconds(line["duration"]), line.get("seconds")
        if got != (None if line.get("error") else wanted):
            answers["durations.jsonl"].append([line["duration"], wanted, got])
    OUTPUT.write(json.dumps(answers))


main()
