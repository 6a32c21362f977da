//! What stands between the start of a line and the message: terminal escapes, timestamps, the names
//! of pods and programs.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

use super::{
    errno::compile,
    severity::{Severity, severity_of_word},
};

/// Takes terminal escape sequences (ECMA-48 CSI and OSC, and the two-byte ones) and other control
/// characters off.
pub(crate) fn strip_escapes(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            "(?:\u{1b}\\[|\u{9b})[0-?]*[ -/]*[@-~]|\u{1b}\\][^\u{7}\u{1b}]*(?:\u{7}|\u{1b}\\\\)?|\u{1b}[@-_]?|[\u{0}-\u{8}\u{b}-\u{1f}\u{7f}]",
        )
    });
    // A colour code that lost its escape character on the way, as `[31m`.
    static ORPHAN: LazyLock<Regex> =
        LazyLock::new(|| compile(r"(?:\^\[|\\u001b|\\x1b|\\033)?\[\d{1,2}(?:;\d{1,3})*m"));
    if text.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f || b == 0xc2) {
        let stripped = ESCAPE.replace_all(text, "");
        return Cow::Owned(ORPHAN.replace_all(&stripped, "").into_owned());
    }
    if text.contains('m') && text.contains('[') {
        ORPHAN.replace_all(text, "")
    } else {
        Cow::Borrowed(text)
    }
}

/// Prefixes before prefixes, beyond which no logger goes.
const MAX_PREFIXES: usize = 8;

/// What may stand before a message, each anchored at its start. None of them takes white space that
/// belongs to the message, for indentation tells what continues what.
static PREFIXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // CRI: `2026-11-24T08:41:16.1234Z stdout F `; then any timestamp of the ISO family, in brackets or bare.
        r"^\s*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP] ",
        r"^\s*[\[(]?\d{4}[-/.]\d\d[-/.]\d\d[T _]?\s?\d{1,2}:\d\d:\d\d(?:[.,:]\d+)?(?:\s?(?:Z|UTC|GMT|CES?T|[+-]\d\d:?\d\d))?[\])|]?[:,]? ?",
        // `[24-Nov-2026 09:08:23]`, `24-Nov-2026 08:59:17.870`, `10/9/2017 4:04:54 PM`, `0822/151521.958305`.
        r"^\s*\[?\d{1,2}[-/](?:\w{3}|\d{1,2})[-/]\d{2,4}[ :]\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?: ?[AP]M)?(?: [A-Z]{3,4} | [+-]\d{4})?\]?:? ?",
        // `Tue Nov 24 08:59:46 2026`, syslog's `Nov 20 08:06:17 host prog[123]: `.
        r"^\s*\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\w{3} {1,2}\d{1,2}|\d{1,2} \w{3} \d{4}) \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Z]{3,4})?(?: \d{4})?(?: \(\d+\))?\]?:? ?",
        r"^\s*(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? (?:[\w.-]+ [\w./@-]+(?:\[\d+\])?|/[\w./-]+): ?",
        // klog: `E1124 08:41:16.123456   1 file.go:123] `.
        r"^\s*[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ [\w./-]+:\d+\] ",
        // A time alone, and seconds since 1970 or since the start.
        r"^\s*\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?:? ",
        r"^\s*\[?\s*\d{1,10}\.\d{3,9}\]?:? ",
        // compose, `kubectl logs --prefix`, docker service logs, journald's exporters.
        r"^\s*[\w.@/-]+\s*\| ",
        r"^\s*\[(?:pod|container|docker|compose)/[\w./-]+\] ",
        r"^\s*<\d{1,3}>(?:\d )?",
        // stern's and kubetail's pod and container: the end of a pod's name has letters of Kubernetes' own alphabet.
        r"^\s*[a-z0-9][a-z0-9-]*-(?:[bcdf-hj-np-tv-xz2456789]{8,10}|\d{8,10})-[bcdf-hj-np-tv-xz2456789]{5} [a-z0-9][a-z0-9-]* ",
        // uvicorn's and a quoting shell's or mail's.
        r"^(?:ERROR:    |INFO:     |WARNING:  |CRITICAL: |DEBUG:    )",
        r"^> ",
        r"^##\[\w+\]",
    ]
    .iter()
    .map(|prefix| compile(prefix))
    .collect()
});

pub(crate) fn strip_prefixes(text: &str) -> (&str, Option<Severity>) {
    let mut rest = text;
    let mut severity = None;
    for _ in 0..MAX_PREFIXES {
        let Some(found) = PREFIXES.iter().find_map(|prefix| prefix.find(rest)) else { break };
        let klog = found.as_str().trim_start();
        if klog.len() > 5 && klog.as_bytes()[1..5].iter().all(u8::is_ascii_digit) {
            severity = match klog.as_bytes()[0] {
                b'I' => Some(Severity::Info),
                b'W' => Some(Severity::Warning),
                b'E' => Some(Severity::Error),
                b'F' => Some(Severity::Fatal),
                _ => severity,
            };
        }
        if let Some(level) =
            klog.strip_suffix(' ').and_then(|label| label.trim_end().strip_suffix(':'))
        {
            severity = severity_of_word(level).or(severity);
        }
        rest = &rest[found.end()..];
    }
    (rest, severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(line: &str) -> String {
        strip_prefixes(&strip_escapes(line)).0.to_owned()
    }

    #[test]
    fn prefixes_of_every_shape_come_off() {
        let message = "mkdir /x: permission denied";
        for prefix in [
            "2026-11-24T08:41:16.614123Z stdout F ",
            "web-1  | ",
            "[pod/web-5f4b85f99c-7kfk2/nginx] ",
            "2026-11-24 08:41:16,123 ",
            "[2026-11-24 08:41:16 +0000] ",
            "2026/11/24 08:41:16 ",
            "[24-Nov-2026 09:08:23] ",
            "Nov 24 08:41:16 node1 kubelet[812]: ",
            "E1124 08:41:16.123456       1 main.go:42] ",
            "08:41:16.123 ",
            "\u{1b}[31m2026-11-24T08:41:16Z\u{1b}[0m ",
            "web-1 | 2026-11-24T08:41:16Z ",
            "Tue Nov 24 08:59:46 2026 (1): ",
        ] {
            assert_eq!(stripped(&format!("{prefix}{message}")), message, "{prefix:?}");
        }
    }
}
