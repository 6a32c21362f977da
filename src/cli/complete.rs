//! Answers to a <TAB>, in the form in which kubectl asks a plugin for them (k8s.io/kubectl,
//! pkg/cmd/plugin/plugin_completion.go): one candidate a line, a tab and what it is, and last a `:`
//! with directives.
//!
//! What a word may be comes from the commands as clap has them: its possible values, its id, or its
//! name in the help. A shell waits for the answer, so a cluster has a second, and no failure is
//! told.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::{Arg, ArgAction, Args as _, Command, FromArgMatches as _};
use tokio::time::timeout;

use super::flags::ClusterFlags;
use super::{Fault, print};
use crate::evidence::cluster::Cluster;
use crate::model::obstacle::Category;
use crate::remedy::REMEDIES;
use crate::usecase::target::{self, Target};

/// How long a cluster may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Directives of cobra's `ShellCompDirective`, whose sum ends the answer: 0 lets the shell complete
/// files where no candidate is left.
const FILES: u8 = 0;
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// The words to complete: those after `__complete`, or all where kubectl calls us by the name that
/// it looks for.
pub(super) fn asked(args: &[std::ffi::OsString]) -> Option<Vec<String>> {
    let text = |args: &[std::ffi::OsString]| {
        args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
    };
    let called = Path::new(args.first()?).file_stem()?;
    if called == "kubectl_complete-nonroot" {
        return Some(text(&args[1..]));
    }
    args.get(1).filter(|first| *first == "__complete").map(|_| text(&args[2..]))
}

pub(super) async fn run(mut root: Command, words: &[String]) -> Result<u8, Fault> {
    root.build();
    let line = Line::read(&root, words);
    let (candidates, mut directive) = line.answer().await;
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for Candidate { value, about } in candidates {
        // What a shell could read as more than one word is left out.
        let is_word = !value.contains(|c: char| c.is_control() || c.is_whitespace());
        if value.starts_with(&line.typed) && is_word && seen.insert(value.clone()) {
            // Only a type is not the end: its name follows.
            if !value.ends_with('/') {
                directive &= !NO_SPACE;
            }
            let about = about.lines().next().unwrap_or_default();
            text.push_str(&if about.is_empty() {
                format!("{value}\n")
            } else {
                format!("{value}\t{about}\n")
            });
        }
    }
    print(&format!("{text}:{directive}\n"))?;
    Ok(0)
}

/// A word that completes what is typed.
struct Candidate {
    value: String,
    /// What it is, in a few words.
    about: String,
}

impl Candidate {
    fn new(value: impl Into<String>, about: impl ToString) -> Self {
        Self { value: value.into(), about: about.to_string() }
    }
}

/// What is asked for.
#[derive(Debug)]
enum Wanted<'c> {
    Command,
    Flag,
    Value(&'c Arg),
    /// No more words are taken.
    Nothing,
}

