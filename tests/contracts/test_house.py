"""The house keeps its rules, and each rule catches what is planted against it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts import rules

ROOT = Path(__file__).parents[2]
RULES = [
    rules.imports,
    rules.hand_written_subjects,
    rules.vendor_names,
    rules.sizes,
    rules.same_modules,
    rules.patient_tests,
]
Rule = Callable[[Path], list[str]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The product's code alone, to plant things in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in ("libs", "services", "cli"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    return tmp_path


def plant(root: Path, place: str, code: str) -> None:
    (root / place).write_text(f'"""Planted."""\n\n{code}\n')


def test_a_planted_import_of_another_service_is_caught(copy: Path) -> None:
    plant(copy, "services/billing/src/billing/planted.py", "from audit import chain")
    [told] = rules.imports(copy)
    assert "billing.planted -> audit.chain" in told


def test_a_planted_import_of_a_service_in_common_is_caught(copy: Path) -> None:
    plant(copy, "libs/common/src/common/planted.py", "from audit import chain")
    [told] = rules.imports(copy)
    assert "common.planted -> audit.chain" in told


@pytest.mark.parametrize(
    "code", ['S = "messages.v1.sms.received"', 'S = f"comms.{1}.billing.v2.usage.posted"', 'S = "comms.*.audit.v1.>"']
)
def test_a_planted_subject_is_caught(copy: Path, code: str) -> None:
    plant(copy, "services/gateway/src/gateway/planted.py", code)
    [told] = rules.hand_written_subjects(copy)
    assert told.startswith("services/gateway/src/gateway/planted.py:3")


@pytest.mark.parametrize("code", ["# as Twilio does it", "twilio_sid = 1", 'NAME = "plivo"'])
def test_a_planted_vendor_name_is_caught(copy: Path, code: str) -> None:
    plant(copy, "services/messaging/src/messaging/planted.py", code)
    [told] = rules.vendor_names(copy)
    assert told.startswith("services/messaging/src/messaging/planted.py:3")


def test_a_vendor_name_in_its_adapter_is_allowed(copy: Path) -> None:
    before = rules.vendor_names(copy)
    folder = copy / "services/messaging/src/messaging/providers"
    folder.mkdir(exist_ok=True)
    plant(copy, "services/messaging/src/messaging/providers/plivo.py", 'NAME = "plivo"')
    assert rules.vendor_names(copy) == before


def test_a_module_and_a_function_out_of_hand_are_caught(copy: Path) -> None:
    body = "\n".join("    x = 1" for _ in range(rules.MODULE_LINES))
    plant(copy, "libs/common/src/common/planted.py", f"def long():\n{body}")
    assert len([told for told in rules.sizes(copy) if "planted" in told]) == 2


def test_a_service_without_its_modules_and_a_name_that_says_nothing_are_caught(copy: Path) -> None:
    (copy / "services/audit/src/audit/settings.py").unlink()
    plant(copy, "services/audit/src/audit/utils.py", "")
    assert rules.same_modules(copy) == [
        "services/audit/src/audit has no settings",
        "services/audit/src/audit/utils.py: the name says nothing",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.sleep(1)",
        "import time\nwhile True:\n    time.sleep(5)",
        "from unittest import mock",
        "from unittest.mock import patch",
        "def test(monkeypatch):\n    monkeypatch.setattr('a.b', 1)",
    ],
)
def test_a_test_that_sleeps_or_patches_is_caught(copy: Path, code: str) -> None:
    plant(copy, "tests/test_planted.py", code)
    [told] = rules.patient_tests(copy)
    assert told.startswith("tests/test_planted.py")
