//! A kustomize component (kustomize.config.k8s.io/v1alpha1) that carries strategic merge patches.

use serde_json::{Value, json};

use crate::error::Error;

/// One component with each patch on the object that it names. It goes into a folder of its own and is listed under
/// `components` of the kustomization that has the objects.
///
/// # Errors
/// A patch that cannot be written as YAML.
pub fn kustomize(patches: &[Value]) -> Result<Value, Error> {
    let mut entries = Vec::new();
    for patch in patches {
        let text = |key: &str| patch[key].as_str().unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let mut target =
            json!({"group": group, "version": version, "kind": patch["kind"], "name": patch["metadata"]["name"]});
        if group.is_empty()
            && let Some(fields) = target.as_object_mut()
        {
            fields.shift_remove("group");
        }
        let mut patch = patch.clone();
        // The namespace is the kustomization's to set; a name alone finds the object before and after.
        if let Some(metadata) = patch["metadata"].as_object_mut() {
            metadata.shift_remove("namespace");
        }
        let yaml = serde_saphyr::to_string(&patch).map_err(|error| Error::input("write a patch as YAML", error))?;
        entries.push(json!({"target": target, "patch": yaml}));
    }
    Ok(json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": entries}))
}