/// A command line up to the word that is being typed.
struct Line<'c> {
    command: &'c Command,
    /// The flags so far, each with its value.
    flags: Vec<(&'c Arg, Option<String>)>,
    /// The other words so far, each with what it is.
    words: Vec<(&'c Arg, String)>,
    wanted: Wanted<'c>,
    typed: String,
}

impl<'c> Line<'c> {
    fn read(root: &'c Command, words: &[String]) -> Self {
        let (last, before) = words
            .split_last()
            .map_or(("", [].as_slice()), |(last, before)| (last.as_str(), before));
        let mut line = Line {
            command: root,
            flags: Vec::new(),
            words: Vec::new(),
            wanted: Wanted::Nothing,
            typed: last.to_owned(),
        };
        // The flag whose value comes next, and whether `--` ended the flags.
        let (mut open, mut ended): (Option<&Arg>, bool) = (None, false);
        for word in before {
            if let Some(flag) = open.take()
                && takes(flag, word)
            {
                line.flags.push((flag, Some(word.clone())));
            } else if ended || !word.starts_with('-') || word == "-" {
                line.word(word);
            } else if word == "--" {
                ended = true;
            } else {
                open = line.flag(word);
            }
        }
        line.wanted = match open.filter(|flag| takes(flag, last)) {
            Some(flag) => Wanted::Value(flag),
            None if !ended && last.starts_with('-') => match last.split_once('=') {
                Some((flag, value)) => {
                    let flag = line.named(flag);
                    value.clone_into(&mut line.typed);
                    flag.map_or(Wanted::Nothing, Wanted::Value)
                }
                None => Wanted::Flag,
            },
            None if line.command.has_subcommands() => Wanted::Command,
            None => line.next_positional().map_or(Wanted::Nothing, Wanted::Value),
        };
        line
    }

    fn word(&mut self, word: &str) {
        if let Some(command) = self.command.find_subcommand(word) {
            self.command = command;
        } else if let Some(positional) = self.next_positional() {
            self.words.push((positional, word.to_owned()));
        }
    }

    /// What the next word that is no flag would be.
    fn next_positional(&self) -> Option<&'c Arg> {
        let many = |arg: &&Arg| arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        let mut positionals = self.command.get_positionals();
        positionals
            .nth(self.words.len())
            .or_else(|| self.command.get_positionals().last().filter(many))
    }

    /// Takes a word that starts with a hyphen, and returns the flag whose value the next word is,
    /// if it is.
    fn flag(&mut self, word: &str) -> Option<&'c Arg> {
        if let Some((name, value)) = word.split_once('=') {
            let flag = self.named(name)?;
            self.flags.push((flag, Some(value.to_owned())));
            return None;
        }
        if word.starts_with("--") {
            let flag = self.named(word)?;
            return self.opened(flag);
        }
        // `-Al app=web`, `-oyaml`
        for (at, short) in word.char_indices().skip(1) {
            let flag = self.command.get_arguments().find(|arg| arg.get_short() == Some(short))?;
            let rest = &word[at + short.len_utf8()..];
            if has_value(flag) && !rest.is_empty() {
                self.flags.push((flag, Some(rest.to_owned())));
                return None;
            }
            if let Some(flag) = self.opened(flag) {
                return Some(flag);
            }
        }
        None
    }

    /// A flag without its value so far.
    fn opened(&mut self, flag: &'c Arg) -> Option<&'c Arg> {
        if has_value(flag) && !flag.is_require_equals_set() {
            return Some(flag);
        }
        self.flags.push((flag, None));
        None
    }

    /// The flag `--long` or `-s`.
    fn named(&self, name: &str) -> Option<&'c Arg> {
        let long = name.strip_prefix("--");
        let short = name
            .strip_prefix('-')
            .filter(|rest| rest.chars().count() == 1)
            .and_then(|rest| rest.chars().next());
        self.command.get_arguments().find(|arg| match long {
            Some(long) => arg.get_long() == Some(long),
            None => short.is_some() && arg.get_short() == short,
        })
    }

    async fn answer(&self) -> (Vec<Candidate>, u8) {
        match self.wanted {
            Wanted::Command => (commands(self.command), NO_FILES),
            Wanted::Flag => (self.further_flags(), NO_FILES),
            Wanted::Value(arg) => self.values(arg).await,
            Wanted::Nothing => (Vec::new(), NO_FILES),
        }
    }

    /// The flags that may still be given.
    fn further_flags(&self) -> Vec<Candidate> {
        let again = |arg: &Arg| matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
        let given = |arg: &Arg| self.flags.iter().any(|(flag, _)| flag.get_id() == arg.get_id());
        let flags =
            self.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
        let flags = flags.filter(|arg| again(arg) || !given(arg));
        let names = flags.flat_map(|arg| {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let names = [
                arg.get_long().map(|long| format!("--{long}")),
                arg.get_short().map(|short| format!("-{short}")),
            ];
            names.into_iter().flatten().map(move |name| Candidate::new(name, &about))
        });
        names.collect()
    }

    async fn values(&self, arg: &Arg) -> (Vec<Candidate>, u8) {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let shown = possible.iter().filter(|value| !value.is_hide_set());
            let about =
                |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string);
            let values = shown
                .map(|value| Candidate::new(value.get_name(), about(value).unwrap_or_default()));
            return (values.collect(), NO_FILES);
        }
        let told = value_names(arg);
        let has = |name: &str| told.iter().any(|known| known.contains(name));
        let mut found = Vec::new();
        let mut directive = NO_FILES;
        match arg.get_id().as_str() {
            "namespace" | "trial_namespace" => found.extend(self.ask(namespaces).await),
            "level" => {
                found.extend(["baseline", "restricted"].map(|level| Candidate::new(level, "")))
            }
            "context" => found.extend(plain(self.connection().entries().contexts)),
            "cluster" => found.extend(plain(self.connection().entries().clusters)),
            "user" => found.extend(plain(self.connection().entries().users)),
            "without" => {
                found.extend(REMEDIES.iter().map(|remedy| Candidate::new(remedy.id, remedy.title)))
            }
            "container" => {
                let target = self.targets().pop();
                found.extend(self.ask(async |cluster| containers(cluster, target).await).await);
            }
            _ if has("TYPE/NAME") => {
                if has("POD") && self.targets().is_empty() && !self.typed.contains('/') {
                    found.extend(self.ask(async |cluster| names(&cluster, "Pod", "").await).await);
                }
                let (targets, ending) = self.further_targets().await;
                found.extend(targets);
                directive |= ending;
            }
            _ => {}
        }
        if has("OBSTACLE") {
            found.extend(
                Category::ALL.map(|category| Candidate::new(category.as_str(), "an obstacle")),
            );
        }
        if has("FILE") || has("DIRECTORY") {
            directive = directive & !NO_FILES | FILES;
        }
        (found, directive)
    }

    /// `deployment/` where no type is typed yet, else the names of that type.
    async fn further_targets(&self) -> (Vec<Candidate>, u8) {
        if let Some((kind, _)) = self.typed.split_once('/') {
            let lead = format!("{kind}/");
            let kind = target::kind_of(kind);
            return (self.ask(async |cluster| names(&cluster, &kind, &lead).await).await, 0);
        }
        match self.targets().first() {
            Some(Target { kind, name: _ }) if !self.words.iter().any(|(_, word)| is_pair(word)) => {
                (self.ask(async |cluster| names(&cluster, kind, "").await).await, 0)
            }
            _ => {
                let types =
                    target::TYPES.iter().filter_map(|(kind, names)| Some((kind, names.first()?)));
                (
                    types.map(|(kind, name)| Candidate::new(format!("{name}/"), kind)).collect(),
                    NO_SPACE,
                )
            }
        }
    }

    /// What the words so far name. Where a pod may stand alone, one word is its name.
    fn targets(&self) -> Vec<Target> {
        let names =
            |arg: &Arg, wanted: &str| value_names(arg).iter().any(|name| name.contains(wanted));
        let words = self.words.iter().filter(|(arg, _)| names(arg, "TYPE/NAME"));
        // Paths and ports stand before the workload.
        let words: Vec<_> = words
            .filter(|(_, word)| !word.starts_with(|c: char| c == '/' || c.is_ascii_digit()))
            .collect();
        match words.as_slice() {
            [(arg, word)] if names(arg, "POD") && !is_pair(word) && !target::is_type(word) => {
                vec![Target { kind: "Pod".to_owned(), name: Some(word.clone()) }]
            }
            words => {
                let words: Vec<String> = words.iter().map(|(_, word)| word.clone()).collect();
                target::targets(&words).unwrap_or_default()
            }
        }
    }

    /// How the flags so far reach the cluster.
    fn connection(&self) -> crate::evidence::cluster::Connection {
        let command = ClusterFlags::augment_args(Command::new("flags").no_binary_name(true));
        let known = |flag: &Arg| command.get_arguments().any(|arg| arg.get_id() == flag.get_id());
        let flags =
            self.flags.iter().filter(|(flag, _)| known(flag)).filter_map(|(flag, value)| {
                let long = flag.get_long()?;
                Some(
                    value
                        .as_ref()
                        .map_or_else(|| format!("--{long}"), |value| format!("--{long}={value}")),
                )
            });
        let flags: Vec<String> = flags.collect();
        let none = || command.clone().try_get_matches_from(Vec::<String>::new());
        let matches = command.clone().try_get_matches_from(flags).or_else(|_| none());
        let flags = matches.and_then(|matches| ClusterFlags::from_arg_matches(&matches));
        flags.map(|flags| flags.connection()).unwrap_or_default()
    }

    /// Asks the cluster, for as long as a shell may wait; without an answer there are no candidates.
    async fn ask<F>(&self, question: impl FnOnce(Cluster) -> F) -> Vec<Candidate>
    where
        F: Future<Output = Option<Vec<Candidate>>>,
    {
        let connection = self.connection();
        let answer = async { question(Cluster::connect(&connection).await.ok()?).await };
        timeout(PATIENCE, answer).await.ok().flatten().unwrap_or_default()
    }
}

