//! Edits to one planned object: the original JSON, changed only where an edit or the level says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::demand::{demand, demand_of_container};
use super::fields::{
    add, containers_mut, field, find_container, list, named, names, remove_if, with_container,
};
use super::privilege::privileged;
use crate::model::edit::{Edit, Fill};
use crate::model::podsecurity::Level;

/// The least bound of an emptyDir of ours, in GiB. The directory lived on the node's disk without a
/// bound before; with one, a runaway program is evicted alone.
const SIZE_LIMIT: u64 = 1;

/// How much more an emptyDir may hold than its directory holds today, which the kubelet's bound
/// would else evict.
const ROOM: u64 = 2;

/// How the names of init containers of ours begin; the container whose volumes they fill follows.
pub const FILL: &str = "fill-";

/// Where an init container of ours finds the volumes that it fills.
const FILL_MOUNT: &str = "/nonroot";

/// Where a container finds a command of ours: below this, in a directory of the command's name.
const COMMAND_MOUNT: &str = "/nonroot/command";

/// Where the pod template stands in an object of a kind: the keys from the top.
#[must_use]
pub fn template_path(object: &Value) -> &'static [&'static str] {
    match object.get("kind").and_then(Value::as_str) {
        Some("Pod") => &[],
        Some("PodTemplate") => &["template"],
        Some("CronJob") => &["spec", "jobTemplate", "spec", "template"],
        _ => &["spec", "template"],
    }
}

