//! The Pod Security Standards, one file a check, versioned as k8s.io/pod-security-admission has
//! them.
//!
//! That Go module, v0.37.2, is the source of every rule, of every word of its sentences and of
//! their order; the API server of Kubernetes 1.37 runs it. `tests/oracle` compares the two. Where a
//! file here lists restricted fields, `containers[*]` stands for all three lists: `initContainers`,
//! `containers` and `ephemeralContainers`.
//!
//! Nothing here knows of exemptions (namespaces, users, runtime classes): those are the API
//! server's configuration.

mod allow_privilege_escalation;
mod app_armor_profile;
mod capabilities_baseline;
mod capabilities_restricted;
mod go_printable;
mod go_quote;
mod host_namespaces;
mod host_path_volumes;
mod host_ports;
mod host_probes_and_host_lifecycle;
mod pod;
mod privileged;
mod proc_mount;
mod proc_mount_restricted;
mod restricted_volumes;
mod run_as_non_root;
mod run_as_user;
mod se_linux_options;
mod seccomp_profile_baseline;
mod seccomp_profile_restricted;
mod sysctls;
mod windows_host_process;
mod wording;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::model::podsecurity::{Level, Verdicts, Version, Violation};
use pod::Pod;

/// One check of the Pod Security Standards.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Upstream's ID, such as `runAsNonRoot`.
    pub id: &'static str,
    /// The level that brings it in. A baseline check holds at the restricted level too, unless one
    /// of that level overrides it.
    pub level: Level,
    /// What it forbids, why that matters and how to satisfy it, in one plain paragraph.
    pub explain: &'static str,
    /// Its revisions, oldest first.
    versions: &'static [Since],
}

/// A revision of a check: N of the v1.N that it starts with, its rule, and the IDs of the baseline
/// checks that it overrides.
#[derive(Debug, Clone, Copy)]
struct Since(u32, Rule, &'static [&'static str]);

type Rule = fn(&Pod<'_>) -> Option<Forbidden>;

/// What a rule holds against a pod; the fields are those of [`Violation`].
#[derive(Debug, PartialEq, Eq)]
struct Forbidden {
    reason: &'static str,
    detail: String,
    fields: Vec<String>,
}

/// Every check, in upstream's order: baseline's, then restricted's, each sorted by ID.
pub const CHECKS: &[Check] = &[
    app_armor_profile::CHECK,
    capabilities_baseline::CHECK,
    host_namespaces::CHECK,
    host_path_volumes::CHECK,
    host_ports::CHECK,
    host_probes_and_host_lifecycle::CHECK,
    privileged::CHECK,
    proc_mount::CHECK,
    se_linux_options::CHECK,
    seccomp_profile_baseline::CHECK,
    sysctls::CHECK,
    windows_host_process::CHECK,
    allow_privilege_escalation::CHECK,
    capabilities_restricted::CHECK,
    proc_mount_restricted::CHECK,
    restricted_volumes::CHECK,
    run_as_non_root::CHECK,
    run_as_user::CHECK,
    seccomp_profile_restricted::CHECK,
];

/// What a level forbids in a pod (or in a pod template, whose metadata and spec are the same
/// types), in the order in which the API server names it. A version newer than every revision known
/// here means the newest, as upstream has it.
#[must_use]
pub fn evaluate(
    metadata: &ObjectMeta,
    spec: &PodSpec,
    level: Level,
    version: Version,
) -> Vec<Violation> {
    let pod = Pod::new(metadata, spec);
    revisions_in_force(level, version)
        .into_iter()
        .filter_map(|(check, Since(_, rule, _))| {
            let Forbidden { reason, detail, fields } = rule(&pod)?;
            Some(Violation { check: check.id, reason: reason.to_owned(), detail, fields })
        })
        .collect()
}

/// What both levels forbid in a pod.
#[must_use]
pub fn verdicts(metadata: &ObjectMeta, spec: &PodSpec, version: Version) -> Verdicts {
    let judge = |level| evaluate(metadata, spec, level, version);
    Verdicts {
        version,
        baseline: judge(Level::Baseline),
        restricted: judge(Level::Restricted),
        lines: BTreeMap::new(),
    }
}

/// The checks that hold at a level and version, in the order of their results.
#[must_use]
pub fn in_force(level: Level, version: Version) -> Vec<&'static Check> {
    revisions_in_force(level, version).into_iter().map(|(check, _)| check).collect()
}

/// The newest version that changed anything: v1.37 forbids what `latest` forbids.
#[must_use]
pub fn newest_version() -> Version {
    CHECKS.iter().flat_map(Check::versions).max().unwrap_or(Version::Latest)
}

