"""The objects of a Kubernetes cluster that runs storemon, as values that become YAML.

Reading the environment does not belong here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from storemon_pipeline.contract import CODE_LOCATION, DAGSTER_TOKEN_VARIABLE
from storemon_pipeline.database.connections import dagster_url, libpq_url
from storemon_pipeline.host.errors import ServiceError
from storemon_pipeline.service.dagster_home import INSTANCE_FILE, WORKSPACE_FILE
from storemon_pipeline.service.processes import (
    API_FACTORY,
    API_PROTOCOL,
    DEFINITIONS_MODULE,
    RUN_ENVIRONMENT,
)

Manifest = dict[str, Any]

_NAME: Final = "storemon"
_INSTANCE: Final = f"{_NAME}-dagster"
_HOME: Final = "/var/lib/storemon"
_DAGSTER_HOME: Final = "/opt/dagster"
_API_PORT: Final = 8000
_CODE_PORT: Final = 4000
_DAGSTER_PORT: Final = 3000

_MAKE_DATABASES: Final = ["sh", "-c", "storemon dev > /dev/null"]
"""Creates and migrates what is missing, and ends. Its output has the database's password."""

_PLACES: Final = ("STOREMON_DATA", "STOREMON_LAKE", "STOREMON_POLL_ARCHIVE")
"""Folders that all pods read."""

_SECRETS: Final = frozenset(
    {
        "STOREMON_DATABASE_URL",
        "STOREMON_DAGSTER_DATABASE_URL",
        DAGSTER_TOKEN_VARIABLE,
        "STOREMON_ALERT_URLS",
        "STOREMON_MAIL_URL",
        "STOREMON_OIDC_CLIENT_SECRET",
    }
)
_ELSEWHERE: Final = frozenset(
    {"STOREMON_API_KEY", "STOREMON_HOME", "STOREMON_HOST", "STOREMON_PORT", "STOREMON_DAGSTER_PORT"}
)
"""Settings of this machine, or of a person's commands."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the objects have in common.

    `settings` are variables of the environment; `env_secrets` name secrets of the cluster with more
    of them, such as the keys of an object store.
    """

    image: str
    namespace: str
    settings: Mapping[str, str]
    env_secrets: Sequence[str] = ()

    @property
    def secrets(self) -> list[str]:
        """The names of all secrets that pods have in their environment."""
        return [_NAME, *self.env_secrets]