/// Applies edits, and the fields that a level demands and the object lacks, to an object with a pod
/// template. Doing it again with the result changes nothing. Containers that need real privilege
/// stay as they are; the others of their pod then have the fields that are else the pod's.
#[must_use]
pub fn compose(object: &Value, level: Level, edits: &[Edit]) -> Value {
    let mut planned = object.clone();
    let template = template_path(object).iter().fold(&mut planned, |value, key| field(value, key));
    let left = privileged(field(template, "spec"));
    let is_left = |name: &str| left.contains_key(name);
    if !left.is_empty() && names(field(template, "spec")).all(is_left) {
        return object.clone();
    }
    let edits: Vec<Edit> = edits
        .iter()
        .filter(|edit| !edit.container().is_some_and(is_left))
        .flat_map(|edit| match edit {
            Edit::RunAs { container: None, uid, gid } if !left.is_empty() => {
                names(field(template, "spec"))
                    .filter(|name| !is_left(name))
                    .map(|name| Edit::RunAs {
                        container: Some(name.to_owned()),
                        uid: *uid,
                        gid: *gid,
                    })
                    .collect()
            }
            edit => vec![edit.clone()],
        })
        .collect();
    let edits = edits.as_slice();
    let root_inside = edits.contains(&Edit::UserNamespace);
    let is_inside = root_inside || field(template, "spec").get("hostUsers") == Some(&json!(false));
    let non_root = edits.contains(&Edit::NonRoot) && !is_inside;
    demand(template, level, non_root, &is_left);
    let spec = field(template, "spec");
    if root_inside {
        spec["hostUsers"] = json!(false);
        // What the namespace is for is not to be forbidden inside.
        remove_if(field(spec, "securityContext"), "runAsNonRoot", |required| {
            *required == json!(true)
        });
        for container in containers_mut(spec) {
            remove_if(field(container, "securityContext"), "runAsNonRoot", |required| {
                *required == json!(true)
            });
        }
    }
    for edit in edits {
        match edit {
            Edit::RunAs { container: None, uid, gid } => {
                let context = field(spec, "securityContext");
                context["runAsUser"] = json!(uid);
                context["runAsGroup"] = json!(gid);
                // What is the pod's now is not contradicted by a container.
                for container in containers_mut(spec) {
                    if let Some(context) = container.get_mut("securityContext") {
                        remove_if(context, "runAsUser", |uid| *uid == json!(0));
                    }
                }
            }
            Edit::RunAs { container: Some(name), uid, gid } => {
                with_container(spec, name, |container| {
                    let context = field(container, "securityContext");
                    context["runAsUser"] = json!(uid);
                    context["runAsGroup"] = json!(gid);
                });
            }
            Edit::SupplementalGroup(gid) => {
                add(list(field(spec, "securityContext"), "supplementalGroups"), json!(gid))
            }
            Edit::FsGroup(gid) => {
                let context = field(spec, "securityContext");
                context["fsGroup"] = json!(gid);
                context["fsGroupChangePolicy"] = json!("OnRootMismatch");
            }
            Edit::Sysctl { name, value } => {
                named(list(field(spec, "securityContext"), "sysctls"), name)["value"] =
                    json!(value);
            }
            Edit::AddCapability { container, name } => {
                with_container(spec, container, |container| {
                    add(
                        list(field(field(container, "securityContext"), "capabilities"), "add"),
                        json!(name),
                    );
                })
            }
            Edit::Env { container, name, value } => with_container(spec, container, |container| {
                let variable = named(list(container, "env"), name);
                variable["value"] = json!(value);
                if let Some(fields) = variable.as_object_mut() {
                    fields.shift_remove("valueFrom");
                }
            }),
            Edit::Command { container, command, args } => {
                with_container(spec, container, |container| {
                    for (key, words) in [("command", command), ("args", args)] {
                        // `$(VAR)` is expanded there, and `$$` stands for a dollar.
                        let words: Vec<String> =
                            words.iter().map(|word| word.replace('$', "$$")).collect();
                        match (words.is_empty(), container.as_object_mut()) {
                            (true, Some(fields)) => drop(fields.shift_remove(key)),
                            _ => container[key] = json!(words),
                        }
                    }
                })
            }
            Edit::ReadOnlyRoot => {
                for container in containers_mut(spec) {
                    if !container["name"].as_str().is_some_and(is_left) {
                        field(container, "securityContext")["readOnlyRootFilesystem"] = json!(true);
                    }
                }
            }
            Edit::ReplacedCommand { container, command, search_path, .. } => {
                with_container(spec, container, |container| {
                    let variable = named(list(container, "env"), "PATH");
                    let present = variable["value"].as_str().unwrap_or(search_path);
                    let first = format!("{COMMAND_MOUNT}/{command}");
                    if !present.split(':').any(|dir| dir == first) {
                        variable["value"] = json!(format!("{first}:{present}"));
                    }
                });
            }
            Edit::RemoveCapability { container, name } => {
                with_container(spec, container, |container| {
                    let Some(capabilities) = container.pointer_mut("/securityContext/capabilities")
                    else {
                        return;
                    };
                    if let Some(added) = capabilities.get_mut("add").and_then(Value::as_array_mut) {
                        added.retain(|known| {
                            known.as_str().map(|known| known.trim_start_matches("CAP_"))
                                != Some(name)
                        });
                    }
                    remove_if(capabilities, "add", |added| {
                        added.as_array().is_some_and(Vec::is_empty)
                    });
                })
            }
            Edit::NonRoot
            | Edit::Holds { .. }
            | Edit::UserNamespace
            | Edit::Directory { .. }
            | Edit::File { .. }
            | Edit::NewFile { .. }
            | Edit::EditedFile { .. }
            | Edit::OwnVolume { .. } => {}
        }
    }
    if non_root
        && containers_mut(spec).all(|container| container["securityContext"]["runAsUser"].is_u64())
    {
        // Nobody has it from the pod any more.
        if let Some(context) = spec.get_mut("securityContext") {
            remove_if(context, "runAsUser", |uid| *uid == json!(0));
        }
    }
    volumes(spec, edits, level);
    planned
}

/// One volume of ours: what of which container it takes the place of.
struct Replaced<'a> {
    container: &'a str,
    path: String,
    how: How<'a>,
}

#[derive(Clone)]
enum How<'a> {
    Directory(Fill),
    File,
    New,
    Command(&'a str, &'a str),
    /// By scripts for sed(1), one after another.
    Edited(Vec<&'a str>),
}

