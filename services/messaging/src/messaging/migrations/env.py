"""Runs this service's migrations; called by Alembic."""

from __future__ import annotations

from common.migrate import run_environment
from messaging.store import metadata

run_environment(metadata)
