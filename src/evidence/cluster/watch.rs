//! A part of a cluster, kept up to date: one list and then what changes.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};
use k8s_openapi::api::core::v1::Event;
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;

use super::change::{Change, INITIAL_EVENTS_END};
use super::list::{self, Encoding};
use super::records::{Controller, Key, PodSummary};
use super::scope::collection;
use super::workload_store::WorkloadStore;
use super::workloads::{Asked, CONTROLLERS};
use super::{ApiFailure, Cluster, Namespaces, Scope, innermost, protobuf};
use crate::error::{Error, Partial};
use crate::model::podsecurity::Namespace;
use crate::model::workload::Workload;

/// What is asked for, best first.
const EVENTS: &str =
    "application/vnd.kubernetes.protobuf;stream=watch,application/json;stream=watch";
const JSON_EVENTS: &str = "application/json;stream=watch";

/// How long a server that streams its lists (KEP-3157) is silent before the last of it. One that
/// knows nothing of that is silent for ever.
const FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The wait before a connection that broke is made anew.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// The longest event: etcd holds no object of more than 1.5 MiB, and JSON may be some times its
/// size.
const MAX_EVENT_BYTES: usize = 64 << 20;

/// The workloads of a scope as they are now.
pub struct Watch<'a> {
    cluster: &'a Cluster,
    scope: &'a Scope,
    store: RefCell<WorkloadStore>,
    namespaces: RefCell<Vec<Namespace>>,
    errors: RefCell<Vec<Error>>,
    changed: Notify,
    /// Collections whose first list has not ended.
    awaited: Cell<usize>,
}

impl Cluster {
    /// A watch of a scope, which does nothing before it runs.
    #[must_use]
    pub fn watch<'a>(&'a self, scope: &'a Scope) -> Watch<'a> {
        Watch {
            cluster: self,
            scope,
            store: RefCell::default(),
            namespaces: RefCell::default(),
            errors: RefCell::default(),
            changed: Notify::new(),
            awaited: Cell::new(CONTROLLERS.len() + 2),
        }
    }
}

/// One collection, and what its objects are to the store.
struct Source<'a, T> {
    path: String,
    params: ListParams,
    what: String,
    /// Whose keys are gone when a new list does not have them; `None` for events.
    kind: Option<&'a str>,
    encoding: Encoding<T>,
    put: &'a dyn Fn(&mut WorkloadStore, T) -> Option<Key>,
    gone: &'a dyn Fn(&mut WorkloadStore, &T),
}

/// Why following a collection ended.
enum End {
    Refused(ApiFailure),
    /// What was read is out of date: it is to be listed anew.
    Expired,
    /// The server does not stream lists.
    NoStreamedLists,
}

