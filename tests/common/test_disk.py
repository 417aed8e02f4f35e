"""Where to wait for the disk: what a few commits took decides, and what one took does not."""

from __future__ import annotations

import contextlib

from common.disk import Disk

from tests.support.disks import SLOW, take


def wait(disk: Disk, seconds: float = 0.0, times: int = 1) -> None:
    for _ in range(times):
        with disk.waiting():
            take(seconds)


def test_a_disk_that_nobody_has_waited_for_is_quick() -> None:
    assert Disk().quick


def test_a_disk_that_is_slow_again_and_again_is_not_quick() -> None:
    disk = Disk()
    wait(disk, SLOW, times=30)
    assert not disk.quick


def test_one_slow_commit_is_not_the_rule() -> None:
    disk = Disk()
    wait(disk, SLOW)
    assert disk.quick


def test_a_disk_that_recovers_is_quick_again() -> None:
    disk = Disk()
    wait(disk, SLOW, times=30)
    wait(disk, times=200)
    assert disk.quick


def test_a_commit_that_fails_took_its_time_all_the_same() -> None:
    disk = Disk()
    for _ in range(30):
        with contextlib.suppress(OSError), disk.waiting():
            take(SLOW)
            raise OSError("the disk refused")
    assert not disk.quick
