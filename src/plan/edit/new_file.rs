//! A file in an empty volume, mounted where the image has nothing.

use super::overlay::Overlay;
use super::script::{Script, quoted};

pub(super) fn overlay<'a>(container: &'a str, path: &str) -> Overlay<'a> {
    Overlay::file(container, path, create)
}

fn create(overlay: &Overlay<'_>, to: &str) -> Script {
    let name = overlay.sub_path.as_deref().unwrap_or_default();
    let file = quoted(&format!("{to}/{name}"));
    Script::lines(format!("if [ ! -e {file} ]; then : > {file}; fi"))
}
