//! Values of a Helm chart as a file of YAML, each with the reasons for it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::terminal::Clean;
use super::yaml;
use crate::error::Error;

/// A key of a chart's values, what it is to be, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueLine {
    pub path: Vec<String>,
    pub value: Value,
    pub reasons: Vec<String>,
}

/// A file for `helm upgrade --values`. The reason of several values that share one stands once,
/// above their map.
///
/// # Errors
/// A value that cannot be written as YAML.
pub fn values(lines: &[ValueLine]) -> Result<String, Error> {
    if lines.is_empty() {
        return Ok("{}\n".to_owned());
    }
    let mut out = String::new();
    let lines: Vec<&ValueLine> = lines.iter().collect();
    map(&lines, 0, &[], &mut out)?;
    Ok(out)
}

fn map(lines: &[&ValueLine], depth: usize, told: &[String], out: &mut String) -> Result<(), Error> {
    let mut names: Vec<&String> = Vec::new();
    for line in lines {
        names.extend(line.path.get(depth).filter(|name| !names.contains(name)));
    }
    for name in names {
        let of_name: Vec<&ValueLine> =
            lines.iter().copied().filter(|line| line.path.get(depth) == Some(name)).collect();
        let reasons: BTreeSet<&Vec<String>> = of_name.iter().map(|line| &line.reasons).collect();
        let shared = if reasons.len() == 1 { of_name[0].reasons.clone() } else { Vec::new() };
        let indent = "  ".repeat(depth);
        for reason in shared.iter().filter(|_| shared != told) {
            let _ = writeln!(out, "{indent}# {}", Clean(reason));
        }
        let told = if shared.is_empty() { told } else { &shared };
        match of_name.as_slice() {
            [line] if line.path.len() == depth + 1 => {
                let text = yaml::to_string(&json!({name.as_str(): line.value}))?;
                text.lines().for_each(|line| {
                    let _ = writeln!(out, "{indent}{line}");
                });
            }
            _ => {
                let key = yaml::to_string(&json!({name.as_str(): null}))?;
                let key = key.trim_end().strip_suffix(" null").unwrap_or_default().to_owned();
                let _ = writeln!(out, "{indent}{key}");
                let deeper: Vec<&ValueLine> =
                    of_name.into_iter().filter(|line| line.path.len() > depth + 1).collect();
                map(&deeper, depth + 1, told, out)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_reason_and_a_shared_one_stands_once() {
        let line = |path: &str, value: Value, reason: &str| ValueLine {
            path: path.split('.').map(str::to_owned).collect(),
            value,
            reasons: vec![reason.to_owned()],
        };
        let lines = [
            line("web.securityContext.capabilities.drop", json!(["ALL"]), "restricted asks for it"),
            line("web.securityContext.runAsNonRoot", json!(true), "restricted asks for it"),
            line("web.podSecurityContext.runAsUser", json!(101), "a process\nruns as it"),
            line("web.podSecurityContext.fsGroup", Value::Null, "the plan has none"),
        ];
        let text = values(&lines).expect("YAML");
        let expected = "\
web:
  # restricted asks for it
  securityContext:
    capabilities:
      drop:
      - ALL
    runAsNonRoot: true
  podSecurityContext:
    # a process↵runs as it
    runAsUser: 101
    # the plan has none
    fsGroup: null
";
        assert_eq!(text, expected);
        assert_eq!(values(&[]).expect("YAML"), "{}\n");
    }
}
