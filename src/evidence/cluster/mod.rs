//! The API server, read only: every request here is a GET, but for the question of what the user
//! may do.

mod access;
mod change;
mod connection;
mod disruption;
mod exec;
mod failure;
mod images;
mod list;
mod names;
mod namespace;
mod nodes;
mod protobuf;
mod records;
mod releases;
mod schema;
mod scope;
mod storage;
mod virtual_machines;
mod watch;
mod workload_store;
mod workloads;

use std::error::Error as StdError;
use std::pin::pin;
use std::time::Duration;

use futures::AsyncReadExt as _;
use kube::api::{ListParams, LogParams};
use kube::core::Request;
use serde::de::DeserializeOwned;

pub use self::access::Right;
pub use self::connection::{Connection, Entries};
pub use self::exec::{Place, TrialPlace};
pub use self::failure::Text;
pub use self::protobuf::parse_pod;
pub use self::scope::{Fields, Namespaces, Scope, Selection};
pub use self::watch::Watch;
pub use self::workloads::Inventory;
use crate::error::Error;

/// A connection to one API server.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    server: String,
    /// The namespace of `-n`, or of the current context.
    pub namespace: String,
}

/// How often a request is sent in all, when the server says that it cannot answer now.
const MAX_ATTEMPTS: u32 = 6;

/// The first wait before a retry; it doubles each time, unless the server names one.
const FIRST_RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// The longest wait before a retry, whatever the server names.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// A request that was not answered with what it asked for.
#[derive(Debug)]
pub struct ApiFailure {
    /// The HTTP status code, if the server answered at all.
    pub code: Option<u16>,
    pub error: Error,
}

impl ApiFailure {
    /// The server answered 403: the user may not do this.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.code == Some(403)
    }
}

impl Cluster {
    /// The client, for the rooms that write.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Gets one object at an API path, as `/api/v1/namespaces/shop`; `what` names it for people.
    async fn get<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, ApiFailure> {
        let params = ListParams::default();
        self.attempt(what, || self.request_json(path, &params)).await
    }

    /// The end of a container's log, at most `lines` lines and `bytes` bytes of it.
    ///
    /// # Errors
    /// No such pod, container or previous container; no permission to read logs; no answer.
    pub async fn log_tail(
        &self,
        (namespace, pod, container): (&str, &str, &str),
        previous: bool,
        lines: i64,
        bytes: i64,
    ) -> Result<String, ApiFailure> {
        let what = format!("read the log of container {container} of pod {namespace}/{pod}");
        let params = LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(lines),
            limit_bytes: Some(bytes),
            ..LogParams::default()
        };
        let request = || async {
            let request =
                Request::new(format!("/api/v1/namespaces/{namespace}/pods")).logs(pod, &params);
            self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await
        };
        self.attempt(&what, request).await
    }

    /// The log of a container from its beginning, as it comes; where it is followed, until the
    /// container ends.
    ///
    /// # Errors
    /// As [`Cluster::log_tail`]; what came before is good.
    pub async fn stream_log(
        &self,
        (namespace, pod, container): (&str, &str, &str),
        follow: bool,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ApiFailure> {
        let what = format!("read the log of container {container} of pod {namespace}/{pod}");
        let params =
            LogParams { container: Some(container.to_owned()), follow, ..LogParams::default() };
        let request =
            Request::new(format!("/api/v1/namespaces/{namespace}/pods")).logs(pod, &params);
        let request = request
            .map_err(kube::Error::BuildRequest)
            .map_err(|error| self.refusal(&what, &error))?;
        let stream = self
            .client
            .request_stream(request)
            .await
            .map_err(|error| self.refusal(&what, &error))?;
        let mut stream = pin!(stream);
        let mut piece = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut piece).await {
                Ok(0) => return Ok(()),
                Ok(length) => take(&piece[..length]),
                Err(error) => {
                    return Err(ApiFailure { code: None, error: Error::remote(what, error) });
                }
            }
        }
    }

    async fn request_json<T: DeserializeOwned>(
        &self,
        path: &str,
        params: &ListParams,
    ) -> Result<T, kube::Error> {
        let request = Request::new(path).list(params).map_err(kube::Error::BuildRequest)?;
        let text = self.client.request_text(request).await?;
        serde_json::from_str(&text).map_err(kube::Error::SerdeError)
    }

    /// Sends a read until the server answers it, at most [`MAX_ATTEMPTS`] times.
    async fn attempt<T, F>(&self, what: &str, request: impl Fn() -> F) -> Result<T, ApiFailure>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let mut wait = FIRST_RETRY_INTERVAL;
        for attempt in 1.. {
            let error = match request().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(asked) = retry_after(&error).filter(|_| attempt < MAX_ATTEMPTS) else {
                return Err(self.refusal(what, &error));
            };
            tracing::debug!(what, attempt, %error, "the server cannot answer now");
            tokio::time::sleep(asked.unwrap_or(wait).min(MAX_RETRY_INTERVAL)).await;
            wait *= 2;
        }
        unreachable!("the last attempt returns")
    }

    fn refusal(&self, what: &str, error: &kube::Error) -> ApiFailure {
        let kube::Error::Api(status) = error else {
            let error = match error {
                kube::Error::SerdeError(why) => Error::remote(
                    what,
                    format!("the server's answer is not what its API promises: {why}"),
                ),
                error => Error::remote(format!("{what} at {}", self.server), innermost(error))
                    .help("is the cluster up, and the context right?"),
            };
            return ApiFailure { code: None, error };
        };
        let why = status.message.lines().next().unwrap_or_default();
        let error = match status.code {
            401 => Error::remote(what, format!("{} does not accept your credentials", self.server))
                .help("they may have expired: log in again"),
            code if why.is_empty() => Error::remote(what, format!("the server answers {code}")),
            _ => Error::remote(what, why),
        };
        ApiFailure { code: Some(status.code), error }
    }
}

/// Whether a read is worth sending again: `None` if not, else the wait that the server asked for,
/// if it did.
fn retry_after(error: &kube::Error) -> Option<Option<Duration>> {
    let kube::Error::Api(status) = error else { return None };
    if !matches!(status.code, 429 | 500 | 502 | 503 | 504) {
        return None;
    }
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    Some((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

/// Whether nobody can tell if a request was carried out: the connection broke, or the server says
/// that it failed midway.
#[must_use]
pub(crate) fn is_uncertain(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 500 | 502 | 503 | 504),
        kube::Error::SerdeError(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
            true
        }
        kube::Error::Service(_) => true,
        _ => false,
    }
}

/// Whether the server does not know us any more: nothing else will be answered either.
#[must_use]
pub(crate) fn is_unauthorized(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401)
}

/// Sends a request that does no harm if it is carried out twice, until it is certain what came of
/// it, or a few times.
///
/// # Errors
/// The last answer.
pub(crate) async fn insist<T, F>(request: impl Fn() -> F) -> Result<T, kube::Error>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let mut wait = FIRST_RETRY_INTERVAL;
    for _ in 1..MAX_ATTEMPTS {
        match request().await {
            Err(error) if is_uncertain(&error) => {
                tracing::debug!(%error, "asking again");
                tokio::time::sleep(
                    retry_after(&error).flatten().unwrap_or(wait).min(MAX_RETRY_INTERVAL),
                )
                .await;
                wait *= 2;
            }
            answer => return answer,
        }
    }
    request().await
}

/// The cause at the bottom of a chain of errors: "connection refused", without the layers that
/// passed it on, and without the excerpt that a parser's message goes on with.
pub(crate) fn innermost(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}
