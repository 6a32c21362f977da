//! What a cluster knows of a workload's images: who may pull them, for which platform, and which
//! bytes really run.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec, Secret, ServiceAccount};

use super::Cluster;
use crate::error::{Error, Partial};

/// The service account of a pod that names none.
const DEFAULT: &str = "default";

impl Cluster {
    /// The Docker configurations with which the kubelet pulls a pod's images, of the pod's own pull
    /// secrets and of its service account's: for a registry's eyes only. What may not be read
    /// is an error beside the rest.
    pub async fn pull_secrets(&self, namespace: &str, spec: &PodSpec) -> Partial<Vec<Vec<u8>>> {
        let mut read = Partial::clean(Vec::new());
        let mut names: BTreeSet<String> =
            spec.image_pull_secrets.iter().flatten().map(|secret| secret.name.clone()).collect();
        let account =
            spec.service_account_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}");
        let what = format!("read the pull secrets of service account {namespace}/{account}");
        match self.get::<ServiceAccount>(&path, &what).await {
            Ok(found) => names
                .extend(found.image_pull_secrets.into_iter().flatten().map(|secret| secret.name)),
            // A pod whose service account is gone does not get this far.
            Err(refusal) if refusal.code == Some(404) => {}
            Err(refusal) => read.errors.push(refusal.error),
        }
        for name in names {
            let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
            match self
                .get::<Secret>(&path, &format!("read the pull secret {namespace}/{name}"))
                .await
            {
                Ok(secret) => read.value.extend(docker_config(secret)),
                // The kubelet goes on without it as well.
                Err(refusal) if refusal.code == Some(404) => {}
                Err(refusal) => read.errors.push(refusal.error),
            }
        }
        read
    }

    /// `linux/amd64`: what a node runs.
    ///
    /// # Errors
    /// No such node, no permission, no answer.
    pub async fn platform(&self, node: &str) -> Result<Option<String>, Error> {
        let what = format!("read the platform of node {node}");
        let found: Node = self
            .get(&format!("/api/v1/nodes/{node}"), &what)
            .await
            .map_err(|refusal| refusal.error)?;
        let info = found.status.and_then(|status| status.node_info);
        Ok(info.map(|info| format!("{}/{}", info.operating_system, info.architecture)))
    }

    /// The image that a container really runs, as the runtime calls it:
    /// `docker.io/library/nginx@sha256:...`, or the digest of its configuration alone for one
    /// that no registry gave; `None` before it was pulled.
    ///
    /// # Errors
    /// No such pod, no permission, no answer.
    pub async fn image_id(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<Option<String>, Error> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
        let found: Pod = self
            .get(&path, &format!("get pod {namespace}/{pod}"))
            .await
            .map_err(|refusal| refusal.error)?;
        let status = found.status.unwrap_or_default();
        let mut statuses = [status.init_container_statuses, status.container_statuses]
            .into_iter()
            .flatten()
            .flatten();
        Ok(statuses
            .find(|status| status.name == container)
            .map(|status| status.image_id)
            .filter(|id| !id.is_empty()))
    }
}

/// The bytes of a pull secret as a `config.json`; the older type has what is below `auths` at its
/// top.
fn docker_config(secret: Secret) -> Option<Vec<u8>> {
    let mut data = secret.data?;
    if let Some(config) = data.remove(".dockerconfigjson") {
        return Some(config.0);
    }
    let old: serde_json::Value = serde_json::from_slice(&data.remove(".dockercfg")?.0).ok()?;
    serde_json::to_vec(&serde_json::json!({ "auths": old })).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_types_of_pull_secrets_are_read() {
        let secret = |key: &str, text: &str| -> Secret {
            let encoded = k8s_openapi::ByteString(text.as_bytes().to_vec());
            Secret { data: Some([(key.to_owned(), encoded)].into()), ..Secret::default() }
        };
        let auths = r#"{"auths":{"r.example":{"auth":"eDp5"}}}"#;
        assert_eq!(
            docker_config(secret(".dockerconfigjson", auths)).as_deref(),
            Some(auths.as_bytes())
        );
        let old = secret(".dockercfg", r#"{"r.example":{"auth":"eDp5"}}"#);
        assert_eq!(docker_config(old).as_deref(), Some(auths.as_bytes()));
        assert_eq!(docker_config(secret("token", "x")), None);
    }
}
