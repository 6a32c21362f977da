//! Commands in a running container, for looking only.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::AsyncReadExt as _;

use super::{Cluster, innermost};
use crate::error::Error;
use crate::evidence::inside;
use crate::model::facts::CommandOption;
use crate::model::filesystem::{PathStat, PathStats};
use crate::model::inside::{AccessContext, Inside, SearchHits};

/// The most that one answer may bring: a look at a container with a hundred thousand changed files
/// stays below it.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// How long one look may take: the longest reads all configuration of an image on a slow node.
const EXEC_TIMEOUT: Duration = Duration::from_secs(20);

/// Where to look: namespace, pod, container.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub container: &'a str,
}

/// A container of a pod that a trial made, in which the image's own programs may be executed. In
/// the pods of a user only scripts that read are run, and those take a [`Place`].
#[derive(Debug, Clone, Copy)]
pub struct TrialPlace<'a>(Place<'a>);

impl<'a> TrialPlace<'a> {
    /// How the names of a trial's pods begin.
    pub const PREFIX: &'static str = "nonroot-trial-";

    /// `None` where the pod's name is not that of a trial's pod.
    #[must_use]
    pub fn new(place: Place<'a>) -> Option<Self> {
        place.pod.starts_with(Self::PREFIX).then_some(TrialPlace(place))
    }
}

impl Cluster {
    /// What a running container shows of itself, in one round trip.
    ///
    /// # Errors
    /// The container does not run, has no shell, or the user may not exec into pods.
    pub async fn look_inside(&self, place: Place<'_>) -> Result<Inside, Error> {
        Ok(inside::inside(&self.shell(place, inside::GATHER, &[]).await?))
    }

    /// What is at some paths of a running container, and on the way to them. `None`: it has no
    /// stat(1).
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn look_at(
        &self,
        place: Place<'_>,
        paths: &[&str],
    ) -> Result<Option<PathStats>, Error> {
        Ok(inside::path_stats(&self.shell(place, inside::PATH_STATS, paths).await?))
    }