/// The text in which the API server joins what a level forbids, upstream's aggregated
/// `ForbiddenDetail`: it follows `violates PodSecurity "restricted:latest": `.
#[must_use]
pub fn forbidden_detail(violations: &[Violation]) -> String {
    let one = |Violation { reason, detail, .. }: &Violation| match detail.as_str() {
        "" => reason.clone(),
        detail => format!("{reason} ({detail})"),
    };
    violations.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn revisions_in_force(level: Level, version: Version) -> Vec<(&'static Check, &'static Since)> {
    let mut current: Vec<_> = CHECKS
        .iter()
        .filter(|check| check.level <= level)
        .filter_map(|check| Some((check, check.revision(version)?)))
        .collect();
    let overridden: Vec<_> =
        current.iter().flat_map(|(_, Since(_, _, overrides))| *overrides).collect();
    current.retain(|(check, _)| !overridden.contains(&&check.id));
    current
}

impl Check {
    /// The versions of the standards that brought the check in or changed its rule, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = Version> {
        self.versions.iter().map(|Since(minor, ..)| Version::Minor(*minor))
    }

    /// The revision that a version of the standards has, if it has the check at all.
    fn revision(&self, version: Version) -> Option<&'static Since> {
        self.versions.iter().rfind(|Since(minor, ..)| Version::Minor(*minor) <= version)
    }
}

#[cfg(test)]
mod testing {
    //! What the tables of the checks are written in. A pod is JSON, as a manifest has it.

    use k8s_openapi::api::core::v1::Pod as ApiPod;
    use serde_json::Value;

    use super::{Check, Forbidden, Pod};
    use crate::model::podsecurity::Version;

    /// The check allows the pod at each of these minor versions.
    #[track_caller]
    pub(super) fn allows(check: &Check, minors: impl IntoIterator<Item = u32>, pod: &Value) {
        for minor in minors {
            assert_eq!(verdict(check, minor, pod), None, "{} at v1.{minor} on {pod}", check.id);
        }
    }

