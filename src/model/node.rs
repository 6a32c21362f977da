//! A node, and what it lets a pod do that is not root.

use std::collections::BTreeMap;
use std::fmt;

use super::answer::Answer;
use super::user_namespace;

/// What is known of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// `linux` or `windows`.
    pub operating_system: String,
    pub architecture: String,
    /// As `Debian GNU/Linux 12 (bookworm)`.
    pub os_image: String,
    pub kernel: String,
    /// As `v1.37.2`.
    pub kubelet: String,
    pub runtime: Runtime,
    /// `status.runtimeHandlers`, reported by kubelets from v1.30 on.
    pub handlers: Vec<Handler>,
    /// The kubelet's own configuration, where its /configz may be read.
    pub configuration: Option<KubeletConfiguration>,
    /// The kubelet says in its Ready condition that AppArmor is on. Kubelets from v1.31 on no
    /// longer do.
    pub says_app_armor: bool,
    /// 1 or 2, by the kubelet's metrics.
    pub cgroup: Option<u8>,
    /// What a trial pod found there.
    pub probed: Option<Probed>,
}

/// A container runtime, as `containerd://2.4.2`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtime {
    pub name: String,
    pub version: String,
}

/// A runtime handler, which a RuntimeClass can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Empty for the default one.
    pub name: String,
    pub user_namespaces: Option<bool>,
}

/// The parts that matter of `kubeletconfig` in the kubelet's /configz.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubeletConfiguration {
    /// Gates that are set otherwise than by default, or set at all.
    pub feature_gates: BTreeMap<String, bool>,
    pub seccomp_default: bool,
}

/// What a pod found on the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probed {
    /// `net.ipv4.ip_unprivileged_port_start` in a pod that sets no sysctl.
    pub first_open_port: Option<u16>,
    /// The label of its process, `/proc/self/attr/current`; empty without a security module.
    pub label: Option<String>,
    /// `/sys/module/apparmor/parameters/enabled`.
    pub app_armor: Option<bool>,
    /// `Seccomp:` of `/proc/self/status` in a pod that sets no profile.
    pub seccomp: Option<u8>,
    pub cgroup: Option<u8>,
    /// Whether a pod with `hostUsers: false` ran in a namespace of its own, and what shows it.
    pub user_namespaces: Option<Answer>,
    /// Whether a device of a container belongs to the container's user, and what shows it.
    pub device_ownership: Option<Answer>,
}

impl Runtime {
    /// Reads `status.nodeInfo.containerRuntimeVersion`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (name, version) = text.split_once("://").unwrap_or((text, ""));
        Self { name: name.to_owned(), version: version.to_owned() }
    }

    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.version.trim_start_matches('v').split('.').next()?.parse().ok()
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Where a runtime is told to give devices to the container's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub file: &'static str,
    /// The TOML table.
    pub section: &'static str,
    pub line: &'static str,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} of {}", self.line, self.section, self.file)
    }
}

/// What gives devices to the user of a container, as a line of a runtime's configuration.
const DEVICE_OWNERSHIP: &str = "device_ownership_from_security_context = true";

/// The settings that give devices to the user of a container, `runAsUser` and `runAsGroup`: of
/// containerd from 2.0 on, which brought version 3 of its configuration, of containerd 1.6 and 1.7
/// (docs/cri/config.md there), and of CRI-O from 1.22 on (crio.conf(5)).
pub const DEVICE_OWNERSHIP_SETTINGS: [Setting; 3] = [
    Setting {
        file: "/etc/containerd/config.toml",
        section: "[plugins.'io.containerd.cri.v1.runtime']",
        line: DEVICE_OWNERSHIP,
    },
    Setting {
        file: "/etc/containerd/config.toml",
        section: "[plugins.\"io.containerd.grpc.v1.cri\"]",
        line: DEVICE_OWNERSHIP,
    },
    Setting {
        file: "/etc/crio/crio.conf.d/99-devices.conf",
        section: "[crio.runtime]",
        line: DEVICE_OWNERSHIP,
    },
];

