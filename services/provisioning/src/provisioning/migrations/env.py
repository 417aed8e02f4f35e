"""Alembic's way in."""

from common.migrate import run_environment
from provisioning.store import metadata

run_environment(metadata)
