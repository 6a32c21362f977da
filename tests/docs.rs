//! Generated files equal what the code says; `UPDATE=1` writes them.

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

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use build::{LayerTar, config, docker_archive};
use clap_complete::Shell;
use nonroot::output::migrate::{Fence, MigrationReport, Outcome, Row};
use nonroot::output::prove::{Judged, ProveReport};
use serde_json::Value;

fn generated(file: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the file can be written");
    }
    let there = fs::read(&path).unwrap_or_default();
    assert!(there == text, "{file} is stale: run UPDATE=1 cargo test --test docs");
}

#[test]
fn the_pages_of_obstacles_are_fresh() {
    generated("docs/obstacles.md", nonroot::output::obstacles::document().as_bytes());
}

#[test]
fn the_completion_scripts_are_fresh() {
    let shells = [
        (Shell::Bash, "kubectl-nonroot.bash"),
        (Shell::Zsh, "_kubectl-nonroot"),
        (Shell::Fish, "kubectl-nonroot.fish"),
        (Shell::PowerShell, "kubectl-nonroot.ps1"),
    ];
    for (shell, file) in shells {
        let mut script = Vec::new();
        clap_complete::generate(
            shell,
            &mut nonroot::cli::command(),
            "kubectl-nonroot",
            &mut script,
        );
        generated(&format!("completions/{file}"), &script);
    }
}

#[test]
fn the_man_pages_are_fresh() {
    let mut pages =
        vec![nonroot::cli::command().bin_name("kubectl nonroot").display_name("kubectl-nonroot")];
    while let Some(mut command) = pages.pop() {
        command.build();
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        pages.extend(command.get_subcommands().cloned());
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).unwrap();
        generated(&format!("docs/man/{name}.1"), &page);
    }
}

/// krew's release bot fills in the version and the digests of a release.
#[test]
fn the_template_for_krews_release_bot_is_fresh() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin.yaml")).unwrap();
    let version = format!("v{}", env!("CARGO_PKG_VERSION"));
    let template = manifest.replace(&version, "{{ .TagName }}");
    assert!(
        template.contains("version: {{ .TagName }}"),
        "plugin.yaml has another version than Cargo.toml"
    );
    let lines = template.lines().filter(|line| !line.contains("sha256: ")).map(|line| {
        match line.split_once("uri: ") {
            Some((indent, address)) => {
                format!("{indent}{{{{addURIAndSha \"{address}\" .TagName }}}}\n")
            }
            None => format!("{line}\n"),
        }
    });
    generated(".krew.yaml", lines.collect::<String>().as_bytes());
}

/// What a newcomer looks up is there: each command in the README's table, and whatever a page links
/// to.
#[test]
fn the_readme_knows_each_command_and_no_link_is_broken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for command in
        nonroot::cli::command().get_subcommands().filter(|command| !command.is_hide_set())
    {
        let (name, row) = (command.get_name(), format!("\n| `{} ", command.get_name()));
        assert!(readme.contains(&row), "README.md has no row for {name}");
    }
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).chain(docs);
    for page in pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        for link in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
        {
            let file = link.split('#').next().unwrap_or_default();
            let there = link.contains("://") || page.parent().unwrap().join(file).exists();
            assert!(there, "{}: nothing is at {link}", page.display());
        }
    }
}

/// The blocks of docs/rbac.md are the manifests, and each of these is shown there.
#[test]
fn the_manifests_of_rights_are_those_of_their_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = fs::read_to_string(docs.join("rbac.md")).unwrap();
    let mut shown: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let files = fs::read_dir(docs.join("rbac"))
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let mut files: Vec<String> = files.collect();
    shown.sort_unstable();
    files.sort_unstable();
    assert_eq!(shown, files);
}

/// A section of docs/json.md: its fields, and of each the type and whether no example shows it.
type Section<'p> = BTreeMap<&'p str, (&'p str, bool)>;

fn sections(page: &str) -> BTreeMap<&str, Section<'_>> {
    fn row(line: &str) -> Option<(&str, (&str, bool))> {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let field = cells.next()?.strip_suffix('`')?;
        let kind = cells.next()?;
        Some((
            field,
            (
                kind,
                ["live", "rare"]
                    .iter()
                    .any(|mark| cells.clone().any(|cell| cell.starts_with(mark))),
            ),
        ))
    }
    let sections = page.split("\n## ").skip(1).map(|section| {
        let (name, rest) = section.split_once('\n').unwrap_or((section, ""));
        (name, rest.lines().filter_map(row).collect())
    });
    sections.collect()
}

