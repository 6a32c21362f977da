//! A volume that is mounted over a path of a container.

use serde_json::{Value, json};

use super::script::{Script, label};
use crate::plan::fields::{find_container, list, with_container};

/// Where an init container finds the volumes that it fills.
pub(super) const FILL_MOUNT: &str = "/nonroot";

/// One emptyDir, what it is mounted over, and what fills it.
pub(super) struct Overlay<'a> {
    pub(super) container: &'a str,
    pub(super) path: String,
    /// What of the volume is mounted; all of it without.
    pub(super) sub_path: Option<String>,
    /// It takes the place of all that is below its path.
    pub(super) is_directory: bool,
    /// What its script is made with.
    pub(super) words: Vec<&'a str>,
    /// The script that fills the volume in a directory of the init container; an empty volume has
    /// none.
    pub(super) fill: Option<fn(&Overlay<'_>, &str) -> Script>,
    /// Another one of the same path adds its words to this one.
    pub(super) merges: bool,
}

impl<'a> Overlay<'a> {
    /// A whole directory.
    pub(super) fn directory(container: &'a str, path: &str) -> Self {
        Overlay {
            container,
            path: path.to_owned(),
            sub_path: None,
            is_directory: true,
            words: Vec::new(),
            fill: None,
            merges: false,
        }
    }

    /// One file, by its name in the volume.
    pub(super) fn file(
        container: &'a str,
        path: &str,
        fill: fn(&Overlay<'_>, &str) -> Script,
    ) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let whole = Overlay::directory(container, path);
        Overlay { sub_path: Some(name), is_directory: false, fill: Some(fill), ..whole }
    }

    /// Adds the volume and its mount, and returns the volume's name. `None` where the container is
    /// gone or something is mounted there already.
    pub(super) fn mount(&self, spec: &mut Value, size_limit: &str) -> Option<String> {
        let container = find_container(spec, self.container)?;
        if mounts_at(container, &self.path) {
            return None;
        }
        let name = free_volume_name(spec, &self.path, self.container);
        let mut mount = json!({"name": name, "mountPath": self.path});
        if let Some(sub_path) = &self.sub_path {
            mount["subPath"] = json!(sub_path);
        }
        list(spec, "volumes").push(json!({"name": name, "emptyDir": {"sizeLimit": size_limit}}));
        with_container(spec, self.container, |container| {
            list(container, "volumeMounts").push(mount);
        });
        Some(name)
    }

    /// What fills the volume of this name.
    pub(super) fn script(&self, volume: &str) -> Option<Script> {
        self.fill.map(|fill| fill(self, &format!("{FILL_MOUNT}/{volume}")))
    }
}

/// Overlays in the order of their containers and paths. One file is copied once, with all its
/// edits; a directory within one that is replaced is part of that.
pub(super) fn merged<'a>(overlays: impl Iterator<Item = Overlay<'a>>) -> Vec<Overlay<'a>> {
    let mut merged: Vec<Overlay<'_>> = overlays.collect();
    merged.sort_by(|one, other| (one.container, &one.path).cmp(&(other.container, &other.path)));
    merged.dedup_by(|next, one| {
        let is_same = (one.container, &one.path) == (next.container, &next.path);
        let merges = is_same && one.merges && next.merges;
        if merges {
            one.words.append(&mut next.words);
        }
        merges
    });
    let outer: Vec<(&str, String)> = merged
        .iter()
        .filter(|one| one.is_directory)
        .map(|one| (one.container, one.path.clone()))
        .collect();
    let is_within = |one: &Overlay<'_>, (container, directory): &(&str, String)| {
        *container == one.container
            && one.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    };
    merged.retain(|one| !one.is_directory || !outer.iter().any(|dir| is_within(one, dir)));
    merged
}

fn mounts_at(container: &Value, path: &str) -> bool {
    let mounts = container.get("volumeMounts").and_then(Value::as_array);
    mounts
        .into_iter()
        .flatten()
        .any(|mount| mount["mountPath"].as_str().map(|at| at.trim_end_matches('/')) == Some(path))
}

/// `/var/cache/nginx` becomes `var-cache-nginx`, and with another volume of that name
/// `var-cache-nginx-web`.
fn free_volume_name(spec: &Value, path: &str, container: &str) -> String {
    let taken = |name: &str| {
        let volumes = spec.get("volumes").and_then(Value::as_array);
        volumes.into_iter().flatten().any(|volume| volume["name"].as_str() == Some(name))
    };
    let longer = label(&format!("{path}-{container}"));
    let numbered = (2..).map(|n| format!("{longer}-{n}"));
    let mut names = [label(path), longer.clone()].into_iter().chain(numbered);
    names.find(|name| !taken(name)).unwrap_or(longer)
}
