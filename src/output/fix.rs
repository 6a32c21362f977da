//! What `fix` reports.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::API_VERSION;
use super::explanation::Explained;
use super::markdown_text::{code, plain};
use super::patch;
use super::terminal::{Clean, Tone, painted, tone, wrapped};
use crate::model::identity::{Assignment, Candidate};
use crate::model::plan::{Plan as ModelPlan, Step as ModelStep};

/// `kind: Fix`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    pub workload: Workload,
    pub plan: Plan,
    /// Whether the level forbids nothing of what the plan leads to.
    pub is_admitted: bool,
    pub proof: Option<Proof>,
    /// The planned object, ready for `kubectl apply`.
    pub patch: Value,
    /// What the plan changes of the object, as a strategic merge patch.
    pub strategic_patch: Value,
}

#[derive(Debug, Clone, Serialize)]
pub struct Workload {
    pub kind: Value,
    pub namespace: Value,
    /// Of a pod inside another kind with where it stands.
    pub name: Value,
}

#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Of the container that counts most; `null` where the plan has no users.
    pub identity: Option<Identity>,
    pub remedies: Vec<Remedy>,
    /// What the plan is made from, the most telling first.
    pub basis: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Identity {
    /// `set` where the plan writes it, `guess` where nothing points at that one, `kept` where the
    /// container has it already.
    pub assignment: &'static str,
    /// `null` where nothing tells which uid the image's own user has.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Vec<u32>,
    pub why: String,
}

impl Identity {
    fn new(candidate: &Candidate) -> Self {
        let known = candidate.assignment != Assignment::Unknown;
        let assignment = match candidate.assignment {
            Assignment::Set => "set",
            Assignment::Guess => "guess",
            Assignment::Kept | Assignment::Unknown => "kept",
        };
        Identity {
            assignment,
            uid: known.then_some(candidate.uid),
            gid: known.then_some(candidate.gid),
            groups: candidate.groups.clone(),
            why: candidate.why.clone(),
        }
    }

    /// `101:102`, or that it stays.
    fn ids(&self) -> String {
        match (self.uid, self.gid) {
            (Some(uid), Some(gid)) => match self.assignment {
                "set" => format!("{uid}:{gid}"),
                "guess" => format!("{uid}:{gid}, a guess"),
                _ => format!("{uid}:{gid}, as it is"),
            },
            _ => "as it is".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Remedy {
    pub id: &'static str,
    /// The cause that it removes, in one sentence.
    pub obstacle: String,
    pub level: &'static str,
    pub summary: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    pub ready: bool,
    /// It passes its checks as well, and does what a copy of the workload as it is does.
    pub works: bool,
    /// The checks that were made beside being ready.
    pub checks: Vec<String>,
    /// What was not looked at, each in a sentence.
    pub not_checked: Vec<String>,
    pub rounds: Vec<Round>,
    pub seconds: u64,
    pub remaining: Vec<Explained>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Round {
    pub obstacles: Vec<Explained>,
    pub added: Vec<String>,
    pub seconds: u64,
}

impl Fix {
    #[must_use]
    pub fn new(
        object: &Value,
        planned: &Value,
        plan: &ModelPlan,
        is_admitted: bool,
        proof: Option<Proof>,
        warnings: Vec<String>,
    ) -> Self {
        let remedy = |step: &ModelStep| Remedy {
            id: step.remedy,
            obstacle: step.obstacle.cause.clone(),
            level: step.level,
            summary: step.summary.clone(),
        };
        Fix {
            api_version: API_VERSION,
            kind: "Fix",
            warnings,
            workload: Workload {
                kind: object["kind"].clone(),
                namespace: object["metadata"]["namespace"].clone(),
                name: object["metadata"]["name"].clone(),
            },
            plan: Plan {
                identity: plan.identities.first().map(|(_, candidate)| Identity::new(candidate)),
                remedies: plan.steps.iter().map(remedy).collect(),
                basis: plan.basis.iter().map(ToString::to_string).collect(),
            },
            is_admitted,
            proof,
            patch: applicable(planned),
            strategic_patch: patch::kubectl(object, planned).1,
        }
    }
}

impl Fix {
    fn changes_nothing(&self) -> bool {
        self.strategic_patch.get("spec").is_none()
            && self.strategic_patch.pointer("/metadata/annotations").is_none()
    }

    /// Why nothing changes, after the word "nothing".
    fn nothing(&self) -> &'static str {
        if self.is_admitted {
            "to do: the level admits it as it is"
        } else {
            "that a plan could change"
        }
    }
}

/// An object without what the API server adds, so that `kubectl apply` takes it anywhere.
#[must_use]
pub fn applicable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "selfLink",
            "ownerReferences",
        ] {
            metadata.shift_remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
            annotations.shift_remove("deployment.kubernetes.io/revision");
        }
        if metadata.get("annotations") == Some(&json!({})) {
            metadata.shift_remove("annotations");
        }
    }
    object
}

