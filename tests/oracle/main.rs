//! Holds the policy room to k8s.io/pod-security-admission itself, through the Go program in this
//! directory: the same JSON goes to both, and check IDs, reasons, details, their order and the
//! joined text must be equal.
//!
//! ```text
//! cargo test --test oracle -- --ignored --nocapture            compare
//! ORACLE_SEED=7 cargo test --test oracle -- --ignored          compare the random pods of a seed that failed
//! UPDATE=1 cargo test --test oracle -- --ignored               rewrite what is generated from the Go module
//! ```

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::{BTreeMap, HashSet},
    env, fmt, fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, LazyLock, mpsc},
    thread,
};

use k8s_openapi::api::core::v1::{Pod, Volume};
use nonroot::{
    evidence::{
        manifests::{self, ManifestFile},
        pods,
    },
    foresight,
    model::{
        podsecurity::{Level, Version},
        volume::{self, Backing, Storage},
        workload::Workload,
    },
    policy,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

mod random_pods;
mod random_status;
#[path = "../policy/sample.rs"]
mod sample;

use sample::{Finding, LEVELS, versions};

/// Fixtures in test/testdata of the module version that go.mod pins.
const FIXTURES: usize = 4_537;
const RANDOM_PODS: usize = 20_000;
/// Of these each is judged twice by every version.
const ENCODED_PODS: usize = 2_000;

/// A question to both: what do these policies say about this pod?
struct Question {
    /// Says which pod it is when the answers differ.
    about: String,
    pod: Value,
    policies: Vec<(Level, Version)>,
}

/// The oracle's answer for one policy.
#[derive(Debug, PartialEq, Deserialize)]
struct Verdict {
    violations: Vec<Finding>,
    /// The violations joined, as the API server prints them.
    message: String,
}

/// How often each revision of each check forbade a pod, and how often it let one pass.
#[derive(Default)]
struct Tally {
    pods: usize,
    verdicts: usize,
    admitted: usize,
    revisions: BTreeMap<(&'static str, Version), [usize; 2]>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forbidden: usize = self.revisions.values().map(|[forbidden, _]| forbidden).sum();
        let Tally { pods, verdicts, admitted, .. } = self;
        write!(
            f,
            "{pods} pods, {verdicts} verdicts ({admitted} admit), {forbidden} violations: no difference"
        )
    }
}

#[test]
#[ignore = "needs Go (builds tests/oracle)"]
fn the_same_checks_are_in_force_at_every_level_and_version() {
    #[derive(Deserialize)]
    struct InForce {
        level: String,
        version: String,
        checks: Vec<String>,
    }
    let registry: Vec<InForce> = ask(&["registry"]);
    assert!(registry.len() > versions().len(), "the oracle lists too little");
    for InForce { level, version, checks } in registry {
        let ours = policy::in_force(level.parse().unwrap(), version.parse().unwrap());
        assert_eq!(
            ours.iter().map(|check| check.id).collect::<Vec<_>>(),
            checks,
            "{level}:{version}"
        );
    }
}

#[test]
#[ignore = "needs Go (builds tests/oracle)"]
fn fixtures_are_judged_alike_at_their_version_and_at_every_other() {
    #[derive(Deserialize)]
    struct Fixture {
        level: String,
        version: String,
        name: String,
        allowed: bool,
        check: String,
        pod: Value,
    }
    let fixtures: Vec<Fixture> = ask(&["fixtures", &testdata()]);
    assert_eq!(fixtures.len(), FIXTURES, "fixtures of the Go module");

    let mut seen = HashSet::new();
    let mut distinct = Vec::new();
    let mut own = Vec::new();
    for Fixture { level, version, name, allowed, check, mut pod } in fixtures {
        let about = format!("{level}/{version}/{name}");
        let (level, version) = (level.parse().unwrap(), version.parse().unwrap());
        let forbidden = scanned(&pod, level, version);
        assert_eq!(forbidden.is_empty(), allowed, "{about}: {forbidden:?}");
        // A baseline check that is overridden at the fixture's level leaves the verdict to the one
        // that overrides it.
        let judged_by_its_check =
            policy::in_force(level, version).iter().any(|in_force| in_force.id == check);
        if !allowed && judged_by_its_check {
            assert!(
                forbidden.iter().any(|finding| finding.check == check),
                "{about}: {check} is not in {forbidden:?}"
            );
        }
        own.push(Question {
            about: about.clone(),
            pod: pod.clone(),
            policies: vec![(level, version)],
        });
        // Fixtures of different versions differ in nothing but their names, mostly.
        pod["metadata"]["name"] = json!("fixture");
        if seen.insert(pod.to_string()) {
            distinct.push(Question { about, pod, policies: every_policy() });
        }
    }
    println!("fixtures at their own level and version: {}", compare(own.into_iter()));
    println!("distinct fixtures at every level and version: {}", compare(distinct.into_iter()));
}

#[test]
#[ignore = "needs Go (builds tests/oracle)"]
fn random_pods_are_judged_alike() {
    let seed = env::var("ORACLE_SEED").map_or_else(
        |_| fastrand::u64(..),
        |seed| {
            seed.parse()
                .unwrap_or_else(|_| panic!("ORACLE_SEED={seed} is not an unsigned 64-bit number"))
        },
    );
    println!("random pods: ORACLE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let questions = (0..RANDOM_PODS).map(move |number| {
        let pod = random_pods::random_pod(&mut rng);
        let versions = versions();
        let policies = (0..4).map(|_| rng.choice(&versions).copied().unwrap_or(Version::Latest));
        let policies = policies.flat_map(|version| LEVELS.map(|level| (level, version))).collect();
        Question { about: format!("random pod {number} of ORACLE_SEED={seed}"), pod, policies }
    });
    let tally = compare(questions);
    println!("random pods: {tally}");
    for (check, version) in
        policy::CHECKS.iter().flat_map(|check| check.versions().map(|version| (check.id, version)))
    {
        let [forbade, passed] = tally.revisions.get(&(check, version)).copied().unwrap_or_default();
        println!("  {check} of {version}: forbade {forbade}, passed {passed}");
        assert!(forbade >= 20 && passed >= 20, "the random pods hardly reach {check} of {version}");
    }
}

