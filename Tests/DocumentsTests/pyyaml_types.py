#!/usr/bin/env python3
"""Says how PyYAML's safe loader types scalars: one JSON line each, for the Swift test to compare.

Usage: pyyaml_types.py SEED COUNT
Prints {"yaml": the document, "type": ..., "text": str(value)} or {"yaml": ..., "type": "error"}.
"""

import json
import random
import sys

import yaml

CHOSEN = """
yes Yes YES yEs no No NO nO true True TRUE tRue false False FALSE on On ON oN off Off OFF y n Y N
t f null Null NULL nUll ~ ~~ none None
0 1 -1 +1 00 01 07 08 017 -017 018 0o17 0_7 0_ 1_000 1__0 _1 1_ -1_0 12345678901234567890123 0b1 0b01_01
0b2 0b 0b_ -0b11 0x1F 0xg 0x 0x_ 0xdead_BEEF -0x1f +0x1F 0X1F 0B1 1:30 1:60 01:30 190:20:30 -1:30 1:3
1:300 1:30:30.5 1:30. 0:30 0:30.5 1:: 1:30_ 9:59:59 -190:20:30
1. .5 -.5 +.5 1.5 -1.5 +1.5 1.e+3 1e3 1.0e3 1.0e+3 1.0E-3 1e-12 1.0e-12 1.5e+ 1_0.5 1._5 ._5 .5_5 .
.. .e+1 1.5.5 1.2e+3_0 00.5 01.5 0.1 100.0 1.0e+400 -1.0e+400 1.0e-400 123456789.125 1.7976931348623157e+308
.inf .Inf .INF .iNF -.inf +.inf inf Infinity .nan .NaN .NAN -.nan nan .Nan
2024-01-15 2024-1-5 2024-13-01 2024-02-30 2024-02-29 2023-02-29 0000-01-01 2024-01-15T10:00:00
2024-01-15t10:00:00Z 2024-01-15T10:00:00.5Z 2024-01-15T1:00:00 2024-1-5T10:00:00 2024-01-15T10:00:00+02:00
2024-01-15T10:00:00-05:30 2024-01-15T10:00:00+2 2024-01-15T10:00:00.1234567 2024-01-15T10:00:00.
2024-01-15T10:00 2024-01-15T25:00:00 2024-01-15T10:00:60 2024-01-15T10:00:00+24:00 2024-01-15T
2024-01-15T10:00:00+00:00 2024-01-15T10:00:00-00:01 2024-01-15T10:00:00Zx 20240115 2024-01 2024-01-15-
= << os.environ/X 1d 30d 60 100 1e16 1e+16 a-b - -- --- abc é 'x' "x" "1" '1' "" ''
!!str 1 !!str yes !!str 0x1F !!str ~ !!int 1 !!int "1" !!int 0x1F !!int abc !!int 1.5 !!int 017 !!int 08
!!int "1_0" !!int -5 !!float 1 !!float "1e-12" !!float abc !!float .5 !!float 1e5 !!float -.inf !!float inf
!!float nan !!float 1:30 !!bool yes !!bool "TRUE" !!bool yEs !!bool maybe !!null x !!null "" !!timestamp
2024-1-5 !!foo !foo ! 12 ! yes
""".split()

LINES = [
    "2024-01-15 10:00:00", "2024-01-15  10:00:00 Z", "2024-01-15 10:00:00 -5", "2024-01-15 10:00:00.25 +01:30",
    "2024-01-15 10:00", "!!str 12", "!!str yes", "!!str", "!!int 12", '!!int "0x1F"', "!!int x", "!!int 1.5",
    "!!float 3", '!!float "1e-12"', "!!float x", "!!float 1:30", "!!float -5", "!!bool yes", "!!bool ON",
    "!!bool maybe", "!!null x", "!!timestamp 2024-1-5", "!!timestamp 2024-01-15", "!!timestamp x", "!foo 1",
    "!!foo 1", "! 12", "! yes", '"1"', "'yes'", '""', "''", "1 # c", "[1, yes]", "{a: 017}", "|\n  1", ">\n  yes",
    "&a 1", "[&a 1, *a]", "{<<: {a: 1}, b: 2}", "{<<: [{a: 1}, {a: 2, c: 3}], b: 2}", "{b: 2, <<: {b: 1, a: 1}}",
    "{a: 1, a: 2}", "{a: 1, b: 1, a: 2}", "{1: a, yes: b, ~: c, 1.5: d}", "{=: 1}", "[<<]", "[=]", "? [1]\n: 2",
    "{<<: 1}", "{<<: [1]}", "!!map {a: 1}", "!!seq [1]", "[a, b]: c", "\ta: 1", "a:\n\t- b", "- 1\n- 2", "%YAML 1.1\n---\n1",
    "*a", "&a [*b]", "a: b: c", "---\n1\n...\n", "", "# only a comment", "---\n", "\ufeffa: 1",
    "{a: &x {k: 1}, b: {<<: *x, j: 2}, c: {<<: *x, k: 3}}", "{<<: &m {a: 1}, c: *m}",
]
ALPHABET = "0123456789" * 3 + "____::..--++eExXbobBoOaAfFTZ~nNyY"


def typed(value):
    if isinstance(value, bool):
        return "bool"
    return {type(None): "null"}.get(type(value), type(value).__name__)


def answer(text):
    try:
        value = yaml.safe_load(text)
    except Exception:  # whatever it is, LiteLLM does not start
        return {"yaml": text, "type": "error"}
    try:
        shown = str(value)
    except ValueError:
        return {"yaml": text, "type": "error"}
    return {"yaml": text, "type": typed(value), "text": shown}


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    generator = random.Random(seed)
    documents = ["[" + item + "]" for item in CHOSEN] + CHOSEN + LINES
    for _ in range(count):
        word = "".join(generator.choice(ALPHABET) for _ in range(generator.randint(1, 8)))
        documents.append(word)
    for _ in range(count // 4):
        word = list(generator.choice(CHOSEN))
        word[generator.randrange(len(word))] = generator.choice(ALPHABET)
        documents.append("k: " + "".join(word))
    for text in documents:
        print(json.dumps(answer(text)))


main()
