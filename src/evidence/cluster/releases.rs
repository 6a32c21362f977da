//! Releases of Helm, which Helm keeps in Secrets.

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;

use super::Cluster;
use super::list::Encoding;
use super::scope::collection;
use crate::error::Error;
use crate::evidence::helm::HelmRelease;

impl Cluster {
    /// The release of this name that is deployed, in its newest version.
    ///
    /// # Errors
    /// There is none, its Secret may not be read, or is not what Helm writes.
    pub async fn release(&self, namespace: &str, name: &str) -> Result<HelmRelease, Error> {
        let path = collection("/api/v1", "secrets", Some(namespace));
        let selector = format!("owner=helm,status=deployed,name={name}");
        let params = ListParams { label_selector: Some(selector), ..ListParams::default() };
        let what = format!("read the Helm release {name} in namespace {namespace}");
        let mut newest: Option<(u64, Secret)> = None;
        let take = |secret: Secret| {
            let labels = secret.metadata.labels.as_ref();
            let version = labels.and_then(|labels| labels.get("version")?.parse().ok());
            let version = version.unwrap_or_default();
            if newest.as_ref().is_none_or(|(known, _)| *known < version) {
                newest = Some((version, secret));
            }
        };
        if let Err(refusal) = self.list(&path, &params, &what, &Encoding::JSON, take).await {
            return Err(match refusal.is_forbidden() {
                true => refusal.error.help(
                    "Helm keeps releases in Secrets: ask for docs/rbac/releases.yaml, or give the chart and its values, fix -f CHART --values FILE",
                ),
                false => refusal.error,
            });
        }
        let data = newest.and_then(|(_, secret)| secret.data?.remove("release"));
        let Some(data) = data else {
            return Err(Error::remote(what, "no Secret has it as deployed").help(
                "if Helm keeps it elsewhere (HELM_DRIVER), give the chart: fix -f CHART --values FILE",
            ));
        };
        HelmRelease::decode(&data.0)
    }
}