fn volumes(spec: &mut Value, edits: &[Edit], level: Level) {
    let mut replaced: Vec<Replaced<'_>> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::Directory { container, path, fill } => Some(Replaced {
                container,
                path: path.trim_end_matches('/').to_owned(),
                how: How::Directory(*fill),
            }),
            Edit::File { container, path } => {
                Some(Replaced { container, path: path.clone(), how: How::File })
            }
            Edit::ReplacedCommand { container, command, script, .. } => {
                let path = format!("{COMMAND_MOUNT}/{command}");
                Some(Replaced { container, path, how: How::Command(command, script) })
            }
            Edit::NewFile { container, path } => {
                Some(Replaced { container, path: path.clone(), how: How::New })
            }
            Edit::EditedFile { container, path, sed } => {
                Some(Replaced { container, path: path.clone(), how: How::Edited(vec![sed]) })
            }
            _ => None,
        })
        .collect();
    replaced.sort_by(|one, other| (one.container, &one.path).cmp(&(other.container, &other.path)));
    // One file is copied once, with all its edits.
    replaced.dedup_by(|next, one| match (&mut one.how, &mut next.how) {
        (How::Edited(scripts), How::Edited(more))
            if (one.container, &one.path) == (next.container, &next.path) =>
        {
            scripts.append(more);
            true
        }
        _ => false,
    });
    // A directory within one that is replaced by an empty volume or a copy is part of it.
    let outer: Vec<(&str, String)> = replaced
        .iter()
        .filter(|one| matches!(one.how, How::Directory(_)))
        .map(|one| (one.container, one.path.clone()))
        .collect();
    replaced.retain(|one| {
        let within = |dir: &&(&str, String)| {
            dir.0 == one.container
                && one.path.strip_prefix(&dir.1).is_some_and(|rest| rest.starts_with('/'))
        };
        !(matches!(one.how, How::Directory(_)) && outer.iter().any(|dir| within(&dir)))
    });
    let mut fills: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for one in &replaced {
        let Some(existing) = find_container(spec, one.container) else { continue };
        if mounts_at(existing, &one.path) {
            continue;
        }
        let name = free_volume_name(spec, &one.path, one.container);
        let file = one.path.rsplit('/').next().unwrap_or(&one.path);
        let quoted = quoted(&one.path);
        let mount = match &one.how {
            How::Directory(Fill::Empty) => json!({"name": name, "mountPath": one.path}),
            How::Directory(fill @ (Fill::Copy | Fill::Seen | Fill::Readable)) => {
                let function = if *fill == Fill::Readable { "copy_readable" } else { "copy" };
                let mut script = format!("{function} {quoted} {FILL_MOUNT}/{name}");
                if *fill == Fill::Seen {
                    script = format!("if [ -d {quoted} ]; then {script}; fi");
                }
                // The service account's token is mounted there; a copy would outlive it.
                if one.path == "/run" || one.path == "/var/run" {
                    let _ = write!(script, "\nrm -rf {FILL_MOUNT}/{name}/secrets");
                }
                fills.entry(one.container).or_default().push((name.clone(), script));
                json!({"name": name, "mountPath": one.path})
            }
            How::Directory(Fill::Own) => {
                let script = format!("copy_own {quoted} {FILL_MOUNT}/{name}");
                fills.entry(one.container).or_default().push((name.clone(), script));
                json!({"name": name, "mountPath": one.path, "subPath": "own"})
            }
            How::Command(command, script) => {
                let file = format!("{FILL_MOUNT}/{name}/{command}");
                let lines = self::quoted(&format!("#!/bin/sh\n{script}"));
                let script = format!("printf '%s\\n' {lines} > {file}\nchmod 0755 {file}");
                fills.entry(one.container).or_default().push((name.clone(), script));
                json!({"name": name, "mountPath": one.path})
            }
            How::New => {
                let new = format!("{FILL_MOUNT}/{name}/{}", self::quoted(file));
                let script = format!("if [ ! -e {new} ]; then : > {new}; fi");
                fills.entry(one.container).or_default().push((name.clone(), script));
                json!({"name": name, "mountPath": one.path, "subPath": file})
            }
            How::File => {
                let script =
                    format!("copy_file {quoted} {FILL_MOUNT}/{name}/{}", self::quoted(file));
                fills.entry(one.container).or_default().push((name.clone(), script));
                json!({"name": name, "mountPath": one.path, "subPath": file})
            }
            How::Edited(scripts) => {
                let scripts = match scripts.as_slice() {
                    [one] => self::quoted(one),
                    several => several
                        .iter()
                        .map(|one| format!("-e {}", self::quoted(one)))
                        .collect::<Vec<_>>()
                        .join(" "),
                };
                let copy = format!("{FILL_MOUNT}/{name}/{}", self::quoted(file));
                let mut script = format!("sed {scripts} {quoted} > {copy}.new");
                // What sed writes may not be executed, as a script is that was edited.
                if !one.path.starts_with("/etc/") {
                    let _ =
                        write!(script, "\n  if [ -x {quoted} ]; then chmod 0755 {copy}.new; fi");
                }
                let script =
                    format!("if [ ! -e {copy} ]; then\n  {script}\n  mv {copy}.new {copy}\nfi");
                fills.entry(one.container).or_default().push((name.clone(), script));
                json!({"name": name, "mountPath": one.path, "subPath": file})
            }
        };
        let limit = size_limit(edits, one.container, &one.path);
        list(spec, "volumes").push(json!({"name": name, "emptyDir": {"sizeLimit": limit}}));
        with_container(spec, one.container, |container| {
            list(container, "volumeMounts").push(mount)
        });
    }
    for edit in edits {
        let Edit::OwnVolume { container, volume, mode } = edit else { continue };
        if let Some(script) = own(spec, volume, *mode) {
            fills.entry(container).or_default().push((volume.clone(), script));
        }
    }
    for (container, scripts) in fills.into_iter().rev() {
        let init = fill_container(spec, container, &scripts, level);
        list(spec, "initContainers").insert(0, init);
    }
}

