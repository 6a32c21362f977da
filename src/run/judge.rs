//! Judges a workload as it is written: it runs once, is used, and is compared with root.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Progress, Trial};
use crate::error::Error;
use crate::model::obstacle::{Category, Obstacle};
use crate::plan;
use crate::search::{self, End, Observations, Outcome, Search, SearchInput, Used};

/// What a run of a workload showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// It became ready, and stayed so while it was used; or ended well, if it runs to an end.
    pub ready: bool,
    /// And it passes its checks, and does what it does as root.
    pub works: bool,
    pub seconds: u64,
    /// What stands in the way, or is refused though it is ready.
    pub obstacles: Vec<Obstacle>,
    /// What differs from root and may have another reason.
    pub notes: Vec<String>,
    pub checks: Vec<String>,
    /// What was not looked at, each in a sentence.
    pub not_checked: Vec<String>,
}

impl Trial<'_> {
    /// Runs the workload as it is and, unless the options say otherwise, as root beside it.
    ///
    /// # Errors
    /// The cluster does not answer, or does not let us run the copies.
    pub async fn judge(&self) -> Result<Verdict, Error> {
        let begin = Instant::now();
        self.check_rights().await?;
        self.create_owner().await?;
        let limits = self.proof_limits().await;
        (self.progress)(Progress::Running(1));
        let as_root = plan::as_root(self.object);
        let (control, missing) = match self.control(&as_root).await {
            Ok(control) => (Some(control), None),
            Err(why) => (None, Some(why)),
        };
        let mut observed = Observations::default();
        if let Some(control) = &control {
            observed.take(&control.behaviour, &control.users);
        }
        let startup_time = control.as_ref().map(|control| control.startup_time).unwrap_or_default();
        let control = control.map(|control| control.behaviour);
        let input = SearchInput { observed, ..SearchInput::default() };
        let search = Search::new(self.object, self.options.search.clone(), input)
            .map_err(|why| Error::input("read the pod template", why))?;
        let copy = self.copy(self.object, &self.pod_name("1"));
        let mut outcome = self.run(&copy, &search, startup_time, control.as_ref()).await?;
        search.hold_to_work(&mut outcome, is_root_in_user_namespace(self.object));
        let known = control.map(|control| control.refusals).unwrap_or_default();
        Ok(verdict(outcome, &known, missing.into_iter().chain(limits).collect(), begin.elapsed()))
    }
}

/// Whether an object's pods have a user namespace of their own, and are root in it, or may be.
fn is_root_in_user_namespace(object: &Value) -> bool {
    let Some(spec) = plan::pod_spec(object) else { return false };
    let is_root = |container: &Value| {
        let of = |field: &str| match &container["securityContext"][field] {
            Value::Null => spec["securityContext"][field].clone(),
            own => own.clone(),
        };
        match of("runAsUser").as_u64() {
            Some(uid) => uid == 0,
            None => of("runAsNonRoot") != true,
        }
    };
    let containers = spec["containers"].as_array();
    spec["hostUsers"] == false && containers.into_iter().flatten().any(is_root)
}

/// What an outcome says of a workload; what root is refused as well is no fault of it.
fn verdict(
    outcome: Outcome,
    known: &[Obstacle],
    mut not_checked: Vec<String>,
    elapsed: Duration,
) -> Verdict {
    let Outcome { end, mut obstacles, seen: Used { notes, checks, gaps, .. }, .. } = outcome;
    obstacles.retain(|one| !search::is_known(known, one));
    // Nothing is added here that would open what root writes.
    let is_refused = obstacles.iter().any(|one| one.category == Category::UnwritablePath);
    not_checked.extend(gaps);
    Verdict {
        ready: matches!(end, End::Works | End::Differs),
        works: end == End::Works && !is_refused,
        seconds: elapsed.as_secs(),
        obstacles,
        notes,
        checks,
        not_checked,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn root_in_a_user_namespace_is_told_by_the_spec() {
        let pod = |spec: Value| json!({"kind": "Pod", "spec": spec});
        let is = |spec: Value| is_root_in_user_namespace(&pod(spec));
        let own = |context: Value| json!([{"name": "a", "securityContext": context}]);
        assert!(is(json!({"hostUsers": false, "containers": own(json!({}))})));
        assert!(is(json!({"hostUsers": false, "containers": own(json!({"runAsUser": 0}))})));
        assert!(!is(json!({"hostUsers": false, "containers": own(json!({"runAsUser": 1000}))})));
        assert!(!is(json!({"containers": own(json!({"runAsUser": 0}))})));
        let of_pod = json!({"runAsNonRoot": true});
        let containers = own(json!({}));
        assert!(!is(
            json!({"hostUsers": false, "securityContext": of_pod, "containers": containers})
        ));
    }
}
