//! One migration of a namespace at a time: a Lease (coordination.k8s.io/v1), which is renewed as
//! long as the migration runs and is free again some seconds after it was killed.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};

use super::FIELD_MANAGER;
use crate::error::Error;
use crate::evidence::cluster::{Cluster, innermost};

/// How long a Lease holds that is not renewed.
const DURATION: Duration = Duration::from_secs(15);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(4);

/// A Lease that this process holds.
pub struct Held {
    leases: Api<Lease>,
    name: String,
    lease: Lease,
}

/// Takes the Lease of a namespace; waits for one whose holder may have been killed.
///
/// # Errors
/// Another process holds and renews it, or it may not be written.
pub async fn take(cluster: &Cluster, namespace: &str, name: &str) -> Result<Held, Error> {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), namespace);
    let fail = |error: &kube::Error| {
        let attempted = format!("take the lease {name} of namespace {namespace}");
        let failed = Error::remote(attempted, innermost(error));
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                failed.help("docs/rbac/migrate.yaml has what it needs")
            }
            _ => failed,
        }
    };
    let mut first: Option<Lease> = None;
    let begin = tokio::time::Instant::now();
    loop {
        let now = lease(name, None);
        match leases.create(&PostParams::default(), &now).await {
            Ok(lease) => return Ok(Held { leases, name: name.to_owned(), lease }),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(fail(&error)),
        }
        let Some(found) = leases.get_opt(name).await.map_err(|error| fail(&error))? else {
            continue;
        };
        // By our own clock, as client-go does: that of the other may be wrong.
        let unchanged = first.as_ref().is_some_and(|first| renewed(first) == renewed(&found));
        if unchanged && begin.elapsed() > DURATION {
            let version = found.metadata.resource_version.clone();
            match leases.replace(name, &PostParams::default(), &lease(name, version)).await {
                Ok(lease) => return Ok(Held { leases, name: name.to_owned(), lease }),
                Err(kube::Error::Api(status)) if status.code == 409 => first = None,
                Err(error) => return Err(fail(&error)),
            }
        } else if first.is_some() && !unchanged {
            let spec = found.spec.unwrap_or_default();
            let who = spec.holder_identity.unwrap_or_else(|| "somebody".to_owned());
            let why = format!("{who} migrates it now");
            return Err(Error::input(format!("migrate namespace {namespace}"), why)
                .help("wait for that to end, or stop it"));
        } else if first.is_none() {
            first = Some(found);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn renewed(lease: &Lease) -> Option<&MicroTime> {
    lease.spec.as_ref()?.renew_time.as_ref()
}

fn lease(name: &str, version: Option<String>) -> Lease {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "a host".to_owned());
    let holder = format!("{FIELD_MANAGER} on {host} (process {})", std::process::id());
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            resource_version: version,
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..LeaseSpec::default()
        }),
    }
}

impl Held {
    /// Renews it until it is lost; never comes back before.
    ///
    /// # Errors
    /// Always: why it is lost.
    pub async fn keep(&mut self) -> Error {
        let mut failed = 0;
        loop {
            tokio::time::sleep(RENEWAL).await;
            let version = self.lease.metadata.resource_version.clone();
            let renewed = lease(&self.name, version);
            match self.leases.replace(&self.name, &PostParams::default(), &renewed).await {
                Ok(lease) => (self.lease, failed) = (lease, 0),
                // It is somebody else's, or gone.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                    let why = format!("another took its lease {}", self.name);
                    return Error::input("go on with the migration", why);
                }
                Err(error) if failed >= 2 => {
                    let attempted = format!("renew the lease {}", self.name);
                    return Error::remote(attempted, innermost(&error));
                }
                Err(_) => failed += 1,
            }
        }
    }

    /// Gives it back. What fails is left: it is free by itself soon.
    pub async fn release(self) {
        let preconditions =
            Preconditions { uid: self.lease.metadata.uid.clone(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        if let Err(error) = self.leases.delete(&self.name, &params).await {
            tracing::debug!(%error, "the lease stays until it is taken over");
        }
    }
}
