//! The JSON of images: image-spec's index, manifest and configuration, and the `manifest.json` of
//! `docker save`.
//!
//! Read as leniently as Go reads them: a field may be absent or null, and those that nobody asks
//! for may be anything.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::model::image::{Config, Port};

/// Null and absent are the same.
fn nullable<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// image-spec's "content descriptor".
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Descriptor {
    #[serde(deserialize_with = "nullable")]
    pub(crate) media_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) digest: String,
    /// In bytes, as stored.
    #[serde(deserialize_with = "nullable")]
    pub(crate) size: u64,
    #[serde(deserialize_with = "nullable")]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) platform: Option<Platform>,
}

impl Descriptor {
    /// The tag or name that an archive gives an image: image-spec's annotation, and containerd's
    /// own.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let annotation = |name: &str| self.annotations.get(name).map(String::as_str);
        [annotation("io.containerd.image.name"), annotation("org.opencontainers.image.ref.name")]
            .into_iter()
            .flatten()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Platform {
    #[serde(deserialize_with = "nullable")]
    pub(crate) os: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) architecture: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) variant: String,
}

impl Platform {
    /// `linux/amd64`, `linux/arm/v7`.
    pub(crate) fn parse(text: &str) -> Option<Platform> {
        let mut parts = text.split('/').map(str::to_owned);
        let platform = Platform {
            os: parts.next().filter(|os| !os.is_empty())?,
            architecture: parts.next().filter(|architecture| !architecture.is_empty())?,
            variant: parts.next().unwrap_or_default(),
        };
        parts.next().is_none().then_some(platform)
    }

    /// Linux on this machine's processor, in Go's words.
    pub(crate) fn here() -> Platform {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: String::new(),
        }
    }

    /// Whether an image for this platform runs on `other`. A variant counts only where both name
    /// one.
    pub(crate) fn runs_on(&self, other: &Platform) -> bool {
        (&self.os, &self.architecture) == (&other.os, &other.architecture)
            && (self.variant == other.variant
                || self.variant.is_empty()
                || other.variant.is_empty())
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

/// An index or a manifest: both are asked for at the same address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Manifest {
    #[serde(deserialize_with = "nullable")]
    pub(crate) media_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) schema_version: u64,
    /// Of an index.
    pub(crate) manifests: Option<Vec<Descriptor>>,
    pub(crate) config: Option<Descriptor>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) layers: Vec<Descriptor>,
}

/// An element of `manifest.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Saved {
    #[serde(deserialize_with = "nullable")]
    pub(crate) config: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) layers: Vec<String>,
}

/// image-spec's "image configuration".
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ImageConfig {
    #[serde(deserialize_with = "nullable")]
    pub(crate) os: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) architecture: String,
    #[serde(deserialize_with = "nullable")]
    variant: String,
    #[serde(deserialize_with = "nullable")]
    config: RunConfig,
    #[serde(deserialize_with = "nullable")]
    rootfs: RootFs,
    #[serde(deserialize_with = "nullable")]
    history: Vec<History>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RunConfig {
    #[serde(deserialize_with = "nullable")]
    user: String,
    #[serde(deserialize_with = "nullable")]
    exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    env: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    volumes: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    working_dir: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(deserialize_with = "nullable")]
    diff_ids: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct History {
    #[serde(deserialize_with = "nullable")]
    created_by: String,
    #[serde(deserialize_with = "nullable")]
    empty_layer: bool,
}

impl ImageConfig {
    pub(crate) fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
        }
    }

    pub(crate) fn diff_ids(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// The instruction that made each layer, in the layers' order.
    pub(crate) fn instructions(&self) -> impl Iterator<Item = String> {
        self.history
            .iter()
            .filter(|step| !step.empty_layer)
            .map(|step| instruction(&step.created_by))
    }

    pub(crate) fn run(&self) -> Config {
        let RunConfig { user, exposed_ports, env, entrypoint, cmd, volumes, working_dir, labels } =
            self.config.clone();
        let mut ports: Vec<Port> =
            exposed_ports.keys().filter_map(|port| Port::parse(port)).collect();
        ports.sort();
        let environment = env.into_iter().map(|line| match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (line, String::new()),
        });
        Config {
            user,
            exposed_ports: ports,
            entrypoint,
            command: cmd,
            environment: environment.collect(),
            working_directory: working_dir,
            volumes: volumes.into_keys().collect(),
            labels,
        }
    }
}