/// An object before and after without the values of the variables that it had before: a diff quotes
/// what stands beside a change, and nobody may read these.
#[must_use]
pub fn discreet(before: &Value, after: &Value) -> (Value, Value) {
    fn each(value: &mut Value, variable: &mut dyn FnMut(&mut Value)) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Array(variables)) = fields.get_mut("env") {
                    variables.iter_mut().for_each(&mut *variable);
                }
                fields.values_mut().for_each(|value| each(value, variable));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| each(item, variable)),
            _ => {}
        }
    }
    let (mut before, mut after) = (before.clone(), after.clone());
    let mut known: Vec<Value> = Vec::new();
    let hide = |variable: &mut Value| {
        if let Some(value) = variable.get_mut("value") {
            *value = json!("...");
        }
    };
    each(&mut before, &mut |variable| {
        known.push(variable.clone());
        hide(variable);
    });
    each(&mut after, &mut |variable| {
        if known.contains(variable) {
            hide(variable);
        }
    });
    (before, after)
}

/// The fix for a person, with the diff of the object, whose lines stay whole; ends in a line break.
#[must_use]
pub fn text(fix: &Fix, diff: &str, width: usize) -> String {
    let mut out = String::new();
    let mut field = |name: &str, text: String| {
        let _ = wrapped(&mut out, &format!("{name} "), 9, &text, width);
    };
    if fix.changes_nothing() {
        field(&tone(Tone::Good, "nothing "), fix.nothing().to_owned());
    }
    if let Some(identity) = &fix.plan.identity {
        field(
            &tone(Tone::Strong, "identity"),
            format!("{} ({})", identity.ids(), Clean(&identity.why)),
        );
    }
    field("from    ", Clean(&fix.plan.basis.join(", ")).to_string());
    for remedy in &fix.plan.remedies {
        field(&tone(Tone::Strong, "remedy  "), Clean(&remedy.summary).to_string());
        field("        ", format!("because {}", Clean(&remedy.obstacle)));
    }
    if let Some(proof) = &fix.proof {
        let rounds = proof.rounds.len();
        let verdict =
            if proof.works { tone(Tone::Good, "proven") } else { tone(Tone::Bad, "not proven") };
        let plural = if rounds == 1 { "round" } else { "rounds" };
        let ready =
            if proof.ready && !proof.works { ", ready and not the same as root" } else { "" };
        field(&verdict, format!("in {rounds} {plural} and {} s{ready}", proof.seconds));
        for check in &proof.checks {
            field("checked ", Clean(check).to_string());
        }
        if !proof.not_checked.is_empty() {
            field("not seen", Clean(&proof.not_checked.join("; ")).to_string());
        }
        for obstacle in &proof.remaining {
            field("remains ", format!("{}: {}", obstacle.category, Clean(&obstacle.cause)));
        }
    }
    for warning in &fix.warnings {
        field(&tone(Tone::Doubtful, "warning "), Clean(warning).to_string());
    }
    if !diff.is_empty() {
        out.push('\n');
    }
    for line in diff.lines() {
        let line = Clean(line);
        let _ = match line.0.as_bytes().first() {
            Some(b'+') => writeln!(out, "{}", tone(Tone::Good, line)),
            Some(b'-') => writeln!(out, "{}", tone(Tone::Bad, line)),
            Some(b'@') => writeln!(out, "{}", tone(Tone::Faint, line)),
            _ => writeln!(out, "{line}"),
        };
    }
    painted(&out)
}

