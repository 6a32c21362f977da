//! The init container that fills volumes, from the same image and as the same user.

use serde_json::{Map, Value, json};

use super::overlay::FILL_MOUNT;
use super::script::{Script, joined, label};
use crate::model::podsecurity::Level;
use crate::plan::demand::demand_of_container;
use crate::plan::fields::find_container;

/// How its name begins; the container whose volumes it fills follows.
pub const FILL: &str = "fill-";

/// Fields of a security context that the container has by itself and the init container needs too.
const SHARED: [&str; 5] =
    ["runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "readOnlyRootFilesystem"];

/// The init container for a container; each script with the volume that it fills.
pub(super) fn of(
    spec: &Value,
    container: &str,
    scripts: &[(String, Script)],
    level: Level,
) -> Value {
    let model = find_container(spec, container).cloned().unwrap_or_default();
    let mut init = Map::new();
    init.insert("name".to_owned(), json!(label(&format!("{FILL}{container}"))));
    let copied = |init: &mut Map<String, Value>, key: &str| {
        if let Some(value) = model.get(key) {
            init.insert(key.to_owned(), value.clone());
        }
    };
    copied(&mut init, "image");
    copied(&mut init, "imagePullPolicy");
    let script = joined(scripts.iter().map(|(_, script)| script));
    init.insert("command".to_owned(), json!(["sh", "-c", script]));
    copied(&mut init, "resources");
    let mount = |name: &str| json!({"name": name, "mountPath": format!("{FILL_MOUNT}/{name}")});
    let mounts: Vec<Value> = scripts.iter().map(|(name, _)| mount(name)).collect();
    init.insert("volumeMounts".to_owned(), json!(mounts));

    let own = model.get("securityContext").and_then(Value::as_object);
    let context: Map<String, Value> = SHARED
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), own?.get(*key)?.clone())))
        .collect();
    if !context.is_empty() {
        init.insert("securityContext".to_owned(), Value::Object(context));
    }
    let mut init = Value::Object(init);
    demand_of_container(&mut init, level);
    init
}