/// A scan reads protobuf by messages of our own, which hold a part of the API's fields: Go's
/// encoder has the last word.
#[test]
#[ignore = "needs Go (builds tests/oracle)"]
fn random_pods_are_the_same_in_protobuf_and_in_json() {
    let seed = env::var("ORACLE_SEED")
        .map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("random pods: ORACLE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let pods: Vec<Value> = (0..ENCODED_PODS)
        .map(|_| {
            let mut pod = random_pods::random_pod(&mut rng);
            pod["status"] = random_status::random_status(&mut rng, &pod["spec"]);
            pod
        })
        .collect();
    #[derive(Deserialize)]
    struct Encoded {
        json: Value,
        protobuf: String,
    }
    let encoded: Vec<Encoded> = ask_about(&["encodings"], &pods);
    assert_eq!(encoded.len(), pods.len());
    let (mut violations, mut failures, mut foreseen) = (0, 0, 0);
    for Encoded { json: value, protobuf: hex } in encoded {
        let digits =
            |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digits).collect();
        let ours = nonroot::evidence::cluster::parse_pod(bytes.into()).expect("a pod");
        let theirs: Pod = serde_json::from_value(value.clone()).expect("a pod");
        let judged = |pod: &Pod| {
            let workload = as_workload(pod);
            let of = |version| {
                LEVELS.map(|level| policy::evaluate(&pod.metadata, &workload.spec, level, version))
            };
            let verdicts: Vec<_> = versions().into_iter().map(of).collect();
            let all = std::slice::from_ref(&workload);
            let mut foreseen =
                foresight::of_spec(&workload, &foresight::se_linux::Shared::among(all));
            foreseen.extend(foresight::volumes(
                &workload,
                &Storage::default(),
                &volume::shared(all),
            ));
            let told: Vec<_> = workload.spec.volumes.iter().flatten().map(told_of_claim).collect();
            (verdicts, workload.containers, workload.failures, foreseen, told)
        };
        let (ours, theirs) = (judged(&ours), judged(&theirs));
        assert!(
            ours == theirs,
            "ORACLE_SEED={seed}\nprotobuf: {ours:#?}\nJSON: {theirs:#?}\npod: {value:#}"
        );
        violations += theirs.0.iter().flatten().map(Vec::len).sum::<usize>();
        failures += theirs.2.len();
        foreseen += theirs.3.len();
    }
    println!(
        "{ENCODED_PODS} pods, {violations} violations, {failures} failures, {foreseen} foreseen: no difference"
    );
    assert!(failures > ENCODED_PODS / 10, "the random pods hardly fail");
    assert!(foreseen > ENCODED_PODS / 10, "of the random pods hardly anything is foreseen");
}

fn as_workload(pod: &Pod) -> Workload {
    let spec = pod.spec.clone().unwrap_or_default();
    Workload {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some("n".to_owned()),
        name: "random".to_owned(),
        annotations: BTreeMap::new(),
        source: None,
        pods: 0,
        metadata: pod.metadata.clone(),
        containers: pods::containers(&spec, pod.status.as_ref()),
        failures: pods::failures(pod),
        spec,
    }
}

