//! The Pod Security labels of a namespace, and whether they hold.

use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WARNING};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::FIELD_MANAGER;
use crate::error::Error;
use crate::evidence::cluster::{Cluster, innermost, insist};

/// Sets labels of a namespace, or takes those away that have no value; `dry_run` only asks. Comes
/// back with what the API server warns of: of a level to be enforced, the pods that violate it
/// (k8s.io/pod-security-admission, admission.go, EvaluatePodsInNamespace).
///
/// # Errors
/// The API server refuses it or does not answer.
pub async fn label(
    cluster: &Cluster,
    namespace: &str,
    labels: &BTreeMap<String, Option<String>>,
    dry_run: bool,
) -> Result<Vec<String>, Error> {
    let names: Vec<&str> = labels.keys().map(String::as_str).collect();
    let attempted = format!("set {} of namespace {namespace}", names.join(", "));
    let params = PatchParams {
        dry_run,
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    let fail = |why: String| Error::remote(attempted.clone(), why);
    let request = || {
        let mut request = Request::new("/api/v1/namespaces").patch(namespace, &params, &patch)?;
        let media_type = HeaderValue::from_static("application/merge-patch+json");
        request.headers_mut().insert(CONTENT_TYPE, media_type);
        Ok::<_, kube::core::request::Error>(request.map(Into::into))
    };
    let (head, body) = insist(|| async {
        let answer = cluster.client().send(request().map_err(kube::Error::BuildRequest)?).await?;
        let (head, body) = answer.into_parts();
        Ok::<_, kube::Error>((head, body.collect_bytes().await?))
    })
    .await
    .map_err(|error| fail(innermost(&error)))?;
    if !head.status.is_success() {
        let status: Value = serde_json::from_slice(&body).unwrap_or_default();
        let why = status["message"].as_str().map_or_else(|| head.status.to_string(), str::to_owned);
        return Err(fail(why));
    }
    Ok(warnings(&head.headers))
}

/// The texts of an answer's warnings (RFC 9111, 5.5: `299 - "text"`).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok());
    let texts = values.filter_map(|value| {
        let quoted = value.split_once('"')?.1;
        let end = quoted.rfind('"')?;
        Some(quoted[..end].replace("\\\"", "\"").replace("\\\\", "\\"))
    });
    texts.collect()
}

/// The labels of a namespace.
///
/// # Errors
/// It is not there, or may not be read.
pub async fn labels(cluster: &Cluster, namespace: &str) -> Result<BTreeMap<String, String>, Error> {
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    let found = insist(|| namespaces.get(namespace))
        .await
        .map_err(|error| Error::remote(format!("read namespace {namespace}"), innermost(&error)))?;
    Ok(found.metadata.labels.unwrap_or_default())
}

/// Whether a namespace would make a pod now: `None` if it would, else why not. Nothing is created.
///
/// # Errors
/// The pod cannot be parsed, or the API server does not answer.
pub async fn refuses(
    cluster: &Cluster,
    namespace: &str,
    pod: &Value,
) -> Result<Option<String>, Error> {
    let attempted = || format!("ask namespace {namespace} whether it would make a pod");
    let pod = Pod::deserialize(pod).map_err(|error| Error::input(attempted(), error))?;
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let params = PostParams { dry_run: true, field_manager: Some(FIELD_MANAGER.to_owned()) };
    match insist(|| pods.create(&params, &pod)).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 403 || status.code == 422 => {
            Ok(Some(status.message))
        }
        Err(error) => Err(Error::remote(attempted(), innermost(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_unquoted() {
        let mut headers = HeaderMap::new();
        let said = r#"299 - "web-1: unrestricted capabilities (container \"web\")""#;
        headers.append(WARNING, HeaderValue::from_static(said));
        headers.append(WARNING, HeaderValue::from_static("299 - nothing"));
        assert_eq!(warnings(&headers), [r#"web-1: unrestricted capabilities (container "web")"#]);
    }
}