/// The one of [`DEVICE_OWNERSHIP_SETTINGS`] that a runtime reads. `None` for another runtime, and
/// for a containerd that does not tell its version: a kubelet that gets no answer from its runtime
/// reports `containerd://Unknown` (pkg/kubelet/nodestatus/setters.go).
#[must_use]
pub fn device_ownership_setting(runtime: &Runtime) -> Option<Setting> {
    let [containerd, containerd_1, crio] = DEVICE_OWNERSHIP_SETTINGS;
    match (runtime.name.as_str(), runtime.major()) {
        ("containerd", Some(1)) => Some(containerd_1),
        ("containerd", Some(2..)) => Some(containerd),
        ("cri-o", _) => Some(crio),
        _ => None,
    }
}

/// What finds out what the API does not tell.
const PROBE: &str = "--probe finds out";

impl Node {
    /// N of the kubelet's v1.N.
    #[must_use]
    pub fn minor(&self) -> Option<u32> {
        let minor = self.kubelet.trim_start_matches('v').split('.').nth(1)?;
        minor.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    }

    fn is_windows(&self) -> bool {
        self.operating_system == "windows"
    }

    /// A feature gate of the kubelet, where its configuration tells.
    #[must_use]
    pub fn gate(&self, name: &str) -> Option<bool> {
        self.configuration.as_ref()?.feature_gates.get(name).copied()
    }

    /// Whether a pod with `hostUsers: false` gets a user namespace here, with the runtime handler
    /// of its RuntimeClass; that of none is "".
    #[must_use]
    pub fn user_namespaces(&self, handler: &str) -> Answer {
        if let Some(told) = self.probed.as_ref().and_then(|probed| probed.user_namespaces.clone()) {
            return told;
        }
        if self.is_windows() {
            return Answer::no("Windows has none");
        }
        let Some(minor) = self.minor() else {
            return Answer::unknown(format!("its kubelet's version is {:?}", self.kubelet));
        };
        let gate = user_namespace::gate(minor, self.gate("UserNamespacesSupport"));
        if gate.value == Some(false) {
            return gate;
        }
        let reported = self
            .handlers
            .iter()
            .find(|known| known.name == handler)
            .map(|known| known.user_namespaces);
        match reported {
            None if !self.handlers.is_empty() => {
                Answer::no(format!("it has no runtime handler {handler:?}"))
            }
            Some(Some(false)) => {
                Answer::no(format!("{} cannot, it says (status.runtimeHandlers)", self.runtime))
            }
            Some(Some(true)) => Answer {
                value: gate.value,
                reason: format!("{} can, it says; {}", self.runtime, gate.reason),
            },
            _ => Answer::unknown(format!(
                "its kubelet does not report what {} can; {}",
                self.runtime, gate.reason
            )),
        }
    }

    /// Whether a port below 1024 needs no privilege in a pod that asks for nothing.
    #[must_use]
    pub fn low_ports(&self) -> Answer {
        if let Some(first) = self.probed.as_ref().and_then(|probed| probed.first_open_port) {
            let reason = format!("ip_unprivileged_port_start is {first} in a pod");
            return Answer { value: Some(first <= 1), reason };
        }
        if self.is_windows() {
            return Answer::unknown("Windows has no such rule");
        }
        let likely = match (self.runtime.name.as_str(), self.runtime.major()) {
            ("containerd", Some(2..)) => {
                "probably: containerd 2 opens them unless enable_unprivileged_ports = false"
            }
            ("containerd", _) => {
                "probably not: containerd 1 opens them only with enable_unprivileged_ports = true"
            }
            ("cri-o", _) => "probably not: CRI-O opens them only by its default_sysctls",
            ("docker", _) => "probably: Docker opens them from 20.10 on",
            _ => "it depends on the runtime",
        };
        Answer::unknown(format!("{likely}; {PROBE}"))
    }

    #[must_use]
    pub fn se_linux(&self) -> Answer {
        let label = self.probed.as_ref().and_then(|probed| probed.label.as_deref());
        match label {
            // user:role:type:level, where the level has colons of its own.
            Some(label) if label.split(':').count() >= 4 => {
                return Answer::yes(format!("a pod's process is {label}"));
            }
            Some(_) => return Answer::no("a pod's process has no such label"),
            None => {}
        }
        self.by_system(
            &[
                "fedora",
                "red hat",
                "rhel",
                "centos",
                "rocky",
                "alma",
                "bottlerocket",
                "oracle linux",
                "suse linux micro",
            ],
            "SELinux",
        )
    }

