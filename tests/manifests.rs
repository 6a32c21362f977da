//! Edits of manifests: small files and what `fix` makes of them (tests/cases/manifests; `UPDATE=1`
//! writes what it makes now), and random edits of random manifests, of which every line that has no
//! part in the change must stay.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use fastrand::Rng;
use nonroot::evidence::manifests::document::Document;
use nonroot::output::patch;
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Map, Value, json};

fn read(text: &str) -> Option<Value> {
    Document::parse(text).ok().flatten().map(|document| document.value)
}

/// What `fix -f FILE -o yaml` prints without a cluster, and what it says.
fn fixed(file: &Path) -> (Vec<u8>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"))
        .current_dir(root)
        .args(["fix", "--run-as", "101:102", "--offline", "-o", "yaml", "-f"])
        .arg(file)
        .env("KUBECONFIG", "/dev/null")
        .env("HOME", "/nonexistent")
        .env("NONROOT_OFFLINE", "1")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .expect("it runs");
    (output.stdout, String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn every_case_becomes_what_is_expected_and_nothing_more_the_second_time() {
    let cases = Path::new("tests/cases/manifests");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<PathBuf> = fs::read_dir(root.join(cases))
        .expect("cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.retain(|path| !path.to_string_lossy().contains(".expected"));
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    for path in names {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let expected_path = path.with_file_name(format!("{name}.expected"));
        let (text, said) = fixed(&cases.join(&name));
        let got = [text.as_slice(), b"\0", said.as_bytes()].concat();
        let got = String::from_utf8(got)
            .expect("text")
            .replace('\0', if said.is_empty() { "" } else { "=== said\n" });
        if env::var_os("UPDATE").is_some() {
            fs::write(&expected_path, &got).expect("it can be written");
        }
        assert_eq!(
            got,
            fs::read_to_string(&expected_path).unwrap_or_default(),
            "{name}: UPDATE=1 writes what it is now"
        );
        let again = env::temp_dir().join(format!("nonroot-again-{}-{name}", std::process::id()));
        fs::write(&again, &text).expect("it can be written");
        let (second, _) = fixed(&again);
        fs::remove_file(&again).expect("it can be removed");
        assert!(
            second == text,
            "{name}: a second time changes it:\n{}",
            String::from_utf8_lossy(&second)
        );
    }
}

/// Where a line of a random manifest belongs.
enum Belongs {
    /// It stays if what is at the path stays what it is.
    Whole(Vec<String>),
    /// The key of a map or a list: it stays while that has something in it.
    Key(Vec<String>),
    /// It stays, wherever.
    Comment,
}

/// Writes a random manifest, line by line.
struct Writer {
    rng: Rng,
    step: usize,
    compact: bool,
    count: usize,
    lines: Vec<(String, Belongs)>,
}

impl Writer {
    fn word(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    fn comment(&mut self, column: usize) {
        if self.rng.u8(..6) == 0 {
            let text = self.word("# note: {of, \"");
            self.lines.push((format!("{}{text}", " ".repeat(column)), Belongs::Comment));
        }
    }

    fn beside(&mut self) -> String {
        if self.rng.u8(..5) == 0 { self.word(" # beside ") } else { String::new() }
    }

    /// A scalar, and how it is written on one line.
    fn scalar(&mut self) -> (Value, String) {
        let word = self.word("word");
        match self.rng.u8(..10) {
            0 => (json!(true), "yes".to_owned()),
            1 => (json!(420), "0644".to_owned()),
            2 => (json!(self.count), self.count.to_string()),
            3 => (json!(format!("a\tb {word}")), format!("\"a\\tb {word}\"")),
            4 => (json!(format!("it's, {{{word}}}")), format!("'it''s, {{{word}}}'")),
            5 => (json!("on"), "\"on\"".to_owned()),
            6 => (json!("080"), "'080'".to_owned()),
            _ => (json!(word), word),
        }
    }

    fn flow(&mut self, depth: usize) -> (Value, String) {
        match self.rng.u8(..5) {
            0 if depth > 0 => {
                let count = self.rng.usize(..3);
                let items: Vec<(Value, String)> = (0..count)
                    .map(|_| {
                        let word = self.word("item");
                        (json!(word), word)
                    })
                    .collect();
                let (values, texts): (Vec<Value>, Vec<String>) = items.into_iter().unzip();
                (Value::Array(values), format!("[{}]", texts.join(", ")))
            }
            1 | 2 if depth > 0 => {
                let (mut fields, mut texts) = (Map::new(), Vec::new());
                for _ in 0..self.rng.usize(..4) {
                    let key = self.word("key");
                    let (value, text) = self.flow(depth - 1);
                    texts.push(if self.rng.bool() {
                        format!("\"{key}\": {text}")
                    } else {
                        format!("{key}: {text}")
                    });
                    fields.insert(key, value);
                }
                (Value::Object(fields), format!("{{{}}}", texts.join(", ")))
            }
            _ => self.scalar(),
        }
    }

    /// A field on lines of its own; `first` is what its first line begins with.
    fn field(
        &mut self,
        first: &str,
        column: usize,
        key: &str,
        path: &[String],
        depth: usize,
    ) -> Value {
        let path = [path, &[key.to_owned()]].concat();
        let kind = if depth == 0 { 9 } else { self.rng.u8(..10) };
        match kind {
            0..=3 => {
                let beside = self.beside();
                self.lines.push((format!("{first}{key}:{beside}"), Belongs::Key(path.clone())));
                self.map(column + self.step, &path, depth - 1)
            }
            4 | 5 => {
                let beside = self.beside();
                self.lines.push((format!("{first}{key}:{beside}"), Belongs::Key(path.clone())));
                let column = if self.compact { column } else { column + self.step };
                self.list(column, &path, depth - 1)
            }
            6 => {
                let (one, two) = (self.word("line"), self.word("line"));
                let pad = " ".repeat(column + self.step);
                for line in [
                    format!("{first}{key}: |"),
                    format!("{pad}{one} # no comment"),
                    String::new(),
                    format!("{pad}  {two}"),
                ] {
                    self.lines.push((line, Belongs::Whole(path.clone())));
                }
                json!(format!("{one} # no comment\n\n  {two}\n"))
            }
            7 => {
                let beside = self.beside();
                let text = ["", " ~", " null"][self.rng.usize(..3)];
                self.lines.push((format!("{first}{key}:{text}{beside}"), Belongs::Whole(path)));
                Value::Null
            }
            _ => {
                let (value, text) = self.flow(2);
                let beside = self.beside();
                self.lines.push((format!("{first}{key}: {text}{beside}"), Belongs::Whole(path)));
                value
            }
        }
    }

    fn map(&mut self, column: usize, path: &[String], depth: usize) -> Value {
        let mut fields = Map::new();
        for _ in 0..self.rng.usize(1..5) {
            self.comment(column);
            let key = self.word("key");
            let value = self.field(&" ".repeat(column), column, &key, path, depth);
            fields.insert(key, value);
        }
        Value::Object(fields)
    }

    fn list(&mut self, column: usize, path: &[String], depth: usize) -> Value {
        let named = self.rng.bool();
        let mut items = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            self.comment(column);
            let word = self.word("item");
            let inner = [path, std::slice::from_ref(&word)].concat();
            if !named {
                let beside = self.beside();
                self.lines.push((
                    format!("{}- {word}{beside}", " ".repeat(column)),
                    Belongs::Whole(inner),
                ));
                items.push(json!(word));
                continue;
            }
            self.lines.push((
                format!("{}- name: {word}", " ".repeat(column)),
                Belongs::Key(inner.clone()),
            ));
            let mut fields = json!({"name": word});
            for _ in 0..self.rng.usize(..3) {
                self.comment(column + 2);
                let key = self.word("key");
                fields[&key] = self.field(&" ".repeat(column + 2), column + 2, &key, &inner, depth);
            }
            items.push(fields);
        }
        Value::Array(items)
    }

    /// Something new for a plan.
    fn new_value(&mut self, depth: usize) -> Value {
        match self.rng.u8(..6) {
            0 if depth > 0 => json!([self.new_value(0), self.word("new")]),
            1 if depth > 0 => {
                json!([{"name": self.word("new"), "value": self.new_value(depth - 1)}])
            }
            2 | 3 if depth > 0 => {
                json!({(self.word("new")): self.new_value(depth - 1), (self.word("new")): {}})
            }
            4 => json!(
                [
                    "yes",
                    "0",
                    "a, b",
                    "x: y",
                    "- z",
                    "",
                    "two\nlines\n",
                    "'quoted'",
                    "# c",
                    "{x}",
                    "1.5"
                ][self.rng.usize(..11)]
            ),
            _ => json!(self.count),
        }
    }

    /// Changes a few things in a value, but no name and no order.
    fn plan(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for key in fields.keys().filter(|key| *key != "name").cloned().collect::<Vec<_>>() {
                    match self.rng.u8(..12) {
                        0 => drop(fields.shift_remove(&key)),
                        1 => fields[&key] = self.new_value(2),
                        2..=7 => self.plan(&mut fields[&key]),
                        _ => {}
                    }
                }
                if self.rng.u8(..4) == 0 {
                    fields.insert(self.word("new"), self.new_value(2));
                }
            }
            Value::Array(items) => {
                let named = items.first().is_some_and(Value::is_object);
                items.retain(|_| self.rng.u8(..8) > 0);
                items.iter_mut().filter(|item| item.is_object()).for_each(|item| self.plan(item));
                if self.rng.u8(..3) == 0 {
                    let at = self.rng.usize(..=items.len());
                    let word = self.word("new");
                    items.insert(
                        at,
                        if named {
                            json!({"name": word, "more": self.new_value(1)})
                        } else {
                            json!(word)
                        },
                    );
                }
            }
            other if self.rng.u8(..3) == 0 => *other = self.new_value(1),
            _ => {}
        }
    }
}

/// What is at a path; items are found by name, or are their own.
fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.iter().find(|item| item["name"] == **step || **item == **step),
        _ => None,
    })
}

