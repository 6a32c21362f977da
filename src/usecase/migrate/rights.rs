//! What a migration may not do without, asked before it does anything.

use crate::apply::migration_state::Store;
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Right};

const fn right(group: &'static str, verb: &'static str, resource: &'static str) -> Right {
    Right { group, verb, resource, subresource: None }
}

/// To keep two runs apart.
const LEASE: &[Right] = &[
    right("coordination.k8s.io", "create", "leases"),
    right("coordination.k8s.io", "get", "leases"),
    right("coordination.k8s.io", "update", "leases"),
];

/// To keep what was found.
const STATE: &[Right] = &[
    right("", "get", "configmaps"),
    right("", "create", "configmaps"),
    right("", "patch", "configmaps"),
];

/// To write the plans and the labels, and to take them back.
const DELIVERY: &[Right] = &[
    right("apps", "patch", "deployments"),
    right("apps", "patch", "statefulsets"),
    right("apps", "patch", "daemonsets"),
    right("batch", "patch", "cronjobs"),
    right("", "get", "namespaces"),
    right("", "patch", "namespaces"),
];

/// Asks for the rights that a migration needs, with those to write where it `writes`.
///
/// # Errors
/// One is missing; all that are.
pub async fn check(cluster: &Cluster, store: &Store, writes: bool) -> Result<(), Error> {
    let state = if matches!(store, Store::ConfigMap(_)) { STATE } else { &[] };
    let delivery = if writes { DELIVERY } else { &[] };
    let needed = [LEASE, state, delivery].concat();
    let missing = cluster.missing(&cluster.namespace, &needed).await;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(Right::to_string).collect();
    let why = format!("you may not {} there", names.join(", "));
    Err(Error::remote(format!("migrate namespace {}", cluster.namespace), why)
        .help("docs/rbac.md has the Roles with all that migrate needs"))
}
