//! Every report of one hostile scan, fix and image: nothing that hides, reorders or escapes comes
//! out, markup stays text, and what they say is the same.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use nonroot::model::container::{Container, Role};
use nonroot::model::finding::{Accepted, AcceptedBy, Finding};
use nonroot::model::identity::{Origin, User};
use nonroot::model::obstacle::{Category, Errno, Evidence, Obstacle, Operation};
use nonroot::model::podsecurity::{Level, Verdicts, Version, Violation};
use nonroot::model::workload::{Failure, Location, Workload};
use nonroot::output::explanation::{Explained, Remedy};
use nonroot::output::report::{self, Baseline, Entry, ScanReport};
use nonroot::output::{fix, html, junit, markdown, sarif};
use nonroot::usecase::findings;
use serde_json::{Value, json};

const HOSTILE: &str = "<script>alert(1)</script>\"'>]]>&{{ 7*7 }}\u{202e}gpj\u{200b}\u{feff}\u{1b}[31m\u{7}\u{9b}2J\r\nnext\ttab`x`|[a](b:c)";

fn text() -> String {
    HOSTILE.to_owned()
}

fn obstacle(fatal: bool) -> Obstacle {
    Obstacle {
        container: Some(text()),
        program: Some(text()),
        operation: Operation::Mkdir,
        errno: Some(Errno::Eacces),
        path: Some(text()),
        port: Some(80),
        capability: Some(text()),
        category: Category::UnwritablePath,
        fatal,
        cause: text(),
        evidence: Evidence { source: text(), line: Some(3), text: text() },
        details: Vec::new(),
    }
}

fn explained(obstacle: Obstacle) -> Explained {
    let remedies = vec![Remedy { id: "empty-dir", level: "pod", summary: text() }];
    Explained { why: vec![text()], ..Explained::new(obstacle, remedies) }
}

fn verdicts() -> Verdicts {
    let violation =
        Violation { check: "runAsNonRoot", reason: text(), detail: text(), fields: Vec::new() };
    Verdicts {
        version: Version::Latest,
        baseline: Vec::new(),
        restricted: vec![violation],
        lines: BTreeMap::new(),
    }
}

/// A failing live workload.
fn live() -> Workload {
    Workload {
        api_version: "apps/v1".to_owned(),
        kind: text(),
        namespace: Some(text()),
        name: text(),
        annotations: BTreeMap::new(),
        source: None,
        pods: 2,
        metadata: ObjectMeta::default(),
        spec: PodSpec::default(),
        containers: vec![Container {
            name: text(),
            role: Role::Container,
            image: text(),
            user: User { uid: Some(0), gid: None, groups: vec![4], origin: Origin::Image },
            root: Some(true),
        }],
        failures: vec![Failure {
            reason: text(),
            message: text(),
            pod: Some(text()),
            container: Some(text()),
            exit_code: None,
        }],
    }
}

/// The same in a file, where nothing runs.
fn in_file() -> Workload {
    let source = Some(Location { file: text(), line: 7, path: Some(text()) });
    Workload { source, failures: Vec::new(), ..live() }
}

fn found(workload: &Workload, verdicts: &Verdicts, obstacles: &[Obstacle]) -> Vec<Finding> {
    findings::of(workload, verdicts, obstacles.iter(), Level::Restricted)
}

fn reported(
    workload: &Workload,
    obstacles: Vec<Obstacle>,
    findings: Vec<Finding>,
) -> report::Workload {
    let explained = obstacles.into_iter().map(explained).collect();
    let findings = findings.into_iter().map(Into::into).collect();
    report::Workload { findings, ..report::Workload::new(workload, verdicts(), explained) }
}

/// A failing live workload and one of a file, one with an accepted finding.
fn report() -> ScanReport {
    let (live, file) = (live(), in_file());
    let obstacles = vec![obstacle(true), obstacle(false)];
    let of_live = found(&live, &verdicts(), &obstacles);
    let mut of_file = found(&file, &verdicts(), &[]);
    of_file[0].accepted = Some(Accepted {
        reason: text(),
        expires: Some("2027-03-31".parse().unwrap()),
        by: AcceptedBy::Baseline,
    });
    let entry = Entry { line: 4, workload: text(), check: text(), reason: text(), expires: None };
    let baseline = Baseline { file: text(), expired: vec![entry.clone()], unmatched: vec![entry] };
    let workloads = vec![reported(&live, obstacles, of_live), reported(&file, Vec::new(), of_file)];
    ScanReport { baseline: Some(baseline), ..ScanReport::new(workloads, &[], vec![text()]) }
}

/// No character of it may hide, reorder or control what a reader sees.
fn is_plain(text: &str) {
    let bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    assert_eq!(text.chars().find(bad), None, "{text}");
}

