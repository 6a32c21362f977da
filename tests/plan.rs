//! Properties of every plan: it satisfies what can be satisfied, each patch leads to the same
//! object, and a second plan changes nothing. On random pods; `PLAN_SEED=7 cargo test --test plan`
//! repeats those of a seed that failed.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::env;

use fastrand::Rng;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use nonroot::evidence::manifests::document::Document;
use nonroot::model::edit::{Edit, Fill};
use nonroot::model::podsecurity::Level;
use nonroot::output::patch;
use nonroot::{plan, policy};
use serde_json::{Value, json};

#[path = "oracle/random_pods.rs"]
mod random_pods;

const WORKLOADS: usize = 3_000;

/// Checks about what is a plan's to set. The others forbid what a workload asks for on purpose:
/// host ports, unsafe sysctls, SELinux types and the like, which are left and said.
const SETTLED: [&str; 8] = [
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities_baseline",
    "capabilities_restricted",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile_baseline",
    "seccompProfile_restricted",
];

/// A workload of a random kind around a random pod whose containers have names of their own, as the
/// API server demands.
fn workload(rng: &mut Rng) -> Option<Value> {
    let mut pod = random_pods::random_pod(rng);
    let mut seen = BTreeSet::new();
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array()? {
            if !seen.insert(container["name"].as_str()?.to_owned()) {
                return None;
            }
        }
    }
    // What the plan is not asked about; a running pod's alone.
    pod["spec"].as_object_mut()?.shift_remove("ephemeralContainers");
    let template = json!({"metadata": pod["metadata"], "spec": pod["spec"]});
    serde_json::from_value::<PodTemplateSpec>(template.clone()).ok()?;
    let metadata = json!({"name": "random", "namespace": "shop"});
    Some(match rng.u8(..3) {
        0 => {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2, "template": template}})
        }
        1 => {
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}})
        }
        _ => {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        }
    })
}