    #[must_use]
    pub fn app_armor(&self) -> Answer {
        if let Some(enabled) = self.probed.as_ref().and_then(|probed| probed.app_armor) {
            return Answer {
                value: Some(enabled),
                reason: "by /sys/module/apparmor in a pod".to_owned(),
            };
        }
        if self.says_app_armor {
            return Answer::yes("its kubelet says so");
        }
        self.by_system(
            &[
                "ubuntu",
                "debian",
                "container-optimized os",
                "suse linux enterprise server",
                "opensuse leap",
            ],
            "AppArmor",
        )
    }

    /// No node reports its security module: what a distribution ships is a guess.
    fn by_system(&self, systems: &[&str], module: &str) -> Answer {
        let image = self.os_image.to_lowercase();
        if self.is_windows() {
            return Answer::no("Windows has none");
        }
        let likely = if systems.iter().any(|system| image.contains(system)) {
            format!("probably: {} comes with {module}", self.os_image)
        } else {
            format!("probably not: {} does not come with {module}", self.os_image)
        };
        Answer::unknown(format!("{likely}; {PROBE}"))
    }

    /// Whether a container without a seccomp profile gets the runtime's (`seccompDefault`).
    #[must_use]
    pub fn seccomp_default(&self) -> Answer {
        if let Some(mode) = self.probed.as_ref().and_then(|probed| probed.seccomp) {
            return Answer {
                value: Some(mode != 0),
                reason: format!("Seccomp is {mode} in a pod that sets no profile"),
            };
        }
        match &self.configuration {
            Some(configuration) => {
                let reason = format!(
                    "seccompDefault is {} in its kubelet's configuration",
                    configuration.seccomp_default
                );
                Answer { value: Some(configuration.seccomp_default), reason }
            }
            None => Answer::unknown(
                "probably not: a kubelet's seccompDefault is false unless it is set",
            ),
        }
    }

    /// The version of its control groups, and what tells.
    #[must_use]
    pub fn cgroup_version(&self) -> (Option<u8>, String) {
        if let Some(version) = self.probed.as_ref().and_then(|probed| probed.cgroup) {
            return (Some(version), "by /sys/fs/cgroup in a pod".to_owned());
        }
        match self.cgroup {
            Some(version) => (Some(version), "by its kubelet's metrics".to_owned()),
            None if self.minor().is_some_and(|minor| minor >= 35) => (
                None,
                format!(
                    "probably 2: a kubelet from v1.35 on refuses 1 unless failCgroupV1 is false; {PROBE}"
                ),
            ),
            None => (None, PROBE.to_owned()),
        }
    }

    /// Whether devices belong to the container's user.
    #[must_use]
    pub fn device_ownership(&self) -> Answer {
        if let Some(told) = self.probed.as_ref().and_then(|probed| probed.device_ownership.clone())
        {
            return told;
        }
        if self.is_windows() {
            return Answer::unknown("Windows has no owners of devices");
        }
        let Some(setting) = device_ownership_setting(&self.runtime) else {
            let reason = format!("{} has no setting for it that is known here", self.runtime);
            return Answer::unknown(reason);
        };
        Answer::unknown(format!("probably not, by default; the setting is {setting}"))
    }

