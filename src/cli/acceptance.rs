//! Findings that are accepted: by the file of --baseline, and by annotations of the workloads
//! themselves.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::Date;
use k8s_openapi::jiff::tz::TimeZone;

use super::say;
use super::target::nearest;
use crate::apply::baseline::{self as edit, Fate};
use crate::error::Error;
use crate::evidence::baseline::{self, Baseline};
use crate::model::acceptance::{self, Acceptance, workload_key};
use crate::output::finding::{Accepted, Finding};
use crate::output::report::{self, Entry, Workload};
use crate::output::rule;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accepted findings")]
pub(super) struct AcceptanceFlags {
    /// File of findings that are accepted, each with its reason
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Write the findings that count into the file of --baseline, and remove what is no longer
    /// found
    #[arg(long, requires = "baseline")]
    write_baseline: bool,
    /// Reason of the entries that --write-baseline adds
    #[arg(long, value_name = "TEXT", requires = "write_baseline")]
    reason: Option<String>,
    /// Last day of the entries that --write-baseline adds or renews, such as 2027-03-31
    #[arg(long, value_name = "DATE", requires = "write_baseline", value_parser = date)]
    expires: Option<Date>,
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{text:?} is no date: write it as 2027-03-31"))
}

/// A workload of the report, and its annotations and its pod template's.
pub(super) struct Row {
    pub(super) workload: Workload,
    pub(super) annotations: BTreeMap<String, String>,
}

impl Row {
    fn key(&self) -> String {
        workload_key(self.workload.namespace.as_deref(), &self.workload.kind, &self.workload.name)
    }
}

/// What was scanned: what is not found there is gone.
pub(super) enum Scanned {
    /// Everything that entries can be about.
    Everything,
    /// One namespace.
    Namespace(String),
    /// Only the workloads that are in the report.
    Part,
}

/// Marks the findings that are accepted, and writes the baseline where that is asked for; `counts`
/// tells which findings it is to hold. Comes back with what the report says of the file, and with
/// warnings.
///
/// # Errors
/// The baseline cannot be read or written.
pub(super) fn apply(
    flags: &AcceptanceFlags,
    rows: &mut [Row],
    scanned: &Scanned,
    counts: &dyn Fn(&Finding) -> bool,
) -> Result<(Option<report::Baseline>, Vec<String>), Error> {
    let today = today();
    let warnings = by_annotations(rows);
    let Some(path) = &flags.baseline else { return Ok((None, warnings)) };
    let mut read = read(flags)?;
    let mut hits = by_baseline(rows, read.as_ref(), today);
    if flags.write_baseline {
        let fates = fates(read.as_ref(), &hits, rows, scanned, flags.expires, today);
        // An entry that is renewed counts again.
        let renewed = read.iter().flat_map(|baseline| &baseline.entries).zip(&fates);
        let renewed: Vec<&Acceptance> = renewed
            .filter(|(_, fate)| matches!(fate, Fate::Renew(_)))
            .map(|((_, entry), _)| entry)
            .collect();
        let mut added = added(flags, rows, counts, &renewed, today);
        added.sort_by(|a, b| (&a.workload, &a.check).cmp(&(&b.workload, &b.check)));
        edit::write(path, read.as_ref(), &fates, &added)?;
        let count = |which: fn(&Fate) -> bool| fates.iter().filter(|fate| which(fate)).count();
        say(format_args!(
            "{}: {} added, {} removed, {} renewed, {} as before.",
            path.display(),
            added.len(),
            count(|fate| *fate == Fate::Remove),
            count(|fate| matches!(fate, Fate::Renew(_))),
            count(|fate| *fate == Fate::Keep),
        ));
        read = baseline::read(path)?;
        hits = by_baseline(rows, read.as_ref(), today);
    }
    let Some(baseline) = read else { return Ok((None, warnings)) };
    Ok((Some(told(&baseline, &hits, rows, scanned, today)), warnings))
}

/// The baseline, where one is named.
///
/// # Errors
/// It cannot be read, or is not there and is not to be written either.
pub(super) fn read(flags: &AcceptanceFlags) -> Result<Option<Baseline>, Error> {
    let Some(path) = &flags.baseline else { return Ok(None) };
    let read = baseline::read(path)?;
    if read.is_none() && !flags.write_baseline {
        let error =
            Error::input(format!("read the baseline {}", path.display()), "there is no such file");
        return Err(error.help("--write-baseline makes it"));
    }
    Ok(read)
}

