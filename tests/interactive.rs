//! `fix` and `prove` as a person uses them: in a terminal of tmux, whose screen is read and whose keys are
//! pressed.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use testbed::{Namespace, kubectl};

/// A terminal of its own tmux server, which ends with the test.
struct Terminal(String);

impl Terminal {
    fn run(name: &str, columns: u16, command: &str) -> Self {
        let terminal = Terminal(format!("nonroot-test-{name}-{}", std::process::id()));
        let command = format!(
            "trap : INT; KUBECONFIG={} {} {command}; echo \"ended with $?\"; sleep 60",
            testbed::kubeconfig(),
            env!("CARGO_BIN_EXE_kubectl-nonroot")
        );
        terminal.tmux(&["new-session", "-d", "-x", &columns.to_string(), "-y", "60", &command]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-f", "/dev/null", "-L", &self.0])
            .args(arguments)
            .output()
            .expect("tmux is installed");
        String::from_utf8(output.stdout).expect("text")
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// Waits until the screen shows a text.
    fn shows(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{text:?} never came:\n{screen}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn has_cursor(&self) -> bool {
        self.tmux(&["display", "-p", "#{cursor_flag}"]).trim() == "1"
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn deployed(name: &str) -> Namespace {
    let namespace = Namespace::new(name, &[]);
    kubectl(&[
        "create",
        "deployment",
        "web",
        "-n",
        namespace.name(),
        "--image=localhost/test-nginx:1",
    ]);
    let pull = r#"{"spec":{"template":{"spec":{"containers":[{"name":"test-nginx","imagePullPolicy":"Never"}]}}}}"#;
    kubectl(&["patch", "deployment", "web", "-n", namespace.name(), "-p", pull]);
    kubectl(&["rollout", "status", "-n", namespace.name(), "deployment/web", "--timeout=90s"]);
    namespace
}

fn generation(namespace: &str) -> String {
    kubectl(&["get", "deployment", "web", "-n", namespace, "-o", "jsonpath={.metadata.generation}"])
}

#[test]
#[ignore = "needs cluster and tmux"]
fn a_plan_is_asked_for_shown_and_saved() {
    let namespace = deployed("nonroot-test-ask");
    let file = std::env::temp_dir().join(format!("nonroot-ask-{}.yaml", std::process::id()));
    let _ = fs::remove_file(&file);
    for columns in [100, 46] {
        let terminal = Terminal::run(
            &format!("ask-{columns}"),
            columns,
            &format!("fix deploy/web -n {}", namespace.name()),
        );
        let screen = terminal.shows("Run as which user?");
        // A narrow screen wraps the sentence.
        let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("runs as nginx already"), "{screen}");
        terminal.press(&["Enter"]);
        terminal.shows("Which remedies?");
        terminal.press(&["Enter"]);
        let screen = terminal.shows("What next?");
        assert!(screen.contains("+        runAsNonRoot: true"), "{screen}");
        if columns == 46 {
            terminal.press(&["Escape"]);
            terminal.shows("nothing was changed");
            continue;
        }
        terminal.press(&["Down", "Down", "Enter"]);
        terminal.shows("File");
        // The name that is offered is replaced.
        terminal.press(&["C-u"]);
        terminal.press(&["-N", "60", "BSpace"]);
        terminal.press(&[&file.display().to_string(), "Enter"]);
        terminal.shows("ended with 0");
    }
    let saved = fs::read_to_string(&file).expect("the file was saved");
    assert!(saved.contains("runAsNonRoot: true") && saved.contains("kind: Deployment"), "{saved}");
    fs::remove_file(&file).expect("it can be removed");
}

#[test]
#[ignore = "needs cluster and tmux"]
fn ctrl_c_at_any_question_changes_nothing_and_gives_the_cursor_back() {
    let namespace = deployed("nonroot-test-ask-stop");
    let before = generation(namespace.name());
    let questions = ["Run as which user?", "Which remedies?", "What next?"];
    for stop in 0..questions.len() {
        let terminal = Terminal::run(
            &format!("stop-{stop}"),
            80,
            &format!("fix deploy/web -n {}", namespace.name()),
        );
        for question in &questions[..stop] {
            terminal.shows(question);
            terminal.press(&["Enter"]);
        }
        terminal.shows(questions[stop]);
        terminal.press(&["C-c"]);
        terminal.shows("ended with 130");
        assert!(terminal.has_cursor(), "{}", terminal.screen());
    }
    assert_eq!(generation(namespace.name()), before);
}

#[test]
#[ignore = "needs cluster and tmux"]
fn it_is_tried_and_applied_from_the_questions() {
    let namespace = deployed("nonroot-test-ask-apply");
    let terminal = Terminal::run("apply", 100, &format!("fix deploy/web -n {}", namespace.name()));
    for question in ["Run as which user?", "Which remedies?"] {
        terminal.shows(question);
        terminal.press(&["Enter"]);
    }
    terminal.shows("What next?");
    terminal.press(&["Enter"]);
    terminal.shows("Start it?");
    terminal.press(&["y"]);
    terminal.shows("proven in");
    // Proven, it is not offered to be tried again.
    terminal.shows("❯ Apply it");
    terminal.press(&["Enter"]);
    terminal.shows("rolled out.");
    terminal.shows("ended with 0");
}

#[test]
#[ignore = "needs cluster and tmux"]
fn a_proof_is_asked_for_and_an_interrupt_leaves_neither_copy() {
    let namespace = deployed("nonroot-test-ask-prove");
    let prove = format!("prove deploy/web --level baseline -n {}", namespace.name());
    let copies = || {
        let label = "nonroot/trial";
        let list = ["get", "pods,jobs", "-n", namespace.name(), "-l", label, "-o", "name"];
        kubectl(&list)
    };
    for (keys, end) in [("n", "ended with 2"), ("C-c", "ended with 130")] {
        let terminal = Terminal::run(&format!("prove-{keys}"), 100, &prove);
        let screen = terminal.shows("Start it?");
        assert!(screen.contains("first as root"), "{screen}");
        terminal.press(&[keys]);
        terminal.shows(end);
        assert!(terminal.has_cursor(), "{}", terminal.screen());
        assert_eq!(copies(), "");
    }
    // While the copy as root runs, and while the other does.
    for part in ["-control", "-1"] {
        let terminal = Terminal::run(&format!("prove-stop{part}"), 100, &prove);
        terminal.shows("Start it?");
        terminal.press(&["y"]);
        let start = Instant::now();
        while !copies().lines().any(|one| one.ends_with(part)) {
            assert!(start.elapsed() < Duration::from_secs(60), "{part} never came");
            thread::sleep(Duration::from_millis(100));
        }
        terminal.press(&["C-c"]);
        terminal.shows("ended with");
        assert!(terminal.has_cursor(), "{}", terminal.screen());
        assert_eq!(copies(), "", "{part} is interrupted");
    }
    let terminal = Terminal::run("prove", 100, &prove);
    terminal.shows("Start it?");
    terminal.press(&["y"]);
    let screen = terminal.shows("ended with 0");
    assert!(screen.contains("proven") && !screen.contains("not proven"), "{screen}");
    assert_eq!(copies(), "");
}

#[test]
#[ignore = "needs cluster and tmux"]
fn a_plan_is_written_into_its_file_or_saved_as_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, other) = (directory.path().join("web.yaml"), directory.path().join("other.yaml"));
    let text = "# The front end.\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web # one\n    image: x\n";
    fs::write(&file, text).expect("it can be written");
    for (name, keys) in
        [("save", ["Down", "Down", "Enter"].as_slice()), ("write", &["Down", "Enter"])]
    {
        let terminal = Terminal::run(name, 100, &format!("fix --run-as 101 -f {}", file.display()));
        let screen = terminal.shows("What next?");
        assert!(screen.contains("- name: web # one"), "the diff is that of the file: {screen}");
        terminal.press(keys);
        if name == "save" {
            terminal.shows("File");
            terminal.press(&["-N", "60", "BSpace"]);
            terminal.press(&[&other.display().to_string(), "Enter"]);
        }
        terminal.shows("ended with 0");
    }
    let saved = fs::read_to_string(&file).expect("it is there");
    assert!(
        saved.starts_with("# The front end.\n") && saved.contains("  - name: web # one\n"),
        "{saved}"
    );
    assert!(saved.contains("    runAsNonRoot: true\n"), "{saved}");
    assert_eq!(fs::read_to_string(&other).expect("it was saved"), saved);
}
