"""Deals tests out to the workers: what shares something slow to start stays together, all else goes to whoever is free.

The plugin's own groups need marks, which it writes into ids that pytest keeps elsewhere by now.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/cli/test_up.py",
    "tests/contracts/test_number_provider.py",
    "tests/contracts/test_sms_provider.py",
    "tests/live/",
    "tests/provisioning/test_channels.py",
    "tests/provisioning/test_crashes.py",
)
"""Files with a fixture that outlives a test: each on one worker."""


class Dealing(LoadScopeScheduling):  # type: ignore[misc] # the plugin comes without types
    """Most of a house at work is waiting or starting, so the houses go out first, and single tests fill the gaps."""

    def _split_scope(self, nodeid: str) -> str:
        """Tests of one scope run on one worker, in order; scopes with most tests go out first."""
        file = nodeid.partition("::")[0]
        if file.startswith("tests/faults/"):
            return "faults on PostgreSQL" if "[postgresql" in nodeid else "faults on SQLite"
        if file.startswith("tests/carrier/"):
            return "carrier"
        return file if file.startswith(TOGETHER) else nodeid
