"""Every story with one process of each service and SQLite."""

from tests.live.stories.agents import TestAgents
from tests.live.stories.command_line import TestCommandLine
from tests.live.stories.concierge import TestConcierge
from tests.live.stories.consent import TestConsent
from tests.live.stories.conversation import TestConversation
from tests.live.stories.inbox import TestInbox
from tests.live.stories.intents import TestIntents
from tests.live.stories.limits import TestLimits
from tests.live.stories.money import TestMoney
from tests.live.stories.tenants import TestTenants
from tests.live.stories.trouble import TestTrouble
from tests.live.stories.watching import TestWatching
from tests.live.world import Kind

__all__ = [
    "TestAgents",
    "TestCommandLine",
    "TestConcierge",
    "TestConsent",
    "TestConversation",
    "TestInbox",
    "TestIntents",
    "TestLimits",
    "TestMoney",
    "TestTenants",
    "TestTrouble",
    "TestWatching",
]

KIND = Kind()
