"""Answers leave in one piece, and nothing is kept back that nothing follows."""

from __future__ import annotations

import asyncio

from gateway.protocol import Joining

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Written(asyncio.Transport):
    """A transport that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True


def test_head_and_body_of_each_answer_leave_together() -> None:
    written = Written()
    joining = Joining(written)
    for body in (b"ok", b"", b"ok"):
        joining.write(HEAD)
        joining.write(body)
    assert written.pieces == [HEAD + b"ok", HEAD, HEAD + b"ok"]


def test_what_is_not_the_head_of_a_success_leaves_at_once() -> None:
    written = Written()
    Joining(written).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert written.pieces == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_without_a_body_leaves_before_the_end() -> None:
    written = Written()
    joining = Joining(written)
    joining.write(HEAD)
    joining.close()
    assert (written.pieces, written.closed) == ([HEAD], True)
