//! The answers of can-i, for tools (`kind: CanI`) and for a person.

use std::fmt::Write as _;

use serde::Serialize;

use super::terminal::{Clean, Tone, painted, tone, wrapped};
use crate::model::can_i::{AccessAnswer, Who};
use crate::model::capability::Capability;
use crate::model::credentials::Credentials;

/// `kind: CanI`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CanIReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    /// What was looked at: a running container, or an image.
    pub evidence: String,
    pub user: Asker,
    pub answers: Vec<Answered>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asker {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// Those in effect.
    pub capabilities: Vec<&'static str>,
    pub no_new_privs: bool,
    #[serde(skip)]
    shown: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    pub verb: &'static str,
    /// The path or the port.
    pub thing: String,
    /// yes, no or unknown.
    pub answer: &'static str,
    pub errno: Option<&'static str>,
    pub steps: Vec<String>,
}

impl CanIReport {
    #[must_use]
    pub fn new(
        warnings: Vec<String>,
        evidence: String,
        process: &Credentials,
        answers: Vec<Answered>,
    ) -> CanIReport {
        let user = Asker {
            uid: process.uid.effective,
            gid: process.gid.effective,
            groups: process.groups.clone(),
            capabilities: process.sets.effective.iter().map(Capability::name).collect(),
            no_new_privs: process.no_new_privs,
            shown: Who(process).to_string(),
        };
        CanIReport {
            api_version: super::API_VERSION,
            kind: "CanI",
            warnings,
            evidence,
            user,
            answers,
        }
    }

    /// For a person: the answer first, then who asks, then the steps. Several answers name what
    /// they are about.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut out = String::new();
        for answered in &self.answers {
            let shade = match answered.answer {
                "yes" => Tone::Good,
                "no" => Tone::Bad,
                _ => Tone::Doubtful,
            };
            out.push_str(&tone(shade, answered.answer));
            // Writing to a string does not fail.
            if self.answers.len() > 1 {
                let _ = write!(out, " {} {}", answered.verb, Clean(&answered.thing));
            }
            if let Some(errno) = answered.errno {
                let _ = write!(out, " ({errno})");
            }
            out.push('\n');
            let who = format!("{} in {}", self.user.shown, self.evidence);
            for line in std::iter::once(&who).chain(&answered.steps) {
                let _ = wrapped(&mut out, "  ", 4, &Clean(line).to_string(), width);
            }
        }
        painted(&out)
    }
}

impl Answered {
    #[must_use]
    pub fn new(verb: &'static str, thing: &str, answer: AccessAnswer) -> Answered {
        Answered {
            verb,
            thing: thing.to_owned(),
            answer: match answer.yes {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unknown",
            },
            errno: answer.errno.map(|errno| errno.as_str()),
            steps: answer.steps,
        }
    }
}