#[test]
fn pages_hold_names_as_text() {
    let plan = json!({"kind": HOSTILE, "metadata": {"namespace": HOSTILE, "name": HOSTILE}});
    let fixed = fix::Fix {
        api_version: "nonroot/v1",
        kind: "Fix",
        warnings: vec![HOSTILE.to_owned()],
        workload: fix::Workload {
            kind: json!(HOSTILE),
            namespace: json!(HOSTILE),
            name: json!(HOSTILE),
        },
        plan: fix::Plan {
            identity: Some(fix::Identity {
                assignment: "set",
                uid: Some(101),
                gid: Some(102),
                groups: vec![4],
                why: HOSTILE.to_owned(),
            }),
            basis: vec![HOSTILE.to_owned()],
            remedies: vec![fix::Remedy {
                id: "empty-dir",
                obstacle: HOSTILE.to_owned(),
                level: "pod",
                summary: HOSTILE.to_owned(),
            }],
        },
        is_admitted: false,
        proof: Some(fix::Proof {
            works: false,
            checks: vec![HOSTILE.to_owned()],
            not_checked: vec![HOSTILE.to_owned()],
            ready: false,
            rounds: vec![fix::Round {
                obstacles: vec![explained(obstacle(true))],
                added: vec![HOSTILE.to_owned()],
                seconds: 3,
            }],
            seconds: 9,
            remaining: vec![explained(obstacle(false))],
        }),
        patch: plan.clone(),
        strategic_patch: plan,
    };
    let mut scan = report();
    scan.workloads[0].plan = Some(fixed.clone().into());
    for page in [html::html(&scan).expect("a page"), html::fixes(&[fixed]).expect("a page")] {
        is_plain(&page);
        assert!(!page.contains("<script") && !page.contains("49"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"), "{page}");
        assert!(page.contains("\\u{202e}gpj\\u{200b}"), "what hides is shown: {page}");
    }
}

#[test]
fn sarif_names_every_finding_by_a_rule() {
    let report = report();
    let text = serde_json::to_string_pretty(&sarif::sarif(&report)).expect("JSON");
    is_plain(&text);
    let sarif: Value = serde_json::from_str(&text).expect("JSON");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    let findings: usize = report.workloads.iter().map(|workload| workload.findings.len()).sum();
    assert_eq!(results.len(), findings);
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("a small one");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    let suppressed = results.iter().filter(|result| result["suppressions"] != json!([])).count();
    assert_eq!(suppressed, 1, "{text}");
    assert_eq!(
        run["tool"]["driver"]["rules"].as_array().map(Vec::len),
        Some(nonroot::output::rule::all().len())
    );
}

#[test]
fn a_fingerprint_outlives_lines_and_words() {
    let fingerprints = |workload: &Workload, verdicts: &Verdicts| -> Vec<String> {
        let found = found(workload, verdicts, &[]).into_iter();
        found.map(|finding| finding.fingerprint).collect()
    };
    let before = fingerprints(&in_file(), &verdicts());
    assert_eq!(before.len(), 2);
    let mut moved = in_file();
    moved.source = Some(Location { file: "elsewhere.yaml".to_owned(), line: 99, path: None });
    let mut reworded = verdicts();
    reworded.restricted[0].detail = "other words of a newer version".to_owned();
    assert_eq!(before, fingerprints(&moved, &reworded));
    moved.name = "another".to_owned();
    assert!(fingerprints(&moved, &reworded).iter().all(|one| !before.contains(one)));
}

#[test]
fn junit_counts_what_is_open_and_skips_what_is_accepted() {
    let text = junit::junit(&report(), Level::Restricted).expect("XML");
    is_plain(&text);
    assert!(!text.contains("<script") && !text.contains("]]>"), "{text}");
    let count = |tag: &str| text.matches(tag).count();
    let head = text.lines().nth(1).expect("the root");
    let number = |name: &str| {
        head.split(&format!(" {name}=\""))
            .nth(1)
            .and_then(|rest| rest.split('"').next()?.parse().ok())
    };
    assert_eq!(number("tests"), Some(count("<testcase")), "{text}");
    assert_eq!(number("skipped"), Some(count("<skipped")));
    assert_eq!(count("<skipped"), 1, "{text}");
    assert!(count("<failure") > 0 && number("failures") <= Some(count("<failure")), "{text}");
    assert_eq!(
        count("<testcase"),
        count("</testcase>") + text.matches("\"/>\n").count() - count("<skipped"),
        "{text}"
    );
}

#[test]
fn markdown_holds_no_markup_of_others() {
    let text = markdown::scan(&report());
    is_plain(&text);
    // Within code, markup is text; outside of it, it is escaped: what is left without the escapes
    // is ours.
    let escapes = regex::Regex::new(r"\\.").expect("a pattern");
    let outside: String = escapes.replace_all(&text, "").split('`').step_by(2).collect();
    assert!(!outside.contains("<script") && !outside.contains("[a]("), "{text}");
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| `unwritable-path`")).collect();
    assert!(rows.iter().all(|row| row.ends_with(" |")), "{text}");
}