    /// The check forbids the pod at each of these minor versions, with this reason and detail, for
    /// these fields.
    #[track_caller]
    pub(super) fn forbids(
        check: &Check,
        minors: impl IntoIterator<Item = u32>,
        pod: &Value,
        (reason, detail): (&'static str, &str),
        fields: &[&str],
    ) {
        for minor in minors {
            let fields = fields.iter().map(ToString::to_string).collect();
            let expected = Some(Forbidden { reason, detail: detail.to_owned(), fields });
            assert_eq!(verdict(check, minor, pod), expected, "{} at v1.{minor} on {pod}", check.id);
        }
    }

    fn verdict(check: &Check, minor: u32, pod: &Value) -> Option<Forbidden> {
        let pod: ApiPod = serde_json::from_value(pod.clone()).unwrap();
        let rule = check
            .revision(Version::Minor(minor))
            .expect("the check has a revision for that version")
            .1;
        rule(&Pod::new(&pod.metadata, &pod.spec.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What upstream's `validateChecks` demands of a registry, and the order that its `populate`
    /// makes.
    #[test]
    fn the_registry_is_sound() {
        let ids: BTreeSet<_> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), CHECKS.len(), "an ID is taken twice");
        assert!(
            CHECKS.is_sorted_by_key(|check| (check.level, check.id)),
            "the list is not in upstream's order"
        );

        let level_of =
            |id: &str| CHECKS.iter().find(|check| check.id == id).map(|check| check.level);
        for Check { id, level, versions, explain } in CHECKS {
            assert!(*level > Level::Privileged, "{id}: a check belongs to baseline or restricted");
            assert!(!versions.is_empty(), "{id}: no revision");
            assert!(
                versions.is_sorted_by(|a, b| a.0 < b.0),
                "{id}: versions must be strictly increasing"
            );
            assert!(
                explain.ends_with('.') && !explain.contains('\n'),
                "{id}: explain is not a paragraph"
            );
            for overridden in versions.iter().flat_map(|Since(_, _, overrides)| *overrides) {
                assert_eq!(*level, Level::Restricted, "{id}: only restricted checks may override");
                assert_eq!(
                    level_of(overridden),
                    Some(Level::Baseline),
                    "{id} overrides {overridden}"
                );
            }
        }
    }

    #[test]
    fn a_version_has_the_revision_that_started_at_or_before_it() {
        let nothing: Rule = |_| None;
        let something: Rule =
            |_| Some(Forbidden { reason: "", detail: String::new(), fields: Vec::new() });
        let versions: &'static [Since] =
            Box::leak(Box::new([Since(8, nothing, &[]), Since(25, something, &[])]));
        let check = Check { id: "test", level: Level::Restricted, explain: "", versions };
        let started = |version| check.revision(version).map(|since| since.0);

        assert_eq!(started(Version::Minor(7)), None);
        assert_eq!(started(Version::Minor(8)), Some(8));
        assert_eq!(started(Version::Minor(24)), Some(8));
        assert_eq!(started(Version::Minor(25)), Some(25));
        assert_eq!(started(Version::Minor(u32::MAX)), Some(25));
        assert_eq!(started(Version::Latest), Some(25));
    }

    fn ids_in_force(level: Level, version: Version) -> Vec<&'static str> {
        in_force(level, version).into_iter().map(|check| check.id).collect()
    }

    #[test]
    fn privileged_forbids_nothing() {
        assert_eq!(ids_in_force(Level::Privileged, Version::Latest), Vec::<&str>::new());
    }

    #[test]
    fn baseline_is_free_of_restricted_checks_and_grows_with_its_version() {
        let oldest = ids_in_force(Level::Baseline, Version::Minor(0));
        assert!(oldest.contains(&"hostPathVolumes") && !oldest.contains(&"runAsNonRoot"));
        assert!(!oldest.contains(&"hostProbesAndHostLifecycle"));
        assert!(
            ids_in_force(Level::Baseline, Version::Minor(34))
                .contains(&"hostProbesAndHostLifecycle")
        );
    }

    #[test]
    fn restricted_replaces_the_baseline_checks_that_it_overrides_from_that_version_on() {
        let at = |minor| ids_in_force(Level::Restricted, Version::Minor(minor));
        assert!(!at(0).contains(&"hostPathVolumes") && at(0).contains(&"restrictedVolumes"));
        assert!(
            at(18).contains(&"seccompProfile_baseline")
                && !at(18).contains(&"seccompProfile_restricted")
        );
        assert!(
            !at(19).contains(&"seccompProfile_baseline")
                && at(19).contains(&"seccompProfile_restricted")
        );
        assert!(
            at(21).contains(&"capabilities_baseline") && !at(22).contains(&"capabilities_baseline")
        );
        assert!(at(34).contains(&"procMount") && !at(34).contains(&"procMount_restricted"));
        assert!(!at(35).contains(&"procMount") && at(35).contains(&"procMount_restricted"));
    }

    #[test]
    fn latest_and_the_future_are_the_newest_version() {
        assert_eq!(newest_version(), Version::Minor(37));
        for level in [Level::Baseline, Level::Restricted] {
            let newest = ids_in_force(level, newest_version());
            assert_eq!(ids_in_force(level, Version::Latest), newest);
            assert_eq!(ids_in_force(level, Version::Minor(u32::MAX)), newest);
        }
    }

    #[test]
    fn a_pod_that_sets_nothing_is_forbidden_as_the_api_server_prints_it() {
        let pod: k8s_openapi::api::core::v1::Pod =
            serde_json::from_value(serde_json::json!({"spec": {"containers": [{"name": "web"}]}}))
                .unwrap();
        let (metadata, spec) = (pod.metadata, pod.spec.unwrap());
        let violations = evaluate(&metadata, &spec, Level::Restricted, Version::Latest);
        let checks: Vec<_> = violations.iter().map(|violation| violation.check).collect();
        assert_eq!(
            checks,
            [
                "allowPrivilegeEscalation",
                "capabilities_restricted",
                "runAsNonRoot",
                "seccompProfile_restricted"
            ]
        );
        assert_eq!(
            forbidden_detail(&violations),
            "allowPrivilegeEscalation != false (container \"web\" must set \
             securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"web\" must set \
             securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"web\" must set \
             securityContext.runAsNonRoot=true), seccompProfile (pod or container \"web\" must set \
             securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
        );
        assert_eq!(evaluate(&metadata, &spec, Level::Baseline, Version::Latest), []);
        assert_eq!(evaluate(&metadata, &spec, Level::Privileged, Version::Latest), []);
    }

    #[test]
    fn a_reason_without_detail_stands_alone() {
        let violation = |reason: &str, detail: &str| Violation {
            check: "test",
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            fields: Vec::new(),
        };
        assert_eq!(forbidden_detail(&[]), "");
        assert_eq!(
            forbidden_detail(&[violation("a", ""), violation("b", "detail"), violation("c", "")]),
            "a, b (detail), c"
        );
    }
}
