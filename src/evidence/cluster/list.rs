//! Collections, page by page, in the encoding that costs least.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::response::Parts;
use kube::api::ListParams;
use kube::core::{ObjectList, Request, Status};
use prost::DecodeError;
use serde::de::DeserializeOwned;

use super::{ApiFailure, Cluster, protobuf};
use crate::error::Error;

/// Objects per page of a list: what kubectl asks for (`--chunk-size`).
pub(super) const PAGE: u32 = 500;

/// What is asked for, best first: custom resources and what stands before some servers know JSON
/// only.
const OBJECTS: &str = "application/vnd.kubernetes.protobuf,application/json";

/// The same for the metadata of objects alone.
const METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                        application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// The status codes with which a server says that it has none of the encodings asked for.
const NO_SUCH_ENCODING: [u16; 2] = [406, 415];

/// How a collection is asked for, and its items are read from protobuf. From JSON they are read as
/// their type says.
pub(super) struct Encoding<T> {
    accept: &'static str,
    pub(super) item: Option<fn(Bytes) -> Result<T, DecodeError>>,
}

impl<T> Encoding<T> {
    /// JSON alone.
    pub(super) const JSON: Encoding<T> = Encoding { accept: "application/json", item: None };

    /// Whole objects in protobuf, else in JSON.
    pub(super) const fn objects(item: fn(Bytes) -> Result<T, DecodeError>) -> Encoding<T> {
        Encoding { accept: OBJECTS, item: Some(item) }
    }

    /// The metadata of objects in protobuf, else in JSON, and from a server that has no such thing
    /// whole objects.
    pub(super) const fn metadata(item: fn(Bytes) -> Result<T, DecodeError>) -> Encoding<T> {
        Encoding { accept: METADATA, item: Some(item) }
    }
}

/// A page as the server sent it.
enum Page {
    Protobuf(Bytes),
    Json(Bytes),
}

/// Why a list ends early.
enum Stop {
    Refused(ApiFailure),
    /// What it says in protobuf cannot be read.
    Undecodable(DecodeError),
}

impl From<ApiFailure> for Stop {
    fn from(refusal: ApiFailure) -> Self {
        Stop::Refused(refusal)
    }
}

impl Cluster {
    /// Lists a collection at an API path page by page and hands every object to `each`, while the
    /// next page is on its way. The value is the version of the collection.
    /// A list whose pages expire midway (410) is refused with that code, after some objects were
    /// handed over; where protobuf fails midway, some are handed over twice.
    pub(super) async fn list<T>(
        &self,
        path: &str,
        params: &ListParams,
        what: &str,
        encoding: &Encoding<T>,
        mut each: impl FnMut(T),
    ) -> Result<String, ApiFailure>
    where
        T: DeserializeOwned + Clone,
    {
        match self.try_list(path, params, what, encoding, &mut each).await {
            Ok(version) => Ok(version),
            Err(Stop::Refused(refusal))
                if !refusal.code.is_some_and(|code| NO_SUCH_ENCODING.contains(&code)) =>
            {
                Err(refusal)
            }
            Err(stop) => {
                if let Stop::Undecodable(error) = &stop {
                    tracing::debug!(what, %error, "protobuf cannot be read, JSON is asked for");
                }
                match self.try_list(path, params, what, &Encoding::JSON, &mut each).await {
                    Err(Stop::Refused(refusal)) => Err(refusal),
                    Err(Stop::Undecodable(error)) => Err(unreadable(what, error)),
                    Ok(version) => Ok(version),
                }
            }
        }
    }

    async fn try_list<T>(
        &self,
        path: &str,
        params: &ListParams,
        what: &str,
        encoding: &Encoding<T>,
        each: &mut impl FnMut(T),
    ) -> Result<String, Stop>
    where
        T: DeserializeOwned + Clone,
    {
        let mut page =
            self.page(path.to_owned(), first(params), what.to_owned(), encoding.accept).await?;
        loop {
            // What continues a list stands at its beginning in protobuf, and nowhere in particular
            // in JSON.
            let (items, token, version) = match (page, encoding.item) {
                (Page::Protobuf(body), Some(item)) => {
                    let list = protobuf::list(&body).map_err(Stop::Undecodable)?;
                    (Items::Protobuf(list.items, item), list.r#continue, list.resource_version)
                }
                (Page::Protobuf(_), None) => {
                    return Err(unreadable(what, "JSON was asked for").into());
                }
                (Page::Json(body), _) => {
                    // From text, as the client reads what else it is sent: the code to read a pod
                    // is large, and it is made once for each kind of source.
                    let text = std::str::from_utf8(&body).map_err(|why| unreadable(what, why))?;
                    let list: ObjectList<T> =
                        serde_json::from_str(text).map_err(|why| unreadable(what, why))?;
                    let meta = list.metadata;
                    let [token, version] =
                        [meta.continue_, meta.resource_version].map(Option::unwrap_or_default);
                    (Items::Json(list.items), token, version)
                }
            };
            let next = (!token.is_empty()).then(|| {
                let params = ListParams { continue_token: Some(token), ..first(params) };
                let (cluster, path, what, accept) =
                    (self.clone(), path.to_owned(), what.to_owned(), encoding.accept);
                tokio::spawn(async move { cluster.page(path, params, what, accept).await })
            });
            match items {
                Items::Json(items) => items.into_iter().for_each(&mut *each),
                Items::Protobuf(items, item) => {
                    for bytes in items {
                        each(item(bytes).map_err(Stop::Undecodable)?);
                    }
                }
            }
            let Some(next) = next else { return Ok(version) };
            page = next.await.map_err(|why| unreadable(what, why))??;
        }
    }

    async fn page(
        &self,
        path: String,
        params: ListParams,
        what: String,
        accept: &'static str,
    ) -> Result<Page, ApiFailure> {
        self.attempt(&what, || self.request_page(&path, &params, accept)).await
    }

    async fn request_page(
        &self,
        path: &str,
        params: &ListParams,
        accept: &'static str,
    ) -> Result<Page, kube::Error> {
        let mut request = Request::new(path).list(params).map_err(kube::Error::BuildRequest)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        let (head, body) = self.client.send(request.map(Into::into)).await?.into_parts();
        let body = body.collect_bytes().await?;
        if !head.status.is_success() {
            return Err(failure(&head, &body));
        }
        Ok(if is_protobuf(&head) { Page::Protobuf(body) } else { Page::Json(body) })
    }
}

/// Whether an answer is in protobuf.
pub(super) fn is_protobuf(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(protobuf::MEDIA_TYPE.as_bytes()))
}

/// Why a request failed.
pub(super) fn failure(head: &Parts, body: &Bytes) -> kube::Error {
    let said =
        if is_protobuf(head) { protobuf::status(body) } else { serde_json::from_slice(body).ok() };
    // What stands before a server says why in its own way, if at all.
    let other = || {
        Status::failure(String::from_utf8_lossy(body).trim(), "").with_code(head.status.as_u16())
    };
    kube::Error::Api(Box::new(said.unwrap_or_else(other)))
}

enum Items<T> {
    Protobuf(Vec<Bytes>, fn(Bytes) -> Result<T, DecodeError>),
    Json(Vec<T>),
}

fn first(params: &ListParams) -> ListParams {
    ListParams { limit: Some(PAGE), ..params.clone() }
}

fn unreadable(what: &str, why: impl std::fmt::Display) -> ApiFailure {
    let error =
        Error::remote(what, format!("the server's answer is not what its API promises: {why}"));
    ApiFailure { code: None, error }
}
