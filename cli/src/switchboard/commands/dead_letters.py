"""Dead letters: what a handler could not take, with the reason, and the way to have it handled again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from switchboard import output

if TYPE_CHECKING:
    from switchboard.dead import Desk

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Events a handler could not take.")


@app.command("list")
def list_all(limit: int = 100, json: output.Json = False) -> None:
    """The newest, with the reason each was set aside."""
    letters = _at_the_desk(lambda desk: desk.newest(limit))
    output.rows([letter.line() for letter in letters], json, empty="no dead letters")


@app.command()
def show(number: int, json: output.Json = False) -> None:
    """One letter with its event, which may hold personal data."""
    letter = _at_the_desk(lambda desk: desk.letter(number))
    output.show(letter.line() | {"event": letter.event}, json)


@app.command()
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers from the list.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter there is.")] = False,
    json: output.Json = False,
) -> None:
    """Publish the event again and take the letter away; handlers that had it already take no notice."""
    if not (numbers or every):
        raise output.fail("name the numbers to replay, or --all", code=2)

    async def again(desk: Desk) -> list[dict[str, Any]]:
        letters = await desk.newest(10_000) if every else [await desk.letter(number) for number in numbers or []]
        return [await desk.replay(letter) for letter in reversed(letters)]

    done = _at_the_desk(again)
    output.show({"replayed": done}, json, f"{len(done)} replayed")


def _at_the_desk(work: Callable[[Desk], Awaitable[T]]) -> T:
    from switchboard import dead  # noqa: PLC0415
    from switchboard.settings import Settings  # noqa: PLC0415

    settings = Settings()
    settings = settings.model_copy(update={"secrets": settings.secrets_folder})

    async def visit() -> T:
        async with dead.open_desk(settings) as desk:
            return await work(desk)

    try:
        return asyncio.run(visit())
    except dead.NoLetter as error:
        raise output.fail(str(error)) from None
    except dead.NoBroker as error:
        raise output.fail(str(error), code=3) from None
