//! Nothing from outside reaches a terminal as it is: names, paths and logs full of escapes,
//! bidirectional controls and characters without width, through every command and every format,
//! with and without colours.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

// Each test uses its part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "image/build.rs"]
mod build;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use build::{LayerTar, config, docker_archive};
use serde_json::json;

/// A title change, a cleared screen by a C1 control, a hidden run of text, a reversed name, letters
/// that nobody sees.
const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{9b}2J\u{1b}[8m\u{202e}txt.exe\u{2066}\u{200b}\u{feff}\u{ad}\u{e0041}\u{8}\r!";

fn directory() -> PathBuf {
    let directory = env::temp_dir().join(format!("nonroot-test-terminal-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

fn written(name: &str, bytes: &[u8]) -> String {
    let path = directory().join(name);
    fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

/// A manifest with the text wherever one can stand.
fn manifest() -> String {
    let container = json!({
        "name": HOSTILE, "image": HOSTILE, "command": [HOSTILE], "args": [HOSTILE],
        "env": [{"name": HOSTILE, "value": HOSTILE}], "ports": [{"containerPort": 80, "name": HOSTILE, "hostPort": 80}],
        "volumeMounts": [{"name": HOSTILE, "mountPath": HOSTILE}],
        "securityContext": {"capabilities": {"add": [HOSTILE]}, "procMount": HOSTILE},
    });
    let metadata = json!({"name": HOSTILE, "namespace": HOSTILE, "labels": {HOSTILE: HOSTILE}, "annotations": {HOSTILE: HOSTILE}});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"selector": {"matchLabels": {"a": HOSTILE}}, "template": {"metadata": metadata, "spec": {
            "hostNetwork": false, "serviceAccountName": HOSTILE,
            "securityContext": {"sysctls": [{"name": HOSTILE, "value": HOSTILE}], "seLinuxOptions": {"type": HOSTILE}},
            "volumes": [{"name": HOSTILE, "hostPath": {"path": HOSTILE}}],
            "containers": [container],
        }}},
    })
    .to_string()
}

fn log() -> String {
    let lines = [
        format!("mkdir: cannot create directory '/data/{HOSTILE}': Permission denied"),
        format!("{HOSTILE} open /var/lib/{HOSTILE}/db: permission denied"),
        format!(
            "{{\"level\":\"fatal\",\"msg\":\"{}: bind: permission denied 0.0.0.0:80\"}}",
            HOSTILE.escape_default()
        ),
        format!("PermissionError: [Errno 13] Permission denied: '/{HOSTILE}'"),
    ];
    lines.join("\n")
}

fn image() -> Vec<u8> {
    const ROOT: (u64, u64) = (0, 0);
    let passwd =
        format!("root:x:0:0:root:/root:/bin/sh\n{HOSTILE}:x:101:102::/{HOSTILE}:/bin/false\n")
            .replace('\r', "");
    let layer = LayerTar::default()
        .file("etc/passwd", 0o644, ROOT, passwd.as_bytes())
        .file("etc/group", 0o644, ROOT, b"root:x:0:\n")
        .directory("var/", 0o755, ROOT)
        .file(&format!("var/{HOSTILE}"), 0o4755, (101, 102), b"\x7fELF")
        .symlink("var/link", &format!("/{HOSTILE}"));
    let layers = [layer.build()];
    let run = json!({
        "User": HOSTILE.replace('\r', ""), "Env": ["PATH=/usr/bin"], "Cmd": [HOSTILE], "Entrypoint": [HOSTILE],
        "WorkingDir": format!("/{HOSTILE}"), "Volumes": {format!("/var/{HOSTILE}"): {}}, "ExposedPorts": {HOSTILE: {}},
    });
    docker_archive(&config(run, &layers, &[HOSTILE]), &layers)
}

/// Where a program writes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum To {
    Pipe,
    /// A pipe of which the user says that it shows colours.
    ColouredPipe,
    Terminal,
}

/// The streams of a run, standard output first.
fn run(arguments: &[&str], to: To) -> [String; 2] {
    let program = env!("CARGO_BIN_EXE_kubectl-nonroot");
    let mut command = Command::new(program);
    let errors = directory().join("errors");
    if to == To::Terminal {
        // script(1) of util-linux is the terminal.
        let words =
            shlex::try_join([program].iter().chain(arguments).copied()).expect("words for a shell");
        let line = format!("{words} 2> '{}'", errors.display());
        command = Command::new("script");
        command.args(["--quiet", "--flush", "--command", &line, "/dev/null"]);
    } else {
        command.args(arguments);
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm-256color");
    if to == To::ColouredPipe {
        command.env("CLICOLOR_FORCE", "1");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // script says the end of its input to the terminal, and nothing here reads it.
    let input = child.stdin.take();
    let output = child.wait_with_output().expect("it ends");
    drop(input);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    match to {
        // A terminal ends its lines by both.
        To::Terminal => [
            text(output.stdout).replace("\r\n", "\n"),
            fs::read_to_string(errors).expect("standard error"),
        ],
        To::Pipe | To::ColouredPipe => [text(output.stdout), text(output.stderr)],
    }
}

/// What acts on a terminal; our own colours are allowed where they are asked for.
fn raw(text: &str, colours: bool) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c != '\n' && nonroot::output::terminal::is_hidden(c)) {
        let found = &rest[at..];
        let style = found.strip_prefix("\u{1b}[").filter(|_| colours);
        let after =
            style.map(|style| style.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        match after.and_then(|after| after.strip_prefix('m')) {
            // Hidden text (8) is no style of ours.
            Some(after) if !found.starts_with("\u{1b}[8m") => rest = after,
            _ => {
                return Some(found.chars().take(40).collect::<String>().escape_debug().to_string());
            }
        }
    }
    None
}

#[test]
fn hostile_text_is_shown_and_never_obeyed() {
    let (manifest, log) =
        (written("manifest.json", manifest().as_bytes()), written("log", log().as_bytes()));
    let image = written("image.tar", &image());
    let named = written(&format!("{}.yaml", HOSTILE.replace('/', "_")), manifest.as_bytes());
    let broken = written(
        "broken.yaml",
        format!("{HOSTILE}: [{HOSTILE}\n---\nkind: Pod\napiVersion: v1\nspec: {{containers: {{{HOSTILE}: 1}}}}\n")
            .as_bytes(),
    );
    let path = format!("/var/{HOSTILE}");
    let subjects: [&[&str]; 10] = [
        &["scan", "-f", &manifest],
        &["scan", "-f", &broken, "-f", &named],
        &["explain", "-f", &log, "--all"],
        &["fix", "-f", &manifest, "--yes"],
        &["fix", "-f", &broken, "--yes"],
        &["image", &image],
        &["image", &image, "--tree"],
        &["can-i", "write", &path, "--image", &image, "--uid", "101"],
        &["can-i", "exec", &path, "-f", &manifest, "--image", &image, "--uid", "7"],
        &["explain", "-f", HOSTILE],
    ];
    let mut count = 0;
    for subject in subjects {
        let command = nonroot::cli::command();
        let command = command.find_subcommand(subject[0]).expect("a command");
        let output = command.get_arguments().find(|arg| arg.get_id() == "output").expect("-o");
        for format in output.get_possible_values() {
            let format = format.get_name();
            for to in [To::Pipe, To::ColouredPipe, To::Terminal] {
                let arguments = [subject, &["-o", format, "-v=8"]].concat();
                let streams = run(&arguments, to);
                // What these print is the user's own file, which a pipe gets as it is: the next
                // test is about that.
                let is_file =
                    subject[0] == "fix" && ["yaml", "diff"].contains(&format) && to != To::Terminal;
                for (stream, text) in
                    ["standard output", "standard error"].iter().zip(streams).skip(is_file.into())
                {
                    let found = raw(&text, to != To::Pipe);
                    let escaped = text.escape_debug();
                    assert_eq!(
                        found, None,
                        "{} -o {format} to a {to:?} on {stream}:\n{escaped}",
                        subject[0]
                    );
                    count += text.len();
                }
            }
        }
    }
    assert!(count > 100_000, "{count} bytes are too few to be about this");
}

#[test]
fn a_file_goes_through_a_pipe_byte_for_byte_and_to_a_terminal_escaped() {
    let hidden = "\u{202e}txt.exe\u{2066}\u{200b}\u{ad}\u{e0041}";
    let text = format!(
        "# {hidden}\napiVersion: v1\nkind: Pod\nmetadata: {{name: web, labels: {{a: '{hidden}'}}}}\nspec:\n  containers: \
         [{{name: web, image: web}}] # {hidden}\n"
    );
    let text = text.replace('\n', "\r\n");
    let file = written("hidden.yaml", text.as_bytes());
    let [yaml, _] = run(&["fix", "-f", &file, "--yes", "-o", "yaml"], To::Pipe);
    assert!(yaml.len() > text.len(), "nothing is planned: {yaml}");
    let (head, _) = text.split_once("  containers").expect("a pod");
    assert!(yaml.starts_with(head) && yaml.contains(&format!("}}] # {hidden}\r\n")), "{yaml:?}");
    let [diff, _] = run(&["fix", "-f", &file, "--yes", "-o", "diff"], To::Pipe);
    let taken = format!("\n-  containers: [{{name: web, image: web}}] # {hidden}\r\n");
    assert!(diff.contains(&taken), "{diff:?}");
    for format in ["yaml", "diff"] {
        let [shown, _] = run(&["fix", "-f", &file, "--yes", "-o", format], To::Terminal);
        assert!(shown.contains("\\u{202e}txt.exe\\u{2066}\\u{200b}\\u{ad}\\u{e0041}"), "{shown:?}");
        assert_eq!(raw(&shown, false), None);
    }
}