fn has_something(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        _ => false,
    }
}

fn a_random_edit_keeps_what_it_does_not_touch(seed: u64) -> Option<()> {
    let mut rng = Rng::with_seed(seed);
    let (step, compact, crlf, last) = (rng.usize(1..5), rng.bool(), rng.u8(..4) == 0, rng.bool());
    let mut writer = Writer { rng, step: step.max(2), compact, count: 0, lines: Vec::new() };
    let original = writer.map(0, &[], 4);
    let line_break = if crlf { "\r\n" } else { "\n" };
    let lines: Vec<&str> = writer.lines.iter().map(|(line, _)| line.as_str()).collect();
    let text = lines.join(line_break) + if last { line_break } else { "" };
    // A block scalar at the very end has no line break without one.
    if read(&text).as_ref() != Some(&original) {
        assert!(
            !last,
            "seed {seed}: the generator and the reader differ:\n{text}\n{original:#}\n{:#}",
            read(&text)?
        );
        return None;
    }
    let mut planned = original.clone();
    let before = std::mem::take(&mut writer.lines);
    writer.plan(&mut planned);
    let result = patch::manifest(&text, &original, &planned, &read);
    if !last && result.as_ref().is_err_and(|unfit| unfit.why.contains("has no line break")) {
        return None;
    }
    let result =
        result.unwrap_or_else(|unfit| panic!("seed {seed}: {unfit:?}\n{text}\n=>\n{planned:#}"));
    assert_eq!(read(&result).as_ref(), Some(&planned), "seed {seed}:\n{text}\n=>\n{result}");
    let mut after = result.lines();
    for (line, belongs) in &before {
        let stays = match belongs {
            Belongs::Whole(path) => at(&original, path) == at(&planned, path),
            Belongs::Key(path) => {
                let (old, new) = (at(&original, path), at(&planned, path));
                has_something(new) && old.map(Value::is_array) == new.map(Value::is_array)
            }
            Belongs::Comment => false,
        };
        assert!(
            !stays || after.any(|other| other == line),
            "seed {seed}: {line:?} is gone:\n{text}\n=>\n{result}"
        );
        if let Some((_, comment)) = line.split_once(" # beside ") {
            assert!(
                result.contains(&format!("# beside {comment}")),
                "seed {seed}: {line:?}:\n{text}\n=>\n{result}"
            );
        } else if matches!(belongs, Belongs::Comment) {
            assert!(
                result.contains(line.trim_start()),
                "seed {seed}: {line:?}:\n{text}\n=>\n{result}"
            );
        }
    }
    assert!(
        !text.contains("\r\n") || !result.replace("\r\n", "").contains('\n'),
        "seed {seed}: line breaks are mixed:\n{result:?}"
    );
    assert_eq!(patch::manifest(&result, &planned, &planned, &read).as_deref(), Ok(result.as_str()));
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn random_edits_keep_every_line_that_has_no_part_in_them(seed in any::<u64>()) {
        a_random_edit_keeps_what_it_does_not_touch(seed);
    }
}
