//! Flags that several commands have: kubectl's own, registries, output.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use k8s_openapi::jiff::SignedDuration;
use serde::Serialize;

use super::{json, yaml};
use crate::error::Error;
use crate::evidence::cluster::Connection;
use crate::evidence::image::{Cache, ReadOptions, RegistryAccess};
use crate::model::check::ProofCheck;
use crate::model::podsecurity::Level;
use crate::run;
use crate::usecase::fix::targets;
use crate::usecase::images::RegistryOptions;
use crate::usecase::target::{self, Selector};

/// How to reach the cluster, as kubectl has it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster flags")]
pub(super) struct ClusterFlags {
    /// Namespace, instead of the one of the current context
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Cluster of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) cluster: Option<String>,
    /// User of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(super) impersonate: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub(super) impersonate_groups: Vec<String>,
    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL")]
    pub(super) server: Option<String>,
    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Certificate authority of the API server's certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) certificate_authority: Option<PathBuf>,
    /// Do not check the API server's certificate
    #[arg(long, global = true)]
    pub(super) insecure_skip_tls_verify: bool,
    /// Name that the API server's certificate must have
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) tls_server_name: Option<String>,
    /// How long to wait for one answer, such as 30s or 1m; 0 waits forever
    #[arg(long, global = true, value_name = "DURATION", default_value = "0", value_parser = timeout, hide_default_value = true)]
    pub(super) request_timeout: Timeout,
}

/// The value of `--request-timeout`; `None` waits forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeout(pub(super) Option<Duration>);

/// A duration as kubectl reads it: Go's `1m30s`, or whole seconds without a unit.
pub(super) fn timeout(text: &str) -> Result<Timeout, String> {
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text
            .parse::<SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .ok_or_else(|| "give a number with a unit, such as 30s or 1m30s".to_owned())?,
    };
    Ok(Timeout((!duration.is_zero()).then_some(duration)))
}

impl ClusterFlags {
    /// The flags as the cluster's reader takes them.
    #[must_use]
    pub(super) fn connection(&self) -> Connection {
        Connection {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            server: self.server.clone(),
            token: self.token.clone(),
            impersonate: self.impersonate.clone(),
            impersonate_groups: self.impersonate_groups.clone(),
            certificate_authority: self.certificate_authority.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            tls_server_name: self.tls_server_name.clone(),
            request_timeout: self.request_timeout.0,
            namespace: self.namespace.clone(),
        }
    }
}

/// Which part of the cluster, or which files.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct SelectionFlags {
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,
    /// Label selector, such as app=web
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(super) selector: Option<String>,
    /// Field selector of pods, such as spec.nodeName=node1
    #[arg(long, value_name = "SELECTOR")]
    pub(super) field_selector: Option<String>,
    /// Files or directories of manifests instead of a cluster, or - for standard input; may be
    /// repeated
    #[arg(short, long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["all_namespaces", "selector", "field_selector"])]
    pub(super) filename: Vec<String>,
    /// Descend into the directories of -f
    #[arg(short = 'R', long, requires = "filename")]
    pub(super) recursive: bool,
}

impl SelectionFlags {
    /// The flags, and the targets that were named, as use cases take them.
    ///
    /// # Errors
    /// A target is not TYPE/NAME, TYPE NAME or TYPE.
    pub(super) fn selector(&self, targets: &[String]) -> Result<Selector, Error> {
        Ok(Selector {
            targets: target::targets(targets)?,
            files: self.filename.clone(),
            recursive: self.recursive,
            all_namespaces: self.all_namespaces,
            labels: self.selector.clone(),
            fields: self.field_selector.clone(),
        })
    }
}

