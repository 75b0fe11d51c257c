"""What deploy/ has for containers: that the files are what their readers take, by the schemas that those
publish, and that they agree with each other and with budgetd."""

import json
import re

import jsonschema
import kubernetes_validate
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from conftest import LONG, ROOT, run

DEPLOY = ROOT / "deploy"
FOLDER = DEPLOY / "kubernetes"
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()


def documents():
    return {(one["kind"], one["metadata"]["name"]): one for name in KUSTOMIZATION["resources"]
            for one in yaml.safe_load_all((FOLDER / name).read_text())}


MANIFESTS = documents()
SET = MANIFESTS["StatefulSet", "budgetd"]["spec"]
POD = SET["template"]["spec"]
(CONTAINER,) = POD["containers"]
ENVIRONMENT = {one["name"]: one.get("value") for one in CONTAINER["env"]}


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_what_kubernetes_takes(version):
    for (kind, _), manifest in MANIFESTS.items():
        if kind != "PodMonitor":
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_pod_monitor_is_what_the_operator_takes():
    schema = json.loads((ROOT / "Tests/Integration/podmonitor.schema.json").read_text())
    monitor = MANIFESTS["PodMonitor", "budgetd"]
    jsonschema.validate(monitor, schema)
    monitor["spec"]["podMetricsEndpoints"][0]["portt"] = "http"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(monitor, schema)


def test_each_manifest_is_applied():
    assert {kind for kind, _ in MANIFESTS} == {
        "StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor"}
    names = {path.name for path in FOLDER.iterdir()}
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    assert names == {*KUSTOMIZATION["resources"], *generated["files"], "kustomization.yaml"}


def test_names_lead_to_each_other():
    label = {"app.kubernetes.io/name": "budgetd"}
    assert SET["selector"]["matchLabels"] == label == SET["template"]["metadata"]["labels"]
    assert ("Service", SET["serviceName"]) in MANIFESTS
    for (kind, _), manifest in MANIFESTS.items():
        spec = manifest["spec"]
        if kind == "Service":
            assert spec["selector"] == label
        elif kind != "StatefulSet":
            assert spec[{"NetworkPolicy": "podSelector"}.get(kind, "selector")]["matchLabels"] == label
    ports = {one["name"]: one["containerPort"] for one in CONTAINER["ports"]}
    assert ENVIRONMENT["BUDGETD_LISTEN"] == f"0.0.0.0:{ports['rpc']}"
    assert ENVIRONMENT["BUDGETD_HTTP"] == f"0.0.0.0:{ports['http']}"
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    volumes = {one["name"]: one for one in [*POD["volumes"], *(
        claim["metadata"] for claim in SET["volumeClaimTemplates"])]}
    mounts = {one["mountPath"]: one["name"] for one in CONTAINER["volumeMounts"]}
    assert set(mounts.values()) == set(volumes)
    assert volumes["config"]["configMap"]["name"] == generated["name"]
    text = (FOLDER / "kustomization.yaml").read_text()
    for secret in (volumes[name]["secret"] for name in ("tls", "access", "redis")):
        assert secret["defaultMode"] & 0o007 == 0, "budgetd refuses a secret that everybody may read"
        assert f"create secret generic {secret['secretName']} " in text
    # Each file lies in a volume.
    for name, value in ENVIRONMENT.items():
        if name.endswith(("_FILE", "_CERT", "_KEY")):
            assert value.rsplit("/", 1)[0] in mounts, name
    assert int(ENVIRONMENT["BUDGETD_FLEET_SIZE"]) == SET["replicas"]


def test_the_pod_may_little_and_is_the_user_of_the_image():
    user = int(re.search(r"^USER (\d+):\1$", CONTAINERFILE, re.MULTILINE)[1])
    context = POD["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == user
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]}}
    written = json.loads(re.search(r"^VOLUME (.*)$", CONTAINERFILE, re.MULTILINE)[1])
    mounts = {one["mountPath"] for one in CONTAINER["volumeMounts"] if not one.get("readOnly")}
    assert mounts == set(written)
    (folder,) = COMPOSE["services"]["budgetd"]["tmpfs"]
    assert folder == f"/run/budgetd:uid={user},gid={user},mode=0750"


def test_the_files_are_ones_that_budgetd_takes(budgetctl):
    example = (DEPLOY / "example.config.yaml").read_text()
    assert (FOLDER / "config.yaml").read_text() == example, "copy the example again"
    for path in (FOLDER / "config.yaml", DEPLOY / "debian/config.yaml"):
        done = run(budgetctl, "check-config", path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_compose_is_what_compose_takes():
    jsonschema.validate(COMPOSE, get_builtin_schema("vendor.compose-spec"))
    wrong = json.loads(json.dumps(COMPOSE))
    wrong["services"]["budgetd"]["read_onli"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, get_builtin_schema("vendor.compose-spec"))


def test_compose_is_in_the_clear_on_a_network_that_leads_nowhere():
    text = (DEPLOY / "compose.yaml").read_text()
    assert "IN THE CLEAR" in text
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name, service in COMPOSE["services"].items():
        assert service["networks"] == ["inside"] if name != "grafana" else True
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), source
    assert "unix:/run/budgetd/rpc.sock" in COMPOSE["services"]["budgetd"]["environment"][
        "BUDGETD_LISTEN"], "the image's healthcheck asks there"


def test_prometheus_and_grafana_find_their_files():
    done = run("promtool", "check", "config", DEPLOY / "prometheus/compose.yml", timeout=LONG)
    assert done.returncode == 0, done.stdout + done.stderr
    config = yaml.safe_load((DEPLOY / "prometheus/compose.yml").read_text())
    (job,) = config["scrape_configs"]
    (usual,) = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert {**usual, "static_configs": job["static_configs"]} == job
    provisioning = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load(
        (provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load(
        (provisioning / "dashboards/budgetd.yaml").read_text())["providers"]
    places = [volume.split(":")[1] for volume in COMPOSE["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/budgetd.json" in places
