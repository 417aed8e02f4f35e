"""`.env.example` explains every setting of every program, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from switchboard import settings_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / ".env.example"


def test_the_page_is_what_the_settings_say_today() -> None:
    assert PAGE.read_text() == settings_page.render(), "run `make snapshot`"


def test_every_program_with_settings_is_on_the_page() -> None:
    found = {path.parent.name for path in ROOT.glob("*/*/src/*/settings.py")} | {"switchboard"}
    assert found == {module.partition(".")[0] for module in settings_page.PROGRAMS.values()}


@pytest.mark.parametrize("module", settings_page.PROGRAMS.values())
def test_every_setting_is_explained(module: str) -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", PAGE.read_text(), re.MULTILINE))
    fields = settings_page.names(module)
    assert set(fields) <= named
    assert all(field.description for field in fields.values())
