"""The objects for Kubernetes: valid by the published schemas, and fitting each other."""

from typing import Any, Final

import pytest
import yaml
from dagster._config import validate_config
from typer.testing import CliRunner

from storemon_pipeline.commands.cli import app
from storemon_pipeline.definitions import build_defs
from storemon_pipeline.settings import Executor, Settings

kubernetes_validate = pytest.importorskip("kubernetes_validate")
dagster_k8s = pytest.importorskip("dagster_k8s")

COMMAND: Final = ["k8s-manifests", "--image", "registry.example/storemon:1"]
PASSWORD: Final = "not for everybody"  # noqa: S105 - of no database
TOKEN: Final = "token of the test"  # noqa: S105 - of no service
ENVIRONMENT: Final = {
    "STOREMON_DATABASE_URL": f"postgresql://storemon:{PASSWORD.replace(' ', '%20')}@db/storemon",
    "STOREMON_DATA": "s3://bucket/uptime",
    "STOREMON_LAKE": "s3://bucket/lake",
    "STOREMON_SHARDS": "16",
    "STOREMON_EXECUTOR_CONFIG": '{"max_concurrent": 8, "step_k8s_config": {"container_config": '
    '{"resources": {"limits": {"memory": "2Gi"}}}}}',
    "STOREMON_MAIL_URL": "mailtos://user:secret@mail.example",
    "STOREMON_API_KEY": "of a person",
    "STOREMON_HOME": "/home/somebody/.storemon",
    "STOREMON_DAGSTER_TOKEN": TOKEN,
}


def printed(*options: str, **environment: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, [*COMMAND, *options], env=ENVIRONMENT | environment)
    assert done.exit_code == 0, done.output
    return list(yaml.safe_load_all(done.stdout))


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name
    )
    return found


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]
        for each in objects
        if each["kind"] == "Deployment"
    }


@pytest.mark.parametrize("version", ["1.25", "1.31", "1.37"])
def test_every_object_is_valid_by_the_published_schemas(version: str) -> None:
    objects = printed("--env-secret", "store-keys")
    for each in objects:
        assert kubernetes_validate.validate(each, version, strict=True) == version
    wrong = one(objects, "Deployment", "storemon-api")
    wrong["spec"]["template"]["spec"]["containers"][0]["port"] = 8000
    with pytest.raises(kubernetes_validate.ValidationError, match="port"):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_there_is_what_the_service_consists_of() -> None:
    objects = printed("--namespace", "monitoring")
    assert {each["metadata"]["namespace"] for each in objects} == {"monitoring"}
    commands = {
        name: " ".join(pod["spec"]["containers"][0]["command"])
        for name, pod in pods(objects).items()
    }
    assert {name: text.split(" --")[0] for name, text in commands.items()} == {
        "storemon-api": "uvicorn storemon_api.app:create_app",
        "storemon-code": "dagster api grpc",
        "storemon-daemon": "dagster-daemon run",
        "storemon-webserver": "python -m storemon_api.dagster_ui.server",
    }
    assert not [each for each in objects if each["kind"] in {"CronJob", "Job"}]


def test_services_lead_to_the_ports_of_the_pods() -> None:
    objects = printed()
    services = [each for each in objects if each["kind"] == "Service"]
    assert {each["metadata"]["name"]: each["spec"]["ports"][0]["port"] for each in services} == {
        "storemon-api": 8000,
        "storemon-code": 4000,
        "storemon-webserver": 3000,
    }
    for service in services:
        pod = pods(objects)[service["metadata"]["name"]]
        assert service["spec"]["selector"] == pod["metadata"]["labels"]
        (container,) = pod["spec"]["containers"]
        port = service["spec"]["ports"][0]["targetPort"]
        assert [each["containerPort"] for each in container["ports"]] == [port]
        assert str(port) in container["command"]
    workspace = yaml.safe_load(
        one(objects, "ConfigMap", "storemon-dagster")["data"]["workspace.yaml"]
    )
    assert workspace["load_from"] == [
        {"grpc_server": {"host": "storemon-code", "port": 4000, "location_name": "storemon"}}
    ]


