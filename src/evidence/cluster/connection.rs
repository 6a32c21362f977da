//! From kubectl's connection flags to a client.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{Cluster, innermost};
use crate::error::Error;

/// How long a connection may take to open: kubectl's default dialer waits 30 s, which a person
/// takes for a hang.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// kubectl's connection flags (k8s.io/cli-runtime, pkg/genericclioptions/config_flags.go). A set
/// field beats the kubeconfig's.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub server: Option<String>,
    pub token: Option<String>,
    pub impersonate: Option<String>,
    pub impersonate_groups: Vec<String>,
    pub certificate_authority: Option<PathBuf>,
    pub insecure_skip_tls_verify: bool,
    pub tls_server_name: Option<String>,
    /// How long one request may wait for its answer; `None` waits for ever.
    pub request_timeout: Option<Duration>,
    /// `-n`: the namespace instead of the context's.
    pub namespace: Option<String>,
}

/// What a kubeconfig has names for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    pub contexts: Vec<String>,
    pub clusters: Vec<String>,
    pub users: Vec<String>,
}

impl Connection {
    /// The names in the kubeconfig that would be used; none where it cannot be read.
    #[must_use]
    pub fn entries(&self) -> Entries {
        let file = self.kubeconfig.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let file = file.unwrap_or_default();
        Entries {
            contexts: file.contexts.into_iter().map(|entry| entry.name).collect(),
            clusters: file.clusters.into_iter().map(|entry| entry.name).collect(),
            users: file.auth_infos.into_iter().map(|entry| entry.name).collect(),
        }
    }
}

impl Cluster {
    /// Makes a client from the flags, the kubeconfig files that `$KUBECONFIG` lists or
    /// `~/.kube/config`, or the service account of the pod that we run in. Nothing is sent yet.
    ///
    /// # Errors
    /// A kubeconfig that is missing, malformed, or does not hold the context, cluster or user asked
    /// for.
    pub async fn connect(flags: &Connection) -> Result<Cluster, Error> {
        let mut config = kubeconfig(flags).await?;
        if let Some(server) = &flags.server {
            config.cluster_url = server
                .parse()
                .map_err(|error| Error::input(format!("use the server {server:?}"), error))?;
        }
        if let Some(token) = &flags.token {
            config.auth_info.token = Some(token.clone().into());
        }
        if let Some(user) = &flags.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        if !flags.impersonate_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(flags.impersonate_groups.clone());
        }
        if let Some(path) = &flags.certificate_authority {
            let fail = |error: &dyn std::fmt::Display| {
                Error::input(format!("read {}", path.display()), error)
            };
            let pem = std::fs::read(path).map_err(|error| fail(&error))?;
            let certificates = rustls_pki_types::pem::PemObject::pem_slice_iter(&pem)
                .map(|cert| cert.map(|cert: rustls_pki_types::CertificateDer<'_>| cert.to_vec()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| fail(&error))?;
            config.root_cert = Some(certificates);
        }
        if flags.insecure_skip_tls_verify {
            config.accept_invalid_certs = true;
        }
        if let Some(name) = &flags.tls_server_name {
            config.tls_server_name = Some(name.clone());
        }
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = flags.request_timeout;
        // Cluster::attempt retries, with bounds of its own and for more kinds of answers.
        config.default_retry = false;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config)
            .map_err(|error| Error::remote(format!("connect to {server}"), innermost(&error)))?;
        Ok(Cluster { client, server, namespace })
    }
}

async fn kubeconfig(flags: &Connection) -> Result<Config, Error> {
    let options = KubeConfigOptions {
        context: flags.context.clone(),
        cluster: flags.cluster.clone(),
        user: flags.user.clone(),
    };
    let (file, name) = match &flags.kubeconfig {
        Some(path) => (Kubeconfig::read_from(path), format!("the kubeconfig {}", path.display())),
        None => (Kubeconfig::read(), "the kubeconfig".to_owned()),
    };
    let help = "name one with --kubeconfig, $KUBECONFIG or --server";
    match file {
        Ok(file) => Config::from_custom_kubeconfig(file, &options).await.map_err(|error| {
            Error::input(format!("use {name}"), innermost(&error))
                .help("see kubectl config get-contexts")
        }),
        Err(error) if flags.kubeconfig.is_none() => match (Config::incluster(), &flags.server) {
            (Ok(config), _) => Ok(config),
            (Err(_), Some(server)) => server
                .parse()
                .map(Config::new)
                .map_err(|error| Error::input(format!("use the server {server:?}"), error)),
            (Err(_), None) => {
                Err(Error::input(format!("read {name}"), innermost(&error)).help(help))
            }
        },
        Err(error) => Err(Error::input(format!("read {name}"), innermost(&error)).help(help)),
    }
}
