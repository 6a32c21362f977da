//! A script for sh in place of a command, found first by the container's PATH.

use serde_json::{Value, json};

use super::overlay::Overlay;
use super::script::{Script, quoted};
use crate::plan::fields::{list, named, with_container};

/// Below this, a container finds each script in a directory of the command's name.
const COMMAND_MOUNT: &str = "/nonroot/command";

pub(super) fn apply(spec: &mut Value, container: &str, command: &str, search_path: &str) {
    with_container(spec, container, |container| {
        let variable = named(list(container, "env"), "PATH");
        let present = variable["value"].as_str().unwrap_or(search_path);
        let first = format!("{COMMAND_MOUNT}/{command}");
        if !present.split(':').any(|dir| dir == first) {
            variable["value"] = json!(format!("{first}:{present}"));
        }
    });
}

pub(super) fn overlay<'a>(container: &'a str, command: &'a str, script: &'a str) -> Overlay<'a> {
    Overlay {
        words: vec![command, script],
        fill: Some(write),
        is_directory: false,
        ..Overlay::directory(container, &format!("{COMMAND_MOUNT}/{command}"))
    }
}

fn write(overlay: &Overlay<'_>, to: &str) -> Script {
    let [command, script] = overlay.words.as_slice() else { return Script::lines(String::new()) };
    let (file, text) =
        (quoted(&format!("{to}/{command}")), quoted(&format!("#!/bin/sh\n{script}")));
    Script::lines(format!("printf '%s\\n' {text} > {file}\nchmod 0755 {file}"))
}
