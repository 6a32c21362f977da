//! Claims, and what is behind them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use super::list::Encoding;
use super::scope::collection;
use super::{ApiFailure, Cluster};
use crate::model::volume::{FsGroupPolicy, Storage};
use crate::model::workload::Workload;

/// PersistentVolumes that are read one by one; of more the whole list is read.
const MAX_SINGLE_READS: usize = 8;

impl Cluster {
    /// The storage behind the volumes of some workloads; nothing is read where they have no claims.
    /// Much of it belongs to no namespace, so that who may only look into one cannot read it:
    /// that is a note, and what hangs on it is unknown.
    pub async fn storage(&self, workloads: &[Workload]) -> Storage {
        let mut storage = Storage::default();
        let volumes =
            || workloads.iter().flat_map(|workload| workload.spec.volumes.iter().flatten());
        let has_claims = |workload: &&Workload| {
            let mut volumes = workload.spec.volumes.iter().flatten();
            volumes.any(|volume| {
                volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some()
            })
        };
        let namespaces: BTreeSet<&str> = workloads
            .iter()
            .filter(has_claims)
            .filter_map(|workload| workload.namespace.as_deref())
            .collect();
        if namespaces.is_empty() && volumes().all(|volume| volume.csi.is_none()) {
            return storage;
        }
        let (claims, drivers, classes) = tokio::join!(
            self.claims(&namespaces),
            self.all::<CSIDriver>("/apis/storage.k8s.io/v1/csidrivers", "list CSIDrivers"),
            self.all::<StorageClass>(
                "/apis/storage.k8s.io/v1/storageclasses",
                "list StorageClasses"
            ),
        );
        let mut closed = Vec::new();
        match drivers {
            Ok(drivers) => {
                let policy = |driver: CSIDriver| {
                    let policy = FsGroupPolicy::named(driver.spec.fs_group_policy.as_deref());
                    (driver.metadata.name.unwrap_or_default(), policy)
                };
                storage.drivers = Some(drivers.into_iter().map(policy).collect());
            }
            Err(refusal) => closed.push(("csidrivers", refusal)),
        }
        match classes {
            Ok(classes) => {
                let named =
                    |class: StorageClass| (class.metadata.name.clone().unwrap_or_default(), class);
                storage.classes = Some(classes.into_iter().map(named).collect());
            }
            Err(refusal) => closed.push(("storageclasses", refusal)),
        }
        let mut found = Vec::new();
        for claims in claims {
            match claims {
                Ok(claims) => found.extend(claims),
                Err(refusal) => closed.push(("persistentvolumeclaims", refusal)),
            }
        }
        let names: BTreeSet<String> = found.iter().filter_map(bound_to).collect();
        let (volumes, refusal) = self.persistent_volumes(&names).await;
        closed.extend(refusal.map(|refusal| ("persistentvolumes", refusal)));
        for claim in &found {
            let volume = bound_to(claim).and_then(|name| volumes.get(&name));
            storage.claim(claim, volume);
        }
        storage.notes = notes(closed);
        storage
    }

    /// Whether a claim is there, as far as is known: of what may not be read it is not certain that
    /// it is not.
    pub async fn may_have_claim(&self, namespace: &str, name: &str) -> bool {
        let path =
            format!("{}/{name}", collection("/api/v1", "persistentvolumeclaims", Some(namespace)));
        let what = format!("get PersistentVolumeClaim {namespace}/{name}");
        !matches!(
            self.get::<PersistentVolumeClaim>(&path, &what).await,
            Err(ApiFailure { code: Some(404), .. })
        )
    }

    async fn claims(
        &self,
        namespaces: &BTreeSet<&str>,
    ) -> Vec<Result<Vec<PersistentVolumeClaim>, ApiFailure>> {
        let path = |namespace| collection("/api/v1", "persistentvolumeclaims", namespace);
        let what = "list PersistentVolumeClaims";
        if namespaces.len() > MAX_SINGLE_READS
            && let Ok(all) = self.all::<PersistentVolumeClaim>(&path(None), what).await
        {
            return vec![Ok(all)];
        }
        let each = namespaces.iter().map(|namespace| async move {
            let what = format!("{what} in namespace {namespace}");
            self.all::<PersistentVolumeClaim>(&path(Some(namespace)), &what).await
        });
        join_all(each).await
    }

    async fn persistent_volumes(
        &self,
        names: &BTreeSet<String>,
    ) -> (BTreeMap<String, PersistentVolume>, Option<ApiFailure>) {
        const PATH: &str = "/api/v1/persistentvolumes";
        let answers: Vec<Result<Vec<PersistentVolume>, ApiFailure>> =
            if names.len() > MAX_SINGLE_READS {
                vec![self.all(PATH, "list PersistentVolumes").await]
            } else {
                let one = |name: &String| {
                    let (path, what) =
                        (format!("{PATH}/{name}"), format!("get PersistentVolume {name}"));
                    async move {
                        self.get::<PersistentVolume>(&path, &what).await.map(|volume| vec![volume])
                    }
                };
                join_all(names.iter().map(one)).await
            };
        let (mut volumes, mut refusal) = (BTreeMap::new(), None);
        for answer in answers {
            match answer {
                Ok(found) => volumes.extend(
                    found
                        .into_iter()
                        .map(|volume| (volume.metadata.name.clone().unwrap_or_default(), volume)),
                ),
                Err(refused) => refusal = Some(refused),
            }
        }
        (volumes, refusal)
    }

    pub(super) async fn all<T: DeserializeOwned + Clone>(
        &self,
        path: &str,
        what: &str,
    ) -> Result<Vec<T>, ApiFailure> {
        let mut found = Vec::new();
        self.list(path, &ListParams::default(), what, &Encoding::JSON, |one| found.push(one))
            .await?;
        Ok(found)
    }
}

fn bound_to(claim: &PersistentVolumeClaim) -> Option<String> {
    claim.spec.as_ref()?.volume_name.clone().filter(|name| !name.is_empty())
}

/// One sentence for all that the user may not read, and one for each read that failed.
fn notes(closed: Vec<(&str, ApiFailure)>) -> Vec<String> {
    let (forbidden, failed): (Vec<_>, Vec<_>) =
        closed.into_iter().partition(|(_, refusal)| refusal.is_forbidden());
    let mut notes: Vec<String> =
        failed.into_iter().map(|(_, refusal)| refusal.error.to_string()).collect();
    let resources: BTreeSet<&str> = forbidden.into_iter().map(|(resource, _)| resource).collect();
    if !resources.is_empty() {
        let resources: Vec<&str> = resources.into_iter().collect();
        notes.push(format!(
            "your permissions do not reach {}: what fsGroup does to some claims is unknown (docs/rbac.md)",
            resources.join(", ")
        ));
    }
    notes
}
