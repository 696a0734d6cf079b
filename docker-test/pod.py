#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A compose file that runs the pod of examples/kubernetes as a kubelet would, on standard output.

usage: pod.py LABEL RUN NETWORK NWID FOLDER

Overlay own-planet: its patch is applied to the base. Containers share one network namespace, users, groups,
capabilities and read-only roots are those of the manifest, emptyDir is a tmpfs that the fsGroup may write to, init
containers end one after the other, and the program starts when the sidecar's startupProbe succeeds. FOLDER holds
identity.secret and planet. Images are named by NETCON_IMAGE, NETCON_LIB_IMAGE and APP_IMAGE.
"""
import json
import os
import pathlib
import re
import sys

import yaml

TOP = pathlib.Path(__file__).resolve().parent.parent / "examples" / "kubernetes"
IMAGES = {"netcon": "NETCON_IMAGE", "netcon-lib": "NETCON_LIB_IMAGE", "python": "APP_IMAGE"}


def load(path):
    return yaml.safe_load((TOP / path).read_text())


def patch(document, operations):
    for operation in operations:
        at = document
        *parents, last = operation["path"].strip("/").split("/")
        for part in parents:
            at = at[int(part) if isinstance(at, list) else part]
        if operation["op"] == "add":
            assert last == "-"
            at.append(operation["value"])
        else:
            assert (operation["op"], at[last]) == ("test", operation["value"])


def source_of(volume, folder, group):
    """(what compose mounts, the volume's definition if it has one)"""
    if "emptyDir" in volume:
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"mode=2777,gid={group}"}
        return volume["name"], {"driver": "local", "driver_opts": options}
    if "secret" in volume or "configMap" in volume:
        return f"{folder}/{volume['name']}", None
    raise SystemExit(f"pod.py: volume {volume['name']} is of a kind that is not known here")


def environment(container, settings):
    values = {}
    for entry in container.get("env", []):
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["configMapKeyRef"]
            values[entry["name"]] = settings[reference["name"]][reference["key"]]
        else:  # $(NAME) is one of those before it
            values[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], entry["value"])
    return values


def service_of(container, pod, volumes, settings):
    context = {**pod["securityContext"], **container["securityContext"]}
    assert context["runAsNonRoot"] and context["runAsUser"] != 0
    service = {
        "image": os.environ[IMAGES[container["image"].split(":")[0]]],
        "network_mode": "service:pause",
        "user": f"{context['runAsUser']}:{context['runAsGroup']}",
        "group_add": [str(context["fsGroup"])],
        "cap_drop": context["capabilities"]["drop"],
        "read_only": context["readOnlyRootFilesystem"],
        "security_opt": [] if context["allowPrivilegeEscalation"] else ["no-new-privileges"],
        "environment": environment(container, settings),
        "volumes": [
            f"{volumes[mount['name']]}:{mount['mountPath']}" + (":ro" if mount.get("readOnly") else "")
            for mount in container.get("volumeMounts", [])
        ],
        "mem_limit": container["resources"]["limits"]["memory"].replace("Mi", "m"),
        "depends_on": {"pause": {"condition": "service_started"}},
    }
    if "command" in container:
        service["entrypoint"] = container["command"]
    if "args" in container:
        service["command"] = container["args"]
    probe = container.get("startupProbe") or container.get("livenessProbe")
    if probe:
        service["healthcheck"] = {
            "test": ["CMD"] + probe["exec"]["command"],
            "interval": f"{probe['periodSeconds']}s",
            "timeout": f"{probe['timeoutSeconds']}s",
        }
    return service


def main():
    label, run, network, nwid, folder = sys.argv[1:]
    deployment = load("base/deployment.yaml")
    patch(deployment, load("overlays/own-planet/planet.yaml"))
    pod = deployment["spec"]["template"]["spec"]
    settings = {"netcon": {"network": nwid}}
    sources = {v["name"]: source_of(v, folder, pod["securityContext"]["fsGroup"]) for v in pod["volumes"]}
    volumes = {name: source for name, (source, _) in sources.items()}
    # A tmpfs of the engine lives as long as somebody mounts it; a pod's as long as the pod.
    held = [f"{name}:/held/{name}" for name, (_, text) in sources.items() if text]
    services = {"pause": {"image": os.environ["APP_IMAGE"], "command": ["sleep", "1000"], "networks": ["default"], "volumes": held}}
    before = {}
    for container in pod["initContainers"]:
        service = services[container["name"]] = service_of(container, pod, volumes, settings)
        service["depends_on"].update(before)
        is_sidecar = container.get("restartPolicy") == "Always"
        before[container["name"]] = {"condition": "service_healthy" if is_sidecar else "service_completed_successfully"}
    for container in pod["containers"]:
        service = services[container["name"]] = service_of(container, pod, volumes, settings)
        service["depends_on"].update(before)
    for service in services.values():
        service["labels"] = {label: run}
    defined = {name: {**text, "labels": {label: run}} for name, (_, text) in sources.items() if text}
    networks = {"default": {"external": True, "name": network}}
    json.dump({"services": services, "volumes": defined, "networks": networks}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
