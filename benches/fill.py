#!/usr/bin/env python3
"""Fills an etcd with the objects of a busy cluster: PODS pods of Deployments, StatefulSets, DaemonSets and CronJobs.

usage: fill.py PODS ETCD-URL

The objects are what an API server stores, defaults, statuses and managed fields included, and are written beneath it, which
is some fifty times faster than by way of it. It reads JSON from etcd as it reads its own protobuf. What is in them varies by
a fixed seed.
"""
import base64
import hashlib
import json
import random
import sys
import urllib.request

PODS, ETCD = int(sys.argv[1]), sys.argv[2].rstrip("/")
RANDOM = random.Random(1)
IMAGES = ["nginx:1.29", "redis:8", "postgres:18", "ghcr.io/example/api:v1.42.0", "ghcr.io/example/worker:v3.1.7"]
TIME = "2026-01-02T03:04:05Z"


def word(length):
    return "".join(RANDOM.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(length))


def uid():
    return f"{word(8)}-{word(4)}-{word(4)}-{word(4)}-{word(12)}"


def fields(manager, keys, subresource=None):
    tree = {f"f:{key}": {f"f:{name}": {} for name in names} for key, names in keys.items()}
    entry = {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": TIME, "fieldsType": "FieldsV1", "fieldsV1": tree}
    return {**entry, "subresource": subresource} if subresource else entry


def meta(name, namespace, labels, owner=None, annotations=None):
    made = {"name": name, "namespace": namespace, "uid": uid(), "creationTimestamp": TIME, "labels": labels,
            "annotations": annotations or {}, "managedFields": [fields("kube-controller-manager", {
                "metadata": ["generateName", "labels", "annotations", "ownerReferences"],
                "spec": ["affinity", "containers", "dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName",
                         "securityContext", "serviceAccountName", "terminationGracePeriodSeconds", "volumes", "tolerations",
                         "nodeSelector", "priorityClassName", "topologySpreadConstraints", "imagePullSecrets"]})]}
    if owner:
        api, kind, of, of_uid = owner
        made["ownerReferences"] = [{"apiVersion": api, "kind": kind, "name": of, "uid": of_uid, "controller": True, "blockOwnerDeletion": True}]
    return made


def security():
    return RANDOM.choice([None, None, {"runAsNonRoot": True, "runAsUser": 1000, "allowPrivilegeEscalation": False,
                                       "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
                          {"privileged": False, "runAsUser": 0}, {"readOnlyRootFilesystem": True}])


def container(name, app):
    made = {"name": name, "image": RANDOM.choice(IMAGES), "imagePullPolicy": "IfNotPresent",
            "args": ["--listen=:8080", f"--name={app}", "--log-format=json", "--shutdown-timeout=30s"],
            "env": [{"name": f"{app.upper().replace('-', '_')}_SETTING_{i}", "value": word(24)} for i in range(8)]
            + [{"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
            "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10,
                              "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10,
                               "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}]}
    context = security()
    return {**made, "securityContext": context} if context else made


def template(app):
    names = ["main"] + (["proxy"] if RANDOM.random() < 0.3 else [])
    return {"containers": [container(name, app) for name in names], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "terminationGracePeriodSeconds": 30, "schedulerName": "default-scheduler", "enableServiceLinks": True,
            "serviceAccountName": app, "serviceAccount": app, "securityContext": RANDOM.choice([{}, {"fsGroup": 2000}]),
            "volumes": [{"name": "config", "configMap": {"name": app, "defaultMode": 420}}, {"name": "tmp", "emptyDir": {}}]}


def pod(app, namespace, name, spec, labels, owner):
    token = f"kube-api-access-{word(5)}"
    spec = json.loads(json.dumps(spec))
    for one in spec["containers"]:
        one["volumeMounts"].append({"name": token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True})
    spec["volumes"].append({"name": token, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}})
    spec |= {"nodeName": f"node{RANDOM.randrange(PODS // 50 + 1)}", "priority": 0, "preemptionPolicy": "PreemptLowerPriority",
             "tolerations": [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                             for key in ("not-ready", "unreachable")]}
    failing = RANDOM.random() < 0.002
    ip = f"10.{RANDOM.randrange(250)}.{RANDOM.randrange(250)}.{RANDOM.randrange(250)}"
    statuses = []
    for one in spec["containers"]:
        user = one.get("securityContext", {}).get("runAsUser", RANDOM.choice([0, 0, 101]))
        state = ({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}} if failing
                 else {"running": {"startedAt": TIME}})
        statuses.append({"name": one["name"], "image": one["image"], "imageID": f"{one['image']}@sha256:{word(64)}",
                         "containerID": f"containerd://{word(64)}", "ready": not failing, "restartCount": 9 if failing else 0,
                         "started": not failing, "state": state, "lastState": {}, "user": {"linux": {"uid": user, "gid": user, "supplementalGroups": [user]}},
                         "volumeMounts": one["volumeMounts"], "resources": one["resources"], "allocatedResources": one["resources"]["requests"]})
    metadata = meta(name, namespace, labels, owner, {"prometheus.io/scrape": "true", "checksum/config": hashlib.sha256(app.encode()).hexdigest()})
    metadata["managedFields"].append(fields("kubelet", {"status": [
        "conditions", "containerStatuses", "hostIP", "hostIPs", "phase", "podIP", "podIPs", "startTime", "observedGeneration"]}, "status"))
    ready = "False" if failing else "True"
    conditions = [{"type": kind, "status": ready if "eady" in kind else "True", "lastProbeTime": None, "lastTransitionTime": TIME}
                  for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")]
    status = {"phase": "Running", "conditions": conditions, "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}], "podIP": ip,
              "podIPs": [{"ip": ip}], "startTime": TIME, "containerStatuses": statuses, "qosClass": "Burstable"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def workload(number, replicas):
    """Yields (kind's path, object) of one workload with its pods."""
    namespace, app = f"team-{number % 40:02}", f"{RANDOM.choice(['web', 'api', 'worker', 'cache', 'batch'])}-{number}"
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": namespace, "app.kubernetes.io/managed-by": "Helm"}
    spec = template(app)
    body = {"metadata": {"labels": labels}, "spec": spec}
    top, top_uid = meta(app, namespace, labels, None, {"meta.helm.sh/release-name": app}), None
    top_uid = top["uid"]
    selector = {"matchLabels": {"app.kubernetes.io/name": app}}
    draw = RANDOM.random()
    if draw < 0.7:
        yield "deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": top, "status": {"replicas": replicas}, "spec": {
            "replicas": replicas, "selector": selector, "template": body, "strategy": {"type": "RollingUpdate"}, "revisionHistoryLimit": 10}}
        for old in range(3):
            name = f"{app}-{word(10)}"
            count = 0 if old < 2 else replicas
            made = meta(name, namespace, labels, ("apps/v1", "Deployment", app, top_uid), {"deployment.kubernetes.io/revision": str(old + 1)})
            yield "replicasets", {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": made, "status": {"replicas": count},
                                  "spec": {"replicas": count, "selector": selector, "template": body}}
        owner, names = ("apps/v1", "ReplicaSet", name, made["uid"]), [f"{name}-{word(5)}" for _ in range(replicas)]
    elif draw < 0.9:
        yield "statefulsets", {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": top, "status": {"replicas": replicas}, "spec": {
            "replicas": replicas, "selector": selector, "template": body, "serviceName": app, "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate"}}}
        owner, names = ("apps/v1", "StatefulSet", app, top_uid), [f"{app}-{i}" for i in range(replicas)]
    else:
        yield "daemonsets", {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": top, "status": {
            "currentNumberScheduled": replicas, "numberMisscheduled": 0, "desiredNumberScheduled": replicas, "numberReady": replicas},
            "spec": {"selector": selector, "template": body, "updateStrategy": {"type": "RollingUpdate"}}}
        owner, names = ("apps/v1", "DaemonSet", app, top_uid), [f"{app}-{word(5)}" for _ in range(replicas)]
    for name in names:
        yield "pods", pod(app, namespace, name, spec, {**labels, "pod-template-hash": word(10)}, owner)


def put(batch):
    def encoded(text):
        return base64.b64encode(text.encode()).decode()
    operations = [{"requestPut": {"key": encoded(key), "value": encoded(json.dumps(value))}} for key, value in batch]
    request = urllib.request.Request(f"{ETCD}/v3/kv/txn", json.dumps({"success": operations}).encode())
    urllib.request.urlopen(request, timeout=60).read()


def main():
    batch = [(f"/registry/namespaces/team-{i:02}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": f"team-{i:02}", "uid": uid(), "creationTimestamp": TIME, "labels": {"kubernetes.io/metadata.name": f"team-{i:02}"}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}) for i in range(40)]
    pods = number = 0
    while pods < PODS:
        replicas = min(RANDOM.choice([1, 2, 2, 3, 3, 5, 10, 30]), PODS - pods)
        for kind, made in workload(number, replicas):
            batch.append((f"/registry/{kind}/{made['metadata']['namespace']}/{made['metadata']['name']}", made))
            pods += kind == "pods"
            if len(batch) >= 100:
                put(batch)
                batch = []
        number += 1
    put(batch)
    print(f"{pods} pods of {number} workloads", file=sys.stderr)


main()
