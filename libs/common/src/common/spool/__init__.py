"""The local spool: what an edge commits to its own disk before it answers, and publishes whenever the broker is there.

It depends on nothing but the disk. `claim` takes a file, `Spool` fills and empties it, `Orphans` empties those of the
dead.
"""

from common.spool.file import SpoolFile, claim
from common.spool.orphans import Orphans
from common.spool.spool import Spool

__all__ = ["Orphans", "Spool", "SpoolFile", "claim"]