/// What of a volume only matters beside the storage of a cluster.
fn told_of_claim(volume: &Volume) -> (Option<String>, Backing) {
    // With classes and drivers that can be read, more is told apart.
    let class = json!({"metadata": {"name": "fast"}, "provisioner": "csi.example"});
    let classes = [("fast".to_owned(), serde_json::from_value(class).expect("a class"))];
    let storage = Storage {
        classes: Some(classes.into()),
        drivers: Some(BTreeMap::new()),
        ..Storage::default()
    };
    (volume::claim_name(volume, Some("random")), storage.backing(volume, "n", Some("random")))
}

/// Go's `%q` decides by Unicode's categories what to escape, which an annotation's value shows.
#[test]
#[ignore = "needs Go (builds tests/oracle)"]
fn every_character_is_quoted_alike() {
    #[derive(Deserialize)]
    struct Printable {
        unicode: String,
        runs: Vec<(u32, u32)>,
    }
    let Printable { unicode, runs } = ask(&["printable"]).remove(0);
    let boundaries: Vec<_> = runs.into_iter().flat_map(|(first, last)| [first, last + 1]).collect();
    keep(&project("src/policy/go_printable.rs"), &printable_table(&unicode, &boundaries));

    let characters: Vec<char> = ('\0'..=char::MAX).collect();
    let questions: Vec<_> = characters
        .chunks(1 << 16)
        .map(|characters| {
            let value: String = characters.iter().collect();
            let annotations = json!({"container.apparmor.security.beta.kubernetes.io/web": value});
            Question {
                about: format!("characters from {:?} on", characters[0]),
                pod: json!({"metadata": {"annotations": annotations}}),
                policies: vec![(Level::Baseline, Version::Latest)],
            }
        })
        .collect();
    println!(
        "{} characters in an annotation: {}",
        characters.len(),
        compare(questions.into_iter())
    );
}

/// The verdicts that `cargo test` relies on where there is no Go.
#[test]
#[ignore = "needs Go (builds tests/oracle)"]
fn the_recorded_verdicts_are_the_oracles() {
    for case in sample::cases().into_values() {
        let questions = case.pods.iter().map(|(name, pod)| Question {
            about: name.clone(),
            pod: pod.clone(),
            policies: every_policy(),
        });
        let mut verdicts = sample::Verdicts::new();
        exchange(questions, |Question { about, policies, .. }, answers| {
            let mut answers: BTreeMap<_, _> = policies.into_iter().zip(answers).collect();
            let stages = LEVELS.map(|level| {
                let mut forbids =
                    |version| answers.remove(&(level, version)).expect("an answer").violations;
                (level.to_string(), sample::stages(&mut forbids))
            });
            verdicts.insert(about, stages.into());
        });
        let text = serde_json::to_string_pretty(&verdicts).unwrap() + "\n";
        keep(&case.recorded, &text);
    }
}

fn every_policy() -> Vec<(Level, Version)> {
    LEVELS
        .into_iter()
        .flat_map(|level| versions().into_iter().map(move |version| (level, version)))
        .collect()
}

/// What a scan finds in the manifest of a pod. It judges what the API server makes of it, as
/// upstream's fixtures mean it.
fn scanned(pod: &Value, level: Level, version: Version) -> Vec<Finding> {
    let mut pod = pod.clone();
    (pod["apiVersion"], pod["kind"]) = (json!("v1"), json!("Pod"));
    let file = ManifestFile {
        name: "pod.json".to_owned(),
        path: None,
        text: pod.to_string(),
        is_rendered: false,
    };
    let read = manifests::workloads(&[Arc::new(file)], |manifest| manifest.workload);
    let [Workload { metadata, spec, .. }] = read.value.workloads.as_slice() else {
        panic!("{:?}: {pod}", read.errors)
    };
    policy::evaluate(metadata, spec, level, version).into_iter().map(Finding::from).collect()
}

/// Our findings and their joined text.
fn evaluate(pod: &Value, level: Level, version: Version) -> (Vec<Finding>, String) {
    let pod: Pod = serde_json::from_value(pod.clone())
        .unwrap_or_else(|error| panic!("not a pod: {error}: {pod}"));
    let violations = policy::evaluate(&pod.metadata, &pod.spec.unwrap_or_default(), level, version);
    let message = policy::forbidden_detail(&violations);
    (violations.into_iter().map(Finding::from).collect(), message)
}

/// Puts every question to both and panics where the answers differ.
fn compare(questions: impl Iterator<Item = Question> + Send) -> Tally {
    let mut tally = Tally::default();
    exchange(questions, |Question { about, pod, policies }, answers| {
        tally.pods += 1;
        assert_eq!(policies.len(), answers.len(), "{about}");
        for ((level, version), theirs) in policies.into_iter().zip(answers) {
            let (violations, message) = evaluate(&pod, level, version);
            let ours = Verdict { violations, message };
            assert!(
                ours == theirs,
                "{about}, {level}:{version}\nours:   {ours:#?}\ntheirs: {theirs:#?}\npod: {pod:#}"
            );
            tally.verdicts += 1;
            tally.admitted += usize::from(theirs.violations.is_empty());
            for check in policy::in_force(level, version) {
                let revision = check
                    .versions()
                    .filter(|revision| *revision <= version)
                    .last()
                    .expect("it is in force");
                let passed = theirs.violations.iter().all(|finding| finding.check != check.id);
                tally.revisions.entry((check.id, revision)).or_default()[usize::from(passed)] += 1;
            }
        }
    });
    tally
}

