"""The command of the schedule."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.home import Home
from pipelines.terminal import HomeOption, console


def schedule(
    host: Annotated[str, typer.Option(help="Address of the pages; anybody who reaches it can start runs.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the pages.")] = 3000,
    home: HomeOption = None,
) -> None:
    """Run the nights and hours by Dagster: web server and daemon, until interrupted. Settings are in the environment (docs/schedule.md).

    Example: touchstone schedule --port 3000
    """
    try:
        from pipelines.schedule import serve  # an extra, and seconds to import
    except ModuleNotFoundError as missing:
        if missing.name not in ("dagster", "dagster_webserver"):
            raise
        raise ValueError("touchstone schedule needs Dagster: pip install 'touchstone[schedule]'") from missing
    where = Home.at(home)
    console.print(f"Pages: http://{host}:{port}", markup=False, soft_wrap=True)
    if code := serve(where, host, port):
        raise typer.Exit(code)