    /// Whether a pod with this node selector may come here.
    #[must_use]
    pub fn is_selected(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(runtime: &str, kubelet: &str, system: &str) -> Node {
        Node {
            runtime: Runtime::parse(runtime),
            kubelet: kubelet.to_owned(),
            os_image: system.to_owned(),
            operating_system: "linux".to_owned(),
            ..Node::default()
        }
    }

    fn handlers(answer: Option<bool>) -> Vec<Handler> {
        vec![Handler { name: String::new(), user_namespaces: answer }]
    }

    #[test]
    fn user_namespaces_need_the_kubelet_and_the_runtime() {
        let told = |kubelet: &str, reported: Option<bool>, gate: Option<bool>| {
            let feature_gates =
                gate.map(|on| ("UserNamespacesSupport".to_owned(), on)).into_iter().collect();
            let configuration =
                gate.map(|_| KubeletConfiguration { feature_gates, seccomp_default: false });
            Node {
                handlers: handlers(reported),
                configuration,
                ..node("containerd://2.1.0", kubelet, "")
            }
            .user_namespaces("")
            .value
        };
        assert_eq!(told("v1.37.2", Some(true), None), Some(true));
        assert_eq!(told("v1.33.0-eks-1", Some(true), None), Some(true), "on by default");
        assert_eq!(
            told("v1.33.0", Some(true), Some(false)),
            Some(false),
            "and off where it is set so"
        );
        assert_eq!(
            told("v1.31.4+k3s1", Some(true), None),
            None,
            "off by default, and nobody says whether it was set"
        );
        assert_eq!(told("v1.31.4", Some(true), Some(true)), Some(true));
        assert_eq!(told("v1.37.2", Some(false), None), Some(false));
        assert_eq!(told("v1.37.2", None, None), None);
        assert_eq!(told("v1.24.0", None, None), Some(false), "before there was such a thing");
        let other =
            Node { handlers: handlers(Some(true)), ..node("containerd://2.1.0", "v1.37.0", "") };
        assert_eq!(other.user_namespaces("gvisor").value, Some(false));
    }

    #[test]
    fn what_is_likely_is_no_answer() {
        for runtime in [
            "containerd://2.4.2",
            "containerd://1.7.1",
            "cri-o://1.35.0",
            "docker://27.0",
            "other://1",
        ] {
            let node = node(runtime, "v1.37.0", "Ubuntu 24.04 LTS");
            for told in [
                node.low_ports(),
                node.se_linux(),
                node.app_armor(),
                node.device_ownership(),
                node.seccomp_default(),
            ] {
                assert_eq!(told.value, None, "{runtime} {}", told.reason);
                assert!(!told.reason.is_empty());
            }
        }
        assert!(
            node("containerd://2.4.2", "v1.37.0", "").low_ports().reason.starts_with("probably: ")
        );
        assert!(
            node("containerd://1.7.2", "v1.37.0", "")
                .low_ports()
                .reason
                .starts_with("probably not: ")
        );
        assert!(node("x", "", "Ubuntu 24.04").app_armor().reason.starts_with("probably: "));
        assert!(
            node("x", "", "Red Hat Enterprise Linux CoreOS")
                .se_linux()
                .reason
                .starts_with("probably: ")
        );
    }

    #[test]
    fn what_a_pod_found_is_an_answer() {
        let probed = |label: &str, first_open_port| Probed {
            label: Some(label.to_owned()),
            first_open_port: Some(first_open_port),
            app_armor: Some(false),
            seccomp: Some(2),
            cgroup: Some(1),
            ..Probed::default()
        };
        let with = |probed| Node {
            probed: Some(probed),
            ..node("containerd://2.4.2", "v1.37.0", "Fedora")
        };
        let confined = with(probed("system_u:system_r:container_t:s0:c1,c2", 0));
        assert_eq!(
            (confined.se_linux().value, confined.low_ports().value),
            (Some(true), Some(true))
        );
        let other = with(probed("cri-containerd.apparmor.d (enforce)", 1024));
        assert_eq!((other.se_linux().value, other.low_ports().value), (Some(false), Some(false)));
        assert_eq!(
            (other.seccomp_default().value, other.cgroup_version().0),
            (Some(true), Some(1))
        );
    }

    #[test]
    fn the_setting_is_named_for_each_runtime_and_version() {
        let section = |text: &str| {
            device_ownership_setting(&Runtime::parse(text)).map(|setting| setting.section)
        };
        assert_eq!(section("containerd://1.7.27"), Some("[plugins.\"io.containerd.grpc.v1.cri\"]"));
        assert_eq!(section("containerd://2.0.0"), Some("[plugins.'io.containerd.cri.v1.runtime']"));
        assert_eq!(
            section("containerd://v2.4.2-k3s1"),
            Some("[plugins.'io.containerd.cri.v1.runtime']")
        );
        assert_eq!(section("cri-o://1.34.1"), Some("[crio.runtime]"));
        assert_eq!(section("docker://27.1"), None);
    }
}
