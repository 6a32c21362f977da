//! Edits of a baseline: entries are added, removed and renewed, and everything else stays as it is
//! written, comments too.

use std::path::Path;

use k8s_openapi::jiff::civil::Date;

use super::file;
use crate::error::Error;
use crate::evidence::baseline::{self, Baseline};
use crate::model::acceptance::Acceptance;

/// What a new file begins with.
const HEADER: &str = "\
# Findings of `kubectl nonroot scan` that are accepted, each with its reason, until the end of the day it expires.
# --write-baseline adds what is new and removes what is gone; comments of the entries that stay, stay.
apiVersion: nonroot/v1
kind: Baseline
accepted:
";

/// What is done with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Keep,
    Remove,
    Renew(Date),
}

/// Writes the baseline with its entries changed as `fates` says, one for each, and others added;
/// whole or not at all.
///
/// # Errors
/// The file cannot be written, or is written in a way that cannot be edited line by line.
pub fn write(
    path: &Path,
    old: Option<&Baseline>,
    fates: &[Fate],
    added: &[Acceptance],
) -> Result<(), Error> {
    let Some(old) = old else {
        return file::write_new(path, &edited("", &[], &[], added));
    };
    let starts: Vec<u64> = old.entries.iter().map(|(line, _)| *line).collect();
    let text = edited(&old.text, &starts, fates, added);
    let wanted = expected(old, fates, added);
    let there = baseline::parse(&old.file, text.clone())
        .map(|new| new.entries.into_iter().map(|(_, one)| one).collect());
    if there != Ok(wanted) {
        let why = "its entries do not stand one below the other";
        let help = "put each on lines of its own, beginning with \"- workload:\"";
        return Err(Error::input(format!("edit the baseline {}", old.file), why).help(help));
    }
    if text == old.text { Ok(()) } else { file::replace(path, &old.text, &text) }
}

fn expected(old: &Baseline, fates: &[Fate], added: &[Acceptance]) -> Vec<Acceptance> {
    let kept = old.entries.iter().zip(fates).filter_map(|((_, entry), fate)| match fate {
        Fate::Remove => None,
        Fate::Keep => Some(entry.clone()),
        Fate::Renew(date) => Some(Acceptance { expires: Some(*date), ..entry.clone() }),
    });
    kept.chain(added.iter().cloned()).collect()
}

/// The text with its entries, which begin on the 1-based lines `starts`, changed; new ones follow
/// the last.
fn edited(text: &str, starts: &[u64], fates: &[Fate], added: &[Acceptance]) -> String {
    let text = if text.trim().is_empty() { HEADER } else { text };
    let lines: Vec<&str> = text.lines().collect();
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    // An entry begins with the comment right above it.
    let begins = |start: u64| {
        let mut at = usize::try_from(start)
            .unwrap_or(usize::MAX)
            .saturating_sub(1)
            .min(lines.len().saturating_sub(1));
        while at > 0 && !lines[at].trim_start().starts_with('-') {
            at -= 1;
        }
        while at > 0 && is_comment(lines[at - 1]) {
            at -= 1;
        }
        at
    };
    let list = lines.iter().position(|line| line.starts_with("accepted:"));
    let mut blocks: Vec<usize> = starts.iter().map(|start| begins(*start)).collect();
    // The last entry ends where something else begins; what is commented out or empty behind it
    // belongs to the file.
    let end = match starts.last() {
        Some(start) => {
            let from = usize::try_from(*start).unwrap_or(usize::MAX).min(lines.len());
            let inside = |line: &&str| line.is_empty() || line.starts_with([' ', '\t', '#', '-']);
            let mut end = from + lines[from..].iter().take_while(|line| inside(line)).count();
            while end > from && (lines[end - 1].trim().is_empty() || is_comment(lines[end - 1])) {
                end -= 1;
            }
            end
        }
        None => list.map_or(lines.len(), |at| at + 1),
    };
    blocks.push(end);
    let indent = starts.first().and_then(|start| lines.get(begins(*start)..)).and_then(|rest| {
        let first = rest.iter().find(|line| line.trim_start().starts_with('-'))?;
        Some(&first[..first.len() - first.trim_start().len()])
    });
    let mut out: Vec<String> = lines[..blocks[0]].iter().map(|line| (*line).to_owned()).collect();
    for (index, block) in blocks.windows(2).enumerate() {
        let lines = lines[block[0]..block[1]].iter();
        match fates.get(index).copied().unwrap_or(Fate::Keep) {
            Fate::Keep => out.extend(lines.map(|line| (*line).to_owned())),
            Fate::Remove => {}
            Fate::Renew(date) => out.extend(lines.map(|line| renewed(line, date))),
        }
    }
    out.extend(added.iter().map(|entry| written(entry, indent.unwrap_or("  "))));
    let empty = added.is_empty() && fates.iter().all(|fate| *fate == Fate::Remove);
    if let Some(line) = list.and_then(|at| out.get_mut(at)) {
        // An empty list needs its brackets, and one with entries cannot have them.
        if empty && line.trim_end() == "accepted:" {
            *line = "accepted: []".to_owned();
        } else if !empty
            && line.split('#').next().is_some_and(|line| line.trim_end() == "accepted: []")
        {
            *line = line.replacen("accepted: []", "accepted:", 1);
        }
    } else if list.is_none() && !empty {
        out.insert(blocks[0].min(out.len()), "accepted:".to_owned());
    }
    out.extend(lines[end..].iter().map(|line| (*line).to_owned()));
    out.join("\n") + "\n"
}

