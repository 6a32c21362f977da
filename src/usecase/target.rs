//! `TYPE/NAME`, `TYPE NAME` and short names, as kubectl takes them, and what else selects workloads.

use crate::error::Error;
use crate::evidence::cluster::{Fields, Namespaces, Scope, Selection};
use crate::model::workload::Workload;

/// What a user named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The API's kind for a built-in type, else the type as it was given, in lower case.
    pub kind: String,
    /// `None`: every one of the type.
    pub name: Option<String>,
}

/// Which workloads: those of files, where files are named, else those of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    /// Workloads of the cluster by their names; all without.
    pub targets: Vec<Target>,
    /// Files and directories of manifests; `-` is standard input.
    pub files: Vec<String>,
    /// Descend into the directories.
    pub recursive: bool,
    pub all_namespaces: bool,
    /// Label selector.
    pub labels: Option<String>,
    /// Field selector of pods.
    pub fields: Option<String>,
}

impl Selector {
    /// The part of the cluster that it selects from; without all namespaces it is this one.
    #[must_use]
    pub fn scope(&self, namespace: &str, fields: Fields) -> Scope {
        let namespaces = if self.all_namespaces {
            Namespaces::All
        } else {
            Namespaces::One(namespace.to_owned())
        };
        let selection = Selection { labels: self.labels.clone(), fields: self.fields.clone() };
        Scope { namespaces, selection, fields }
    }

    /// Whether its targets name a workload, or it has none.
    #[must_use]
    pub fn names(&self, workload: &Workload) -> bool {
        self.targets.is_empty()
            || self.targets.iter().any(|target| target.matches(&workload.kind, &workload.name))
    }
}

/// Built-in types that make pods: kind, and the names that `kubectl api-resources` gives them.
pub const TYPES: [(&str, &[&str]); 8] = [
    ("Pod", &["pod", "pods", "po"]),
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("ReplicaSet", &["replicaset", "replicasets", "rs"]),
    ("ReplicationController", &["replicationcontroller", "replicationcontrollers", "rc"]),
    ("CronJob", &["cronjob", "cronjobs", "cj"]),
    ("Job", &["job", "jobs"]),
];

/// Reads the arguments after a command: `deploy/web sts/db`, `deploy web api`, `deploy,sts`, or
/// nothing.
///
/// # Errors
/// A mix of the two forms, or an empty type or name.
pub fn targets(args: &[String]) -> Result<Vec<Target>, Error> {
    let Some(first) = args.first() else { return Ok(Vec::new()) };
    let fault = |arg: &str, why: &str| {
        Error::input(format!("take {arg:?} for a target"), why).help("use TYPE/NAME or TYPE NAME")
    };
    if first.contains('/') {
        let parse = |arg: &String| match arg.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Target { kind: kind_of(kind), name: Some(name.to_owned()) })
            }
            Some(_) => Err(fault(arg, "a type or a name is missing")),
            None => Err(fault(arg, "another target has the form TYPE/NAME")),
        };
        return args.iter().map(parse).collect();
    }
    let kinds = first.split(',').map(kind_of);
    let names = &args[1..];
    if let Some(arg) = names.iter().find(|arg| arg.contains('/')) {
        return Err(fault(arg, "a type stands before it already"));
    }
    if first.split(',').any(str::is_empty) {
        return Err(fault(first, "a type is missing"));
    }
    if names.is_empty() {
        return Ok(kinds.map(|kind| Target { kind, name: None }).collect());
    }
    let each = |kind: String| {
        names.iter().map(move |name| Target { kind: kind.clone(), name: Some(name.clone()) })
    };
    Ok(kinds.flat_map(each).collect())
}

/// The one thing that a command is about: the name of a pod, TYPE/NAME or TYPE NAME.
///
/// # Errors
/// As [`targets`], or several.
pub fn one(args: &[String], attempt: &str) -> Result<Target, Error> {
    if let [name] = args
        && !name.contains('/')
    {
        return Ok(Target { kind: "Pod".to_owned(), name: Some(name.clone()) });
    }
    let mut targets = targets(args)?;
    match (targets.pop(), targets.is_empty()) {
        (Some(target), true) => Ok(target),
        _ => Err(Error::input(format!("{attempt} several targets"), "it is one at a time")),
    }
}

/// The kind of a type name; `deployments.apps` and `deployments.v1.apps` count too.
#[must_use]
pub fn kind_of(name: &str) -> String {
    let lower = name.to_lowercase();
    let plain = lower.split('.').next().unwrap_or_default();
    let known = TYPES.iter().find(|(_, names)| names.contains(&plain));
    known.map_or_else(|| plain.to_owned(), |(kind, _)| (*kind).to_owned())
}

