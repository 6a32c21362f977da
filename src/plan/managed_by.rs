//! Who else writes an object, and would take our change back.

use serde_json::Value;

/// Another source of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub who: String,
    /// Where the change belongs instead.
    pub advice: String,
}

/// Field managers of people at work: their changes wait for nobody to repeat them.
const PEOPLE: [&str; 8] = [
    "kubectl",
    "kube-controller-manager",
    "k9s",
    "Lens",
    "OpenAPI-Generator",
    "dashboard",
    "Mozilla",
    "unknown",
];

/// The Helm release that an object belongs to, and its namespace where it says so.
#[must_use]
pub fn release(object: &Value) -> Option<(&str, Option<&str>)> {
    let annotations = &object["metadata"]["annotations"];
    let name = annotations["meta.helm.sh/release-name"].as_str()?;
    Some((name, annotations["meta.helm.sh/release-namespace"].as_str()))
}

/// The tool that made an object and keeps it as it is, if one did.
#[must_use]
pub fn owner(object: &Value) -> Option<Owner> {
    let metadata = &object["metadata"];
    let label = |key: &str| metadata["labels"][key].as_str();
    let annotation = |key: &str| metadata["annotations"][key].as_str();
    let owner = |who: String, advice: String| Some(Owner { who, advice });
    if let Some(release) =
        annotation("meta.helm.sh/release-name").or(label("helm.toolkit.fluxcd.io/name"))
    {
        let advice = format!(
            "-o values finds the values of its chart to set, and -o post-renderer prints what they do not reach; then upgrade {release}"
        );
        return owner(format!("the Helm release {release}"), advice);
    }
    let application = annotation("argocd.argoproj.io/tracking-id")
        .map(|id| id.split(':').next().unwrap_or(id))
        .or(label("argocd.argoproj.io/instance"));
    if let Some(application) = application {
        let advice =
            "change it in the repository: -o gitops prints the patch of its Application".to_owned();
        return owner(format!("the Argo CD application {application}"), advice);
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
        let advice = "change it in the repository: -o gitops prints the patch of its Kustomization"
            .to_owned();
        return owner(format!("the Flux kustomization {name}"), advice);
    }
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    if let Some(reference) = owners.into_iter().find(|reference| reference["controller"] == true) {
        let text = |key: &str| reference[key].as_str().unwrap_or_default();
        let (kind, name) = (text("kind"), text("name"));
        return owner(
            format!("{kind}/{name}"),
            format!(
                "change the pod template that {kind}/{name} gives it; where that cannot be, -o policy prints a policy on its pods"
            ),
        );
    }
    if let Some(name) = label("app.kubernetes.io/managed-by").or(label("olm.owner"))
        && !PEOPLE.contains(&name)
    {
        let advice = format!(
            "make the change where {name} takes it from; where that cannot be, -o policy prints a policy on its pods"
        );
        return owner(name.to_owned(), advice);
    }
    let managers = metadata["managedFields"].as_array().into_iter().flatten();
    let name = managers
        .filter(|entry| entry["subresource"].is_null() && entry["fieldsV1"]["f:spec"].is_object())
        .filter_map(|entry| entry["manager"].as_str())
        .find(|name| !PEOPLE.iter().any(|person| name.starts_with(person)))?;
    owner(
        format!("the field manager {name}"),
        format!("make the change where {name} takes it from"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_would_revert_is_named() {
        let who = |metadata: Value| owner(&json!({"metadata": metadata})).map(|owner| owner.who);
        let managed = |name: &str| json!({"managedFields": [{"manager": name, "fieldsV1": {"f:spec": {}}}, {"manager": "x", "subresource": "status", "fieldsV1": {"f:spec": {}}}]});
        let cases = [
            (
                json!({"annotations": {"meta.helm.sh/release-name": "shop"}}),
                Some("the Helm release shop"),
            ),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:a/b"}}),
                Some("the Argo CD application shop"),
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}),
                Some("the Flux kustomization shop"),
            ),
            (
                json!({"ownerReferences": [{"kind": "Postgres", "name": "db", "controller": true}]}),
                Some("Postgres/db"),
            ),
            (json!({"labels": {"app.kubernetes.io/managed-by": "tanka"}}), Some("tanka")),
            (managed("pulumi"), Some("the field manager pulumi")),
            (managed("kubectl-client-side-apply"), None),
            (json!({}), None),
        ];
        for (metadata, expected) in cases {
            assert_eq!(who(metadata.clone()).as_deref(), expected, "{metadata}");
        }
    }
}