/// A history entry as a Dockerfile has it: the classic builder writes `/bin/sh -c COMMAND` and
/// `/bin/sh -c #(nop)  COPY ...`, BuildKit `RUN |2 A=1 B=2 /bin/sh -c COMMAND # buildkit`. The
/// values of build arguments are left out: they may be secret.
fn instruction(created_by: &str) -> String {
    const SHELL: &str = "/bin/sh -c ";
    const NOP: &str = "#(nop)";
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").map_or(text, str::trim_end);
    if let Some(nop) = text.strip_prefix(SHELL).and_then(|text| text.strip_prefix(NOP)) {
        return nop.trim().to_owned();
    }
    let (run, rest) = match text.strip_prefix("RUN ") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let rest = match rest.strip_prefix('|').and_then(|arguments| arguments.split_once(SHELL)) {
        Some((_, command)) => return format!("RUN {command}"),
        None => rest,
    };
    match rest.strip_prefix(SHELL) {
        Some(command) => format!("RUN {command}"),
        None if run => format!("RUN {rest}"),
        None => rest.to_owned(),
    }
}

/// Whether a blob is an image's configuration, which alone has the layers' digests unpacked.
pub(crate) fn is_config(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes)
        .is_ok_and(|blob| blob.pointer("/rootfs/diff_ids").is_some())
}

/// Parses JSON, or says why not as the end of a sentence.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("its {what} is malformed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absent_are_the_same() {
        let docker: ImageConfig = parse(
            br#"{"architecture":"amd64","os":"linux","config":{"User":"","ExposedPorts":null,"Env":null,"Cmd":["nginx"],
                "Entrypoint":null,"Volumes":{"/data":{}},"WorkingDir":null,"OnBuild":[],"Labels":null,"Healthcheck":{"Test":1}},
                "rootfs":{"type":"layers","diff_ids":null},"history":null,"docker_version":7}"#,
            "configuration",
        )
        .unwrap();
        assert_eq!(docker.run().command, ["nginx"]);
        assert_eq!(docker.run().volumes, ["/data"]);
        let least: ImageConfig = parse(b"{}", "configuration").unwrap();
        assert_eq!(least.run(), Config::default());
        let ports: ImageConfig = parse(
            br#"{"config":{"ExposedPorts":{"8080/tcp":{},"53/udp":{},"80":{},"x":{}}}}"#,
            "configuration",
        )
        .unwrap();
        let ports: Vec<_> = ports
            .run()
            .exposed_ports
            .into_iter()
            .map(|p| format!("{}/{}", p.number, p.protocol))
            .collect();
        assert_eq!(ports, ["53/udp", "80/tcp", "8080/tcp"]);
        assert!(
            parse::<Manifest>(b"<html>", "manifest")
                .unwrap_err()
                .starts_with("its manifest is malformed: ")
        );
    }

    #[test]
    fn history_reads_like_a_dockerfile() {
        for (created_by, shown) in [
            ("/bin/sh -c apk add nginx", "RUN apk add nginx"),
            ("/bin/sh -c #(nop)  CMD [\"nginx\"]", "CMD [\"nginx\"]"),
            ("/bin/sh -c #(nop) COPY dir:0a1b in /app ", "COPY dir:0a1b in /app"),
            ("RUN /bin/sh -c chown -R app /app # buildkit", "RUN chown -R app /app"),
            ("RUN |2 A=1 TOKEN=hush /bin/sh -c make # buildkit", "RUN make"),
            ("|1 TOKEN=hush /bin/sh -c make", "RUN make"),
            ("RUN /bin/bash -o pipefail -c make # buildkit", "RUN /bin/bash -o pipefail -c make"),
            ("COPY --chown=1:1 . /app # buildkit", "COPY --chown=1:1 . /app"),
            ("bazel build ...", "bazel build ..."),
            ("", ""),
        ] {
            assert_eq!(instruction(created_by), shown);
        }
    }

    #[test]
    fn platforms_match_by_variant_only_where_both_have_one() {
        let of = |text| Platform::parse(text).unwrap();
        assert!(of("linux/arm64/v8").runs_on(&of("linux/arm64")));
        assert!(!of("linux/arm/v6").runs_on(&of("linux/arm/v7")));
        assert!(!of("linux/amd64").runs_on(&of("linux/arm64")));
        assert_eq!(of("linux/arm/v7").to_string(), "linux/arm/v7");
        assert_eq!(Platform::parse("linux"), None);
        assert_eq!(Platform::parse("a/b/c/d"), None);
    }
}
