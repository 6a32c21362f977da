//! How bad a message is, by the program's own words.

use std::sync::LazyLock;

use regex::Regex;

use super::errno::compile;

/// How bad the program itself says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Info,
    Warning,
    /// The line does not say.
    Unstated,
    Error,
    Fatal,
}

pub(crate) fn severity_of_word(word: &str) -> Option<Severity> {
    Some(match word.to_ascii_lowercase().as_str() {
        "emerg" | "emergency" | "crit" | "critical" | "fatal" | "panic" | "dpanic" | "severe"
        | "f" => Severity::Fatal,
        // nginx continues after an alert. HAProxy does not, and has no worse severity.
        "alert" | "error" | "err" | "eror" | "erro" | "failure" | "e" => Severity::Error,
        "warn" | "warning" | "wrn" | "w" => Severity::Warning,
        "info" | "notice" | "note" | "debug" | "trace" | "log" | "verbose" | "dbg" | "inf"
        | "i" | "information" => Severity::Info,
        _ => return None,
    })
}

pub(crate) fn severity_of(text: &str) -> Severity {
    static LABEL: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?ix) (?: \blevel[=:]\s*"?([a-z]+)
            | [\[(<|] \s* (emerg|alert|crit|critical|fatal|panic|error|err|warn|warning|info|notice|note|debug) \s* [\])>|]
            | ^ (?:[\w./-]+:\s+|[\w./-]+\[\d+\]:\s+)? (fatal|panic|critical|crit|emerg|alert|error|err|warn|warning|info|notice|note|debug)\b (?:[\s:!*\]|-]|$)
            | \s (FATAL|PANIC|CRITICAL|SEVERE|ERROR|WARN|WARNING|NOTICE|INFO|DEBUG) [\s:\]|-]
            | \[[\w-]*:(emerg|alert|crit|error|warn|notice|info|debug)\] )"#,
        )
    });
    // No logger adds these words: the program ends.
    static ENDS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:panic:|fatal(?: error| exception)?:|uncaught|unhandled|exception in thread|aborting|cannot continue|exiting\b|terminating\b|panicked at|failed to start:)",
        )
    });
    // Words by which a program says that it continues.
    static CONTINUES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:warning\b|ignored|ignoring|skipping|falling back|continuing|non-fatal|will not be|highly recommended)",
        )
    });
    // The same, whatever the message calls itself.
    static ALWAYS_CONTINUES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:falling back to|output directed to|ignoring this|continuing (?:without|anyway))\b",
        )
    });
    if ENDS.is_match(text) {
        return Severity::Fatal;
    }
    if ALWAYS_CONTINUES.is_match(text) {
        return Severity::Warning;
    }
    let labelled = LABEL
        .captures(text)
        .and_then(|captures| severity_of_word(captures.iter().skip(1).flatten().next()?.as_str()));
    match labelled {
        Some(severity) => severity,
        None if CONTINUES.is_match(text) => Severity::Warning,
        None => Severity::Unstated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities() {
        for (text, severity) in [
            ("[emerg] 1#1: bind() failed", Severity::Fatal),
            ("level=warn msg=x", Severity::Warning),
            ("FATAL:  could not create lock file", Severity::Fatal),
            ("initdb: error: could not", Severity::Error),
            ("mkdir: cannot create directory", Severity::Unstated),
            ("WARNING: Cannot write log file", Severity::Warning),
            ("panic: open /x", Severity::Fatal),
            ("script.sh: info: can not modify", Severity::Info),
        ] {
            assert_eq!(severity_of(text), severity, "{text}");
        }
    }
}