fn edits(rng: &mut Rng, object: &Value) -> Vec<Edit> {
    let containers: Vec<String> = plan::pod_spec(object)
        .and_then(|spec| spec["containers"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|container| container["name"].as_str().map(str::to_owned))
        .collect();
    let mut edits = vec![
        Edit::NonRoot,
        Edit::RunAs { container: None, uid: rng.u32(1..70_000), gid: rng.u32(1..70_000) },
    ];
    if rng.bool() {
        edits.push(Edit::Sysctl {
            name: "net.ipv4.ip_unprivileged_port_start".to_owned(),
            value: "80".to_owned(),
        });
    }
    if rng.bool() {
        edits.push(Edit::SupplementalGroup(rng.u32(1..100)));
    }
    if rng.u8(..4) == 0 {
        edits.push(Edit::FsGroup(rng.u32(1..100)));
    }
    if rng.u8(..4) == 0 {
        edits.push(Edit::ReadOnlyRoot);
    }
    for container in containers {
        let fill = [Fill::Empty, Fill::Copy, Fill::Seen, Fill::Readable, Fill::Own][rng.usize(..5)];
        let path =
            ["/run", "/var/cache/app", "/var/lib/it's $HOME", "/tmp/"][rng.usize(..4)].to_owned();
        edits.push(match rng.u8(..7) {
            0 => Edit::Env { container, name: "HOME".to_owned(), value: "/tmp".to_owned() },
            1 => Edit::File { container, path: "/usr/bin/ping".to_owned() },
            2 => Edit::NewFile { container, path: "/app.log".to_owned() },
            3 => Edit::EditedFile {
                container,
                path: "/etc/app.conf".to_owned(),
                sed: "/^user$/d".to_owned(),
            },
            5 => Edit::ReplacedCommand {
                container,
                command: "chown".to_owned(),
                script: "",
                search_path: "/usr/bin:/bin".to_owned(),
            },
            4 => Edit::AddCapability { container, name: "NET_BIND_SERVICE".to_owned() },
            _ => Edit::Directory { container, path, fill },
        });
    }
    edits
}

/// What the settled checks still forbid.
fn forbidden(object: &Value) -> Vec<String> {
    let pod = plan::template_path(object).iter().fold(object, |value, key| &value[key]);
    let template: PodTemplateSpec =
        serde_json::from_value(json!({"metadata": pod["metadata"], "spec": pod["spec"]}))
            .expect("a pod");
    let (metadata, spec) =
        (template.metadata.unwrap_or_default(), template.spec.unwrap_or_default());
    policy::evaluate(&metadata, &spec, Level::Restricted, policy::newest_version())
        .into_iter()
        .filter(|violation| SETTLED.contains(&violation.check))
        .map(|violation| format!("{}: {}", violation.check, violation.detail))
        .collect()
}

/// Applies a strategic merge patch as sig-api-machinery's document describes it, for the lists that
/// a pod template has.
fn merged(original: &Value, patch: &Value, field: &str) -> Value {
    match (original, patch) {
        (Value::Object(before), Value::Object(changes)) => {
            let mut after = before.clone();
            for (name, change) in
                changes.iter().filter(|(name, _)| !name.starts_with("$setElementOrder/"))
            {
                if change.is_null() {
                    after.shift_remove(name);
                    continue;
                }
                let merged =
                    after.get(name).map_or_else(|| change.clone(), |old| merged(old, change, name));
                after.insert(name.clone(), merged);
            }
            for (name, order) in changes
                .iter()
                .filter_map(|(name, order)| Some((name.strip_prefix("$setElementOrder/")?, order)))
            {
                let (_, key) =
                    KEYS.iter().find(|(list, _)| *list == name).expect("a list with a merge key");
                let place = |item: &Value| {
                    order.as_array().into_iter().flatten().position(|one| one[key] == item[key])
                };
                if let Some(items) = after.get_mut(name).and_then(Value::as_array_mut) {
                    items.sort_by_key(|item| place(item));
                }
            }
            Value::Object(after)
        }
        (Value::Array(before), Value::Array(changes)) => {
            let Some((_, key)) = KEYS.iter().find(|(list, _)| *list == field) else {
                return patch.clone();
            };
            if let Some((first, rest)) = changes.split_first()
                && first["$patch"] == "replace"
            {
                return json!(rest);
            }
            let mut after = before.clone();
            for change in changes {
                let at = after.iter().position(|item| item[key] == change[key]);
                match at {
                    Some(at) if change["$patch"] == "delete" => drop(after.remove(at)),
                    Some(at) => after[at] = merged(&after[at], change, ""),
                    None => after.push(change.clone()),
                }
            }
            Value::Array(after)
        }
        _ => patch.clone(),
    }
}

/// RFC 7386, for a patch that takes no field away by the value of a new one.
fn json_merged(original: &Value, patch: &Value) -> Value {
    let (Value::Object(before), Value::Object(changes)) = (original, patch) else {
        return patch.clone();
    };
    let mut after = before.clone();
    for (name, change) in changes {
        match change {
            Value::Null => drop(after.shift_remove(name)),
            _ => {
                let old = after.get(name).cloned().unwrap_or_default();
                after.insert(name.clone(), json_merged(&old, change));
            }
        }
    }
    Value::Object(after)
}

/// Applies the strategic merge patch of a kustomize component as kustomize does: what the patch
/// names comes first in a list (kyaml, MergeOptionsListPrepend), and no directive but `$patch` is
/// known.
fn kustomized(original: &Value, patch: &Value, field: &str) -> Value {
    match (original, patch) {
        (Value::Object(before), Value::Object(changes)) => {
            let mut after = before.clone();
            for (name, change) in changes {
                if change.is_null() {
                    after.shift_remove(name);
                    continue;
                }
                let merged = after
                    .get(name)
                    .map_or_else(|| change.clone(), |old| kustomized(old, change, name));
                after.insert(name.clone(), merged);
            }
            Value::Object(after)
        }
        (Value::Array(before), Value::Array(changes)) => {
            let Some((_, key)) = KEYS.iter().find(|(list, _)| *list == field) else {
                return patch.clone();
            };
            if let Some((first, rest)) = changes.split_first()
                && first["$patch"] == "replace"
            {
                return json!(rest);
            }
            let old = |item: &Value| before.iter().find(|old| old[key] == item[key]);
            let kept = changes.iter().filter(|change| change["$patch"] != "delete");
            let named = kept.map(|change| {
                old(change).map_or_else(|| change.clone(), |old| kustomized(old, change, ""))
            });
            let is_named = |item: &&Value| changes.iter().any(|change| change[key] == item[key]);
            named.chain(before.iter().filter(|item| !is_named(item)).cloned()).collect()
        }
        _ => patch.clone(),
    }
}

/// Lists of a pod template that merge by a key.
const KEYS: [(&str, &str); 5] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("volumeMounts", "mountPath"),
];

