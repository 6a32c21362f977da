//! Where a kind takes a pod or a security context: what the structural schema of its custom
//! resource definition says, as the API server publishes it for everybody (OpenAPI v3).

use serde_json::Value;

/// Maps in maps: no schema that people write is deeper.
const DEEPEST: usize = 24;

/// A field of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// All of a pod's spec.
    Pod(String),
    /// A security context, of a pod or of a container.
    Context(String),
}

/// Where a kind takes them, as `spec.workers[].template.spec`; nothing where the document does not
/// tell of it.
#[must_use]
pub fn takes(document: &Value, group: &str, kind: &str) -> Vec<Takes> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let is_meant = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten();
        kinds.into_iter().any(|one| one["group"] == group && one["kind"] == kind)
    };
    let mut found = Vec::new();
    for schema in schemas.into_iter().flat_map(|schemas| schemas.values()).filter(is_meant) {
        visit(schema, "", 0, &mut found);
    }
    found
}

fn visit(schema: &Value, path: &str, depth: usize, found: &mut Vec<Takes>) {
    if depth > DEEPEST {
        return;
    }
    let properties = &schema["properties"];
    let has = |fields: &[&str]| fields.iter().all(|field| properties.get(field).is_some());
    if has(&["runAsNonRoot", "runAsUser", "seccompProfile"]) {
        return found.push(Takes::Context(path.to_owned()));
    }
    let container = &properties["containers"]["items"]["properties"];
    if has(&["containers", "securityContext", "volumes"])
        && ["image", "name"].iter().all(|field| container.get(field).is_some())
    {
        return found.push(Takes::Pod(path.to_owned()));
    }
    for (field, inner) in properties.as_object().into_iter().flatten() {
        match (path, field.as_str()) {
            ("", "metadata" | "status" | "apiVersion" | "kind") => {}
            ("", field) => visit(inner, field, depth + 1, found),
            (path, field) => visit(inner, &format!("{path}.{field}"), depth + 1, found),
        }
    }
    for (inner, step) in [(&schema["items"], "[]"), (&schema["additionalProperties"], ".*")] {
        if inner.is_object() {
            visit(inner, &format!("{path}{step}"), depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_and_security_contexts_are_known_by_their_fields() {
        let context = json!({"properties": {"runAsNonRoot": {}, "runAsUser": {}, "seccompProfile": {}, "fsGroup": {}}});
        let container =
            json!({"properties": {"name": {}, "image": {}, "securityContext": context}});
        let pod = json!({"properties": {"containers": {"items": container}, "volumes": {}, "securityContext": context}});
        let spec = json!({"properties": {
            "workers": {"items": {"properties": {"template": {"properties": {"spec": pod}}}}},
            "roles": {"additionalProperties": {"properties": {"podSecurityContext": context}}},
            "replicas": {"type": "integer"},
        }});
        let document = json!({"components": {"schemas": {
            "other": {"x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Other"}], "properties": {"spec": pod}},
            "grid": {"x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Grid", "version": "v1"}],
                "properties": {"status": pod, "spec": spec}},
        }}});
        let expected = [
            Takes::Pod("spec.workers[].template.spec".to_owned()),
            Takes::Context("spec.roles.*.podSecurityContext".to_owned()),
        ];
        assert_eq!(takes(&document, "example.com", "Grid"), expected);
        assert_eq!(takes(&document, "example.org", "Grid"), []);
        assert_eq!(takes(&json!({}), "example.com", "Grid"), []);
    }
}
