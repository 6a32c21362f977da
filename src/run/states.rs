//! The states of one pod as they come: the one wait of this room.

use std::future::ready;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watch_object};
use tokio::time::timeout;

use crate::error::Error;
use crate::evidence::cluster::{innermost, is_unauthorized};

/// How often in a row a watch may break before the connection counts as lost, some fifteen seconds
/// later.
const MAX_BREAKS: u32 = 5;

/// How long the kubelet may take before a container runs at all; it may have an image to pull.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(180);

/// The states of a pod; `None` while it is not there. A watch that breaks is taken up again, a
/// little later each time, and a connection that is lost is the last item.
pub(super) fn states(
    pods: Api<Pod>,
    name: &str,
) -> impl Stream<Item = Result<Option<Pod>, Error>> + Send + 'static {
    let attempted = format!("watch pod {name}");
    watch_object(pods, name)
        .default_backoff()
        .scan(0, move |breaks, state| {
            let item = match state {
                Ok(pod) => {
                    *breaks = 0;
                    Some(Ok(pod))
                }
                Err(error) if has_expired(&error) || *breaks + 1 >= MAX_BREAKS => {
                    Some(Err(Error::remote(attempted.clone(), innermost(&error))))
                }
                Err(error) => {
                    *breaks += 1;
                    tracing::debug!(%error, "the watch broke");
                    None
                }
            };
            ready(Some(item))
        })
        .filter_map(ready)
        .boxed()
}

/// The first answer that `judge` gives of a pod's states within a time. `None`: it gave none, or
/// the connection was lost.
pub(super) async fn first<T>(
    pods: Api<Pod>,
    name: &str,
    limit: Duration,
    mut judge: impl FnMut(Pod) -> Option<T>,
) -> Option<T> {
    let mut states = states(pods, name);
    let answer = async {
        while let Some(Ok(state)) = states.next().await {
            if let Some(answer) = state.and_then(&mut judge) {
                return Some(answer);
            }
        }
        None
    };
    timeout(limit, answer).await.ok().flatten()
}

/// Whether a watch broke because the server does not know us any more.
fn has_expired(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    matches!(error, InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) if is_unauthorized(error))
}
