//! The steps of action.yml, run as GitHub's runner runs them: their scripts by its bash, with a
//! release that is near.

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// In place of curl: it brings what a release would have, and notes what was asked for.
const CURL: &str = r#"#!/bin/sh
for address; do :; done
echo "$address" > "$RUNNER_TEMP/asked"
cp "$RUNNER_TEMP/release.tar.gz" "${address##*/}"
"#;

/// GitHub's machines have it from Perl; here it may be missing.
const SHASUM: &str = "#!/bin/sh\nshift 2\nexec sha256sum \"$@\"\n";

struct Runner {
    directory: TempDir,
    action: Value,
}

/// What a run of the action left.
struct Run {
    code: i32,
    printed: String,
}

impl Runner {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let action =
            serde_yaml::from_str(&fs::read_to_string(root.join("action.yml")).unwrap()).unwrap();
        let directory = TempDir::new().unwrap();
        let runner = Self { directory, action };
        let program =
            format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_kubectl-nonroot"));
        for (file, script) in [
            ("packed/kubectl-nonroot", program.as_str()),
            ("bin/curl", CURL),
            ("bin/shasum", SHASUM),
        ] {
            let path = runner.path(file);
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let packed = Command::new("tar")
            .args(["-czf", &runner.path("release.tar.gz"), "-C", &runner.path("packed"), "."])
            .status();
        assert!(packed.unwrap().success());
        runner
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What an expression of the action stands for.
    fn value(&self, text: &str, given: &[(&str, &str)]) -> String {
        let Some(expression) = text.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}"))
        else {
            assert!(!text.contains("${{"), "{text}");
            return text.to_owned();
        };
        match expression.split_once('.') {
            Some(("inputs", name)) => match given.iter().find(|(input, _)| *input == name) {
                Some((_, value)) => (*value).to_owned(),
                None => self.action["inputs"][name]["default"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{name}"))
                    .to_owned(),
            },
            Some(("runner", "os")) => "Linux".to_owned(),
            Some(("runner", "arch")) => "X64".to_owned(),
            _ => panic!("the test knows no {expression}"),
        }
    }

    /// Runs the steps with these inputs in the project's directory, until one fails.
    fn run(&self, given: &[(&str, &str)]) -> Run {
        let known = self.action["inputs"].as_object().unwrap();
        assert!(given.iter().all(|(name, _)| known.contains_key(*name)));
        let (output, summary, added) =
            (self.path("output"), self.path("summary"), self.path("path"));
        let mut run = Run { code: 0, printed: String::new() };
        for file in [&output, &summary, &added] {
            fs::write(file, "").unwrap();
        }
        for step in self.action["runs"]["steps"].as_array().unwrap() {
            assert_eq!(step["shell"], "bash");
            let script = self.path("step.sh");
            let text = step["run"].as_str().unwrap();
            assert!(!text.contains("${{"), "an input is part of a script: {text}");
            fs::write(&script, text).unwrap();
            let env = step["env"].as_object().unwrap().iter();
            let env: BTreeMap<_, _> =
                env.map(|(name, text)| (name, self.value(text.as_str().unwrap(), given))).collect();
            let before = fs::read_to_string(&added).unwrap().lines().collect::<Vec<_>>().join(":");
            // Its shell is `bash --noprofile --norc -eo pipefail {0}`.
            let done = Command::new("bash")
                .args(["--noprofile", "--norc", "-eo", "pipefail", &script])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .envs(env)
                .env(
                    "PATH",
                    format!("{}:{before}:{}", self.path("bin"), std::env::var("PATH").unwrap()),
                )
                .env("RUNNER_TEMP", self.directory.path())
                .env("GITHUB_PATH", &added)
                .env("GITHUB_OUTPUT", &output)
                .env("GITHUB_STEP_SUMMARY", &summary)
                .env_remove("KUBECONFIG")
                .output()
                .unwrap();
            run.printed += &String::from_utf8_lossy(&done.stdout);
            run.printed += &String::from_utf8_lossy(&done.stderr);
            run.code = done.status.code().unwrap();
            if run.code != 0 {
                break;
            }
        }
        run
    }
}

#[test]
fn the_action_fails_for_what_counts_and_leaves_its_reports() {
    let runner = Runner::new();
    let sarif = runner.path("found.sarif");
    let run = runner.run(&[("files", "examples"), ("sarif", &sarif)]);
    assert_eq!(run.code, 1, "{}", run.printed);
    assert!(run.printed.contains("5 workloads: 1 as root"), "{}", run.printed);
    let plugin =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin.yaml")).unwrap();
    let asked = runner.read("asked");
    assert!(plugin.contains(&format!("uri: {asked}")), "krew installs no {asked}");
    assert_eq!(runner.read("output"), format!("sarif={sarif}\n"));
    assert!(runner.read("summary").contains("`shop/deployment/web`"), "{}", runner.read("summary"));
    let report: Value = serde_json::from_str(&runner.read("found.sarif")).expect("SARIF");
    assert!(report["runs"][0]["results"].as_array().is_some_and(|results| results.len() > 5));

    let run = runner.run(&[("files", "examples"), ("sarif", &sarif), ("fail-on", "never")]);
    assert_eq!(run.code, 0, "{}", run.printed);
    // Files stand on lines as well, one that is broken keeps nobody from the rest, and nothing of a
    // name is executed.
    let broken = runner.path("broken.yaml");
    fs::write(&broken, "kind: [\n").unwrap();
    let files = format!("examples/web.yaml\n{broken}\n$(touch$IFS{}/pwned)", runner.path(""));
    let run = runner.run(&[("files", &files), ("sarif", &sarif), ("fail-on", "never")]);
    assert_eq!(run.code, 2, "{}", run.printed);
    assert!(runner.read("summary").contains("`shop/deployment/web`"), "{}", run.printed);
    assert!(!Path::new(&runner.path("pwned")).exists());
}

#[test]
fn the_action_proves_only_where_it_is_told_to_and_fails_with_the_proof() {
    let runner = Runner::new();
    let sarif = runner.path("found.sarif");
    // Its annotation holds a line that is no check.
    let inputs = [("files", "tests/cli/checked.yaml"), ("sarif", &sarif), ("fail-on", "never")];
    assert_eq!(runner.run(&inputs).code, 0);
    let prove = ("prove", "-n shop --server https://127.0.0.1:1");
    let run = runner.run(&[&inputs[..], &[prove]].concat());
    assert_eq!(run.code, 2, "{}", run.printed);
    assert!(runner.read("summary").contains("is no check"), "{}", run.printed);
}

#[test]
fn the_action_takes_no_other_release_than_the_one_that_was_named() {
    let runner = Runner::new();
    let digest = Command::new("sha256sum").arg(runner.path("release.tar.gz")).output().unwrap();
    let digest = String::from_utf8(digest.stdout).unwrap();
    let digest = digest.split(' ').next().unwrap();
    let inputs = [("files", "examples/hardened.yaml"), ("sarif", "/dev/null")];
    let run = runner.run(&[&inputs[..], &[("sha256", digest)]].concat());
    assert_eq!(run.code, 0, "{}", run.printed);
    let other = "0".repeat(64);
    let run = runner.run(&[&inputs[..], &[("sha256", &other)]].concat());
    assert_ne!(run.code, 0);
    assert!(run.printed.contains("FAILED"), "{}", run.printed);
}