/// The bound of the emptyDir at a path: room for what is there today, and no less than
/// [`SIZE_LIMIT`].
fn size_limit(edits: &[Edit], container: &str, path: &str) -> String {
    let held = edits.iter().filter_map(|edit| match edit {
        Edit::Holds { container: of, path: held, bytes }
            if of == container && held.trim_end_matches('/') == path =>
        {
            Some(*bytes)
        }
        _ => None,
    });
    let held = held.max().unwrap_or(0).saturating_mul(ROOM).div_ceil(1 << 30);
    format!("{}Gi", held.max(SIZE_LIMIT))
}

/// Moves every mount of a volume into a directory of it, and makes the script that makes them
/// before the kubelet would. `None` where that was done.
fn own(spec: &mut Value, volume: &str, mode: u32) -> Option<String> {
    let mut directories = BTreeSet::from(["own".to_owned()]);
    let mounts = containers_mut(spec)
        .filter_map(|container| container.get_mut("volumeMounts")?.as_array_mut())
        .flatten();
    let is_whole = |mount: &&mut Value| {
        let ours = mount["mountPath"].as_str().is_some_and(|path| path.starts_with(FILL_MOUNT));
        mount["name"] == volume && mount["subPathExpr"].is_null() && !ours
    };
    for mount in mounts.filter(is_whole) {
        let directory = match mount["subPath"].as_str() {
            Some("own") => return None,
            Some(within) => format!("own/{within}"),
            None => "own".to_owned(),
        };
        mount["subPath"] = json!(directory);
        directories.insert(directory);
    }
    let directories: Vec<String> = directories
        .iter()
        .map(|directory| quoted(&format!("{FILL_MOUNT}/{volume}/{directory}")))
        .collect();
    Some(format!("mkdir -p -m {mode:04o} {}", directories.join(" ")))
}

