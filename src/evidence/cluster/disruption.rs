//! Who bounds how the pods of a namespace may be replaced.

use serde::de::DeserializeOwned;

use super::Cluster;
use super::scope::collection;
use crate::error::{Error, Partial};
use crate::model::disruption::DisruptionLimits;

impl Cluster {
    /// The disruption budgets, autoscalers and quotas of a namespace. What may not be read is an
    /// error beside the rest.
    pub async fn disruption_limits(&self, namespace: &str) -> Partial<DisruptionLimits> {
        let mut errors = Vec::new();
        let value = DisruptionLimits {
            budgets: self
                .each("/apis/policy/v1", "poddisruptionbudgets", namespace, &mut errors)
                .await,
            autoscalers: self
                .each("/apis/autoscaling/v2", "horizontalpodautoscalers", namespace, &mut errors)
                .await,
            quotas: self.each("/api/v1", "resourcequotas", namespace, &mut errors).await,
        };
        Partial { value, errors }
    }

    async fn each<T: DeserializeOwned + Clone>(
        &self,
        api: &str,
        resource: &str,
        namespace: &str,
        errors: &mut Vec<Error>,
    ) -> Vec<T> {
        let path = collection(api, resource, Some(namespace));
        let found = self.all(&path, &format!("list {resource} in namespace {namespace}")).await;
        found.unwrap_or_else(|refusal| {
            errors.push(refusal.error);
            Vec::new()
        })
    }
}
