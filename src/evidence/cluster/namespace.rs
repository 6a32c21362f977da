//! What a namespace says of the pods in it.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use super::Cluster;

/// The label of the level that a namespace enforces.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// The annotation of the uids that OpenShift gives a namespace: `FIRST/COUNT`, formerly
/// `FIRST-LAST`. <https://docs.redhat.com/en/documentation/openshift_container_platform/4.17/html/authentication_and_authorization/managing-pod-security-policies>
const UID_RANGE: &str = "openshift.io/sa.scc.uid-range";

/// What a trial must know of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The Pod Security level that it enforces.
    pub enforced: Option<String>,
    /// The uids that it allows: the first, and how many.
    pub uid_range: Option<(u32, u32)>,
}

impl Cluster {
    /// The terms of a namespace; `None` where they may not be read.
    pub async fn terms(&self, namespace: &str) -> Option<Terms> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let metadata = namespaces.get(namespace).await.ok()?.metadata;
        let enforced = metadata.labels.unwrap_or_default().remove(ENFORCE);
        let uid_range = metadata
            .annotations
            .unwrap_or_default()
            .get(UID_RANGE)
            .and_then(|range| uid_range(range));
        Some(Terms { enforced, uid_range })
    }
}

fn uid_range(range: &str) -> Option<(u32, u32)> {
    if let Some((first, count)) = range.split_once('/') {
        return Some((first.parse().ok()?, count.parse().ok()?));
    }
    let (first, last) = range.split_once('-')?;
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    Some((first, last.checked_sub(first)?.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_range_are_read() {
        assert_eq!(uid_range("1000680000/10000"), Some((1_000_680_000, 10_000)));
        assert_eq!(uid_range("1000-1999"), Some((1000, 1000)));
        assert_eq!(
            [uid_range("1000"), uid_range("x/y"), uid_range("9-1"), uid_range("")],
            [None; 4]
        );
    }
}
