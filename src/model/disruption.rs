//! Who bounds how the pods of a namespace may be replaced.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

/// What a namespace has of these.
#[derive(Debug, Clone, Default)]
pub struct DisruptionLimits {
    pub budgets: Vec<PodDisruptionBudget>,
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    pub quotas: Vec<ResourceQuota>,
}