def test_pods_have_the_settings_and_secrets_that_there_are() -> None:
    objects = printed("--env-secret", "store-keys")
    names = {(each["kind"], each["metadata"]["name"]) for each in objects}
    for pod in pods(objects).values():
        spec = pod["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        for container in (*spec["initContainers"], *spec["containers"]):
            assert container["envFrom"] == [
                {"configMapRef": {"name": "storemon"}},
                {"secretRef": {"name": "storemon"}},
                {"secretRef": {"name": "store-keys"}},
            ]
        used = {each["name"] for each in spec["volumes"]}
        assert {each["name"] for each in spec["containers"][0]["volumeMounts"]} == used
    settings = one(objects, "ConfigMap", "storemon")["data"]
    assert settings["STOREMON_LAKE"] == "s3://bucket/lake"
    assert settings["STOREMON_DAGSTER_URL"] == "http://storemon-webserver:3000"
    assert settings["STOREMON_HOME"] == "/var/lib/storemon"
    assert "STOREMON_API_KEY" not in settings


def test_secrets_are_in_the_secret_alone() -> None:
    objects = printed()
    secret = one(objects, "Secret", "storemon")
    assert sorted(secret["stringData"]) == [
        "STOREMON_DAGSTER_DATABASE_URL",
        "STOREMON_DAGSTER_TOKEN",
        "STOREMON_DATABASE_URL",
        "STOREMON_MAIL_URL",
    ]
    assert secret["stringData"]["STOREMON_DAGSTER_TOKEN"] == TOKEN
    others = yaml.safe_dump([each for each in objects if each is not secret])
    for text in (PASSWORD, PASSWORD.replace(" ", "%20"), TOKEN, "user:secret", "of a person"):
        assert text not in others


def test_without_a_token_each_call_makes_one() -> None:
    tokens = {
        one(printed(STOREMON_DAGSTER_TOKEN=""), "Secret", "storemon")["stringData"][
            "STOREMON_DAGSTER_TOKEN"
        ]
        for _ in range(2)
    }
    assert len(tokens) == 2
    assert all(len(token) > 30 for token in tokens)


def test_runs_and_steps_are_jobs_that_dagster_accepts() -> None:
    objects = printed("--namespace", "monitoring", "--env-secret", "store-keys")
    instance = yaml.safe_load(one(objects, "ConfigMap", "storemon-dagster")["data"]["dagster.yaml"])
    launcher = instance["run_launcher"]
    assert launcher["class"] == "K8sRunLauncher"
    checked = validate_config(dagster_k8s.K8sRunLauncher.config_type(), launcher["config"])
    assert checked.success, checked.errors
    assert launcher["config"]["job_namespace"] == "monitoring"
    assert launcher["config"]["env_secrets"] == ["storemon", "store-keys"]
    assert instance["storage"]["custom"]["config"] == {
        "postgres_url": {"env": "STOREMON_DAGSTER_DATABASE_URL"}
    }


def test_the_settings_of_the_pods_make_steps_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in one(printed(), "ConfigMap", "storemon")["data"].items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.executor, settings.shards) == (Executor.K8S, 16)
    executor = build_defs(settings).resolve_job_def("report_job").executor_def
    assert executor.name == "k8s"
    config = dagster_k8s.k8s_job_executor.config_schema.config_type
    checked = validate_config(config, settings.executor_config)
    assert checked.success, checked.errors
    assert not validate_config(config, {"max_concurent": 8}).success


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STOREMON_DATABASE_URL", "", "STOREMON_DATABASE_URL is not set"),
        ("STOREMON_DATA", "data", "STOREMON_DATA must be a URL"),
        ("STOREMON_LAKE", "/mnt/lake", "STOREMON_LAKE must be a URL"),
        ("STOREMON_SHARDS", "none", "The setting STOREMON_SHARDS is not valid"),
    ],
)
def test_what_no_pod_can_use_is_refused(name: str, value: str, said: str) -> None:
    done = CliRunner().invoke(app, COMMAND, env=ENVIRONMENT | {name: value})
    assert done.exit_code in {1, 2}
    assert said in done.output
