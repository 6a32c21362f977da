//! What each edit does to a pod spec, one file an edit.
//!
//! A new edit is a variant of [`Edit`], a file here, and an arm of [`apply`] or of [`overlay`].

mod capability;
mod command;
mod directory;
mod edited_file;
mod env;
mod file;
mod fs_group;
mod init_container;
mod new_file;
pub(super) mod non_root;
mod overlay;
mod own_volume;
mod read_only_root;
mod replaced_command;
mod run_as;
mod script;
mod supplemental_group;
mod sysctl;
mod user_namespace;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::init_container::FILL;
use self::overlay::Overlay;
use self::script::Script;
use super::fields::list;
use crate::model::edit::Edit;
use crate::model::podsecurity::Level;

/// Changes the fields that an edit is about. Of an edit that makes a volume, [`volumes`] does the
/// rest. Containers that `is_left` names stay as they are.
pub(super) fn apply(edit: &Edit, spec: &mut Value, is_left: &dyn Fn(&str) -> bool) {
    match edit {
        Edit::RunAs { container, uid, gid } => {
            run_as::apply(spec, container.as_deref(), *uid, *gid);
        }
        Edit::SupplementalGroup(gid) => supplemental_group::apply(spec, *gid),
        Edit::FsGroup(gid) => fs_group::apply(spec, *gid),
        Edit::Sysctl { name, value } => sysctl::apply(spec, name, value),
        Edit::AddCapability { container, name } => capability::add(spec, container, name),
        Edit::RemoveCapability { container, name } => capability::remove(spec, container, name),
        Edit::Env { container, name, value } => env::apply(spec, container, name, value),
        Edit::Command { container, command, args } => {
            command::apply(spec, container, command, args)
        }
        Edit::ReadOnlyRoot => read_only_root::apply(spec, is_left),
        Edit::ReplacedCommand { container, command, search_path, .. } => {
            replaced_command::apply(spec, container, command, search_path);
        }
        Edit::UserNamespace => user_namespace::apply(spec),
        // The level's demand sets it, for all containers at once.
        Edit::NonRoot => {}
        Edit::Holds { .. }
        | Edit::Directory { .. }
        | Edit::File { .. }
        | Edit::NewFile { .. }
        | Edit::EditedFile { .. }
        | Edit::OwnVolume { .. } => {}
    }
}

/// The volume that an edit mounts over a path of a container.
fn overlay(edit: &Edit) -> Option<Overlay<'_>> {
    Some(match edit {
        Edit::Directory { container, path, fill } => directory::overlay(container, path, *fill),
        Edit::File { container, path } => file::overlay(container, path),
        Edit::NewFile { container, path } => new_file::overlay(container, path),
        Edit::EditedFile { container, path, sed } => edited_file::overlay(container, path, sed),
        Edit::ReplacedCommand { container, command, script, .. } => {
            replaced_command::overlay(container, command, script)
        }
        _ => return None,
    })
}

/// Adds the volumes that edits mount, and the init containers that fill them.
pub(super) fn volumes(spec: &mut Value, edits: &[Edit], level: Level) {
    let mut fills: BTreeMap<&str, Vec<(String, Script)>> = BTreeMap::new();
    for overlay in overlay::merged(edits.iter().filter_map(overlay)) {
        let limit = directory::size_limit(edits, overlay.container, &overlay.path);
        let Some(volume) = overlay.mount(spec, &limit) else { continue };
        if let Some(script) = overlay.script(&volume) {
            fills.entry(overlay.container).or_default().push((volume, script));
        }
    }
    for edit in edits {
        let Edit::OwnVolume { container, volume, mode } = edit else { continue };
        if let Some(script) = own_volume::apply(spec, volume, *mode) {
            fills.entry(container).or_default().push((volume.clone(), script));
        }
    }
    for (container, scripts) in fills.into_iter().rev() {
        let init = init_container::of(spec, container, &scripts, level);
        list(spec, "initContainers").insert(0, init);
    }
}
