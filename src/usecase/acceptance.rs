//! Findings that are accepted: by the file of --baseline, and by annotations of the workloads
//! themselves.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::Date;
use k8s_openapi::jiff::tz::TimeZone;

use super::progress::{Activity, Tell};
use super::row::Row;
use super::target::nearest;
use crate::apply::baseline::{self as edit, Fate};
use crate::error::Error;
use crate::evidence::baseline::{self, Baseline};
use crate::model::acceptance::{self, Acceptance};
use crate::model::finding::{Accepted, AcceptedBy, Finding};
use crate::output::report::{self, Entry};
use crate::output::rule;

/// Where accepted findings are read from and written to.
#[derive(Debug, Clone, Default)]
pub struct AcceptanceOptions {
    /// The file of accepted findings, each with its reason.
    pub baseline: Option<PathBuf>,
    /// Write the findings that count into that file, and remove what is no longer found.
    pub write: bool,
    /// The reason of the entries that are added.
    pub reason: Option<String>,
    /// The last day of the entries that are added or renewed.
    pub expires: Option<Date>,
}

/// What was scanned: what is not found there is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    options: &AcceptanceOptions,
    rows: &mut [Row],
    scanned: &Scanned,
    counts: &dyn Fn(&Finding) -> bool,
    tell: Tell<'_>,
) -> Result<(Option<report::Baseline>, Vec<String>), Error> {
    let today = today();
    let warnings = by_annotations(rows);
    let Some(path) = &options.baseline else { return Ok((None, warnings)) };
    let mut read = read(options)?;
    let mut hits = by_baseline(rows, read.as_ref(), today);
    if options.write {
        let fates = fates(read.as_ref(), &hits, rows, scanned, options.expires, today);
        // An entry that is renewed counts again.
        let renewed = read.iter().flat_map(|baseline| &baseline.entries).zip(&fates);
        let renewed: Vec<&Acceptance> = renewed
            .filter(|(_, fate)| matches!(fate, Fate::Renew(_)))
            .map(|((_, entry), _)| entry)
            .collect();
        let mut added = added(options, rows, counts, &renewed, today);
        added.sort_by(|a, b| (&a.workload, &a.check).cmp(&(&b.workload, &b.check)));
        edit::write(path, read.as_ref(), &fates, &added)?;
        let count = |which: fn(&Fate) -> bool| fates.iter().filter(|fate| which(fate)).count();
        tell(Activity::BaselineWritten {
            file: path,
            added: added.len(),
            removed: count(|fate| *fate == Fate::Remove),
            renewed: count(|fate| matches!(fate, Fate::Renew(_))),
            kept: count(|fate| *fate == Fate::Keep),
        });
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
pub(super) fn read(options: &AcceptanceOptions) -> Result<Option<Baseline>, Error> {
    let Some(path) = &options.baseline else { return Ok(None) };
    let read = baseline::read(path)?;
    if read.is_none() && !options.write {
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

/// The day, as UTC has it.
#[must_use]
pub fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Accepts what annotations accept; comes back with a warning for each that
/// accepts nothing.
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
        for finding in &mut row.findings {
            let entry = accepted
                .iter()
                .find(|entry| entry.covers(&key, &finding.check, &finding.containers));
            finding.accepted = entry.map(|entry| accepted_by(AcceptedBy::Annotation, entry));
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
        for finding in &mut row.findings {
            for ((_, entry), hit) in baseline.entries.iter().zip(&mut hits) {
                if !entry.covers(&key, &finding.check, &finding.containers) {
                    continue;
                }
                *hit = true;
                if finding.accepted.is_none() && !entry.is_expired(today) {
                    finding.accepted = Some(accepted_by(AcceptedBy::Baseline, entry));
                }
            }
        }
    }
    hits
}

fn accepted_by(by: AcceptedBy, entry: &Acceptance) -> Accepted {
    Accepted { reason: entry.reason.clone(), expires: entry.expires, by }
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
    options: &AcceptanceOptions,
    rows: &[Row],
    counts: &dyn Fn(&Finding) -> bool,
    renewed: &[&Acceptance],
    today: Date,
) -> Vec<Acceptance> {
    let reason = options.reason.clone().unwrap_or_else(|| format!("as it was found on {today}"));
    let mut added: Vec<Acceptance> = Vec::new();
    for row in rows {
        let key = row.key();
        for finding in
            row.findings.iter().filter(|finding| finding.accepted.is_none() && counts(finding))
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
                    expires: options.expires,
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
