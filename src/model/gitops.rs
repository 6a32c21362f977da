//! The object of a GitOps controller that a workload comes from.
//!
//! Flux writes its labels on all that it applies (fluxcd/pkg, ssa/utils, `SetCommonMetadata`;
//! helm-controller, internal/postrender, origin labels), and Argo CD an annotation (argo-cd,
//! docs/user-guide/resource_tracking.md; in any namespace: `namespace_name`).

use serde_json::Value;

/// Which controller, and with that which field takes patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GitOpsKind {
    FluxHelmRelease,
    FluxKustomization,
    ArgoApplication,
}

/// The object that a workload comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitOpsObject {
    pub kind: GitOpsKind,
    pub name: String,
    /// Where it is, as far as the workload says so.
    pub namespace: Option<String>,
}

impl GitOpsKind {
    /// Its `apiVersion` and `kind`.
    #[must_use]
    pub fn type_meta(self) -> (&'static str, &'static str) {
        match self {
            GitOpsKind::FluxHelmRelease => ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
            GitOpsKind::FluxKustomization => ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
            GitOpsKind::ArgoApplication => ("argoproj.io/v1alpha1", "Application"),
        }
    }

    /// The field of it that takes kustomize's patches.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            GitOpsKind::FluxHelmRelease => "spec.postRenderers[].kustomize.patches",
            GitOpsKind::FluxKustomization => "spec.patches",
            GitOpsKind::ArgoApplication => "spec.source.kustomize.patches",
        }
    }
}

/// The GitOps object that an object comes from, if its labels and annotations name one.
#[must_use]
pub fn gitops(object: &Value) -> Option<GitOpsObject> {
    let metadata = &object["metadata"];
    let label = |key: &str| metadata["labels"][key].as_str();
    let flux = |group: &str, kind| {
        Some(GitOpsObject {
            kind,
            name: label(&format!("{group}/name"))?.to_owned(),
            namespace: label(&format!("{group}/namespace")).map(str::to_owned),
        })
    };
    // A HelmRelease that a Kustomization applies marks what it makes as its own.
    flux("helm.toolkit.fluxcd.io", GitOpsKind::FluxHelmRelease)
        .or_else(|| flux("kustomize.toolkit.fluxcd.io", GitOpsKind::FluxKustomization))
        .or_else(|| {
            let id = metadata["annotations"]["argocd.argoproj.io/tracking-id"].as_str();
            let application =
                id.and_then(|id| id.split(':').next()).or(label("argocd.argoproj.io/instance"))?;
            // No name of Kubernetes' has this character.
            let (namespace, name) = match application.split_once('_') {
                Some((namespace, name)) => (Some(namespace.to_owned()), name),
                None => (None, application),
            };
            let kind = GitOpsKind::ArgoApplication;
            Some(GitOpsObject { kind, name: name.to_owned(), namespace })
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_object_is_found_by_its_marks() {
        let found = |metadata: Value| {
            let found = gitops(&json!({"metadata": metadata}))?;
            Some((found.kind, found.name, found.namespace))
        };
        let flux = |group: &str| json!({format!("{group}.toolkit.fluxcd.io/name"): "apps", format!("{group}.toolkit.fluxcd.io/namespace"): "flux-system"});
        let of = |kind, name: &str, namespace: Option<&str>| {
            Some((kind, name.to_owned(), namespace.map(str::to_owned)))
        };
        let mut both = flux("kustomize");
        both["helm.toolkit.fluxcd.io/name"] = json!("web");
        let tracked = |id: &str| json!({"annotations": {"argocd.argoproj.io/tracking-id": id}});
        let cases = [
            (
                json!({"labels": flux("kustomize")}),
                of(GitOpsKind::FluxKustomization, "apps", Some("flux-system")),
            ),
            (
                json!({"labels": flux("helm")}),
                of(GitOpsKind::FluxHelmRelease, "apps", Some("flux-system")),
            ),
            (json!({"labels": both}), of(GitOpsKind::FluxHelmRelease, "web", None)),
            (
                tracked("shop:apps/Deployment:shop/web"),
                of(GitOpsKind::ArgoApplication, "shop", None),
            ),
            (
                tracked("team_shop:apps/Deployment:shop/web"),
                of(GitOpsKind::ArgoApplication, "shop", Some("team")),
            ),
            (json!({"labels": {"app.kubernetes.io/instance": "shop"}}), None),
        ];
        for (metadata, expected) in cases {
            assert_eq!(found(metadata.clone()), expected, "{metadata}");
        }
    }
}