/// What the scripts of init containers are made of. A pod's init containers run again when its node
/// restarts, over volumes that are full: what was copied is the program's by then and stays, a copy
/// that was cut off is made again, and files that may not be written are no hindrance.
const FUNCTIONS: [(&str, &str); 4] = [
    (
        "copy",
        r#"copy() { # FROM TO, once: what is there is the program's
  if [ -e "$2/.copying" ] || ! ls -A "$2" | read -r _; then
    : > "$2/.copying"
    chmod -R u+w "$2"/* 2> /dev/null || true
    cp -rf "$1/." "$2/"
    rm "$2/.copying"
  fi
}"#,
    ),
    (
        "copy_readable",
        r#"copy_readable() { # FROM TO, once, without what may not be read
  if [ -e "$2/.copying" ] || ! ls -A "$2" | read -r _; then
    : > "$2/.copying"
    chmod -R u+w "$2"/* 2> /dev/null || true
    cp -rf "$1/." "$2/" || find "$1" ! -exec test -r {} \; -print | grep -q .
    rm "$2/.copying"
  fi
}"#,
    ),
    (
        "copy_own",
        r#"copy_own() { # FROM TO, once, into a directory of its own
  if [ ! -d "$2/own" ]; then
    chmod -R u+w "$2/new" 2> /dev/null || true
    rm -rf "$2/new"
    mkdir -m 0755 "$2/new"
    if [ -d "$1" ]; then cp -r "$1/." "$2/new/"; fi
    mv "$2/new" "$2/own"
  fi
}"#,
    ),
    (
        "copy_file",
        r#"copy_file() { # FROM TO, once
  if [ ! -e "$2" ]; then
    cp -f "$1" "$2.new"
    mv "$2.new" "$2"
  fi
}"#,
    ),
];

/// The init container that fills the volumes of a container, from the same image and as the same
/// user.
fn fill_container(
    spec: &Value,
    container: &str,
    scripts: &[(String, String)],
    level: Level,
) -> Value {
    let mut init = Map::new();
    let model = find_container(spec, container).cloned().unwrap_or_default();
    init.insert("name".to_owned(), json!(label(&format!("{FILL}{container}"))));
    for key in ["image", "imagePullPolicy"] {
        if let Some(value) = model.get(key) {
            init.insert(key.to_owned(), value.clone());
        }
    }
    let calls = scripts.iter().map(|(_, script)| script.as_str());
    let is_used =
        |name: &str| calls.clone().any(|call| call.split([' ', '\n']).any(|word| word == name));
    let functions =
        FUNCTIONS.iter().filter(|(name, _)| is_used(name)).map(|(_, function)| *function);
    let lines: Vec<&str> =
        std::iter::once("set -e").chain(functions).chain(calls.clone()).collect();
    let script = match lines.as_slice() {
        [_, one] if !one.contains('\n') => (*one).to_owned(),
        lines => lines.join("\n"),
    };
    init.insert("command".to_owned(), json!(["sh", "-c", script]));
    if let Some(resources) = model.get("resources") {
        init.insert("resources".to_owned(), resources.clone());
    }
    let mounts: Vec<Value> = scripts
        .iter()
        .map(|(name, _)| json!({"name": name, "mountPath": format!("{FILL_MOUNT}/{name}")}))
        .collect();
    init.insert("volumeMounts".to_owned(), json!(mounts));
    let mut init = Value::Object(init);
    let mut context = Map::new();
    for key in
        ["runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "readOnlyRootFilesystem"]
    {
        if let Some(id) = model.pointer(&format!("/securityContext/{key}")) {
            context.insert(key.to_owned(), id.clone());
        }
    }
    if !context.is_empty() {
        init["securityContext"] = Value::Object(context);
    }
    demand_of_container(&mut init, level);
    init
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

/// A text as a DNS label (RFC 1123): lower case, digits and hyphens, at most 60 characters so that
/// a number fits.
fn label(text: &str) -> String {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let mut joined = words.join("-");
    joined.truncate(60);
    let joined = joined.trim_end_matches('-');
    if joined.is_empty() { "root".to_owned() } else { joined.to_owned() }
}

/// A word for a shell script in a `command`: quoted where it needs to be, its `$` doubled, since
/// Kubernetes expands `$(VAR)` there.
fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    let quoted = if text.chars().all(safe) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    };
    quoted.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}})
    }

    fn spec(object: &Value) -> &Value {
        &object["spec"]["template"]["spec"]
    }

    fn directory(path: &str, fill: Fill) -> Edit {
        Edit::Directory { container: "a".to_owned(), path: path.to_owned(), fill }
    }

    #[test]
    fn the_level_is_demanded_of_every_container_and_nothing_else_changes() {
        let original = deployment(json!({
            "unknownField": 1,
            "initContainers": [{"name": "i", "securityContext": {"runAsUser": 0, "privileged": false}}],
            "containers": [{"name": "a", "image": "x", "securityContext": {"runAsNonRoot": false, "capabilities": {"add": ["CHOWN", "NET_BIND_SERVICE"]}}}],
        }));
        let edits = [Edit::NonRoot, Edit::RunAs { container: None, uid: 101, gid: 102 }];
        let planned = compose(&original, Level::Restricted, &edits);
        let restricted = |extra: Value| {
            let mut context =
                json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
            for (key, value) in extra.as_object().expect("fields") {
                context[key] = value.clone();
            }
            context
        };
        let expected = json!({
            "unknownField": 1,
            "initContainers": [{"name": "i", "securityContext": restricted(json!({"privileged": false}))}],
            "containers": [{"name": "a", "image": "x", "securityContext": restricted(json!({"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}))}],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 101, "runAsGroup": 102},
        });
        assert_eq!(spec(&planned), &expected);
        assert_eq!(compose(&planned, Level::Restricted, &[]), planned);
    }

    #[test]
    fn directories_become_volumes_and_a_nested_one_is_part_of_the_outer() {
        let original = deployment(
            json!({"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/data"}]}], "volumes": [{"name": "run", "emptyDir": {}}]}),
        );
        let edits = [
            directory("/run", Fill::Copy),
            directory("/run/lock", Fill::Empty),
            directory("/data", Fill::Empty),
            directory("/var/it's", Fill::Own),
        ];
        let planned = compose(&original, Level::Restricted, &edits);
        let spec = spec(&planned);
        assert_eq!(
            spec["containers"][0]["volumeMounts"],
            json!([
            {"name": "v", "mountPath": "/data"}, {"name": "run-a", "mountPath": "/run"}, {"name": "var-it-s", "mountPath": "/var/it's", "subPath": "own"}])
        );
        assert_eq!(spec["volumes"].as_array().expect("volumes").len(), 3);
        let init = &spec["initContainers"][0];
        assert_eq!((&init["name"], &init["image"]), (&json!("fill-a"), &json!("x")));
        let script = init["command"][2].as_str().unwrap_or_default();
        let calls = r"
copy /run /nonroot/run-a
rm -rf /nonroot/run-a/secrets
copy_own '/var/it'\''s' /nonroot/var-it-s";
        assert!(script.starts_with("set -e\ncopy() {") && script.ends_with(calls), "{script}");
        assert_eq!(
            compose(&planned, Level::Restricted, &edits),
            planned,
            "a second time changes nothing"
        );
    }

    #[test]
    fn a_volume_has_room_for_what_its_directory_holds() {
        let holds = |bytes| Edit::Holds {
            container: "a".to_owned(),
            path: "/var/cache/x".to_owned(),
            bytes,
        };
        let limit = |edits: &[Edit]| size_limit(edits, "a", "/var/cache/x");
        assert_eq!(
            [limit(&[]), limit(&[holds(100 << 20)]), limit(&[holds(3 << 30)])],
            ["1Gi", "1Gi", "6Gi"]
        );
        assert_eq!(size_limit(&[holds(3 << 30)], "b", "/var/cache/x"), "1Gi");
    }

    #[test]
    fn every_container_mounts_the_directory_that_is_the_users_own() {
        let mount = |path: &str| json!({"name": "files", "mountPath": path});
        let original = deployment(json!({
            "volumes": [{"name": "files", "emptyDir": {}}],
            "initContainers": [{"name": "copy", "image": "x", "volumeMounts": [mount("/files")]}],
            "containers": [
                {"name": "a", "image": "x", "volumeMounts": [mount("/data"), {"name": "files", "mountPath": "/log", "subPath": "log"}]},
                {"name": "b", "image": "y"},
            ],
        }));
        let edits = [Edit::OwnVolume {
            container: "a".to_owned(),
            volume: "files".to_owned(),
            mode: 0o700,
        }];
        let planned = compose(&original, Level::Restricted, &edits);
        let init = &spec(&planned)["initContainers"];
        assert_eq!(
            init[0]["command"][2],
            json!("mkdir -p -m 0700 /nonroot/files/own /nonroot/files/own/log"),
            "before the user's own"
        );
        assert_eq!(
            init[0]["volumeMounts"],
            json!([{"name": "files", "mountPath": "/nonroot/files"}])
        );
        assert_eq!(init[1]["volumeMounts"][0]["subPath"], json!("own"));
        let of_a = &spec(&planned)["containers"][0]["volumeMounts"];
        assert_eq!((&of_a[0]["subPath"], &of_a[1]["subPath"]), (&json!("own"), &json!("own/log")));
        assert_eq!(
            compose(&planned, Level::Restricted, &edits),
            planned,
            "a second time changes nothing"
        );
    }

    #[test]
    fn a_file_is_copied_or_edited_and_mounted_over_itself() {
        let original = deployment(json!({"containers": [{"name": "a", "image": "x"}]}));
        let edits = [
            Edit::File { container: "a".to_owned(), path: "/usr/bin/ping".to_owned() },
            Edit::EditedFile {
                container: "a".to_owned(),
                path: "/etc/h.cfg".to_owned(),
                sed: "/^chroot$/d".to_owned(),
            },
            Edit::EditedFile {
                container: "a".to_owned(),
                path: "/etc/h.cfg".to_owned(),
                sed: "/^user/d".to_owned(),
            },
        ];
        let spec = spec(&compose(&original, Level::Restricted, &edits)).clone();
        assert_eq!(
            spec["containers"][0]["volumeMounts"][1],
            json!({"name": "usr-bin-ping", "mountPath": "/usr/bin/ping", "subPath": "ping"})
        );
        let script = "
if [ ! -e /nonroot/etc-h-cfg/h.cfg ]; then
  sed -e '/^chroot$$/d' -e '/^user/d' /etc/h.cfg > /nonroot/etc-h-cfg/h.cfg.new
  mv /nonroot/etc-h-cfg/h.cfg.new /nonroot/etc-h-cfg/h.cfg
fi
copy_file /usr/bin/ping /nonroot/usr-bin-ping/ping";
        let command = spec["initContainers"][0]["command"][2].as_str().unwrap_or_default();
        assert!(
            command.starts_with("set -e\ncopy_file() {") && command.ends_with(script),
            "{command}"
        );
    }

    #[test]
    fn root_may_stay_in_a_user_namespace() {
        let original = deployment(
            json!({"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "a"}]}),
        );
        let edits = [Edit::UserNamespace, Edit::RunAs { container: None, uid: 0, gid: 0 }];
        let planned = compose(&original, Level::Restricted, &edits);
        let context =
            json!({"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 0, "runAsGroup": 0});
        assert_eq!(
            (&spec(&planned)["hostUsers"], &spec(&planned)["securityContext"]),
            (&json!(false), &context)
        );
        assert_eq!(compose(&planned, Level::Restricted, &edits), planned);
    }

    #[test]
    fn the_rest_of_the_edits() {
        let original = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "HOME", "valueFrom": {"x": 1}}]}]}}}}}});
        let edits = [
            Edit::SupplementalGroup(4),
            Edit::SupplementalGroup(4),
            Edit::FsGroup(5),
            Edit::Sysctl {
                name: "net.ipv4.ip_unprivileged_port_start".to_owned(),
                value: "80".to_owned(),
            },
            Edit::AddCapability { container: "a".to_owned(), name: "NET_BIND_SERVICE".to_owned() },
            Edit::Env {
                container: "a".to_owned(),
                name: "HOME".to_owned(),
                value: "/tmp".to_owned(),
            },
            Edit::Command {
                container: "a".to_owned(),
                command: Vec::new(),
                args: vec!["-f".to_owned(), "$HOME".to_owned()],
            },
            Edit::RunAs { container: Some("a".to_owned()), uid: 7, gid: 8 },
            Edit::ReadOnlyRoot,
        ];
        let planned = compose(&original, Level::Restricted, &edits);
        let spec = &planned["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(spec["securityContext"]["supplementalGroups"], json!([4]));
        assert_eq!(spec["securityContext"]["fsGroupChangePolicy"], json!("OnRootMismatch"));
        assert_eq!(
            spec["securityContext"]["sysctls"],
            json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}])
        );
        assert_eq!(spec["containers"][0]["env"], json!([{"name": "HOME", "value": "/tmp"}]));
        let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "runAsUser": 7, "runAsGroup": 8, "readOnlyRootFilesystem": true});
        assert_eq!(spec["containers"][0]["securityContext"], context);
        assert_eq!(spec["containers"][0]["args"], json!(["-f", "$$HOME"]));
        assert_eq!(compose(&planned, Level::Restricted, &edits), planned);
    }
}