/// How to reach registries, for every command that reads images.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Registry flags")]
pub(super) struct RegistryFlags {
    /// Registry to speak plain HTTP with; may be repeated
    #[arg(long, value_name = "HOST:PORT")]
    plain_http: Vec<String>,
    /// Registry to ask instead of the one that a reference names
    #[arg(long, value_name = "HOST[:PORT]")]
    registry_mirror: Option<String>,
    /// containerd's content store, to read a workload's images from on the node itself; such as
    /// /var/lib/containerd/io.containerd.content.v1.content
    #[arg(long, value_name = "DIRECTORY")]
    content_store: Option<PathBuf>,
    /// Do not cache images
    #[arg(long)]
    no_image_cache: bool,
    /// Size of the cache of images, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, env = "NONROOT_IMAGE_CACHE_MIB")]
    image_cache_size: u64,
}

impl RegistryFlags {
    /// The flags as use cases take them.
    #[must_use]
    pub(super) fn registry(&self) -> RegistryOptions {
        let cache = Cache::directory().filter(|_| !self.no_image_cache);
        let options = ReadOptions {
            access: RegistryAccess {
                plain_http: self.plain_http.clone(),
                mirror: self.registry_mirror.clone(),
                pull_secrets: Vec::new(),
            },
            cache: cache.map(|directory: PathBuf| {
                Cache::new(directory, self.image_cache_size.saturating_mul(1 << 20))
            }),
            ..ReadOptions::default()
        };
        RegistryOptions { options, content_store: self.content_store.clone() }
    }
}

/// A level that forbids something.
pub(super) fn judged_level(text: &str) -> Result<Level, String> {
    match text.parse()? {
        Level::Privileged => {
            Err("privileged forbids nothing: use baseline or restricted".to_owned())
        }
        level => Ok(level),
    }
}

/// What a proof looks at beside readiness.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Proof flags")]
pub(super) struct ProofFlags {
    /// What a copy must do beside being ready, such as 'http :8080/healthz 200', 'http POST
    /// :8080/upload 2MiB 2xx', 'tcp :5432' or 'exec: COMMAND'; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = |text: &str| text.parse::<ProofCheck>())]
    pub(super) check: Vec<ProofCheck>,
    /// Job or Pod that checks a copy, whose address is in its variable TARGET_IP; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) check_job: Vec<String>,
    /// Run no copy as root to compare with
    #[arg(long)]
    pub(super) no_control: bool,
    /// Ask the ports of a copy nothing
    #[arg(long)]
    pub(super) no_requests: bool,
    /// Try no reload and no second start
    #[arg(long)]
    pub(super) quick: bool,
}

impl ProofFlags {
    /// Puts the flags into the options of a trial.
    ///
    /// # Errors
    /// A file of --check-job cannot be read, or holds anything but one Job or Pod.
    pub(super) fn apply(&self, options: &mut run::Options) -> Result<(), Error> {
        options.checks.clone_from(&self.check);
        options.check_jobs = targets::check_jobs(&self.check_job)?;
        options.control = !self.no_control;
        options.requests = !self.no_requests;
        options.quick = self.quick;
        Ok(())
    }
}

/// A report for a person, or for tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    Yaml,
}

impl Format {
    pub(super) fn rendered(
        self,
        report: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<String, Error> {
        match self {
            Format::Text => Ok(text()),
            Format::Json => json(report),
            Format::Yaml => yaml(report),
        }
    }
}

/// How a report on refusals is shown, and whether they make the exit code.
#[derive(Debug, Clone, Args)]
pub(super) struct RefusalFlags {
    /// Show everything: also refusals that did not stop the program, and long lists in full
    #[arg(long)]
    pub(super) all: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    pub(super) output: Format,
    /// Exit with 0 even if something was refused
    #[arg(long)]
    pub(super) exit_zero: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_kubectls() {
        assert_eq!(timeout("0"), Ok(Timeout(None)));
        assert_eq!(timeout("90"), Ok(Timeout(Some(Duration::from_secs(90)))));
        assert_eq!(timeout("1m30s"), Ok(Timeout(Some(Duration::from_secs(90)))));
        assert!(timeout("-1s").is_err());
        assert!(timeout("soon").is_err());
    }
}
