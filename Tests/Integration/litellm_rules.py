"""Asks the real LiteLLM which deployments a requested model name stands for, and when its limit on
everything begins anew. `litellm_rules.py check` prints where it answers otherwise than the vectors of
Tests/LiteLLMConfigTests, one JSON object with a list for each file; `litellm_rules.py make` writes them
anew. Run with the Python that has LiteLLM."""

import json
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

OUTPUT, sys.stdout = sys.stdout, sys.stderr

from litellm import Router  # noqa: E402 (it prints while it is imported)
from litellm.litellm_core_utils.duration_parser import get_next_standardized_reset_time  # noqa: E402

VECTORS = Path(__file__).resolve().parents[1] / "LiteLLMConfigTests" / "Vectors"
SEED = 20261126


# Names: which deployments a model list and its aliases give for a name.

def ids(router, name):
    """The ids of the deployments, in the list's order; null where LiteLLM finds none."""
    try:
        _, found = router._common_checks_available_deployment(model=name)
    except Exception:  # LiteLLM has no deployment for it
        return None
    found = found if isinstance(found, list) else [found]
    return [deployment["model_info"]["id"] for deployment in found]


def answers(case):
    model_list = [{"model_name": name, "litellm_params": {"model": model, "api_key": "k"},
                   "model_info": {"id": model_id}} for name, model, model_id in case["models"]]
    router = Router(model_list=model_list, model_group_alias=case["aliases"])
    return {name: ids(router, name) for name in case["asks"]}


PLAIN = ["gpt-4o", "gpt-4o-mini", "claude-3-opus", "chat", "o1", "team.a", "a+b", "x(1)", "c:d", "é-1",
         "llama 3", "q#4", "m~1", "b&w", "{v}", "p|q", "r^2", "s$", "t?", "w\\z", "gpt-4", "mistral-large"]
MODELS = ["openai/gpt-4o", "openai/gpt-4o-mini", "azure/gpt-4o", "anthropic/claude-3-opus-20240229",
          "groq/llama-3.3-70b-versatile", "gpt-4o", "mistral/mistral-large-latest", "openai/*",
          "anthropic/*", "claude-haiku-4-5", "gemini/gemini-2.0-flash", "groq/*"]
PROVIDERS = ["openai", "azure", "anthropic", "groq", "None", "house", "mistral"]


def wild(dice):
    """A name with stars."""
    shape = dice.randrange(8)
    if shape == 0:
        return "*"
    if shape == 1:
        return dice.choice(PROVIDERS) + "/*"
    word = dice.choice(PLAIN)
    cut = dice.randrange(1, len(word) + 1)
    if shape < 5:
        start = dice.choice(["", dice.choice(PROVIDERS) + "/"])
        return start + word[:cut] + "*"
    if shape == 5:
        return "*" + word[cut - 1:]
    if shape == 6:
        return word[:cut] + "*" + word[cut:]
    return word[:cut] + "*" + dice.choice(["-", "/", ":", "."]) + "*"


def name(dice, case):
    """A name that may stand for something in the case, or for nothing."""
    shape = dice.randrange(10)
    names = [name for name, _, _ in case["models"]]
    if shape == 0 and case["aliases"]:
        return dice.choice(list(case["aliases"]))
    if shape == 1:
        return dice.choice(names)
    if shape == 2:
        return dice.choice(case["models"])[dice.choice([1, 2])]
    if shape == 3:
        return dice.choice(MODELS)
    if shape < 8:
        filled = dice.choice(names)
        while "*" in filled:
            filled = filled.replace("*", dice.choice(["", "x", "mini", "a/b", "-", dice.choice(PLAIN)]), 1)
        return filled + dice.choice(["", "", "", "-more", "/x"])
    return dice.choice(["", "", dice.choice(PROVIDERS) + "/"]) + dice.choice(PLAIN)


def case(dice):
    count = dice.randrange(1, 9)
    models = []
    for index in range(count):
        public = wild(dice) if dice.random() < 0.6 else dice.choice(PLAIN)
        models.append([public, dice.choice(MODELS), f"d-{index}"])
    if dice.random() < 0.3:
        models.append([models[0][0], dice.choice(MODELS), f"d-{count}"])
    if dice.random() < 0.2:
        models[-1][2] = dice.choice(PLAIN)
    made = {"models": models, "aliases": {}}
    for _ in range(dice.randrange(3)):
        target = dice.choice([dice.choice(PLAIN), models[0][0], models[-1][0], dice.choice(MODELS)])
        short = dice.choice(PLAIN)
        made["aliases"][short] = dice.choice([target, {"model": target, "hidden": True}])
    made["asks"] = dict.fromkeys(sorted({name(dice, made) for _ in range(14)} - {""}))
    return made


# The limit on everything: which of the calendar's units a duration is to LiteLLM.

DURATIONS = [
    "1h", "60m", "3600s", "hourly", "1d", "24h", "1440m", "daily", "Daily", "7d", "1w", "168h", "weekly",
    "30d", "1mo", "monthly", "MONTHLY", "01h", "001d", "2h", "6h", "12h", "25h", "48h", "36h", "2d", "3d",
    "14d", "2w", "29d", "31d", "60d", "90d", "1s", "45s", "30m", "90m", "120m",
]


def start_of_next(unit, now):
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "hour":
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if unit == "day":
        return midnight + timedelta(days=1)
    if unit == "week":
        return midnight + timedelta(days=7 - now.weekday())
    first = midnight.replace(day=1)
    return (first + timedelta(days=32)).replace(day=1)


def unit_of(duration, dice):
    """The unit whose windows the duration has at every instant that was tried; null: none's."""
    units = ["hour", "day", "week", "month"]
    for _ in range(200):
        now = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=dice.randrange(10**8))
        if dice.random() < 0.1:
            now = now.replace(minute=0, second=0, hour=dice.choice([0, now.hour]))
        end = get_next_standardized_reset_time(duration, now, "UTC")
        units = [unit for unit in units if start_of_next(unit, now) == end]
    return units[0] if units else None


def lines(file):
    return [json.loads(line) for line in (VECTORS / file).read_text().splitlines()]


def write(file, records):
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (VECTORS / file).write_text(text)


def make():
    dice = random.Random(SEED)
    cases = [case(dice) for _ in range(200)]
    for made in cases:
        made["asks"] = answers(made)
    write("model_names.jsonl", cases)
    write("total_windows.jsonl",
          [{"duration": duration, "unit": unit_of(duration, dice)} for duration in DURATIONS])


def check():
    found = {"model_names.jsonl": [], "total_windows.jsonl": []}
    for made in lines("model_names.jsonl"):
        got = answers(made)
        found["model_names.jsonl"] += [
            [made["models"], made["aliases"], asked, wanted, got[asked]]
            for asked, wanted in made["asks"].items() if got[asked] != wanted]
    dice = random.Random(SEED + 1)
    for line in lines("total_windows.jsonl"):
        got = unit_of(line["duration"], dice)
        if got != line["unit"]:
            found["total_windows.jsonl"].append([line["duration"], line["unit"], got])
    OUTPUT.write(json.dumps(found))


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]]()
