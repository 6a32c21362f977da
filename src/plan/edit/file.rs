//! A copy of one file of the image, mounted over it.

use super::overlay::Overlay;
use super::script::{Function, Script};

const COPY_FILE: Function = r#"copy_file() { # FROM TO, once
  if [ ! -e "$2" ]; then
    cp -f "$1" "$2.new"
    mv "$2.new" "$2"
  fi
}"#;

pub(super) fn overlay<'a>(container: &'a str, path: &str) -> Overlay<'a> {
    Overlay::file(container, path, copy)
}

fn copy(overlay: &Overlay<'_>, to: &str) -> Script {
    let name = overlay.sub_path.as_deref().unwrap_or_default();
    Script::call(COPY_FILE, &overlay.path, &format!("{to}/{name}"))
}
