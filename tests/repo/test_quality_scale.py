"""The quality scale's file is whole, and its evidence is there."""

import re
from pathlib import Path

import pytest

from homeassistant.util.yaml import load_yaml_dict

ROOT = Path(__file__).parents[2]
RULES = load_yaml_dict(str(ROOT / "custom_components/plex_watchsync/quality_scale.yaml"))["rules"]
HOW_MANY = 54  # of the scale as of summer 2026
PATHS = re.compile(r"[\w.]+(?:/[\w.]+)*\.(?:py|json|yaml|md|png|cfg)|scripts/\w+")


def test_every_rule_is_answered() -> None:
    """Each is done, exempt with a reason, or honestly to do."""
    assert len(RULES) == HOW_MANY
    for rule, answer in RULES.items():
        status = answer if isinstance(answer, str) else answer["status"]
        assert status in {"done", "exempt", "todo"}, rule
        assert isinstance(answer, str) == (status == "todo"), f"{rule}: what is done or exempt says why"


@pytest.mark.parametrize("rule", [rule for rule, answer in RULES.items() if isinstance(answer, dict) and answer["status"] == "done"])
def test_the_evidence_is_there(rule: str) -> None:
    """Every file that a comment names exists, and each names one."""
    named = PATHS.findall(RULES[rule]["comment"])
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