/// Compares a report with a section; what was seen is noted.
fn compare(
    sections: &BTreeMap<&str, Section<'_>>,
    name: &str,
    value: &Value,
    seen: &mut BTreeSet<String>,
) {
    let section =
        sections.get(name).unwrap_or_else(|| panic!("docs/json.md has no section {name}"));
    for (field, value) in
        value.as_object().unwrap_or_else(|| panic!("{name} is no object: {value}"))
    {
        let (kind, _) = section
            .get(field.as_str())
            .unwrap_or_else(|| panic!("docs/json.md tells nothing of {name}.{field}"));
        seen.insert(format!("{name}.{field}"));
        let plain = kind.strip_suffix("[]").unwrap_or(kind);
        let fits = |value: &Value| match plain {
            _ if value.is_null() => true,
            "string" => value.is_string(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => value.is_object(),
        };
        let values = if kind.ends_with("[]") {
            value.as_array().expect("a list")
        } else {
            std::slice::from_ref(value)
        };
        for value in values {
            assert!(fits(value), "{name}.{field} is no {plain}: {value}");
            if plain.starts_with(char::is_uppercase) && !value.is_null() {
                compare(sections, plain, value, seen);
            }
        }
    }
}

/// A workload that `prove` judged.
fn judged() -> Judged {
    Judged {
        workload: "deployment/web".to_owned(),
        namespace: "shop".to_owned(),
        file: None,
        level: "restricted",
        admitted: true,
        forbidden: Vec::new(),
        ready: true,
        works: true,
        seconds: 17,
        checks: vec!["http :8080/healthz 200".to_owned()],
        not_checked: vec!["UDP ports are not asked".to_owned()],
        notes: Vec::new(),
        obstacles: Vec::new(),
    }
}

/// A namespace that `migrate` took to its level.
fn migration() -> MigrationReport {
    let row = Row { outcome: Outcome::Proven, standing: "baseline", ..Row::new("deployment/web") };
    let admitted = Row { outcome: Outcome::Admitted, ..Row::new("deployment/api") };
    let fence = Fence { is_set: true, refusal: Some("violates".to_owned()), ..Fence::default() };
    MigrationReport::new("shop", "restricted", None, vec![row, admitted], Some(fence), Vec::new())
}

#[test]
fn every_field_of_every_report_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/json.md")).unwrap();
    let sections = sections(&page);
    let commands: [&[&str]; 8] = [
        &["scan", "-f", "examples/"],
        &["scan", "-f", "examples/", "--plan", "--baseline", "tests/cli/accepted.yaml"],
        &["explain", "-f", "examples/nginx.log"],
        &["fix", "-f", "examples/web.yaml"],
        &["fix", "-f", "examples/"],
        &["image", "examples/web.tar", "--tree"],
        &["can-i", "write", "/run", "--image", "examples/web.tar", "--uid", "101"],
        &["can-i", "bind", "80", "--image", "examples/web.tar"],
    ];
    let mut seen = BTreeSet::new();
    for arguments in commands {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"));
        command.current_dir(root).env_clear().args(arguments).args(["-o", "json"]);
        let output = command.output().expect("the binary runs");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        compare(&sections, report["kind"].as_str().unwrap_or_default(), &report, &mut seen);
    }
    // Only a cluster gives one with workloads.
    let report = serde_json::to_value(ProveReport::new(Vec::new(), vec![judged()])).unwrap();
    compare(&sections, "ProveReport", &report, &mut seen);
    let report = serde_json::to_value(migration()).unwrap();
    compare(&sections, "MigrationReport", &report, &mut seen);
    for (name, section) in &sections {
        for (field, (_, live)) in section {
            let was = seen.contains(&format!("{name}.{field}"));
            assert!(was || *live, "no report has {name}.{field}, of which docs/json.md tells");
        }
    }
}

/// A web server as its maintainers package it: started by root, with a user of its own that was
/// given nothing.
#[test]
fn the_image_of_the_examples_is_fresh() {
    const ROOT: (u64, u64) = (0, 0);
    /// `security.capability` of `cap_net_raw=ep`.
    const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let base = LayerTar::default()
        .directory("etc/", 0o755, ROOT)
        .file("etc/passwd", 0o644, ROOT, b"root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/group", 0o644, ROOT, b"root:x:0:\nadm:x:4:\n")
        .file("etc/shadow", 0o640, (0, 42), b"root:*:20000::::::\n")
        .directory("run/", 0o755, ROOT)
        .directory("tmp/", 0o1777, ROOT)
        .file("usr/bin/sh", 0o755, ROOT, b"\x7fELF sh")
        .records(&[("SCHILY.xattr.security.capability", NET_RAW.as_slice())])
        .file("usr/bin/ping", 0o755, ROOT, b"\x7fELF ping")
        .symlink("var/run", "/run");
    let install = LayerTar::default()
        .file(
            "etc/passwd",
            0o644,
            ROOT,
            b"root:x:0:0:root:/root:/bin/sh\nnginx:x:101:102::/nonexistent:/bin/false\n",
        )
        .file("etc/group", 0o644, ROOT, b"root:x:0:\nadm:x:4:nginx\nnginx:x:102:\n")
        .file("etc/nginx/nginx.conf", 0o644, ROOT, b"pid /run/nginx.pid;\n")
        .file("usr/sbin/nginx", 0o755, ROOT, b"\x7fELF nginx")
        .directory("var/cache/nginx/", 0o755, ROOT)
        .directory("var/log/nginx/", 0o750, (0, 4))
        .symlink("var/log/nginx/error.log", "/dev/stderr");
    let layers = [base.build(), install.build()];
    let run = serde_json::json!({
        "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/usr/sbin:/usr/bin"], "Cmd": ["nginx", "-g", "daemon off;"],
    });
    let config = config(run, &layers, &["ADD base.tar /", "RUN apt-get install -y nginx"]);
    generated("examples/web.tar", &docker_archive(&config, &layers));
}
