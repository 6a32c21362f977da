//! `kubectl nonroot <TAB>`, asked as a shell asks: through kubectl's own `__complete`.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use testbed::{Namespace, kubectl};

/// A directory for PATH with the plugin and what kubectl asks for completion, as a user has them.
fn installed(name: &str) -> PathBuf {
    let directory =
        env::temp_dir().join(format!("nonroot-test-complete-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_kubectl-nonroot"),
        directory.join("kubectl-nonroot"),
    )
    .expect("a link");
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions/kubectl_complete-nonroot");
    let copy = directory.join("kubectl_complete-nonroot");
    fs::copy(shim, &copy).expect("the shim");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(copy, mode).expect("an executable");
    directory
}

/// What kubectl offers: the candidates without their descriptions, and the directive. Nothing may
/// be said beside it.
fn offered(path: &Path, kubeconfig: &str, words: &[&str]) -> (Vec<String>, String) {
    let path = format!("{}:/usr/bin:/bin", path.display());
    let mut command = Command::new(format!("{}/bin/kubectl", testbed::directory()));
    command
        .env_clear()
        .env("PATH", path)
        .env("KUBECONFIG", kubeconfig)
        .args(["__complete", "nonroot"])
        .args(words);
    let output = command.output().expect("kubectl runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Vec<&str> = said.lines().filter(|line| !is_kubectls(line)).collect();
    assert_eq!(said, [""; 0], "{words:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<String> =
        text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect();
    let directive = lines.pop().expect("a directive");
    (lines, directive)
}

/// What kubectl itself says when nobody but a test asks it.
fn is_kubectls(line: &str) -> bool {
    line.starts_with("[Debug] ") || line.starts_with("Completion ended with directive")
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn names_come_live_from_the_cluster() {
    let namespace = Namespace::new("nonroot-test-complete", &[]);
    let name = namespace.name();
    for deployment in ["web", "worker"] {
        let image = "--image=localhost/test-report:1";
        kubectl(&["create", "deployment", deployment, "-n", name, image, "--", "sleep", "3600"]);
    }
    let patch = r#"{"spec":{"template":{"spec":{"initContainers":[{"name":"first","image":"localhost/test-report:1"}]}}}}"#;
    kubectl(&["patch", "deployment", "web", "-n", name, "-p", patch]);
    let path = installed("live");
    let kubeconfig = testbed::kubeconfig_with_namespace(name);
    let offer = |words: &[&str]| offered(&path, &kubeconfig, words);
    let has = |words: &[&str], wanted: &[&str], directive: &str| {
        // A busy cluster may take longer than a shell may wait; whoever presses the key again gets
        // the answer.
        let all = |(found, _): &(Vec<String>, String)| {
            wanted.iter().all(|name| found.iter().any(|one| one == name))
        };
        let mut answers = (0..5).map(|_| offer(words));
        let (found, ending) =
            answers.find(all).unwrap_or_else(|| panic!("{words:?} never offers {wanted:?}"));
        assert_eq!(ending, directive, "{words:?}");
        found
    };

    has(&[""], &["scan", "explain", "fix", "image", "can-i", "completion"], ":4");
    assert_eq!(offer(&["sc"]), (vec!["scan".to_owned()], ":4".to_owned()));
    has(&["scan", "--"], &["--namespace", "--all-namespaces", "--output", "--level"], ":4");
    has(&["scan", "-A", "--a"], &["--as", "--as-group"], ":4");
    has(&["scan", "-o", ""], &["json", "yaml", "table", "wide", "name"], ":4");
    has(&["scan", "--output=j"], &["json"], ":4");
    has(&["scan", "--level", ""], &["baseline", "restricted"], ":4");
    has(&["scan", "-n", "nonroot-test-comp"], &[name], ":4");
    has(&["-n", "nonroot-test-comp"], &[name], ":4");
    has(&["scan", "--context", ""], &["local"], ":4");
    has(&["fix", "dep"], &["deployment/"], ":6");
    assert_eq!(has(&["fix", "deploy/w"], &["deploy/web", "deploy/worker"], ":4").len(), 2);
    assert_eq!(has(&["fix", "deployment", "w"], &["web", "worker"], ":4").len(), 2);
    assert_eq!(has(&["fix", "deploy/web", "deploy/wo"], &["deploy/worker"], ":4").len(), 1);
    assert_eq!(has(&["fix", "-n", "default", "deploy/"], &[], ":4").len(), 0);
    has(&["fix", "deploy/web", "--without", "em"], &["empty-dir"], ":4");
    has(&["explain", ""], &["pod/", "privileged-port"], ":4");
    has(&["can-i", ""], &["read", "write", "bind"], ":4");
    assert_eq!(has(&["can-i", "bind", "80", "deploy/we"], &["deploy/web"], ":4").len(), 1);
    assert_eq!(
        has(&["can-i", "write", "/run", "deploy/web", "-c", ""], &["test-report", "first"], ":4")
            .len(),
        2
    );
    let pod = kubectl(&[
        "get",
        "pods",
        "-n",
        name,
        "-l",
        "app=web",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ]);
    has(&["explain", "web-"], &[&pod], ":4");
    has(&["explain", &pod, "-c", ""], &["test-report", "first"], ":4");
    has(&["explain", "privileged-p"], &["privileged-port"], ":4");
    // The shell completes files here.
    has(&["scan", "-f", ""], &[], ":0");
}

#[test]
#[ignore = "needs kubectl"]
fn without_a_cluster_it_is_quick_and_silent() {
    let path = installed("gone");
    let gone = env::temp_dir().join(format!("nonroot-test-gone-{}", std::process::id()));
    // An address for documentation (RFC 5737): nobody answers there, not even that nobody is there.
    let config = |server: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Config","clusters":[{{"name":"c","cluster":{{"server":"{server}"}}}}],"contexts":[{{"name":"far","context":{{"cluster":"c"}}}}],"current-context":"far"}}"#
        )
    };
    for server in ["https://127.0.0.1:1", "https://192.0.2.1"] {
        fs::write(&gone, config(server)).expect("a kubeconfig");
        let kubeconfig = gone.display().to_string();
        let start = Instant::now();
        assert_eq!(offered(&path, &kubeconfig, &["fix", "deploy/"]), (Vec::new(), ":4".to_owned()));
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        assert_eq!(
            offered(&path, &kubeconfig, &["scan", "--context", ""]),
            (vec!["far".to_owned()], ":4".to_owned())
        );
    }
    fs::write(&gone, "{ broken").expect("a file");
    assert_eq!(
        offered(&path, &gone.display().to_string(), &["fix", "deploy/"]),
        (Vec::new(), ":4".to_owned())
    );
    assert_eq!(offered(&path, "/nonexistent", &["sc"]), (vec!["scan".to_owned()], ":4".to_owned()));
}