/// Whether a word is a type that is built in, and no name.
#[must_use]
pub fn is_type(word: &str) -> bool {
    Target { kind: kind_of(word), name: None }.is_built_in()
}

/// The one of these names that was most likely meant, if any is near.
pub fn nearest<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let given = given.to_lowercase();
    let scored = names.map(|name| (strsim::jaro_winkler(&given, &name.to_lowercase()), name));
    scored
        .filter(|(score, _)| *score > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

impl Target {
    /// What helps if the target is nowhere: the type, or of these workloads the name, that
    /// was most likely meant.
    #[must_use]
    pub fn hint<'w>(&self, workloads: impl Iterator<Item = &'w Workload>) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let types = TYPES.iter().flat_map(|(_, names)| names.iter().copied());
        if !self.is_built_in()
            && let Some(near) = nearest(&self.kind, types)
        {
            let name = if name.is_empty() { String::new() } else { format!("/{name}") };
            return format!("did you mean {near}{name}?");
        }
        let names = workloads.filter(|one| self.kind == one.kind).map(|one| one.name.as_str());
        match nearest(name, names) {
            Some(near) => format!("did you mean {}/{near}?", self.kind.to_lowercase()),
            None => "see kubectl nonroot scan -A".to_owned(),
        }
    }

    #[must_use]
    pub fn is_built_in(&self) -> bool {
        TYPES.iter().any(|(kind, _)| *kind == self.kind)
    }

    /// Whether a workload is meant. A custom type is known by its kind, in singular or plural.
    #[must_use]
    pub fn matches(&self, kind: &str, name: &str) -> bool {
        let lower = kind.to_lowercase();
        let same_kind = self.kind == kind
            || self.kind == lower
            || self.kind.strip_suffix('s') == Some(&lower)
            || self.kind.strip_suffix("es") == Some(&lower)
            || self
                .kind
                .strip_suffix("ies")
                .is_some_and(|stem| lower.strip_suffix('y') == Some(stem));
        same_kind && self.name.as_ref().is_none_or(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Vec<(String, Option<String>)>, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let targets = targets(&args).map_err(|error| error.to_string())?;
        Ok(targets.into_iter().map(|target| (target.kind, target.name)).collect())
    }

    fn pair(kind: &str, name: Option<&str>) -> (String, Option<String>) {
        (kind.to_owned(), name.map(str::to_owned))
    }

    #[test]
    fn both_forms_and_short_names() {
        assert_eq!(
            parse(&["deploy/web", "sts/db"]),
            Ok(vec![pair("Deployment", Some("web")), pair("StatefulSet", Some("db"))])
        );
        assert_eq!(
            parse(&["po", "a", "b"]),
            Ok(vec![pair("Pod", Some("a")), pair("Pod", Some("b"))])
        );
        assert_eq!(parse(&["ds,cj"]), Ok(vec![pair("DaemonSet", None), pair("CronJob", None)]));
        assert_eq!(parse(&["Deployments.apps/web"]), Ok(vec![pair("Deployment", Some("web"))]));
        assert_eq!(parse(&["rollout/web"]), Ok(vec![pair("rollout", Some("web"))]));
        assert_eq!(parse(&[]), Ok(vec![]));
    }

    #[test]
    fn mixtures_are_refused() {
        for args in [
            &["deploy/web", "db"][..],
            &["deploy", "web", "sts/db"],
            &["deploy/"],
            &["/web"],
            &["deploy,"],
            &["a/b/c"],
        ] {
            assert!(parse(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn what_was_meant_is_near() {
        let types = || TYPES.iter().flat_map(|(_, names)| names.iter().copied());
        assert_eq!(nearest("deplyoment", types()), Some("deployment"));
        assert_eq!(nearest("statefullset", types()), Some("statefulset"));
        assert_eq!(nearest("dpeloy", types()), Some("deploy"));
        assert_eq!(nearest("kafka", types()), None);
    }

    #[test]
    fn custom_types_match_by_kind() {
        let target = |kind: &str| Target { kind: kind.to_owned(), name: None };
        for (given, kind) in [
            ("rollout", "Rollout"),
            ("rollouts", "Rollout"),
            ("proxies", "Proxy"),
            ("kafkas", "Kafka"),
            ("switches", "Switch"),
        ] {
            assert!(target(given).matches(kind, "x"), "{given} {kind}");
        }
        assert!(!target("rollout").matches("Deployment", "x"));
    }
}
