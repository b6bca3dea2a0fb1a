"""`kg-pipeline serve`: the HTTP API."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Home, fail, home_folder
from kg_pipeline.commands.score import Dtype, RerankerName
from kg_pipeline.config import Scoring


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback only with a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    home: Home = None,
    image_root: Annotated[
        list[Path] | None,
        typer.Option(help="Folder whose pictures may be named by path; repeatable. The working directory by default."),
    ] = None,
    reranker: Annotated[RerankerName, typer.Option(help="Who scores.")] = RerankerName.AUTO,
    checkpoint: Annotated[str | None, typer.Option(help="Folder or owner/model@commit of the weights.")] = None,
    dtype: Annotated[Dtype, typer.Option(help="Precision of the reranker.")] = Dtype.BFLOAT16,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    token_budget: Annotated[int | None, typer.Option(min=128, help="Tokens of one forward of the reranker.")] = None,
    instruction: Annotated[str | None, typer.Option(help="What to look for; the model card's when not given.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token that clients must send; else KG_PIPELINE_API_TOKEN.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Deadline of a request in seconds.")] = 60.0,
    max_pictures: Annotated[int, typer.Option(min=1, help="Pictures of one request.")] = 256,
    max_waiting_pairs: Annotated[
        int, typer.Option(min=1, help="Pairs of picture and text that may wait; beyond it, 429.")
    ] = 16_384,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every request.")] = False,
) -> None:
    """Answer POST /api/rerank and its kin until Ctrl-C or SIGTERM; docs/serving.md describes the API."""
    import uvicorn

    from kg_pipeline.reranking import RerankerError
    from kg_pipeline.serving import RequestLimits, ServeSettings, ServingError, create_app

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    scoring = Scoring(
        reranker=reranker.value,
        checkpoint=checkpoint,
        dtype=dtype.value,
        device=device,
        token_budget=token_budget,
        instruction=instruction,
    )
    limits = RequestLimits(seconds=timeout, pictures=max_pictures, waiting_pairs=max_waiting_pairs)
    try:
        settings = ServeSettings(
            home=home_folder(home),
            host=host,
            port=port,
            image_roots=tuple(image_root or ()),
            token=_token(token_file),
            scoring=scoring,
            limits=limits,
        )
        app = create_app(settings)
        services = app.state.services
        out.print(f"scorer: {services.reranking.chosen.reason}", highlight=False, soft_wrap=True)
        with out.status("loading the scorer"):
            services.reranking.load()
    except (ServingError, RerankerError) as error:
        raise fail(str(error), 2) from error
    address = f"http://{host}:{port}" if port else "the address below"
    out.print(
        f"api:    {address}/api/rerank\nroots:  {', '.join(map(str, settings.roots))}", highlight=False, soft_wrap=True
    )
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="info" if verbose or not port else "warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.drain_seconds),
        h11_max_incomplete_event_size=65_536,
    )


def _token(file: Path | None) -> SecretStr | None:
    """The token in a file or in the environment."""
    from kg_pipeline.serving.settings import TOKEN_VARIABLE

    if file is None:
        text = os.environ.get(TOKEN_VARIABLE, "")
    else:
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise fail(f"--token-file {file} cannot be read: {error}", 2) from error
        if not text:
            raise fail(f"--token-file {file} is empty", 2)
    return SecretStr(text) if text else None
