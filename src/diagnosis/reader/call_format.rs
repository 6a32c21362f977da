//! The formats in which runtimes print one refused call. They say exactly which words are the path.

use std::sync::LazyLock;

use regex::Regex;

use super::errno::{self, ErrnoMatch, compile};

/// Go's PathError and LinkError, whose format others use as well: `open /srv/x: permission denied`.
static GO: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r#"(?:^|[\s:"'(=\[])(?:open(?:at|fdat|file|dir)?|mkdir(?:at|all)?|l?stat(?:fs|x)?|remove|unlink(?:at)?|rmdir|rename|link|symlink|[fl]?chmod|[fl]?chown(?:at)?|[fl]?chtimes|utimensat|truncate|readlink|readdir(?:ent)?|fdopendir|fork/exec|chdir|execve?|mknod|mkfifo|flock|scandir|copyfile|watch|access) (?P<path>(?:/|\.{1,2}/|~/|[\w.-]+/)[^:"]*)$"#,
    )
});

/// dash's redirection, behind the number of the line: `run.sh: 3: cannot create /srv/x: Permission
/// denied`.
static DASH: LazyLock<Regex> = LazyLock::new(|| {
    compile(r#": (?:line )?\d+: (?:cannot|can't) (?:create|open) (?P<path>[^:"']+)$"#)
});

/// GHC's IOError: `app: /srv/x: openFile: permission denied (Permission denied)`.
static GHC: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?:^|: )(?P<path>[^:\s][^:]*): (?:with(?:Binary)?File|open(?:Binary)?(?:Temp)?File\w*|openFd|createDirectory\w*|getDirectoryContents\w*|remove(?:File|Link|Directory)\w*|rename(?:File|Path|Directory)\w*|copyFile\w*|createSymbolicLink|getFileStatus|setFileMode|setOwnerAndGroup)$",
    )
});

/// The JDK's: `FileNotFoundException: /srv/x (Permission denied)`, `FileSystemException: /srv/x:
/// Read-only file system`.
static JAVA: LazyLock<Regex> = LazyLock::new(|| {
    compile(r"\b(?:FileNotFoundException|FileSystemException): (?P<path>/[^:()]*?)(?: \(|: )$")
});

/// Formats of other runtimes with a path: the kernel refuses there, whatever other words the line
/// has.
static KERNELS: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        &r#"(?x) \b(?:SYMBOLS):\s[a-z\s-]+,\s\w+\s['"]
        | \[Errno\s(?:NUMBERS)\]\s[A-Z][\w\s-]+:\s['"]?/
        | \s@\s\w+\s-\s/
        | \b[a-z]+:\scan(?:not|'t)\s[a-z\s]+['‘`]/[^'’]*['’](?:\sto\s\S+)?:\s(?:Permission|Operation|Read-only)
        | \bcould\snot\s[a-z\s]+"/[^"]*":\s(?:Permission|Operation|Read-only)"#
        .replace("SYMBOLS", &errno::symbols())
        .replace("NUMBERS", &errno::numbers()),
    )
});

/// The path of a message in one of these formats.
pub(crate) fn path<'t>(text: &'t str, refusal: &ErrnoMatch) -> Option<&'t str> {
    let before = text.get(..refusal.span.start)?;
    if let Some(captures) = JAVA.captures(before) {
        return Some(captures.name("path")?.as_str());
    }
    // The JDK's `AccessDeniedException: x`, and Elasticsearch's `nested:
    // AccessDeniedException[/srv/x];`.
    if text[..refusal.span.end].ends_with("AccessDeniedException") {
        let rest = &text[refusal.span.end..];
        let path = match rest.strip_prefix('[') {
            Some(inside) => inside.split([']', ' ']).next()?,
            None => rest.strip_prefix(": ")?.split(" -> ").next()?.split(": ").next()?.trim_end(),
        };
        let is_closed = path.ends_with(')') && !path.contains('(');
        let path = path.trim_end_matches(|c| is_closed && c == ')');
        let is_path =
            path.starts_with('/') || !(path.is_empty() || path.contains([' ', ':', '"', '\'']));
        return is_path.then_some(path);
    }
    let head = before.trim_end().strip_suffix(':')?.trim_end();
    if let Some(captures) = GHC.captures(head) {
        return Some(captures.name("path")?.as_str());
    }
    let found = GO.captures(head).or_else(|| DASH.captures(head))?.name("path")?;
    let path = without_rest(found.as_str());
    // Only a rooted path has spaces: `open TUN/TAP dev /dev/net/tun`.
    let is_rooted = path.starts_with(['/', '.', '~']);
    if !is_rooted && (found.as_str().contains(' ') || !super::path::is_file_name(path)) {
        return None;
    }
    (!path.is_empty() && path.len() < 4096).then_some(path)
}

/// Whether the line has the format of a call that the kernel refused.
pub(crate) fn is_kernels(text: &str, refusal: Option<&ErrnoMatch>) -> bool {
    refusal.is_some_and(|refusal| path(text, refusal).is_some_and(|path| path.starts_with('/')))
        || KERNELS.is_match(text)
}

/// Words that continue the sentence behind a path.
const REST: [&str; 36] = [
    "for",
    "as",
    "in",
    "to",
    "on",
    "with",
    "from",
    "at",
    "by",
    "because",
    "while",
    "using",
    "failed",
    "fails",
    "error",
    "read",
    "write",
    "reading",
    "writing",
    "read-write",
    "read-only",
    "readonly",
    "rw",
    "ro",
    "is",
    "was",
    "and",
    "or",
    "not",
    "mode",
    "file",
    "directory",
    "failure",
    "returned",
    "due",
    "exclusively",
];

/// A path may have spaces, and a sentence may continue behind it: the path ends at the first word of
/// [`REST`], and at a second path.
fn without_rest(words: &str) -> &str {
    let mut at = 0;
    while let Some(space) = words[at..].find(' ').map(|space| at + space) {
        let next = words[space + 1..].split(' ').next().unwrap_or_default();
        let goes_on = REST.contains(
            &next.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase().as_str(),
        );
        let is_word = next.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c));
        if goes_on || !is_word {
            return &words[..space];
        }
        at = space + 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::reader::errno;

    #[test]
    fn the_form_tells_where_a_path_ends() {
        for (text, expected) in [
            ("cannot save: open /srv/a b/c: permission denied", Some("/srv/a b/c")),
            ("rename /srv/a /srv/b: permission denied", Some("/srv/a")),
            ("open /srv/x read-write: Permission denied", Some("/srv/x")),
            ("run: 3: cannot create /srv/a b: Permission denied", Some("/srv/a b")),
            (
                "java.io.FileNotFoundException: /srv/a b.txt (Permission denied)",
                Some("/srv/a b.txt"),
            ),
            ("app: state: createDirectory: permission denied (Permission denied)", Some("state")),
            ("chtimes cache/abc: operation not permitted", Some("cache/abc")),
            ("cannot open the door: permission denied", None),
        ] {
            let refusal = errno::find(text).expect("a refusal");
            assert_eq!(path(text, &refusal), expected, "{text}");
        }
    }
}