/// Puts questions to the oracle and hands each back with its answers, in order.
fn exchange(
    questions: impl Iterator<Item = Question> + Send,
    mut answered: impl FnMut(Question, Vec<Verdict>),
) {
    let mut oracle = Command::new(&*ORACLE)
        .arg("verdicts")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut stdin = BufWriter::new(oracle.stdin.take().expect("a pipe"));
    let mut lines = BufReader::new(oracle.stdout.take().expect("a pipe")).lines();
    thread::scope(|scope| {
        let (sender, asked) = mpsc::channel();
        scope.spawn(move || {
            for question in questions {
                let level_version = |(level, version): &(Level, Version)| json!({"level": level.as_str(), "version": version.to_string()});
                let policies: Vec<_> = question.policies.iter().map(level_version).collect();
                let line = json!({"policies": policies, "pod": question.pod});
                // Either fails only when the other side has stopped, which it reports itself.
                if sender.send(question).is_err() || writeln!(stdin, "{line}").is_err() {
                    return;
                }
            }
        });
        for question in asked {
            let line = lines
                .next()
                .expect("the oracle answers every question")
                .expect("the answer is text");
            answered(
                question,
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
            );
        }
    });
    assert!(oracle.wait().expect("the oracle ends").success(), "the oracle failed");
}

/// The oracle, built.
static ORACLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let program =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle{}", env::consts::EXE_SUFFIX));
    go(&["build", "-o", &program.to_string_lossy(), "."]);
    program
});

/// Where the module that go.mod pins keeps its fixtures.
fn testdata() -> String {
    let module = go(&["list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission"]);
    format!("{}/test/testdata", module.trim())
}

/// Runs go in the oracle's directory and returns what it prints.
fn go(args: &[&str]) -> String {
    let output = Command::new("go").args(args).current_dir(project("tests/oracle")).output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot run go, which this test needs (1.26 or newer): {error}")
    });
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "go {} failed:\n{stderr}", args.join(" "));
    stdout.into_owned()
}

/// What the oracle prints for these arguments, one value a line.
fn ask<T: DeserializeOwned>(args: &[&str]) -> Vec<T> {
    let output = Command::new(&*ORACLE).args(args).output().expect("the oracle starts");
    assert!(
        output.status.success(),
        "oracle {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("the oracle prints UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// What the oracle prints for these arguments and values, one of each a line.
fn ask_about<T: DeserializeOwned>(args: &[&str], about: &[Value]) -> Vec<T> {
    let mut oracle = Command::new(&*ORACLE)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut stdin = BufWriter::new(oracle.stdin.take().expect("a pipe"));
    let lines = BufReader::new(oracle.stdout.take().expect("a pipe")).lines();
    let answers = thread::scope(|scope| {
        scope.spawn(move || {
            for value in about {
                // It fails only when the oracle has stopped, which is told below.
                let _ = writeln!(stdin, "{value}");
            }
        });
        let read = |line: std::io::Result<String>| {
            serde_json::from_str(&line.expect("text")).expect("an answer")
        };
        lines.map(read).collect()
    });
    assert!(oracle.wait().expect("the oracle ends").success(), "the oracle failed");
    answers
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Demands that a generated file says this; with UPDATE set, writes it.
fn keep(file: &Path, text: &str) {
    if env::var_os("UPDATE").is_some() {
        fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return;
    }
    let kept =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(
        kept == text,
        "{} is stale: UPDATE=1 cargo test --test oracle -- --ignored rewrites it",
        file.display()
    );
}

/// The source of src/policy/go_printable.rs.
fn printable_table(unicode: &str, boundaries: &[u32]) -> String {
    let mut lines = vec![String::from("   ")];
    for boundary in boundaries {
        let number = format!(" {boundary:#x},");
        match lines.last_mut() {
            Some(line) if line.len() + number.len() <= 120 => line.push_str(&number),
            _ => lines.push(format!("   {number}")),
        }
    }
    format!(
        "//! Which characters Go prints as they are. Generated by `UPDATE=1 cargo test --test oracle -- --ignored`; do not edit.

/// Where printable characters begin and end by turns, as Go's `strconv.IsPrint` has them (Unicode {unicode}).
#[rustfmt::skip]
pub(super) const BOUNDARIES: [u32; {}] = [
{}
];
",
        boundaries.len(),
        lines.join("\n")
    )
}