fn commands(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let about =
        |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    shown.map(|command| Candidate::new(command.get_name(), about(command))).collect()
}

fn plain(names: Vec<String>) -> impl Iterator<Item = Candidate> {
    names.into_iter().map(|name| Candidate::new(name, ""))
}

async fn namespaces(cluster: Cluster) -> Option<Vec<Candidate>> {
    Some(plain(cluster.namespace_names().await.ok()?).collect())
}

async fn names(cluster: &Cluster, kind: &str, lead: &str) -> Option<Vec<Candidate>> {
    let names = cluster.names(kind, &cluster.namespace).await.ok()?;
    Some(names.into_iter().map(|name| Candidate::new(format!("{lead}{name}"), kind)).collect())
}

async fn containers(cluster: Cluster, target: Option<Target>) -> Option<Vec<Candidate>> {
    let Target { kind, name } = target?;
    let names = cluster.container_names(&kind, &cluster.namespace, &name?).await.ok()?;
    Some(plain(names).collect())
}

/// The alternatives that the help names: `POD|TYPE/NAME|-`.
fn value_names(arg: &Arg) -> Vec<&str> {
    arg.get_value_names().unwrap_or_default().iter().flat_map(|name| name.split('|')).collect()
}

fn has_value(flag: &Arg) -> bool {
    flag.get_num_args().is_some_and(|range| range.takes_values())
}

/// Whether a word is the value of the flag before it; one that may stand alone leaves the next flag
/// alone.
fn takes(flag: &Arg, word: &str) -> bool {
    let optional = flag.get_num_args().is_some_and(|range| range.min_values() == 0);
    !(optional && word.starts_with('-'))
}

fn is_pair(word: &str) -> bool {
    word.contains('/') && !word.starts_with('/')
}