/// Marks the findings of one workload that are accepted; comes back with warnings.
pub(super) fn accept(row: &mut Row, baseline: Option<&Baseline>) -> Vec<String> {
    let rows = std::slice::from_mut(row);
    let warnings = by_annotations(rows);
    by_baseline(rows, baseline, today());
    warnings
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Accepts what annotations accept; comes back with a warning for each that is none.
fn by_annotations(rows: &mut [Row]) -> Vec<String> {
    let known: LazyCell<BTreeSet<&str>> =
        LazyCell::new(|| rule::all().into_iter().map(|rule| rule.id).collect());
    let mut warnings = Vec::new();
    for row in rows {
        let key = row.key();
        let (accepted, unreasoned) = acceptance::of_annotations(&key, &row.annotations);
        for annotation in unreasoned {
            warnings.push(format!(
                "the annotation {annotation} of {key} gives no reason, and so accepts nothing"
            ));
        }
        for entry in &accepted {
            if entry.check != "*" && !known.contains(entry.check.as_str()) {
                let near = nearest(&entry.check, known.iter().copied());
                let near = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
                warnings.push(format!("{key} accepts {}, which is no check{near}", entry.check));
            }
        }
        for finding in &mut row.workload.findings {
            let entry = accepted
                .iter()
                .find(|entry| entry.covers(&key, &finding.check, &finding.containers));
            finding.accepted = entry.map(|entry| accepted_by("annotation", entry));
        }
    }
    warnings
}

/// Accepts what the baseline accepts; tells of each entry whether it is about anything that was
/// found.
fn by_baseline(rows: &mut [Row], baseline: Option<&Baseline>, today: Date) -> Vec<bool> {
    let Some(baseline) = baseline else { return Vec::new() };
    let mut hits = vec![false; baseline.entries.len()];
    for row in rows {
        let key = row.key();
        for finding in &mut row.workload.findings {
            for ((_, entry), hit) in baseline.entries.iter().zip(&mut hits) {
                if !entry.covers(&key, &finding.check, &finding.containers) {
                    continue;
                }
                *hit = true;
                if finding.accepted.is_none() && !entry.is_expired(today) {
                    finding.accepted = Some(accepted_by("baseline", entry));
                }
            }
        }
    }
    hits
}

fn accepted_by(by: &'static str, entry: &Acceptance) -> Accepted {
    Accepted {
        reason: entry.reason.clone(),
        expires: entry.expires.map(|date| date.to_string()),
        by,
    }
}

/// Whether an entry is about what was scanned, so that it is gone where nothing was found for it.
fn is_covered(entry: &Acceptance, rows: &[Row], scanned: &Scanned) -> bool {
    match scanned {
        Scanned::Everything => true,
        Scanned::Namespace(name) => {
            entry.workload.split_once('/').is_some_and(|(namespace, _)| namespace == name)
        }
        Scanned::Part => rows.iter().any(|row| row.key() == entry.workload),
    }
}

fn fates(
    baseline: Option<&Baseline>,
    hits: &[bool],
    rows: &[Row],
    scanned: &Scanned,
    expires: Option<Date>,
    today: Date,
) -> Vec<Fate> {
    let entries = baseline.iter().flat_map(|baseline| &baseline.entries).zip(hits);
    let fate = |((_, entry), hit): (&(u64, Acceptance), &bool)| match expires {
        _ if !hit && is_covered(entry, rows, scanned) => Fate::Remove,
        Some(date) if *hit && entry.is_expired(today) => Fate::Renew(date),
        _ => Fate::Keep,
    };
    entries.map(fate).collect()
}

/// An entry for each check and workload of which something counts and is not accepted.
fn added(
    flags: &AcceptanceFlags,
    rows: &[Row],
    counts: &dyn Fn(&Finding) -> bool,
    renewed: &[&Acceptance],
    today: Date,
) -> Vec<Acceptance> {
    let reason = flags.reason.clone().unwrap_or_else(|| format!("as it was found on {today}"));
    let mut added: Vec<Acceptance> = Vec::new();
    for row in rows {
        let key = row.key();
        for finding in row
            .workload
            .findings
            .iter()
            .filter(|finding| finding.accepted.is_none() && counts(finding))
        {
            if renewed.iter().any(|entry| entry.covers(&key, &finding.check, &finding.containers)) {
                continue;
            }
            match added
                .iter_mut()
                .find(|entry| entry.workload == key && entry.check == finding.check)
            {
                Some(entry) => {
                    let new =
                        finding.containers.iter().filter(|name| !entry.containers.contains(name));
                    let new: Vec<String> = new.cloned().collect();
                    entry.containers.extend(new);
                }
                None => added.push(Acceptance {
                    workload: key.clone(),
                    check: finding.check.clone(),
                    containers: finding.containers.clone(),
                    reason: reason.clone(),
                    expires: flags.expires,
                }),
            }
        }
    }
    added
}

/// What the report says of the file.
fn told(
    baseline: &Baseline,
    hits: &[bool],
    rows: &[Row],
    scanned: &Scanned,
    today: Date,
) -> report::Baseline {
    let mut told = report::Baseline { file: baseline.file.clone(), ..report::Baseline::default() };
    for ((line, entry), hit) in baseline.entries.iter().zip(hits) {
        let entry_told = Entry {
            line: *line,
            workload: entry.workload.clone(),
            check: entry.check.clone(),
            reason: entry.reason.clone(),
            expires: entry.expires.map(|date| date.to_string()),
        };
        if !hit && is_covered(entry, rows, scanned) {
            told.unmatched.push(entry_told);
        } else if *hit && entry.is_expired(today) {
            told.expired.push(entry_told);
        }
    }
    told
}
