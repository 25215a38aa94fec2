"""FHIR bundles follow the JSON Schema of R4, by a validator that is not ours; run by .ci/run browser."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import ketafind as kf
from strategies import directories

NODE = Path(os.environ.get("KETAFIND_NODE") or Path(__file__).with_name("node")) / "node_modules"
SCRIPT = """
const Validator = require(process.argv[1] + "/@asymmetrik/fhir-json-schema-validator");
const validator = new Validator();
const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
console.log(JSON.stringify(lines.map((line) => validator.validate(JSON.parse(line)))));
"""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not NODE.is_dir(), reason="needs `npm ci` in tests/node"),
]


def faults(bundles: list[dict[str, Any]]) -> list[list[Any]]:
    """What is wrong with each bundle; all are given at once, since node is slow to start."""
    done = subprocess.run(
        ["node", "-e", SCRIPT, str(NODE)],
        input="\n".join(map(json.dumps, bundles)),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found: list[list[Any]] = json.loads(done.stdout)
    return found


def test_bundles_of_any_directory_follow_the_schema() -> None:
    directory = kf.load_directory()
    near = directory.nearest("Kingston, ON", 5, routes="iv")
    bundles = [
        directory.to_fhir(),
        directory.to_fhir(lang="fr"),
        near.to_fhir(),
        near[:0].to_fhir(),
    ]

    @settings(max_examples=200)
    @given(directories())
    def collect(any_directory: kf.Directory) -> None:
        bundles.append(any_directory.to_fhir())

    collect()
    assert faults(bundles) == [[]] * len(bundles)


def test_every_seeded_fault_is_found() -> None:
    text = json.dumps(kf.load_directory().nearest("Kingston, ON", 2, routes="iv").to_fhir())
    spoilt = [
        text.replace(right, wrong)
        for right, wrong in [
            ('"Location"', '"Locatio"'),
            ('"status": "active"', '"status": "open"'),
            ('"display"', '"displayed"'),
            ('"lastPerformed": "20', '"lastPerformed": "in 20'),
            ('"total": ', '"totals": '),
            ('"code": "47625008"', '"code": " 47625008"'),
        ]
    ]
    assert text not in spoilt
    assert all(faults([json.loads(one) for one in spoilt]))