    /// Configuration lines that begin with one of some words, and databases, in a running
    /// container.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn find_in(&self, place: Place<'_>, words: &[&str]) -> Result<SearchHits, Error> {
        Ok(inside::search_hits(&self.shell(place, inside::FIND, words).await?))
    }

    /// The options of a program, as its own help tells them. The program is executed for that: one
    /// that knows no `--help` starts, and is ended.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn help_of(
        &self,
        place: TrialPlace<'_>,
        program: &str,
    ) -> Result<Vec<CommandOption>, Error> {
        Ok(inside::options(&self.shell(place.0, inside::HELP, &[program]).await?))
    }

    /// How the scripts among some words become a program, in a running container: file and line of
    /// each call.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn calls_of(
        &self,
        place: Place<'_>,
        words: &[&str],
    ) -> Result<Vec<(String, String)>, Error> {
        Ok(inside::calls(&self.shell(place, inside::CALLS, words).await?))
    }

    /// What a running container logged to files: path and end of each.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn log_files(&self, place: Place<'_>) -> Result<Vec<(String, String)>, Error> {
        Ok(inside::logs(&self.shell(place, inside::LOGS, &[]).await?))
    }

    /// How many bytes some directories of a running container hold, where it has du(1).
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn usage_of(
        &self,
        place: Place<'_>,
        paths: &[&str],
    ) -> Result<Vec<(String, u64)>, Error> {
        Ok(inside::usage(&self.shell(place, inside::USAGE, paths).await?))
    }

    /// Those of some paths that the user of a running container may not write, nor make where they
    /// are missing.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn refused(&self, place: Place<'_>, paths: &[&str]) -> Result<Vec<String>, Error> {
        Ok(inside::paths(&self.shell(place, inside::REFUSED, paths).await?))
    }

    /// Files of a copy's container that not everybody may read, and those of them that its programs
    /// name.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn private_files(
        &self,
        place: TrialPlace<'_>,
    ) -> Result<(Vec<PathStat>, Vec<String>), Error> {
        Ok(inside::private(&self.shell(place.0, inside::PRIVATE, &[]).await?))
    }

    /// Those of some files that the user of a running container may not read.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn unreadable(&self, place: Place<'_>, paths: &[&str]) -> Result<Vec<String>, Error> {
        Ok(inside::paths(&self.shell(place, inside::UNREADABLE, paths).await?))
    }

    /// The absolute paths that a program names which is started with some words, in a running
    /// container.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn named_by(&self, place: Place<'_>, words: &[&str]) -> Result<Vec<String>, Error> {
        Ok(inside::paths(&self.shell(place, inside::PATHS, words).await?))
    }

    /// What decides over access in a running container, and the file capabilities of some files,
    /// given without links.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn access_context(
        &self,
        place: Place<'_>,
        files: &[&str],
    ) -> Result<AccessContext, Error> {
        let answer = self.shell(place, inside::ACCESS_CONTEXT, files).await?;
        Ok(inside::access_context(&answer))
    }

    /// Sends SIGHUP to the first process of a copy's container, and tells whether that catches it.
    ///
    /// # Errors
    /// As [`Cluster::look_inside`].
    pub async fn reload(&self, place: TrialPlace<'_>) -> Result<bool, Error> {
        Ok(self.shell(place.0, inside::HUP, &[]).await?.contains("sent"))
    }

    /// The exit code of a command in a copy's container. What it prints is not read.
    ///
    /// # Errors
    /// The container does not run or has no such program, or it does not end in time.
    pub async fn execute(
        &self,
        place: TrialPlace<'_>,
        command: &[String],
        limit: Duration,
    ) -> Result<i32, Error> {
        let Place { namespace, pod, container } = place.0;
        let attempted =
            format!("execute a command in container {container} of pod {namespace}/{pod}");
        let fail = |why: String| Error::remote(attempted.clone(), why);
        let params =
            AttachParams::default().container(container).stdin(false).stdout(true).stderr(true);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let ended = async {
            let mut process =
                pods.exec(pod, command, &params).await.map_err(|e| fail(innermost(&e)))?;
            // Unread, its output would stop it.
            let (mut out, mut err) = (process.stdout(), process.stderr());
            let drain = async {
                if let Some(out) = &mut out {
                    let _ = tokio::io::copy(out, &mut tokio::io::sink()).await;
                }
            };
            let drain_err = async {
                if let Some(err) = &mut err {
                    let _ = tokio::io::copy(err, &mut tokio::io::sink()).await;
                }
            };
            let status = process.take_status();
            tokio::join!(drain, drain_err);
            match status {
                Some(status) => {
                    status.await.ok_or_else(|| fail("the connection was cut".to_owned()))
                }
                None => Err(fail("the connection was cut".to_owned())),
            }
        };
        let status = tokio::time::timeout(limit, ended).await.unwrap_or_else(|_| {
            Err(fail(format!("it did not end within {} s", limit.as_secs())))
        })?;
        exit_code(&status).ok_or_else(|| fail(status.message.unwrap_or_default()))
    }

    async fn shell(&self, place: Place<'_>, script: &str, args: &[&str]) -> Result<String, Error> {
        let Place { namespace, pod, container } = place;
        let attempted = format!("look into container {container} of pod {namespace}/{pod}");
        // A connection that is cut in the middle of an exec is not told to who reads its streams.
        let answer =
            tokio::time::timeout(EXEC_TIMEOUT, self.answer(place, script, args, attempted.clone()))
                .await;
        answer.unwrap_or_else(|_| {
            Err(Error::remote(attempted, format!("no answer came in {EXEC_TIMEOUT:?}")))
        })
    }

    async fn answer(
        &self,
        place: Place<'_>,
        script: &str,
        args: &[&str],
        attempted: String,
    ) -> Result<String, Error> {
        let Place { namespace, pod, container } = place;
        let fail = |error: &kube::Error| Error::remote(attempted.clone(), innermost(error));
        let command = ["sh", "-c", script, "sh"].into_iter().chain(args.iter().copied());
        let params =
            AttachParams::default().container(container).stdin(false).stdout(true).stderr(false);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let mut process = pods.exec(pod, command, &params).await.map_err(|error| fail(&error))?;
        let mut answer = Vec::new();
        if let Some(stdout) = process.stdout() {
            let read = stdout.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await;
            read.map_err(|error| Error::remote(attempted.clone(), error))?;
        }
        let status = process.take_status();
        if answer.is_empty()
            && let Some(status) = status
            && let Some(status) = status.await
        {
            let why = status.message.unwrap_or_default();
            // runc names the program that it did not find; the message around it differs between
            // runtimes.
            let error = Error::remote(attempted, why.lines().next().unwrap_or_default());
            return Err(
                if why.contains("executable file not found") || why.contains("no such file") {
                    error.help("its image has no shell")
                } else {
                    error
                },
            );
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// The exit code in what the API server says at the end of an exec
/// (k8s.io/apimachinery, `NonZeroExitCodeReason` and `ExitCodeCauseType` of remotecommand).
fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_ref()?.parse().ok()
}
