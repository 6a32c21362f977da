//! What a user asked to look at.

use kube::api::ListParams;

/// Which namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// `-A`.
    All,
    One(String),
}

/// What to look for in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `-l`.
    pub labels: Option<String>,
    /// `--field-selector`, of pods.
    pub fields: Option<String>,
}

/// Which fields of a pod are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// Those that a scan judges by and shows, in the encoding that costs least.
    PolicyOnly,
    /// All that our types know.
    All,
}

/// The part of a cluster that a command looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub namespaces: Namespaces,
    pub selection: Selection,
    pub fields: Fields,
}

impl Selection {
    pub(super) fn of_pods(&self) -> ListParams {
        ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            ..ListParams::default()
        }
    }
}

/// The path of a collection, in one namespace or in all: `/apis/apps/v1` + `deployments`.
pub(super) fn collection(api: &str, resource: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{api}/namespaces/{namespace}/{resource}"),
        None => format!("{api}/{resource}"),
    }
}
