//! What a copy does to the world beside the workload, as far as its spec tells.

use serde_json::Value;

use crate::plan::pod_spec;

/// Words in the names of variables that say where a program connects to.
const CONNECTIONS: [&str; 18] = [
    "ADDR",
    "AMQP",
    "API",
    "BOOTSTRAP",
    "BROKER",
    "BROKERS",
    "DATABASE",
    "DB",
    "DSN",
    "ENDPOINT",
    "HOST",
    "KAFKA",
    "MYSQL",
    "QUEUE",
    "REDIS",
    "SMTP",
    "URI",
    "URL",
];

/// Names at the most, of variables and of objects.
const MAX_NAMES: usize = 8;

/// What the copy of a workload will do besides being looked at, each as the rest of "it ...". Names
/// of variables are told, and never their values.
#[must_use]
pub fn side_effects(object: &Value) -> Vec<String> {
    let mut effects = Vec::new();
    match object["kind"].as_str() {
        Some("CronJob") => effects
            .push("does its work now, whatever its schedule says, and once each round".to_owned()),
        Some("Job") => effects.push("does its work again, once each round".to_owned()),
        Some("StatefulSet") => effects.push("may join its cluster as one more member".to_owned()),
        Some("DaemonSet") => {
            effects.push("works on one node beside the pod that is there".to_owned())
        }
        _ => {}
    }
    let Some(spec) = pod_spec(object) else { return effects };
    if let Some(account) =
        spec["serviceAccountName"].as_str().filter(|account| *account != "default")
        && spec["automountServiceAccountToken"] != false
    {
        effects.push(format!(
            "uses the API server as service account {account}: a leader election or a controller among it takes part"
        ));
    }
    let containers: Vec<&Value> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| spec[*list].as_array().into_iter().flatten())
        .collect();
    let mut names: Vec<&str> = containers
        .iter()
        .flat_map(|container| container["env"].as_array().into_iter().flatten())
        .filter_map(|variable| variable["name"].as_str())
        .filter(|name| {
            name.split('_').any(|word| CONNECTIONS.contains(&word.to_ascii_uppercase().as_str()))
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        let rest = if names.len() > MAX_NAMES { ", ..." } else { "" };
        names.truncate(MAX_NAMES);
        effects.push(format!("connects to what its variables say: {}{rest}", names.join(", ")));
    }
    let mut sources: Vec<String> = containers
        .iter()
        .flat_map(|container| container["envFrom"].as_array().into_iter().flatten())
        .filter_map(|from| {
            let source =
                |field: &str, kind: &str| Some(format!("{kind} {}", from[field]["name"].as_str()?));
            source("secretRef", "secret").or_else(|| source("configMapRef", "config map"))
        })
        .collect();
    sources.sort_unstable();
    sources.dedup();
    if !sources.is_empty() {
        sources.truncate(MAX_NAMES);
        effects.push(format!("takes variables from {}", sources.join(", ")));
    }
    effects
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_copy_touches_is_named_without_values() {
        let job = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {
            "serviceAccountName": "mailer",
            "containers": [{
                "name": "mail",
                "env": [
                    {"name": "SMTP_HOST", "value": "mail.example.com"},
                    {"name": "GHOST", "value": "x"},
                    {"name": "DATABASE_URL", "value": "postgres://user:secret@db"},
                ],
                "envFrom": [{"secretRef": {"name": "queue"}}, {"configMapRef": {"name": "settings"}}],
            }],
        }}}}}});
        assert_eq!(
            side_effects(&job),
            [
                "does its work now, whatever its schedule says, and once each round",
                "uses the API server as service account mailer: a leader election or a controller among it takes part",
                "connects to what its variables say: DATABASE_URL, SMTP_HOST",
                "takes variables from config map settings, secret queue",
            ]
        );
        let quiet = json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}});
        assert_eq!(side_effects(&quiet), [""; 0]);
    }
}
