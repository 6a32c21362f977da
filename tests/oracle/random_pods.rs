//! Random pods, shaped so that every branch of every check is taken: fields absent, null, harmless,
//! harmful or odd.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// A pod whose every choice comes from `rng`. Pods differ in how well they behave, so that a check
/// meets both pods that it alone forbids and pods that break everything at once.
pub(crate) fn random_pod(rng: &mut Rng) -> Value {
    let harm = [0.02, 0.1, 0.3, 0.6][rng.usize(..4)];
    Generator { rng, harm }.pod()
}

pub(crate) fn one_of<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())]
}

const NAMES: &[&str] = &["web", "web", "db", "a", "B", "init-1", "z9", "sidecar", "\u{e9}t\u{e9}"];

/// Strings that could break a quotation, a sort order or a terminal.
pub(crate) const HOSTILE: &[&str] = &[
    "",
    " ",
    "\"",
    "a\", \"b",
    "back\\slash",
    "line\nbreak\r\n",
    "tab\tbell\u{7}",
    "\0nul",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{7f}\u{80}\u{a0}\u{ad}",
    "\u{202e}txt.exe",
    "\u{feff}bom",
    "e\u{301}",
    "日本語",
    "\u{1f468}\u{200d}\u{1f469}",
    "\u{e0001}\u{f0000}\u{10ffff}",
    "\u{fffd}\u{fffe}\u{2028}",
    "\u{1cc00}\u{2ebf0}",
    "%s%q%!d",
    "<&>'`$(){}",
    "container \"x\" and pod",
];

struct Generator<'a> {
    rng: &'a mut Rng,
    /// How likely each single value is harmful.
    harm: f64,
}

