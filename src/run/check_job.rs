//! A pod of the user's that checks a copy: its exit code is the answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Trial, pod, states};
use crate::model::behaviour::Checked;
use crate::plan::template_path;

/// How long it may run.
const CHECK_TIMEOUT: Duration = Duration::from_secs(180);

/// The variable that holds the copy's address.
const ADDRESS: &str = "TARGET_IP";

impl Trial<'_> {
    /// Runs a check against the copy at an address, and tells whether it ended well.
    pub(super) async fn checked_by_job(
        &self,
        number: usize,
        object: &Value,
        address: &str,
    ) -> Checked {
        let check = format!("the job {}", object["metadata"]["name"].as_str().unwrap_or("check"));
        let name = self.pod_name(&format!("check-{number}-{}", address.replace(['.', ':'], "-")));
        let checking = checking(object, &name, &self.id, address);
        let answer = match self.create(&checking).await {
            Ok(None) => {
                let answer = self.judged_by(&name).await;
                self.remove(&name).await;
                answer
            }
            Ok(Some(outcome)) => Err(outcome
                .obstacles
                .first()
                .map_or("its pod is refused".to_owned(), |one| one.cause.clone())),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(()) => Checked { check, passed: true, answer: "it ended well".to_owned() },
            Err(answer) => Checked { check, passed: false, answer },
        }
    }

    /// Waits for a pod's end. The error says how it ended otherwise.
    async fn judged_by(&self, name: &str) -> Result<(), String> {
        let pods = self.pods().map_err(|error| error.to_string())?;
        let end = states::first(pods, name, CHECK_TIMEOUT, |pod| {
            let status = pod.status?;
            match status.phase.as_deref() {
                Some("Succeeded") => Some(Ok(())),
                Some("Failed") => {
                    let statuses = status.container_statuses.unwrap_or_default();
                    let code = statuses
                        .iter()
                        .filter_map(|one| one.state.as_ref()?.terminated.as_ref())
                        .map(|end| end.exit_code)
                        .find(|code| *code != 0);
                    let code = code.map_or(String::new(), |code| format!(" with exit code {code}"));
                    Some(Err(format!("it ended{code}")))
                }
                _ => None,
            }
        });
        let late = || Err(format!("it did not end within {} s", CHECK_TIMEOUT.as_secs()));
        end.await.unwrap_or_else(late)
    }
}

/// The pod of a Job or a Pod of the user's, with the address of what it checks.
fn checking(object: &Value, name: &str, trial: &str, address: &str) -> Value {
    let seconds = CHECK_TIMEOUT.as_secs();
    let mut pod = pod::copy(object, name, trial, seconds, &pod::Changes::default());
    let lists = ["initContainers", "containers"];
    for list in lists {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            let variable = json!({"name": ADDRESS, "value": address});
            match container["env"].as_array_mut() {
                Some(known) => known.push(variable),
                None => container["env"] = json!([variable]),
            }
        }
    }
    pod
}

/// Whether an object has a pod to run.
#[must_use]
pub fn is_runnable(object: &Value) -> bool {
    let template = template_path(object).iter().try_fold(object, |value, key| value.get(key));
    matches!(object["kind"].as_str(), Some("Job" | "Pod"))
        && template.is_some_and(|template| template["spec"]["containers"].is_array())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_variable_of_every_container() {
        let job = json!({"kind": "Job", "metadata": {"name": "load"}, "spec": {"template": {"spec": {
            "containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}}}});
        assert!(is_runnable(&job) && !is_runnable(&json!({"kind": "Job"})));
        let pod = checking(&job, "n", "t", "10.0.0.1");
        let address = json!({"name": "TARGET_IP", "value": "10.0.0.1"});
        assert_eq!(pod["spec"]["containers"][0]["env"][1], address);
        assert_eq!(pod["spec"]["containers"][1]["env"][0], address);
        assert_eq!(pod["spec"]["restartPolicy"], "Never");
    }
}
