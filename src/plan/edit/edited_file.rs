//! A copy of one file of the image, edited by sed(1) and mounted over it.

use super::overlay::Overlay;
use super::script::{Script, quoted};

pub(super) fn overlay<'a>(container: &'a str, path: &str, sed: &'a str) -> Overlay<'a> {
    Overlay { words: vec![sed], merges: true, ..Overlay::file(container, path, edit) }
}

fn edit(overlay: &Overlay<'_>, to: &str) -> Script {
    let name = overlay.sub_path.as_deref().unwrap_or_default();
    let (from, copy) = (quoted(&overlay.path), quoted(&format!("{to}/{name}")));
    let new = quoted(&format!("{to}/{name}.new"));
    let scripts = match overlay.words.as_slice() {
        [one] => quoted(one),
        several => {
            several.iter().map(|one| format!("-e {}", quoted(one))).collect::<Vec<_>>().join(" ")
        }
    };
    // What sed writes may not be executed; a script that was edited must be.
    let executable = match overlay.path.starts_with("/etc/") {
        true => String::new(),
        false => format!("  if [ -x {from} ]; then chmod 0755 {new}; fi\n"),
    };
    Script::lines(format!(
        "if [ ! -e {copy} ]; then\n  sed {scripts} {from} > {new}\n{executable}  mv {new} {copy}\nfi"
    ))
}