/// The fix as Markdown, to paste where a change is reviewed; ends in a line break.
#[must_use]
pub fn markdown(fix: &Fix, diff: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = String::new();
    let name = format!("{}/{}", text(&fix.workload.kind).to_lowercase(), text(&fix.workload.name));
    let _ = writeln!(out, "## {} off root\n", code(&name));
    if fix.changes_nothing() {
        let _ = writeln!(out, "Nothing {}.\n", fix.nothing());
    }
    if let Some(identity) = &fix.plan.identity {
        let _ = writeln!(out, "Runs as {}: {}.\n", code(&identity.ids()), plain(&identity.why));
    }
    let _ = writeln!(out, "Planned from {}.\n", plain(&fix.plan.basis.join(", ")));
    if !fix.plan.remedies.is_empty() {
        let _ = writeln!(out, "| remedy | because |\n|---|---|");
    }
    for remedy in &fix.plan.remedies {
        let _ = writeln!(out, "| {} | {} |", plain(&remedy.summary), plain(&remedy.obstacle));
    }
    if let Some(proof) = &fix.proof {
        let verdict = match (proof.works, proof.ready) {
            (true, _) => {
                "Proven: a copy of the pod became ready, stayed so, and did what root does"
            }
            (false, true) => "**Not proven**: a copy became ready, and does not do what root does",
            (false, false) => "**Not proven**",
        };
        let _ = writeln!(
            out,
            "\n{verdict}, in {} rounds and {} s.\n",
            proof.rounds.len(),
            proof.seconds
        );
        for (number, round) in proof.rounds.iter().enumerate() {
            let cause = round
                .obstacles
                .first()
                .map_or("nothing was refused".to_owned(), |one| plain(&one.cause));
            let _ = writeln!(out, "{}. {cause} ({} s)", number + 1, round.seconds);
            for added in &round.added {
                let _ = writeln!(out, "   - {}", plain(added));
            }
        }
        for check in &proof.checks {
            let _ = writeln!(out, "\n- Checked: {}", plain(check));
        }
        for gap in &proof.not_checked {
            let _ = writeln!(out, "\n- Not checked: {}", plain(gap));
        }
    } else {
        let _ = writeln!(out, "\nNot tried in a cluster (`--trial` does).");
    }
    for warning in &fix.warnings {
        let _ = writeln!(out, "\n> {}", plain(warning));
    }
    if !diff.is_empty() {
        // Four backticks: a line of the object cannot close them unless it has as many.
        let lines = diff.lines().map(|line| Clean(line).to_string().replace("````", "'```"));
        let _ = writeln!(out, "\n````diff\n{}\n````", lines.collect::<Vec<_>>().join("\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::discreet;

    #[test]
    fn only_the_values_that_were_there_are_hidden() {
        let of =
            |env: serde_json::Value| json!({"spec": {"containers": [{"name": "a", "env": env}]}});
        let before =
            of(json!([{"name": "KEY", "value": "secret"}, {"name": "HOME", "value": "/root"}]));
        let after =
            of(json!([{"name": "KEY", "value": "secret"}, {"name": "HOME", "value": "/tmp"}]));
        let (before, after) = discreet(&before, &after);
        assert_eq!(
            before,
            of(json!([{"name": "KEY", "value": "..."}, {"name": "HOME", "value": "..."}]))
        );
        assert_eq!(
            after,
            of(json!([{"name": "KEY", "value": "..."}, {"name": "HOME", "value": "/tmp"}]))
        );
    }
}
