//! What the user may do, asked before it is done.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
};
use kube::Api;
use kube::api::PostParams;

use super::Cluster;

/// A right, as `kubectl auth can-i VERB RESOURCE` names it: `create`, `pods`, `exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// Of the API; empty for the core.
    pub group: &'static str,
    pub verb: &'static str,
    pub resource: &'static str,
    pub subresource: Option<&'static str>,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        self.subresource.map_or(Ok(()), |subresource| write!(f, "/{subresource}"))
    }
}

impl Cluster {
    /// Which of some rights in a namespace the user does not have. A server that does not tell
    /// denies nothing: the call itself will.
    pub async fn missing(&self, namespace: &str, rights: &[Right]) -> Vec<Right> {
        let answers = join_all(rights.iter().map(|right| self.may(namespace, *right))).await;
        rights
            .iter()
            .zip(answers)
            .filter(|(_, answer)| *answer == Some(false))
            .map(|(right, _)| *right)
            .collect()
    }

    async fn may(&self, namespace: &str, right: Right) -> Option<bool> {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let attributes = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            group: Some(right.group.to_owned()),
            verb: Some(right.verb.to_owned()),
            resource: Some(right.resource.to_owned()),
            subresource: right.subresource.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..Default::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        // A review is created to be answered; the server keeps nothing of it.
        let answer = reviews.create(&PostParams::default(), &review).await.ok()?;
        let SubjectAccessReviewStatus { allowed, .. } = answer.status?;
        Some(allowed)
    }
}