/// A line of an entry, with another date if it is the one that has it.
fn renewed(line: &str, date: Date) -> String {
    let Some(at) =
        line.find("expires:").filter(|at| line[..*at].trim_matches([' ', '-']).is_empty())
    else {
        return line.to_owned();
    };
    let comment = line.find(" #").map_or("", |at| &line[at..]);
    format!("{}expires: {date}{comment}", &line[..at])
}

fn written(entry: &Acceptance, indent: &str) -> String {
    let Acceptance { workload, check, containers, reason, expires } = entry;
    let mut lines =
        vec![format!("- workload: {}", scalar(workload)), format!("  check: {}", scalar(check))];
    if !containers.is_empty() {
        let names: Vec<String> = containers.iter().map(|name| scalar(name)).collect();
        lines.push(format!("  containers: [{}]", names.join(", ")));
    }
    lines.push(format!("  reason: {}", scalar(reason)));
    lines.extend(expires.map(|date| format!("  expires: {date}")));
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

/// A string that every reader of YAML takes for this string: as it is where that is plain, else in
/// JSON's quotes.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !WORDS.contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::civil::date;

    use super::*;

    fn entry(workload: &str, reason: &str) -> Acceptance {
        Acceptance {
            workload: workload.to_owned(),
            check: "runAsNonRoot".to_owned(),
            containers: vec!["web".to_owned(), "on".to_owned()],
            reason: reason.to_owned(),
            expires: None,
        }
    }

    /// Edits a text and reads the entries of what comes out.
    fn edit(text: &str, fates: &[Fate], added: &[Acceptance]) -> (String, Vec<Acceptance>) {
        let old = baseline::parse("b.yaml", text.to_owned()).expect("a baseline");
        let starts: Vec<u64> = old.entries.iter().map(|(line, _)| *line).collect();
        let new = edited(text, &starts, fates, added);
        let read =
            baseline::parse("b.yaml", new.clone()).unwrap_or_else(|error| panic!("{error}\n{new}"));
        let entries: Vec<Acceptance> = read.entries.into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(entries, expected(&old, fates, added), "{new}");
        (new, entries)
    }

    const OURS: &str = "\
# of the platform team
apiVersion: nonroot/v1
kind: Baseline
accepted:
  # the vendor ships another image in spring
  - workload: shop/deployment/web
    check: runAsNonRoot # asked on Monday
    reason: vendor image
    expires: 2026-01-31  # after the freeze

  # needs the host
  - reason: it reads the node's logs
    workload: logging/daemonset/agent
    check: '*'

# the end
";

    #[test]
    fn comments_of_what_stays_stay() {
        let (new, _) =
            edit(OURS, &[Fate::Remove, Fate::Keep], &[entry("shop/job/x", "later: \"soon\" # no")]);
        let wanted = OURS
            .replace(&OURS[OURS.find("  # the vendor").expect("there")..OURS.find("  # needs").expect("there")], "")
            .replace(
                "check: '*'\n",
                "check: '*'\n  - workload: shop/job/x\n    check: runAsNonRoot\n    containers: [web, \"on\"]\n    \
                 reason: \"later: \\\"soon\\\" # no\"\n",
            );
        assert_eq!(new, wanted);
    }

    #[test]
    fn a_date_is_renewed_in_its_place() {
        let (new, _) = edit(OURS, &[Fate::Renew(date(2027, 3, 31)), Fate::Keep], &[]);
        assert_eq!(new, OURS.replace("2026-01-31  #", "2027-03-31 #"));
    }

    #[test]
    fn an_empty_list_and_a_new_file() {
        let (new, _) = edit(OURS, &[Fate::Remove, Fate::Remove], &[]);
        assert!(new.contains("accepted: []\n") && new.ends_with("# the end\n"), "{new}");
        let (again, _) = edit(&new, &[], &[entry("a/b/c", "x")]);
        assert!(again.contains("accepted:\n  - workload: a/b/c\n"), "{again}");
        let (first, _) = edit("", &[], &[entry("a/b/c", "x")]);
        assert!(first.starts_with("# Findings"), "{first}");
    }

    #[test]
    fn a_list_without_indent_keeps_its_form() {
        let text = "apiVersion: nonroot/v1\nkind: Baseline\naccepted:\n- workload: a/b/c\n  check: x\n  reason: why\nnote: what\n";
        let old = text.replace("note: what\n", "");
        let (new, _) = edit(&old, &[Fate::Keep], &[entry("d/e/f", "z")]);
        assert!(new.contains("\n- workload: d/e/f\n  check"), "{new}");
    }

    #[test]
    fn what_cannot_be_edited_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("b.yaml");
        let text = "{apiVersion: nonroot/v1, kind: Baseline, accepted: [{workload: a/b/c, check: x, reason: why}]}\n";
        std::fs::write(&path, text).expect("written");
        let old = baseline::read(&path).expect("read").expect("there");
        let error = write(&path, Some(&old), &[Fate::Keep], &[entry("d/e/f", "z")])
            .expect_err("a flow mapping");
        assert!(error.to_string().contains("one below the other"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), text);
    }
}