def manifests(cluster: Cluster, *, dagster_token: str, instance: str) -> list[Manifest]:
    """All objects, in the order in which they can be created.

    `instance` is the text of `dagster.yaml`. Raises ServiceError for a setting that no pod can use.
    """
    given = cluster.settings
    database = given.get("STOREMON_DATABASE_URL")
    if not database:
        raise ServiceError("STOREMON_DATABASE_URL is not set: all pods need one database.")
    for name in _PLACES:
        place = given.get(name) or ("" if name == "STOREMON_DATA" else "s3://")
        if "://" not in place:
            raise ServiceError(f"{name} must be a URL such as s3://bucket/folder for all pods.")
    values = {
        "STOREMON_EXECUTOR": "k8s",
        "STOREMON_DAGSTER_DATABASE_URL": dagster_url(database),
        **{name: value for name, value in given.items() if name not in _ELSEWHERE},
        "STOREMON_DATABASE_URL": libpq_url(database),
        "STOREMON_DAGSTER_URL": f"http://{_NAME}-webserver:{_DAGSTER_PORT}",
        "STOREMON_HOME": _HOME,
        "DAGSTER_HOME": _DAGSTER_HOME,
        DAGSTER_TOKEN_VARIABLE: dagster_token,
    }
    return [
        _object("v1", "Secret", _NAME)
        | {"stringData": {name: one for name, one in values.items() if name in _SECRETS}},
        _object("v1", "ConfigMap", _NAME)
        | {"data": {name: one for name, one in values.items() if name not in _SECRETS}},
        _object("v1", "ConfigMap", _INSTANCE)
        | {"data": {INSTANCE_FILE: _instance(cluster, instance), WORKSPACE_FILE: _workspace()}},
        *_permissions(cluster),
        _object("v1", "PersistentVolumeClaim", _NAME)
        | {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            }
        },
        *_code_server(cluster),
        *_webserver(cluster),
        _daemon(cluster),
        *_api(cluster),
    ]


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes files within objects line by line, and every value where it belongs."""

    def ignore_aliases(self, _data: object) -> bool:
        """Never refer to another part of the file."""
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def as_yaml(objects: Sequence[Manifest], namespace: str) -> str:
    """The objects as one file for `kubectl apply`, all in this namespace."""
    placed = [one | {"metadata": one["metadata"] | {"namespace": namespace}} for one in objects]
    text: str = yaml.dump_all(placed, Dumper=_Dumper, sort_keys=False, explicit_start=True)
    return text


def _object(version: str, kind: str, name: str) -> Manifest:
    labels = {"app.kubernetes.io/name": _NAME}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}}


def _instance(cluster: Cluster, instance: str) -> str:
    """The instance of `storemon up`, with runs as jobs of the cluster."""
    values = yaml.safe_load(instance)
    values["run_launcher"] = {
        "module": "dagster_k8s",
        "class": "K8sRunLauncher",
        "config": {
            "load_incluster_config": True,
            "job_namespace": cluster.namespace,
            "job_image": cluster.image,
            "service_account_name": _NAME,
            "instance_config_map": _INSTANCE,
            "dagster_home": _DAGSTER_HOME,
            "env_config_maps": [_NAME],
            "env_secrets": cluster.secrets,
            "env_vars": [f"{name}={value}" for name, value in RUN_ENVIRONMENT.items()],
        },
    }
    # A pod takes longer to start than a process of this machine, above all on a new node.
    values["run_monitoring"]["start_timeout_seconds"] = 300
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False)
    return text


def _workspace() -> str:
    server = {"host": f"{_NAME}-code", "port": _CODE_PORT, "location_name": CODE_LOCATION}
    text: str = yaml.dump({"load_from": [{"grpc_server": server}]}, Dumper=_Dumper, sort_keys=False)
    return text


def _permissions(cluster: Cluster) -> list[Manifest]:
    """What starts runs and steps may create jobs and look at their pods."""
    rbac = "rbac.authorization.k8s.io"
    looks = ["get", "list", "watch"]
    rules = [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": [*looks, "create", "delete"]},
        {"apiGroups": ["batch"], "resources": ["jobs/status"], "verbs": looks},
        {"apiGroups": [""], "resources": ["pods", "pods/log", "pods/status"], "verbs": looks},
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": looks},
    ]
    subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": cluster.namespace}
    return [
        _object("v1", "ServiceAccount", _NAME),
        _object(f"{rbac}/v1", "Role", _NAME) | {"rules": rules},
        _object(f"{rbac}/v1", "RoleBinding", _NAME)
        | {
            "subjects": [subject],
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": _NAME},
        },
    ]


def _code_server(cluster: Cluster) -> list[Manifest]:
    command = [
        *("dagster", "api", "grpc", "--module-name", DEFINITIONS_MODULE),
        *("--location-name", CODE_LOCATION, "--empty-working-directory"),
        *("--host", "0.0.0.0", "--port", str(_CODE_PORT)),  # noqa: S104 - the pod's own address
    ]
    return _served(cluster, "code", command, _CODE_PORT, {"tcpSocket": {"port": _CODE_PORT}})


def _webserver(cluster: Cluster) -> list[Manifest]:
    command = [
        *("python", "-m", "storemon_api.dagster_ui.server"),
        *("--workspace", f"{_DAGSTER_HOME}/{WORKSPACE_FILE}"),
        *("--host", "0.0.0.0", "--port", str(_DAGSTER_PORT)),  # noqa: S104 - as above
    ]
    probe = {"tcpSocket": {"port": _DAGSTER_PORT}}
    return _served(cluster, "webserver", command, _DAGSTER_PORT, probe)


def _daemon(cluster: Cluster) -> Manifest:
    workspace = f"{_DAGSTER_HOME}/{WORKSPACE_FILE}"
    return _deployment(cluster, "daemon", ["dagster-daemon", "run", "--workspace", workspace], {})


def _api(cluster: Cluster) -> list[Manifest]:
    command = [
        *("uvicorn", API_FACTORY, "--factory", "--no-server-header", "--no-access-log"),
        *("--host", "0.0.0.0", "--port", str(_API_PORT), "--http", API_PROTOCOL),  # noqa: S104 - as above
    ]
    # The home holds the key that signs dispute packs: it outlives the pod.
    home = {"persistentVolumeClaim": {"claimName": _NAME}}
    probe = {"httpGet": {"path": "/healthz", "port": _API_PORT}}
    return _served(cluster, "api", command, _API_PORT, probe, home)


def _served(
    cluster: Cluster,
    part: str,
    command: Sequence[str],
    port: int,
    probe: Manifest,
    home: Manifest | None = None,
) -> list[Manifest]:
    """A deployment, and the address at which others reach it."""
    served = {
        "ports": [{"containerPort": port}],
        "readinessProbe": probe,
        "livenessProbe": probe | {"initialDelaySeconds": 60, "periodSeconds": 30},
    }
    service = {
        "selector": _labels(part),
        "ports": [{"port": port, "targetPort": port}],
    }
    return [
        _deployment(cluster, part, command, served, home),
        _object("v1", "Service", f"{_NAME}-{part}") | {"spec": service},
    ]


def _labels(part: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": _NAME, "app.kubernetes.io/component": part}


def _deployment(
    cluster: Cluster,
    part: str,
    command: Sequence[str],
    served: Manifest,
    home: Manifest | None = None,
) -> Manifest:
    container = {
        "image": cluster.image,
        "envFrom": [
            {"configMapRef": {"name": _NAME}},
            *({"secretRef": {"name": name}} for name in cluster.secrets),
        ],
        "volumeMounts": [
            {"name": "home", "mountPath": _HOME},
            *(
                {"name": "dagster", "mountPath": f"{_DAGSTER_HOME}/{name}", "subPath": name}
                for name in (INSTANCE_FILE, WORKSPACE_FILE)
            ),
        ],
    }
    pod = {
        "serviceAccountName": _NAME,
        "initContainers": [container | {"name": "databases", "command": _MAKE_DATABASES}],
        "containers": [container | {"name": part, "command": list(command)} | served],
        "volumes": [
            {"name": "home"} | (home or {"emptyDir": {}}),
            {"name": "dagster", "configMap": {"name": _INSTANCE}},
        ],
    }
    spec = {
        "replicas": 1,
        # Two daemons would tick twice, and two APIs cannot mount the same volume.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _labels(part)},
        "template": {"metadata": {"labels": _labels(part)}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", f"{_NAME}-{part}") | {"spec": spec}
