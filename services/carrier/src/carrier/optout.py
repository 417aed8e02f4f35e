"""Default opt-out handling: which words block or unblock a pair, and what the carrier answers by itself."""

from enum import StrEnum

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})
# By the toll-free network's own rule YES does not opt in again.
TOLL_FREE_START_WORDS = frozenset({"START", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})


class Wish(StrEnum):
    """What a person asked of the carrier, rather than of the number's owner."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


ANSWERS = {
    Wish.STOP: "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    Wish.START: "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    Wish.HELP: "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


def wish_in(body: str, country: str, kind: str) -> Wish | None:
    """Read a body sent to a number of this country and kind; only US and CA numbers have default handling."""
    if country not in {"US", "CA"} or kind == "short":
        return None
    word = body.strip().upper()
    starts = TOLL_FREE_START_WORDS if kind == "tollfree" else START_WORDS
    for wish, words in ((Wish.STOP, STOP_WORDS), (Wish.START, starts), (Wish.HELP, HELP_WORDS)):
        if word in words:
            return wish
    return None
