//! What a migration keeps between its runs: in a ConfigMap of the namespace, or in a file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams};

use super::{FIELD_MANAGER, file};
use crate::error::Error;
use crate::evidence::cluster::{Cluster, innermost, insist};
use crate::model::migration::Migration;

/// The ConfigMap, and the Lease beside it.
pub const NAME: &str = "nonroot-migration";

const KEY: &str = "migration.json";

/// The API server takes no ConfigMap that holds more bytes
/// (kubernetes, pkg/apis/core/validation, `ValidateConfigMap`).
const MAX_BYTES: usize = 1 << 20;

/// Where it is kept.
#[derive(Debug, Clone)]
pub enum Store {
    /// In this namespace.
    ConfigMap(String),
    File(PathBuf),
}

impl Store {
    /// What was kept; `None` where nothing was.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub async fn load(&self, cluster: &Cluster) -> Result<Option<Migration>, Error> {
        let text = match self {
            Store::ConfigMap(namespace) => {
                let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
                let found = insist(|| maps.get_opt(NAME)).await;
                let found = found.map_err(|error| {
                    Error::remote(format!("read {}", self.name()), innermost(&error))
                })?;
                found.and_then(|map| map.data?.remove(KEY))
            }
            Store::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(Error::input(format!("read {}", self.name()), error)),
            },
        };
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|error| {
            Error::input(format!("read {}", self.name()), error)
                .help("it was not written by this program: remove it to begin anew")
        })
    }

    /// Keeps it; whole, or as it was before.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn save(&self, cluster: &Cluster, migration: &Migration) -> Result<(), Error> {
        let fail = |why: String| Error::remote(format!("write {}", self.name()), why);
        let text = serde_json::to_string(migration).map_err(|error| fail(error.to_string()))?;
        match self {
            Store::ConfigMap(namespace) => {
                if text.len() > MAX_BYTES {
                    let why = format!("it has {} bytes, and a ConfigMap holds 1 MiB", text.len());
                    return Err(fail(why).help("keep it in a file: --state FILE"));
                }
                let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
                let map = ConfigMap {
                    metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
                    data: Some(BTreeMap::from([(KEY.to_owned(), text)])),
                    ..ConfigMap::default()
                };
                let params = PatchParams::apply(FIELD_MANAGER).force();
                let patch = Patch::Apply(&map);
                let saved = insist(|| maps.patch(NAME, &params, &patch)).await;
                saved.map(drop).map_err(|error| fail(innermost(&error)))
            }
            Store::File(path) => file::write(path, &text),
        }
    }

    /// Forgets it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(&self, cluster: &Cluster) -> Result<(), Error> {
        let fail = |why: String| Error::remote(format!("remove {}", self.name()), why);
        match self {
            Store::ConfigMap(namespace) => {
                let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
                let params = DeleteParams::default();
                match insist(|| maps.delete(NAME, &params)).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                    done => done.map(drop).map_err(|error| fail(innermost(&error))),
                }
            }
            Store::File(path) => {
                std::fs::remove_file(path).map_err(|error| fail(error.to_string()))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Store::ConfigMap(namespace) => {
                format!("the state of the migration (configmap/{NAME} of namespace {namespace})")
            }
            Store::File(path) => format!("the state of the migration ({})", shown(path)),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
