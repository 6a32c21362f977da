//! Pod Security verdicts on the committed sample, against what k8s.io/pod-security-admission was
//! recorded to say of it. No Go and no cluster: `tests/oracle` records and keeps it true.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{collections::BTreeSet, fs};

use k8s_openapi::api::core::v1::Pod;
use nonroot::{
    model::podsecurity::{Level, Version, Violation},
    policy,
};

mod sample;

use sample::{Case, LEVELS, Stage, Verdicts};

fn evaluate(pod: &serde_json::Value, level: Level, version: Version) -> Vec<Violation> {
    let pod: Pod = serde_json::from_value(pod.clone()).expect("a pod of the sample is a pod");
    policy::evaluate(&pod.metadata, &pod.spec.unwrap_or_default(), level, version)
}

#[test]
fn the_sample_is_judged_as_recorded() {
    for Case { pods, recorded } in sample::cases().into_values() {
        let text = fs::read_to_string(&recorded)
            .unwrap_or_else(|error| panic!("{}: {error}", recorded.display()));
        let expected: Verdicts = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", recorded.display()));
        let stages = |pod, level| -> Vec<Stage> {
            sample::stages(|version| {
                evaluate(pod, level, version).into_iter().map(Into::into).collect()
            })
        };
        let ours: Verdicts = pods
            .iter()
            .map(|(name, pod)| {
                (name.clone(), LEVELS.map(|level| (level.to_string(), stages(pod, level))).into())
            })
            .collect();
        assert_eq!(ours, expected, "{}", recorded.display());
    }
}

/// Were a revision of a check left out or at another version, some pod of its file would be judged
/// differently.
#[test]
fn the_sample_shows_every_revision_of_every_check() {
    let cases = sample::cases();
    for check in policy::CHECKS {
        let pods = &cases[check.id].pods;
        let forbids = |pod, version| {
            evaluate(pod, check.level, version).iter().any(|found| found.check == check.id)
        };
        for version in check.versions() {
            let before = match version {
                Version::Minor(0) => None,
                Version::Minor(minor) => Some(Version::Minor(minor - 1)),
                Version::Latest => panic!("no revision starts at latest"),
            };
            let differs =
                |pod| forbids(pod, version) != before.is_some_and(|before| forbids(pod, before));
            assert!(
                pods.values().any(differs),
                "{}: no pod shows what {version} changed",
                check.id
            );
        }
        assert!(
            !pods.values().all(|pod| forbids(pod, Version::Latest)),
            "{}: no pod passes",
            check.id
        );
    }
}

#[test]
fn no_file_of_the_sample_is_orphaned() {
    let expected: BTreeSet<_> = policy::CHECKS
        .iter()
        .flat_map(|check| ["json", "yaml"].map(|kind| format!("{}.{kind}", check.id)))
        .collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/policy");
    let files: BTreeSet<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, expected);
}

/// A field names a container or a volume that is there, and no field is named twice or not at all.
#[test]
fn fields_lead_into_the_pod() {
    let policies: Vec<_> =
        sample::versions().into_iter().flat_map(|v| LEVELS.map(|level| (level, v))).collect();
    for (name, pod) in sample::cases().into_values().flat_map(|case| case.pods) {
        for Violation { check, fields, .. } in
            policies.iter().flat_map(|(level, version)| evaluate(&pod, *level, *version))
        {
            let distinct: BTreeSet<_> = fields.iter().collect();
            assert!(
                !fields.is_empty() && distinct.len() == fields.len(),
                "{check} of {name}: {fields:?}"
            );
            for field in fields {
                assert!(parent_exists(&pod, &field), "{check} of {name}: {field} is not in {pod}");
            }
        }
    }
}

/// Whether the pod has the list item, or the annotation, that a field path goes through.
fn parent_exists(pod: &serde_json::Value, field: &str) -> bool {
    if let Some(key) =
        field.strip_prefix("metadata.annotations[").and_then(|rest| rest.strip_suffix(']'))
    {
        return pod["metadata"]["annotations"].get(key).is_some();
    }
    // spec.containers[0].ports[1].hostPort goes through /spec/containers/0/ports/1.
    field.rsplit_once(']').is_none_or(|(item, _)| {
        let pointer = item.replace(['.', '['], "/").replace(']', "");
        pod.pointer(&format!("/{pointer}")).is_some()
    })
}
