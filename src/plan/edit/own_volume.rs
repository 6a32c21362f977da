//! A directory in an emptyDir of the spec, made by a container's user and therefore his own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::overlay::FILL_MOUNT;
use super::script::{Script, quoted};
use crate::plan::fields::containers_mut;

/// The directory that belongs to the user.
const OWN: &str = "own";

/// Moves every mount of a volume into a directory of it, and returns the script that makes them
/// before the kubelet would. `None` where that was done.
pub(super) fn apply(spec: &mut Value, volume: &str, mode: u32) -> Option<Script> {
    let mut directories = BTreeSet::from([OWN.to_owned()]);
    let mounts = containers_mut(spec)
        .filter_map(|container| container.get_mut("volumeMounts")?.as_array_mut())
        .flatten();
    let is_whole = |mount: &&mut Value| {
        let fills = mount["mountPath"].as_str().is_some_and(|path| path.starts_with(FILL_MOUNT));
        mount["name"] == volume && mount["subPathExpr"].is_null() && !fills
    };
    for mount in mounts.filter(is_whole) {
        let directory = match mount["subPath"].as_str() {
            Some(OWN) => return None,
            Some(within) => format!("{OWN}/{within}"),
            None => OWN.to_owned(),
        };
        mount["subPath"] = json!(directory);
        directories.insert(directory);
    }
    let paths = directories.iter().map(|name| quoted(&format!("{FILL_MOUNT}/{volume}/{name}")));
    let paths: Vec<String> = paths.collect();
    Some(Script::lines(format!("mkdir -p -m {mode:04o} {}", paths.join(" "))))
}