impl Watch<'_> {
    /// Keeps up to date until the pods cannot be watched; a controller that cannot is an error
    /// beside the rest.
    pub async fn run(&self) -> Error {
        let namespace = match &self.scope.namespaces {
            Namespaces::All => None,
            Namespaces::One(name) => Some(name.as_str()),
        };
        let place =
            namespace.map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
        let read = self.cluster.namespaces(namespace).await;
        self.namespaces.replace(read.value);
        self.errors.borrow_mut().extend(read.errors);
        let place = place.as_str();
        let controllers = CONTROLLERS.iter().map(|kind| async move {
            let Some(Asked { params, steps_only }) = kind.asked(&self.scope.selection) else {
                return self.listed();
            };
            let source = Source {
                path: collection(kind.api, kind.resource, namespace),
                params,
                what: format!("watch {} in {place}", kind.resource),
                kind: Some(kind.kind),
                encoding: Encoding::objects(kind.item),
                put: &|store, controller: Controller| {
                    let is_meant = !steps_only || controller.metadata.owner_references.is_some();
                    is_meant.then(|| store.controller(kind.api_version, kind.kind, controller))
                },
                gone: &|store, controller| store.controller_gone(kind.kind, controller),
            };
            self.beside(self.follow(&source).await);
        });
        let events = async {
            let source = Source {
                path: collection("/api/v1", "events", namespace),
                params: ListParams::default().fields("reason=FailedCreate"),
                what: format!("watch events in {place}"),
                kind: None,
                encoding: Encoding::JSON,
                put: &|store, event: Event| {
                    store.failed_create(event);
                    None
                },
                // An event is forgotten, and what it told of did happen.
                gone: &|_, _| {},
            };
            self.beside(self.follow(&source).await);
        };
        let pods = async {
            let source = Source {
                path: collection("/api/v1", "pods", namespace),
                params: self.scope.selection.of_pods(),
                what: format!("watch pods in {place}"),
                kind: Some("Pod"),
                encoding: Encoding::objects(protobuf::pod),
                put: &|store, pod: PodSummary| Some(store.pod(pod)),
                gone: &|store, pod| store.pod_gone(pod),
            };
            self.follow(&source).await.error
        };
        let others = async {
            tokio::join!(join_all(controllers), events);
            std::future::pending::<Error>().await
        };
        tokio::select! {
            error = pods => error,
            error = others => error,
        }
    }

    fn beside(&self, refusal: ApiFailure) {
        self.errors.borrow_mut().push(refusal.error);
        self.listed();
    }

    /// One collection more is complete.
    fn listed(&self) {
        self.awaited.set(self.awaited.get().saturating_sub(1));
        self.changed.notify_one();
    }

    /// Waits for a change, at first for everything to be listed.
    pub async fn changed(&self) {
        loop {
            self.changed.notified().await;
            if self.awaited.get() == 0 {
                return;
            }
        }
    }

    /// Hands over each workload that there is now, one after the other.
    pub fn each(&self, take: impl FnMut(Workload)) {
        self.store.borrow_mut().each(take);
    }

    /// The namespaces as they were when the watch began, and what could not be read since.
    #[must_use]
    pub fn namespaces(&self) -> Partial<Vec<Namespace>> {
        Partial { value: self.namespaces.borrow().clone(), errors: self.errors.borrow().clone() }
    }

    /// Follows a collection for ever, or until the server refuses.
    async fn follow<T: DeserializeOwned + Clone>(&self, source: &Source<'_, T>) -> ApiFailure {
        let (mut streamed, mut is_first) = (true, true);
        loop {
            let stale = RefCell::new(
                source.kind.map(|kind| self.store.borrow().keys(kind)).unwrap_or_default(),
            );
            let synced = || {
                self.store.borrow_mut().forget(&*stale.borrow());
                stale.borrow_mut().clear();
                match std::mem::take(&mut is_first) {
                    true => self.listed(),
                    false => self.changed.notify_one(),
                }
            };
            let end = if streamed {
                self.stream(source, "", &stale, Some(synced)).await
            } else {
                self.list_and_stream(source, &stale, synced).await
            };
            match end {
                End::NoStreamedLists => streamed = false,
                End::Expired => tokio::time::sleep(RECONNECT_INTERVAL).await,
                End::Refused(refusal)
                    if !is_first && refusal.code.is_none_or(|code| code == 429 || code >= 500) =>
                {
                    tracing::debug!(error = %refusal.error, "the watch broke");
                    tokio::time::sleep(RECONNECT_INTERVAL).await;
                }
                End::Refused(refusal) => return refusal,
            }
        }
    }

    async fn list_and_stream<T: DeserializeOwned + Clone>(
        &self,
        source: &Source<'_, T>,
        stale: &RefCell<HashSet<Key>>,
        synced: impl FnOnce(),
    ) -> End {
        let take = |item: T| self.put(source, stale, item);
        match self
            .cluster
            .list(&source.path, &source.params, &source.what, &source.encoding, take)
            .await
        {
            Err(refusal) if refusal.code == Some(410) => End::Expired,
            Err(refusal) => End::Refused(refusal),
            Ok(version) => {
                synced();
                self.stream(source, &version, stale, None::<fn()>).await
            }
        }
    }

    fn put<T>(&self, source: &Source<'_, T>, stale: &RefCell<HashSet<Key>>, item: T) {
        if let Some(key) = (source.put)(&mut self.store.borrow_mut(), item) {
            stale.borrow_mut().remove(&key);
        }
    }

    /// Takes events from a version on; with `synced` from what is there now on, which it is called
    /// after.
    async fn stream<T: DeserializeOwned>(
        &self,
        source: &Source<'_, T>,
        version: &str,
        stale: &RefCell<HashSet<Key>>,
        mut synced: Option<impl FnOnce()>,
    ) -> End {
        let mut version = version.to_owned();
        let mut open = None;
        loop {
            let events = match &mut open {
                Some(events) => events,
                none => match self.events(source, &version, synced.is_some()).await {
                    Ok(events) => none.insert(events),
                    Err(ApiFailure { code: Some(400 | 422), .. }) if synced.is_some() => {
                        return End::NoStreamedLists;
                    }
                    Err(ApiFailure { code: Some(410), .. }) => return End::Expired,
                    Err(refusal) => return End::Refused(refusal),
                },
            };
            let next = if synced.is_some() {
                match tokio::time::timeout(FIRST_EVENT_TIMEOUT, events.next()).await {
                    Ok(next) => next,
                    Err(_) => return End::NoStreamedLists,
                }
            } else {
                events.next().await
            };
            let change = match next {
                Ok(Some((change, at))) => {
                    version = at;
                    change
                }
                // The server ends each watch after some minutes.
                Ok(None) if synced.is_none() => {
                    open = None;
                    continue;
                }
                Ok(None) => return End::Expired,
                Err(why) => {
                    let error = Error::remote(source.what.clone(), why);
                    return End::Refused(ApiFailure { code: None, error });
                }
            };
            match change {
                Change::Put(item) => {
                    self.put(source, stale, item);
                    if synced.is_none() {
                        self.changed.notify_one();
                    }
                }
                Change::Gone(item) => {
                    (source.gone)(&mut self.store.borrow_mut(), &item);
                    self.changed.notify_one();
                }
                Change::Bookmark { is_initial_end } => {
                    if let Some(synced) = synced.take_if(|_| is_initial_end) {
                        synced();
                    }
                }
                Change::Failed(status) if status.code == 410 => return End::Expired,
                Change::Failed(status) => {
                    return End::Refused(
                        self.cluster.refusal(&source.what, &kube::Error::Api(status)),
                    );
                }
            }
        }
    }
}