/// Characters that YAML does not print (YAML 1.2.2, 5.1) and JSON does.
fn is_no_yaml(c: char) -> bool {
    c != '\n' && c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}')
}

#[test]
fn every_plan_holds_every_patch_agrees_and_a_second_plan_is_empty() {
    let seed = env::var("PLAN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let mut rng = Rng::with_seed(seed);
    let (mut planned_ones, mut left) = (0, 0);
    while planned_ones < WORKLOADS {
        let Some(object) = workload(&mut rng) else { continue };
        let edits = edits(&mut rng, &object);
        let planned = plan::compose(&object, Level::Restricted, &edits);
        let about =
            |what: &str| format!("PLAN_SEED={seed}: {what}\n{object:#}\n{edits:?}\n{planned:#}");
        planned_ones += 1;
        let spec = plan::pod_spec(&object).expect("a spec");
        if plan::privileged(spec).is_empty() {
            // What stays of real privilege is said, and is all that is left.
            let stays =
                plan::retained(spec).iter().any(|sentence| sentence.contains("the capability"));
            let mut forbidden = forbidden(&planned);
            forbidden.retain(|violation| !(stays && violation.starts_with("capabilities_")));
            assert_eq!(forbidden, Vec::<String>::new(), "{}", about("restricted forbids it"));
        } else {
            left += 1;
        }
        let again = plan::compose(&planned, Level::Restricted, &edits);
        let yaml = |value: &Value| serde_saphyr::to_string(value).expect("YAML");
        let difference =
            |other: &Value| patch::diff(("planned", &yaml(&planned)), ("other", &yaml(other)));
        assert!(
            again == planned,
            "{}
{}",
            about("a second plan changes it"),
            difference(&again)
        );
        let json_patch: json_patch::Patch =
            serde_json::from_value(patch::json6902(&object, &planned)).expect("a JSON patch");
        let mut patched = object.clone();
        json_patch::patch(&mut patched, &json_patch).expect("it applies");
        assert!(
            patched == planned,
            "{}\n{}",
            about("the JSON patch leads elsewhere"),
            difference(&patched)
        );
        let read = |text: &str| Document::parse(text).ok().flatten().map(|document| document.value);
        let texts = [yaml(&object), object.to_string(), format!("{object:#}\n")];
        for text in &texts[..if planned_ones % 10 == 0 { 3 } else { 1 }] {
            // JSON may hold what YAML may not: such a text is read by nobody here.
            if read(text).as_ref() != Some(&object) {
                assert!(
                    text.contains(is_no_yaml),
                    "{}",
                    about(&format!("it is not read:\n{text}"))
                );
                continue;
            }
            let edited = patch::manifest(text, &object, &planned, &read);
            let edited = edited
                .unwrap_or_else(|unfit| panic!("{}", about(&format!("{unfit:?} in\n{text}"))));
            assert!(
                read(&edited).as_ref() == Some(&planned),
                "{}\n{edited}",
                about("the edited manifest differs")
            );
        }
        let strategic = patch::strategic(&object, &planned);
        let patched = merged(&object, &strategic, "");
        assert!(
            patched == planned,
            "{}\n{}",
            about("the strategic patch leads elsewhere"),
            difference(&patched)
        );
        let patched = json_merged(&object, &patch::merge(&object, &planned));
        assert!(
            patched == planned,
            "{}\n{}",
            about("the merge patch leads elsewhere"),
            difference(&patched)
        );
        let component =
            patch::kustomize(&[(object.clone(), planned.clone())]).expect("a component");
        if let Some(text) =
            component["patches"][0]["patch"].as_str().filter(|text| !text.contains(is_no_yaml))
        {
            let patched = kustomized(&object, &read(text).expect("a patch"), "");
            let patched = Value::Object(patched.as_object().cloned().unwrap_or_default());
            assert!(
                patched == planned,
                "{}\n{}",
                about("kustomize's patch leads elsewhere"),
                difference(&patched)
            );
        }
    }
    assert!(
        left > 100 && left < WORKLOADS,
        "seed {seed} took one branch only: {left} of {WORKLOADS} were left"
    );
}