impl Generator<'_> {
    fn chance(&mut self, probability: f64) -> bool {
        self.rng.f64() < probability
    }

    fn one_of<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[self.rng.usize(..values.len())]
    }

    fn up_to(&mut self, count: usize) -> usize {
        self.rng.usize(..=count)
    }

    fn hostile(&mut self) -> String {
        if self.chance(0.6) {
            return self.one_of(HOSTILE).to_owned();
        }
        let length = self.up_to(6);
        (0..length)
            .map(
                |_| {
                    if self.rng.bool() {
                        self.rng.char('\0'..='\u{2fff}')
                    } else {
                        self.rng.char(..)
                    }
                },
            )
            .collect()
    }

    fn name(&mut self) -> String {
        if self.chance(0.1) { self.hostile() } else { self.one_of(NAMES).to_owned() }
    }

    /// One of the harmless values, or as often as the pod is bad, one of the harmful ones or any
    /// string at all.
    fn text(&mut self, harmless: &[&str], harmful: &[&str]) -> String {
        if !self.chance(self.harm) {
            self.one_of(harmless).to_owned()
        } else if self.chance(0.2) {
            self.hostile()
        } else {
            self.one_of(harmful).to_owned()
        }
    }

    /// Puts a field into an object, or leaves it out, or says null.
    fn put(
        &mut self,
        object: &mut Map<String, Value>,
        key: &str,
        present: f64,
        value: impl FnOnce(&mut Self) -> Value,
    ) {
        if self.chance(present) {
            let value = value(self);
            object.insert(key.to_owned(), value);
        } else if self.chance(0.05) {
            object.insert(key.to_owned(), Value::Null);
        }
    }

    fn flag(&mut self, harmful: bool) -> Value {
        let harm = self.chance(self.harm);
        json!(if harm { harmful } else { !harmful })
    }

    fn pod(&mut self) -> Value {
        let mut spec = Map::new();
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let (present, at_least) = if list == "containers" { (0.98, 1) } else { (0.4, 0) };
            self.put(&mut spec, list, present, |g| {
                let count = at_least + g.up_to(2);
                (0..count).map(|_| g.container(list)).collect()
            });
        }
        let names: Vec<_> = ["initContainers", "containers", "ephemeralContainers"]
            .into_iter()
            .flat_map(|list| spec.get(list).and_then(Value::as_array).into_iter().flatten())
            .filter_map(|container| container["name"].as_str().map(str::to_owned))
            .collect();
        self.put(&mut spec, "securityContext", 0.8, |g| g.security_context(true));
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            self.put(&mut spec, field, 0.3, |g| g.flag(true));
        }
        self.put(&mut spec, "hostUsers", 0.3, |g| json!(g.rng.bool()));
        self.put(
            &mut spec,
            "os",
            0.3,
            |g| json!({"name": g.text(&["linux", "windows"], &["windows", "Windows", ""])}),
        );
        self.put(&mut spec, "volumes", 0.6, |g| {
            let count = g.up_to(4);
            (0..count).map(|_| g.volume()).collect()
        });
        let mut metadata = Map::from_iter([("name".to_owned(), json!("random"))]);
        self.put(&mut metadata, "annotations", 0.5, |g| g.annotations(&names));
        json!({"metadata": metadata, "spec": spec})
    }

    fn annotations(&mut self, containers: &[String]) -> Value {
        let mut annotations = Map::new();
        for _ in 0..self.up_to(5) {
            let container = match containers {
                [_, ..] if self.chance(0.8) => {
                    containers[self.rng.usize(..containers.len())].clone()
                }
                _ => self.name(),
            };
            let key = match self.up_to(4) {
                0 => "seccomp.security.alpha.kubernetes.io/pod".to_owned(),
                1 => format!("container.seccomp.security.alpha.kubernetes.io/{container}"),
                2 | 3 => format!("container.apparmor.security.beta.kubernetes.io/{container}"),
                _ => self.hostile(),
            };
            let value = self.text(
                &["runtime/default", "localhost/", "localhost/profile", "docker/default", ""],
                &[
                    "unconfined",
                    "docker/default",
                    "",
                    "localhost",
                    "Runtime/Default",
                    "runtime/default ",
                ],
            );
            annotations.insert(key, json!(value));
        }
        Value::Object(annotations)
    }

    fn container(&mut self, list: &str) -> Value {
        let mut container = Map::from_iter([("name".to_owned(), json!(self.name()))]);
        if self.chance(0.02) {
            container.remove("name");
        }
        container.insert("image".to_owned(), json!("registry.example/app:1"));
        if list == "initContainers" {
            self.put(&mut container, "restartPolicy", 0.3, |_| json!("Always"));
        }
        if list == "ephemeralContainers" {
            self.put(&mut container, "targetContainerName", 0.5, |g| json!(g.name()));
        }
        self.put(&mut container, "securityContext", 0.9, |g| g.security_context(false));
        self.put(&mut container, "volumeMounts", 0.6, |g| {
            let count = g.up_to(3);
            (0..count)
                .map(|_| json!({"name": g.name(), "mountPath": g.path(), "readOnly": g.rng.bool()}))
                .collect()
        });
        if list != "ephemeralContainers" {
            self.put(
                &mut container,
                "volumeDevices",
                0.2,
                |g| json!([{"name": g.name(), "devicePath": g.path()}]),
            );
            self.put(&mut container, "resources", 0.3, |g| {
                let limits = json!({(g.one_of(&["cpu", "nvidia.com/gpu", "example.com/dev"])): "1"});
                json!({"limits": limits, "requests": {"cpu": "1"}, "claims": [{"name": g.name(), "request": "one"}]})
            });
        }
        self.put(&mut container, "ports", 0.4, |g| {
            let count = g.up_to(3);
            (0..count).map(|_| g.port()).collect()
        });
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            self.put(&mut container, probe, 0.25, |g| g.handler(true));
        }
        self.put(&mut container, "lifecycle", 0.25, |g| {
            let mut lifecycle = Map::new();
            g.put(&mut lifecycle, "postStart", 0.6, |g| g.handler(false));
            g.put(&mut lifecycle, "preStop", 0.6, |g| g.handler(false));
            Value::Object(lifecycle)
        });
        Value::Object(container)
    }

    fn port(&mut self) -> Value {
        let mut port = Map::from_iter([("containerPort".to_owned(), json!(8080))]);
        self.put(&mut port, "hostPort", 0.6, |g| {
            let harm = g.chance(g.harm);
            json!(if harm { [9, 10, 80, 443, 8080, -1, i32::MAX][g.rng.usize(..7)] } else { 0 })
        });
        Value::Object(port)
    }

    /// A probe, or the handler of a lifecycle event.
    fn handler(&mut self, probe: bool) -> Value {
        let mut handler = Map::new();
        for action in ["httpGet", "tcpSocket"] {
            self.put(&mut handler, action, 0.5, |g| {
                let mut request = Map::from_iter([("port".to_owned(), json!(8080))]);
                g.put(&mut request, "host", 0.6, |g| {
                    json!(g.text(&[""], &["127.0.0.1", "::1", "localhost", "metadata"]))
                });
                Value::Object(request)
            });
        }
        self.put(&mut handler, "exec", 0.2, |_| json!({"command": ["true"]}));
        if probe {
            self.put(&mut handler, "periodSeconds", 0.2, |_| json!(5));
        }
        Value::Object(handler)
    }

    /// The fields that a pod's and a container's securityContext share, and those of the container
    /// alone.
    fn security_context(&mut self, of_pod: bool) -> Value {
        let mut context = Map::new();
        self.put(&mut context, "runAsNonRoot", 0.6, |g| g.flag(false));
        self.put(&mut context, "runAsUser", 0.5, |g| {
            let harm = g.chance(g.harm);
            json!(if harm { 0 } else { [1, 1000, 65534, -1, i64::MAX][g.rng.usize(..5)] })
        });
        self.put(&mut context, "runAsGroup", 0.2, |_| json!(0));
        for (field, also) in [("seccompProfile", "Unconfined"), ("appArmorProfile", "unconfined")] {
            self.put(&mut context, field, 0.5, |g| {
                let mut profile = Map::new();
                g.put(&mut profile, "type", 0.95, |g| {
                    json!(g.text(
                        &["RuntimeDefault", "Localhost"],
                        &["Unconfined", "runtimeDefault", "", also]
                    ))
                });
                Value::Object(profile)
            });
        }
        self.put(&mut context, "seLinuxOptions", 0.4, |g| {
            let mut options = Map::new();
            g.put(&mut options, "type", 0.6, |g| {
                json!(g.text(
                    &["", "container_t", "container_init_t", "container_kvm_t"],
                    &["container_engine_t", "container_engine_t", "spc_t", "unconfined_t"],
                ))
            });
            g.put(&mut options, "user", 0.4, |g| json!(g.text(&[""], &["system_u"])));
            g.put(&mut options, "role", 0.4, |g| json!(g.text(&[""], &["system_r"])));
            g.put(&mut options, "level", 0.4, |_| json!("s0:c1,c2"));
            Value::Object(options)
        });
        self.put(&mut context, "windowsOptions", 0.2, |g| {
            let mut options = Map::new();
            g.put(&mut options, "hostProcess", 0.7, |g| g.flag(true));
            Value::Object(options)
        });
        if of_pod {
            self.put(&mut context, "sysctls", 0.5, |g| {
                let count = g.up_to(3);
                (0..count).map(|_| g.sysctl()).collect()
            });
            self.put(&mut context, "fsGroup", 0.2, |_| json!(1000));
            self.put(&mut context, "supplementalGroups", 0.2, |g| json!([0, g.rng.u32(..)]));
            self.put(&mut context, "seLinuxChangePolicy", 0.2, |g| {
                json!(g.text(&["MountOption"], &["Recursive"]))
            });
            return Value::Object(context);
        }
        self.put(&mut context, "allowPrivilegeEscalation", 0.85, |g| g.flag(true));
        self.put(&mut context, "privileged", 0.3, |g| g.flag(true));
        self.put(&mut context, "procMount", 0.3, |g| {
            json!(g.text(&["Default"], &["Unmasked", "Unmasked", "default", ""]))
        });
        self.put(&mut context, "readOnlyRootFilesystem", 0.2, |g| json!(g.rng.bool()));
        self.put(&mut context, "capabilities", 0.85, |g| {
            let mut capabilities = Map::new();
            g.put(&mut capabilities, "drop", 0.9, |g| {
                let mut dropped = vec![g.text(&["ALL"], &["CHOWN", "all", "CAP_ALL", "KILL"])];
                for _ in 0..g.up_to(2) {
                    dropped.push(g.text(&["KILL", "ALL"], &["FOO"]));
                }
                g.rng.shuffle(&mut dropped);
                json!(dropped)
            });
            g.put(&mut capabilities, "add", 0.5, |g| {
                let count = g.up_to(4);
                (0..count)
                    .map(|_| {
                        g.text(
                            &["NET_BIND_SERVICE"],
                            &[
                                "CHOWN",
                                "SETUID",
                                "MKNOD",
                                "NET_RAW",
                                "SYS_ADMIN",
                                "CAP_CHOWN",
                                "chown",
                                "ALL",
                                "FOO",
                            ],
                        )
                    })
                    .collect()
            });
            Value::Object(capabilities)
        });
        Value::Object(context)
    }

    fn sysctl(&mut self) -> Value {
        let name = self.text(
            &[
                "kernel.shm_rmid_forced",
                "net.ipv4.ip_local_port_range",
                "net.ipv4.tcp_syncookies",
                "net.ipv4.ping_group_range",
                "net.ipv4.ip_unprivileged_port_start",
                "net.ipv4.ip_local_reserved_ports",
                "net.ipv4.tcp_keepalive_time",
                "net.ipv4.tcp_fin_timeout",
                "net.ipv4.tcp_keepalive_intvl",
                "net.ipv4.tcp_keepalive_probes",
                "net.ipv4.tcp_rmem",
                "net.ipv4.tcp_wmem",
                "net.ipv4.tcp_slow_start_after_idle",
                "net.ipv4.tcp_notsent_lowat",
            ],
            &[
                "kernel.msgmax",
                "net.core.somaxconn",
                "kernel/shm_rmid_forced",
                "net.ipv4.tcp_rmem ",
            ],
        );
        json!({"name": name, "value": "1"})
    }

    fn volume(&mut self) -> Value {
        let mut volume = Map::from_iter([("name".to_owned(), json!(self.name()))]);
        // Mostly one source; sometimes none or several, in which case the order of looking matters.
        let sources = [1, 1, 1, 1, 0, 2, 3][self.rng.usize(..7)];
        for _ in 0..sources {
            let kind = if self.chance(self.harm) {
                self.one_of(INLINE_VOLUMES)
            } else {
                self.one_of(SAFE_VOLUMES)
            };
            let source = if self.chance(0.05) { Value::Null } else { self.volume_source(kind) };
            volume.insert(kind.to_owned(), source);
        }
        Value::Object(volume)
    }

    fn path(&mut self) -> &'static str {
        self.one_of(&["/dev/fuse", "/dev", "/data", "/var/run/x.sock", ""])
    }

    /// What decides who may use a volume; of most kinds it is the kind alone.
    fn volume_source(&mut self, kind: &str) -> Value {
        let mut source = Map::new();
        match kind {
            "hostPath" => {
                source.insert("path".to_owned(), json!(self.path()));
                self.put(&mut source, "type", 0.5, |g| {
                    json!(g.text(&["", "Directory"], &["CharDevice", "Socket"]))
                });
            }
            "secret" | "configMap" => {
                self.put(&mut source, "defaultMode", 0.6, |g| {
                    json!(one_of(g.rng, &[0o400, 0o600, 0o644, 0]))
                });
                self.put(
                    &mut source,
                    "items",
                    0.4,
                    |g| json!([{"key": "a", "path": "a", "mode": g.rng.u8(..)}, {"key": "b", "path": "b"}]),
                );
            }
            "persistentVolumeClaim" => {
                source.insert("claimName".to_owned(), json!(self.name()));
                self.put(&mut source, "readOnly", 0.3, |g| json!(g.rng.bool()));
            }
            "csi" => {
                source.insert("driver".to_owned(), json!("csi.example"));
                self.put(&mut source, "fsType", 0.5, |g| json!(g.text(&["ext4"], &[""])));
            }
            "ephemeral" => {
                let modes = json!([self.one_of(&["ReadWriteOnce", "ReadWriteMany"])]);
                let mut spec = Map::from_iter([("accessModes".to_owned(), modes)]);
                self.put(&mut spec, "storageClassName", 0.5, |g| json!(g.text(&["fast"], &[""])));
                self.put(&mut spec, "volumeMode", 0.5, |g| {
                    json!(g.text(&["Filesystem"], &["Block"]))
                });
                self.put(&mut source, "volumeClaimTemplate", 0.9, |_| json!({"spec": spec}));
            }
            _ => {}
        }
        Value::Object(source)
    }
}

const SAFE_VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

const INLINE_VOLUMES: &[&str] = &[
    "hostPath",
    "hostPath",
    "hostPath",
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];