/// The events of one connection.
struct Events<T> {
    body: Body,
    buffer: BytesMut,
    decode: Decode<T>,
}

enum Decode<T> {
    Protobuf(fn(Bytes) -> Result<T, prost::DecodeError>),
    Json,
}

#[derive(Deserialize)]
struct JsonEvent {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}

impl Watch<'_> {
    /// Connects to the events of a collection: from a version on, or with `initial` from all that
    /// is there on.
    async fn events<T>(
        &self,
        source: &Source<'_, T>,
        version: &str,
        initial: bool,
    ) -> Result<Events<T>, ApiFailure> {
        let params = WatchParams {
            label_selector: source.params.label_selector.clone(),
            field_selector: source.params.field_selector.clone(),
            send_initial_events: initial,
            ..WatchParams::default()
        };
        let connect = || async {
            let mut request = Request::new(source.path.as_str())
                .watch(&params, version)
                .map_err(kube::Error::BuildRequest)?;
            let accept = if source.encoding.item.is_some() { EVENTS } else { JSON_EVENTS };
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
            // Kubernetes 1.37 compresses each event by itself, and our client takes the end of one
            // for the end of all.
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            let (head, body) =
                self.cluster.client.send(request.map(Into::into)).await?.into_parts();
            if !head.status.is_success() {
                return Err(list::failure(&head, &body.collect_bytes().await?));
            }
            let decode = match source.encoding.item.filter(|_| list::is_protobuf(&head)) {
                Some(item) => Decode::Protobuf(item),
                None => Decode::Json,
            };
            Ok(Events { body, buffer: BytesMut::new(), decode })
        };
        self.cluster.attempt(&source.what, connect).await
    }
}

impl<T: DeserializeOwned> Events<T> {
    /// The next event and the version after it; `None` where the server ended the stream.
    async fn next(&mut self) -> Result<Option<(Change<T>, String)>, String> {
        loop {
            if let Some(event) = self.framed()? {
                return Ok(Some(event));
            }
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Err("an event is longer than any object can be".to_owned());
            }
            match http_body_util::BodyExt::frame(&mut self.body).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(innermost(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// Takes one whole event off the buffer.
    fn framed(&mut self) -> Result<Option<(Change<T>, String)>, String> {
        match &self.decode {
            Decode::Protobuf(item) => {
                // Each is preceded by its length (k8s.io/apimachinery, pkg/util/framer).
                let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
                let length = u32::from_be_bytes(*length) as usize;
                if self.buffer.len() < 4 + length {
                    return Ok(None);
                }
                let frame = self.buffer.split_to(4 + length).freeze().slice(4..);
                protobuf::event(frame, *item).map(Some).map_err(|error| error.to_string())
            }
            Decode::Json => {
                let Some(end) = memchr::memchr(b'\n', &self.buffer) else { return Ok(None) };
                let line = self.buffer.split_to(end + 1);
                let JsonEvent { kind, object } =
                    serde_json::from_slice(&line).map_err(|error| error.to_string())?;
                let read =
                    |object: Value| T::deserialize(&object).map_err(|error| error.to_string());
                let version =
                    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                let change = match kind.as_str() {
                    "DELETED" => Change::Gone(read(object)?),
                    "BOOKMARK" => Change::Bookmark {
                        is_initial_end: object["metadata"]["annotations"][INITIAL_EVENTS_END]
                            == "true",
                    },
                    "ERROR" => Change::Failed(
                        Box::deserialize(&object).map_err(|error| error.to_string())?,
                    ),
                    _ => Change::Put(read(object)?),
                };
                Ok(Some((change, version)))
            }
        }
    }
}
