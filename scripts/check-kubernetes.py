#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Check the manifests of examples/kubernetes offline.

usage: check-kubernetes.py

Each object against a strict JSON schema of its kind: no unknown field, no wrong type, every required field. The
schema is made here from Debian's python3-kubernetes, whose models are generated from Kubernetes' own API
description; what is newer than that package stands in NEWER. Then our own rules: the restricted profile, field by
field; what a kustomization names exists; names, volumes and labels match. Where kubectl is installed, what it makes
of each overlay is checked in the same way.
"""
import copy
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import kubernetes.client.models as models
    import yaml
    from kubernetes.client import Configuration
except ImportError as error:
    sys.exit(f"check-kubernetes.py: {error}. As root: apt-get install python3-jsonschema python3-kubernetes python3-yaml")

TOP = pathlib.Path(__file__).resolve().parent.parent / "examples" / "kubernetes"
KINDS = {
    ("apps/v1", "Deployment"): "V1Deployment",
    ("networking.k8s.io/v1", "NetworkPolicy"): "V1NetworkPolicy",
    ("v1", "ConfigMap"): "V1ConfigMap",
    ("v1", "Namespace"): "V1Namespace",
    ("v1", "Secret"): "V1Secret",
}
KUSTOMIZATION = "kustomize.config.k8s.io/v1beta1"
# Fields that Debian 12's package (Kubernetes 1.22) does not know yet.
NEWER = {"V1Container": {"restartPolicy": {"enum": ["Always"]}}}
QUANTITY = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9.]+(m|k|[KMGTPE]i?)?$"}]}
PLAIN = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "object": {"anyOf": [{"type": "string"}, {"type": "integer"}]},  # int-or-string
    "datetime": {"type": "string"},
}
problems = []
checked = 0


def problem(where, text):
    problems.append(f"{where}: {text}")


# ---- schemas


def schema_of_type(kind, definitions):
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        return {"type": "array", "items": schema_of_type(match[1], definitions)}
    if match := re.fullmatch(r"dict\(str, (.*)\)", kind):
        value = QUANTITY if "quantity" in match[1].lower() else schema_of_type(match[1], definitions)
        return {"type": "object", "additionalProperties": value}
    if kind in PLAIN:
        return PLAIN[kind]
    define(kind, definitions)
    return {"$ref": f"#/definitions/{kind}"}


def define(name, definitions):
    if name in definitions:
        return
    model = getattr(models, name)
    definitions[name] = entry = {"type": "object", "additionalProperties": False, "properties": {}}
    relaxed = Configuration()
    relaxed.client_side_validation = False
    for attribute, kind in model.openapi_types.items():
        key = model.attribute_map[attribute]
        entry["properties"][key] = schema_of_type(kind, definitions)
        empty = model(local_vars_configuration=relaxed)
        empty.local_vars_configuration = Configuration()
        try:  # the model's setter refuses None where the API requires the field
            setattr(empty, attribute, None)
        except ValueError:
            entry.setdefault("required", []).append(key)
    entry["properties"].update(NEWER.get(name, {}))


def schema_of(model):
    definitions = {}
    define(model, definitions)
    # Quantities are typed as strings in the models of resources; the API takes numbers, too.
    for key in ("limits", "requests"):
        if "V1ResourceRequirements" in definitions:
            definitions["V1ResourceRequirements"]["properties"][key]["additionalProperties"] = QUANTITY
    return {"$ref": f"#/definitions/{model}", "definitions": definitions}


def check_schema(where, document):
    global checked
    key = (document.get("apiVersion"), document.get("kind"))
    if key not in KINDS:
        problem(where, f"{key[0]} {key[1]} is not a kind that is checked here")
        return
    for error in jsonschema.Draft7Validator(schema_of(KINDS[key])).iter_errors(document):
        problem(where, "/".join(map(str, error.absolute_path)) + ": " + error.message[:200])
    checked += 1


# ---- the restricted profile (Pod Security Standards), field by field

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def restricted_pod(where, spec):
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            problem(where, f"{field} is not restricted")
    for volume in spec.get("volumes", []):
        for source in set(volume) - {"name"} - VOLUMES:
            problem(where, f"volume {volume['name']} is of a forbidden kind, {source}")
    pod = spec.get("securityContext", {})
    if spec.get("automountServiceAccountToken") is not False:
        problem(where, "automountServiceAccountToken must be false: nothing here talks to the API")
    if "sysctls" in pod:
        problem(where, "sysctls are not needed")
    for container in spec.get("initContainers", []) + spec.get("containers", []):
        restricted_container(f"{where} {container['name']}", pod, container)


def restricted_container(where, pod, container):
    own = container.get("securityContext", {})
    wanted = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for field, value in wanted.items():
        if own.get(field) != value:
            problem(where, f"securityContext.{field} must be {value}, not {own.get(field)}")
    if own.get("privileged") or own.get("runAsUser", pod.get("runAsUser")) in (0, None):
        problem(where, "it must run as a user that is not root")
    if any("hostPort" in port for port in container.get("ports", [])):
        problem(where, "host ports are not restricted")
    if "memory" not in container.get("resources", {}).get("limits", {}):
        problem(where, "it has no limit of memory")


# ---- what must fit together


def names_match(where, spec):
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    mounted = set()
    containers = spec.get("initContainers", []) + spec.get("containers", [])
    if len({container["name"] for container in containers}) != len(containers):
        problem(where, "two containers have one name")
    for container in containers:
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if len(set(paths)) != len(paths):
            problem(where, f"{container['name']} mounts two volumes at one path")
        for mount in container.get("volumeMounts", []):
            mounted.add(mount["name"])
            if mount["name"] not in volumes:
                problem(where, f"{container['name']} mounts {mount['name']}, which is no volume of the pod")
    for name in volumes - mounted:
        problem(where, f"nobody mounts the volume {name}")


def sidecar_pattern(where, spec):
    """The library is copied, the service stays, programs come after both and see the two volumes read-only."""
    starts = {container["name"]: container for container in spec.get("initContainers", [])}
    if list(starts) != ["library", "service"] or "restartPolicy" in starts["library"]:
        problem(where, "init containers must be library, which ends, and then service")
        return
    if starts["service"].get("restartPolicy") != "Always" or "startupProbe" not in starts["service"]:
        problem(where, "the service must be a native sidecar (restartPolicy: Always) with a startupProbe")
    for container in spec["containers"]:
        mounts = {mount["name"]: mount for mount in container.get("volumeMounts", [])}
        if set(mounts) != {"nc", "library"} or not all(mount.get("readOnly") for mount in mounts.values()):
            problem(where, f"{container['name']} must mount nc and library, both read-only, and nothing else")
            continue
        environment = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
        preload = mounts["library"]["mountPath"] + "/libzerotierintercept.so"
        if environment.get("LD_PRELOAD") != preload:
            problem(where, f"{container['name']}: LD_PRELOAD must be {preload}")
        if not environment.get("ZT_NC_NETWORK", "").startswith(mounts["nc"]["mountPath"] + "/"):
            problem(where, f"{container['name']}: ZT_NC_NETWORK must be below the mounted nc")


def selects(selector, labels):
    wanted = (selector or {}).get("matchLabels")
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def labels_match(where, documents):
    """Selectors select the pod, and a policy nothing but it."""
    pods = [d["spec"]["template"].get("metadata", {}).get("labels", {}) for d in documents if d["kind"] == "Deployment"]
    for document in documents:
        selector = {"Deployment": "selector", "NetworkPolicy": "podSelector"}.get(document["kind"])
        if selector and not any(selects(document["spec"].get(selector), labels) for labels in pods):
            problem(where, f"{document['kind']}: {selector} selects no pod of {pods}")


def references_exist(where, documents):
    """After kustomize: every ConfigMap and Secret that a pod names is there, with that key."""
    there = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    for document in documents:
        if document["kind"] != "Deployment":
            continue
        spec = document["spec"]["template"]["spec"]
        named = []
        for volume in spec.get("volumes", []):
            if "configMap" in volume:
                named.append(("ConfigMap", volume["configMap"]["name"], None))
            if "secret" in volume:
                named.append(("Secret", volume["secret"]["secretName"], None))
        for container in spec.get("initContainers", []) + spec["containers"]:
            for entry in container.get("env", []):
                reference = entry.get("valueFrom", {}).get("configMapKeyRef")
                if reference:
                    named.append(("ConfigMap", reference["name"], reference["key"]))
        for kind, name, key in named:
            target = there.get((kind, name))
            if not target:
                problem(where, f"{kind} {name} is named but not there")
            elif key and key not in target.get("data", {}):
                problem(where, f"{kind} {name} has no key {key}")


# ---- files

FIELDS = {"apiVersion", "kind", "namespace", "resources", "labels", "images", "configMapGenerator", "secretGenerator", "patches"}
MADE = {"identity.secret", "planet"}  # by the user; never committed


def kustomization(path):
    text = yaml.safe_load(path.read_text())
    where = path.relative_to(TOP)
    if (text.get("apiVersion"), text.get("kind")) != (KUSTOMIZATION, "Kustomization"):
        problem(where, "it is no Kustomization")
    for field in set(text) - FIELDS:
        problem(where, f"{field} is not a field that is checked here")
    named = set(text.get("resources", [])) | {patch["path"] for patch in text.get("patches", [])}
    for name in named:
        if not (path.parent / name).exists():
            problem(where, f"{name} is named but not there")
    for generator in text.get("configMapGenerator", []) + text.get("secretGenerator", []):
        for name in generator.get("files", []):
            if name not in MADE:
                problem(where, f"{name} is not one of the files that a user makes: {sorted(MADE)}")
            elif (path.parent / name).exists() and is_committed(path.parent / name):
                problem(where, f"{name} must not be committed")
    for file in path.parent.glob("*.yaml"):
        if file.name != "kustomization.yaml" and file.name not in named:
            problem(where, f"{file.name} is not named")
    return text


def is_committed(path):
    return subprocess.run(["git", "ls-files", "--error-unmatch", path], capture_output=True, check=False).returncode == 0


def check_document(where, document):
    check_schema(where, document)
    if document.get("kind") == "Deployment":
        spec = document["spec"]["template"]["spec"]
        restricted_pod(where, spec)
        names_match(where, spec)
        sidecar_pattern(where, spec)


def patched(document, operations):
    """RFC 6902, as far as it is used here: add and test."""
    document = copy.deepcopy(document)
    for operation in operations:
        *parents, last = operation["path"].strip("/").split("/")
        at = document
        for part in parents:
            at = at[int(part) if isinstance(at, list) else part]
        if operation["op"] == "add" and isinstance(at, list) and last == "-":
            at.append(operation["value"])
        elif operation["op"] != "test" or at[last] != operation["value"]:
            raise ValueError(f"{operation['op']} {operation['path']} cannot be done")
    return document


def load(path):
    return list(yaml.safe_load_all(path.read_text()))


def generated(kustomizations):
    """Names and keys of the objects that the generators make."""
    documents = []
    for text in kustomizations:
        for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for generator in text.get(field, []):
                keys = [word.split("=")[0] for word in generator.get("literals", [])] + generator.get("files", [])
                documents.append({"kind": kind, "metadata": {"name": generator["name"]}, "data": dict.fromkeys(keys, "")})
    return documents


def check_patch(path, name):
    """What an overlay's patch makes of the base's deployment."""
    where = (path.parent / name).relative_to(TOP)
    [deployment] = load(TOP / "base" / "deployment.yaml")
    try:
        result = patched(deployment, load(path.parent / name)[0])
        check_document(where, result)
        made = generated(yaml.safe_load(p.read_text()) for p in (TOP / "base" / "kustomization.yaml", path))
        references_exist(where, [result] + made)
    except (KeyError, IndexError, ValueError) as error:
        problem(where, f"it does not apply to the base: {error!r}")


def check_files():
    for path in sorted(TOP.rglob("kustomization.yaml")):
        text = kustomization(path)
        patches = [patch["path"] for patch in text.get("patches", [])]
        for name in patches:
            check_patch(path, name)
        documents = []
        for file in sorted(path.parent.glob("*.yaml")):
            if file != path and file.name not in patches:
                documents += load(file)
                for document in load(file):
                    check_document(file.relative_to(TOP), document)
        labels_match(path.relative_to(TOP), documents)
        references_exist(path.relative_to(TOP), documents + generated([text]))


def check_rendered():
    """What kubectl makes of it, with the files that a user makes."""
    if not shutil.which("kubectl"):
        print("kubectl is not installed: the files are checked, not what kustomize makes of them")
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder) / "kubernetes"
        shutil.copytree(TOP, tree)
        (tree / "base" / "identity.secret").write_text("0123456789:0:aa:bb\n")
        for path in sorted(tree.rglob("kustomization.yaml")):
            for name in MADE - {"identity.secret"}:
                (path.parent / name).write_bytes(bytes(range(200)))
            where = f"kubectl kustomize {path.parent.relative_to(tree)}"
            run = subprocess.run(["kubectl", "kustomize", path.parent], capture_output=True, text=True, check=False)
            if run.returncode != 0:
                problem(where, run.stderr.strip())
                continue
            documents = list(yaml.safe_load_all(run.stdout))
            for document in documents:
                check_document(f"{where}, {document['kind']}", document)
            labels_match(where, documents)
            references_exist(where, documents)


def main():
    if "-h" in sys.argv or "--help" in sys.argv:
        print(__doc__)
        return
    check_files()
    check_rendered()
    for line in problems:
        print(line)
    print(f"{checked} objects checked, {len(problems)} problems")
    sys.exit(1 if problems or checked == 0 else 0)


if __name__ == "__main__":
    main()
