//! An emptyDir over a directory of the image.
//!
//! A pod's init containers run again when its node restarts, over volumes that are full: what was
//! copied is the program's by then and stays, a copy that was cut off is made again, and files that
//! may not be written are no hindrance.

use super::overlay::Overlay;
use super::script::{Function, Script, quoted};
use crate::model::edit::{Edit, Fill};

/// The least bound of an emptyDir, in GiB. The directory lived on the node's disk without a bound
/// before; with one, a runaway program is evicted alone.
const MIN_SIZE_GIB: u64 = 1;

/// How much more an emptyDir may hold than its directory holds today. The kubelet evicts a pod that
/// exceeds the bound.
const GROWTH: u64 = 2;

const COPY: Function = r#"copy() { # FROM TO, once: what is there is the program's
  if [ -e "$2/.copying" ] || ! ls -A "$2" | read -r _; then
    : > "$2/.copying"
    chmod -R u+w "$2"/* 2> /dev/null || true
    cp -rf "$1/." "$2/"
    rm "$2/.copying"
  fi
}"#;

const COPY_READABLE: Function = r#"copy_readable() { # FROM TO, once, without what may not be read
  if [ -e "$2/.copying" ] || ! ls -A "$2" | read -r _; then
    : > "$2/.copying"
    chmod -R u+w "$2"/* 2> /dev/null || true
    cp -rf "$1/." "$2/" || find "$1" ! -exec test -r {} \; -print | grep -q .
    rm "$2/.copying"
  fi
}"#;

const COPY_DIRECTORIES: Function = r#"copy_directories() { # FROM TO, the directories alone
  if [ -d "$1" ]; then
    (cd "$1" && find . -type d 2> /dev/null) | while read -r dir; do mkdir -p "$2/$dir"; done
  fi
}"#;

const COPY_OWN: Function = r#"copy_own() { # FROM TO, once, into a directory of its own
  if [ ! -d "$2/own" ]; then
    chmod -R u+w "$2/new" 2> /dev/null || true
    rm -rf "$2/new"
    mkdir -m 0755 "$2/new"
    if [ -d "$1" ]; then cp -r "$1/." "$2/new/"; fi
    mv "$2/new" "$2/own"
  fi
}"#;

pub(super) fn overlay<'a>(container: &'a str, path: &str, fill: Fill) -> Overlay<'a> {
    let overlay = Overlay::directory(container, path.trim_end_matches('/'));
    match fill {
        Fill::Empty => overlay,
        Fill::Copy => Overlay { fill: Some(copy), ..overlay },
        Fill::Seen => Overlay { fill: Some(copy_seen), ..overlay },
        Fill::Directories => Overlay { fill: Some(copy_directories), ..overlay },
        Fill::Readable => Overlay { fill: Some(copy_readable), ..overlay },
        Fill::Own => Overlay { fill: Some(copy_own), sub_path: Some("own".to_owned()), ..overlay },
    }
}

fn copy(overlay: &Overlay<'_>, to: &str) -> Script {
    without_token(overlay, to, Script::call(COPY, &overlay.path, to))
}

fn copy_seen(overlay: &Overlay<'_>, to: &str) -> Script {
    let Script { lines, functions } = Script::call(COPY, &overlay.path, to);
    let lines = format!("if [ -d {} ]; then {lines}; fi", quoted(&overlay.path));
    without_token(overlay, to, Script { lines, functions })
}

fn copy_readable(overlay: &Overlay<'_>, to: &str) -> Script {
    without_token(overlay, to, Script::call(COPY_READABLE, &overlay.path, to))
}

fn copy_directories(overlay: &Overlay<'_>, to: &str) -> Script {
    without_token(overlay, to, Script::call(COPY_DIRECTORIES, &overlay.path, to))
}

fn copy_own(overlay: &Overlay<'_>, to: &str) -> Script {
    Script::call(COPY_OWN, &overlay.path, to)
}

/// The service account's token is mounted below /run; a copy would outlive it.
fn without_token(overlay: &Overlay<'_>, to: &str, script: Script) -> Script {
    if overlay.path != "/run" && overlay.path != "/var/run" {
        return script;
    }
    let Script { lines, functions } = script;
    Script { lines: format!("{lines}\nrm -rf {to}/secrets"), functions }
}

/// The bound of the emptyDir at a path: room for what is there today, and no less than
/// [`MIN_SIZE_GIB`].
pub(super) fn size_limit(edits: &[Edit], container: &str, path: &str) -> String {
    let held = edits.iter().filter_map(|edit| match edit {
        Edit::Holds { container: of, path: held, bytes }
            if of == container && held.trim_end_matches('/') == path =>
        {
            Some(*bytes)
        }
        _ => None,
    });
    let held = held.max().unwrap_or(0).saturating_mul(GROWTH).div_ceil(1 << 30);
    format!("{}Gi", held.max(MIN_SIZE_GIB))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
