"""The command `storemon k8s-manifests`."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

import os
import secrets
from typing import Annotated

import typer

from storemon_pipeline.commands.options import build_settings, one_line_errors
from storemon_pipeline.contract import DAGSTER_TOKEN_VARIABLE


def k8s_manifests(
    image: Annotated[
        str, typer.Option(help="Image with storemon, such as registry.example/storemon:0.1.0.")
    ],
    namespace: Annotated[str, typer.Option(help="Namespace of all objects.")] = "storemon",
    env_secret: Annotated[
        list[str] | None,
        typer.Option(
            help="Secret of the cluster with more variables for all pods; may be repeated.",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Print what a Kubernetes cluster needs to run storemon with this environment's settings."""
    with one_line_errors():
        from storemon_pipeline.commands.kubernetes.manifests import Cluster, as_yaml, manifests
        from storemon_pipeline.service.dagster_home import INSTANCE_FILE, packaged_file

        build_settings()  # says which setting is not valid
        settings = {
            name: value for name, value in os.environ.items() if name.startswith("STOREMON_")
        }
        objects = manifests(
            Cluster(image, namespace, settings, tuple(env_secret or ())),
            dagster_token=settings.get(DAGSTER_TOKEN_VARIABLE) or secrets.token_urlsafe(32),
            instance=packaged_file(INSTANCE_FILE).read_text(),
        )
        typer.echo(as_yaml(objects, namespace), nl=False)
