//! `hostProbesAndHostLifecycle` (upstream policy/check_hostProbesAndhostLifecycle.go): the host
//! field is restricted in probes and lifecycle handlers.
//!
//! Restricted fields: `httpGet.host` and `tcpSocket.host` of `spec.containers[*].livenessProbe`,
//! `readinessProbe`, `startupProbe`, `lifecycle.postStart` and `lifecycle.preStop` (whose
//! `tcpSocket` is deprecated and never called). Allowed values: empty, undefined, null.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{HTTPGetAction, TCPSocketAction};

use super::{Check, Forbidden, Pod, Since, pod::Container, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "hostProbesAndHostLifecycle",
    level: Level::Baseline,
    explain: "Probes and lifecycle handlers may not name a host. The kubelet makes these requests from the node's \
              network, so a `host` turns it into a proxy to whatever the node can reach: its loopback, a cloud's \
              metadata service, other networks. Remove `host`; the kubelet then uses the pod's own address. What must \
              be sent as a Host header belongs into `httpHeaders`.",
    versions: &[Since(34, names_a_host, &[])],
};

fn names_a_host(pod: &Pod<'_>) -> Option<Forbidden> {
    let mut bad = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        for (field, host) in forbidden_hosts(container) {
            bad.insert(container.name);
            hosts.insert(host);
            fields.push(container.path(&field));
        }
    }
    // Unlike all other checks, this one names its containers sorted and without repetition.
    (!bad.is_empty()).then(|| Forbidden {
        reason: "probe or lifecycle host",
        detail: format!(
            "{} {} {} {} {}",
            wording::plural(bad.len(), "container", "containers"),
            wording::quoted(bad.iter().copied()),
            wording::plural(bad.len(), "uses", "use"),
            wording::plural(hosts.len(), "probe or lifecycle host", "probe or lifecycle hosts"),
            wording::quoted(hosts)
        ),
        fields,
    })
}

fn forbidden_hosts<'a>(container: &Container<'a>) -> impl Iterator<Item = (String, &'a str)> {
    type Handler<'a> = (Option<&'a HTTPGetAction>, Option<&'a TCPSocketAction>);
    let probes = [
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ];
    let handlers = [
        (
            "lifecycle.postStart",
            container.lifecycle.and_then(|lifecycle| lifecycle.post_start.as_ref()),
        ),
        (
            "lifecycle.preStop",
            container.lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()),
        ),
    ];
    let probes = probes.into_iter().filter_map(|(field, probe)| {
        probe.map(|probe| (field, (probe.http_get.as_ref(), probe.tcp_socket.as_ref())))
    });
    let handlers = handlers.into_iter().filter_map(|(field, handler)| {
        handler.map(|handler| (field, (handler.http_get.as_ref(), handler.tcp_socket.as_ref())))
    });
    probes.chain(handlers).flat_map(|(field, (http_get, tcp_socket)): (_, Handler<'a>)| {
        let http_get =
            http_get.and_then(|action| action.host.as_deref()).map(|host| ("httpGet", host));
        let tcp_socket =
            tcp_socket.and_then(|action| action.host.as_deref()).map(|host| ("tcpSocket", host));
        let named = http_get.into_iter().chain(tcp_socket).filter(|(_, host)| !host.is_empty());
        named.map(move |(action, host)| (format!("{field}.{action}.host"), host))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn no_host_and_an_empty_host_are_allowed() {
        allows(
            &CHECK,
            34..=38,
            &json!({"spec": {"containers": [
                {"name": "a"},
                {"name": "b", "livenessProbe": {"exec": {"command": ["true"]}}, "lifecycle": {}},
                {
                    "name": "c",
                    "livenessProbe": {"httpGet": {"port": 80}},
                    "readinessProbe": {"tcpSocket": {"port": 80, "host": ""}},
                    "startupProbe": {"grpc": {"port": 80}},
                    "lifecycle": {"postStart": {"httpGet": {"port": 80, "host": ""}}, "preStop": {"sleep": {"seconds": 1}}},
                },
            ]}}),
        );
    }

    #[test]
    fn every_handler_counts() {
        let both = |http: &str, tcp: &str| json!({"httpGet": {"port": 80, "host": http}, "tcpSocket": {"port": 80, "host": tcp}});
        forbids(
            &CHECK,
            34..=38,
            &json!({"spec": {"containers": [{
                "name": "a",
                "livenessProbe": both("1", "2"),
                "readinessProbe": both("3", "4"),
                "startupProbe": both("5", "6"),
                "lifecycle": {"postStart": both("7", "8"), "preStop": both("9", "10")},
            }]}}),
            (
                "probe or lifecycle host",
                concat!(
                    r#"container "a" uses probe or lifecycle hosts "#,
                    r#""1", "10", "2", "3", "4", "5", "6", "7", "8", "9""#
                ),
            ),
            &[
                "spec.containers[0].livenessProbe.httpGet.host",
                "spec.containers[0].livenessProbe.tcpSocket.host",
                "spec.containers[0].readinessProbe.httpGet.host",
                "spec.containers[0].readinessProbe.tcpSocket.host",
                "spec.containers[0].startupProbe.httpGet.host",
                "spec.containers[0].startupProbe.tcpSocket.host",
                "spec.containers[0].lifecycle.postStart.httpGet.host",
                "spec.containers[0].lifecycle.postStart.tcpSocket.host",
                "spec.containers[0].lifecycle.preStop.httpGet.host",
                "spec.containers[0].lifecycle.preStop.tcpSocket.host",
            ],
        );
    }

    #[test]
    fn containers_and_hosts_are_sorted_and_named_once() {
        let probe = |host: &str| json!({"httpGet": {"port": 80, "host": host}});
        forbids(
            &CHECK,
            34..=38,
            &json!({"spec": {
                "initContainers": [{"name": "z", "startupProbe": probe("127.0.0.1")}],
                "containers": [
                    {"name": "b", "livenessProbe": probe("127.0.0.1")},
                    {"name": "a", "readinessProbe": probe("127.0.0.1"), "livenessProbe": probe("127.0.0.1")},
                ],
                "ephemeralContainers": [{"name": "a", "livenessProbe": probe("127.0.0.1")}],
            }}),
            (
                "probe or lifecycle host",
                r#"containers "a", "b", "z" use probe or lifecycle host "127.0.0.1""#,
            ),
            &[
                "spec.initContainers[0].startupProbe.httpGet.host",
                "spec.containers[0].livenessProbe.httpGet.host",
                "spec.containers[1].livenessProbe.httpGet.host",
                "spec.containers[1].readinessProbe.httpGet.host",
                "spec.ephemeralContainers[0].livenessProbe.httpGet.host",
            ],
        );
    }
}
