//! Finding the errno in a message, in whatever shape programs print it.

use std::{ops::Range, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;

use super::strerror::{ENGLISH, TRANSLATED};
use crate::model::obstacle::Errno;

/// An errno and where it stands in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrnoMatch {
    pub errno: Errno,
    /// Byte range of the words or numbers that say so.
    pub span: Range<usize>,
    /// It stands there as a number or a symbol of errno(3), not only as words that other systems
    /// use as well.
    pub from_kernel: bool,
}

/// Symbols of errno(3), and the exception types that stand for one errno alone.
const SYMBOLS: &[(Errno, &str)] = &[
    (Errno::Eacces, "EACCES"),
    (Errno::Eacces, "eacces"),
    (Errno::Eacces, "PermissionDenied"),
    (Errno::Eacces, "AccessDeniedException"),
    (Errno::Eacces, "UnauthorizedAccessException"),
    (Errno::Eperm, "EPERM"),
    (Errno::Eperm, "eperm"),
    (Errno::Erofs, "EROFS"),
    (Errno::Erofs, "erofs"),
    (Errno::Erofs, "ReadOnlyFileSystemException"),
    (Errno::Erofs, "ReadOnlyFilesystem"),
];

/// Words and numbers that a log is searched for, in any ASCII case.
pub(crate) fn signals() -> impl Iterator<Item = &'static str> {
    let numbers = [
        "errno",
        "errcode",
        "os error ",
        "error=-",
        "error -",
        "error: -",
        "(13)",
        "(30)",
        "access denied",
        "system error number",
        ".code() = ",
    ];
    ENGLISH.iter().chain(SYMBOLS).chain(TRANSLATED).map(|(_, words)| *words).chain(numbers)
}

/// The words, and the errno of each: as a regular expression they took longer to compile than a
/// short log to read.
static WORDS: LazyLock<(AhoCorasick, Vec<Errno>)> = LazyLock::new(|| {
    let translated = TRANSLATED.iter().flat_map(|(errno, words)| {
        [(*words).to_owned(), words.to_lowercase(), words.to_uppercase()]
            .map(|words| (*errno, words))
    });
    let english = ENGLISH.iter().map(|(errno, words)| (*errno, (*words).to_owned()));
    let (errnos, words): (Vec<_>, Vec<_>) = english.chain(translated).unzip();
    let search = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostFirst)
        .build(words);
    #[expect(clippy::expect_used)]
    (search.expect("a few words"), errnos)
});

/// daemontools and its successors (runit, s6) have a word of their own for EACCES.
static DAEMONTOOLS: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?:fatal|warning): unable to [^:]+: (access denied)$"));

static SYMBOL: LazyLock<Regex> = LazyLock::new(|| {
    let alternatives: Vec<String> =
        SYMBOLS.iter().map(|(_, symbol)| regex::escape(symbol)).collect();
    compile(&format!(r"(?:^|[^A-Za-z0-9_/])({})(?:$|[^A-Za-z0-9_])", alternatives.join("|")))
});

/// Numbers that are an errno by the word before them.
static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r#"(?ix) (?: \b | \. ) (?: os\ )? (?: errno | errcode | err_no | os\ error | sys_?err(?:no)? | error_?code | operating\ system\ error\ number | code\(\) ) [\ :=(\#]* -? (\d{1,3}) \b
        | \b (?: error | rc | ret | status | err ) \s* [:=]? \s* \(? -(\d{1,3}) \b
        | \b (?: can't | cannot | could\ not | unable | failed ) \b [^()]* ['"] \s \( (13|30) \) $
        | \b code: \s (\d{1,3}), \s kind: \s (?: PermissionDenied | ReadOnlyFilesystem )"#,
    )
});

/// A number beside the words: `(13: Permission denied)`, `(13)Permission denied`, `Permission
/// denied (13)`.
static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r#"^\s*\.?\s*[\[(](?:error\s|errno\s|code\s)?-?(\d{1,3})[\])]|\(-?(\d{1,3})[:),]\s*['"]?$"#,
    )
});

/// The errno that the message gives. A number beside the words is believed over the words, which a
/// locale or a programmer may have changed.
pub(crate) fn find(text: &str) -> Option<ErrnoMatch> {
    if let Some((errno, span)) = words(text) {
        let number = beside(text, &span).or_else(|| labelled(text).map(|(errno, _)| errno));
        return Some(ErrnoMatch {
            errno: number.unwrap_or(errno),
            span,
            from_kernel: number.is_some(),
        });
    }
    if let Some(found) = DAEMONTOOLS.captures(text).and_then(|captures| captures.get(1)) {
        return Some(ErrnoMatch { errno: Errno::Eacces, span: found.range(), from_kernel: true });
    }
    let symbol = SYMBOL.captures(text).and_then(|captures| captures.get(1));
    if let Some(found) =
        symbol.filter(|found| !is_of_service(&text[..found.end()], &text[found.end()..]))
    {
        let errno = SYMBOLS.iter().find(|(_, symbol)| *symbol == found.as_str())?.0;
        return Some(ErrnoMatch { errno, span: found.range(), from_kernel: true });
    }
    labelled(text).map(|(errno, span)| ErrnoMatch { errno, span, from_kernel: true })
}

/// Whether the name of an exception is that of a service's own: the JDK's `AccessDeniedException` has
/// the path behind it and no sentence, `AccessDeniedException: bob lacks a permission`.
fn is_of_service(until_end: &str, rest: &str) -> bool {
    static SENTENCE: LazyLock<Regex> = LazyLock::new(|| compile(r"^: [A-Za-z][\w']* [\w/']+\b"));
    until_end.ends_with("AccessDeniedException") && SENTENCE.is_match(rest)
}

fn words(text: &str) -> Option<(Errno, Range<usize>)> {
    let (search, errnos) = &*WORDS;
    // "(read-only file system?)" is a program's guess: nginx's entrypoint prints it for any failure
    // to write.
    let found = search.find_iter(text).find(|found| !text[found.end()..].starts_with('?'))?;
    // GHC has one word for several errnos, and the kernel's behind it: `permission denied
    // (Read-only file system)`.
    let behind = text[found.end()..].strip_prefix(" (").and_then(|rest| {
        let reason = search
            .find(rest)
            .filter(|reason| reason.start() == 0 && rest[reason.end()..].starts_with(')'))?;
        Some(errnos[reason.pattern()])
    });
    Some((behind.unwrap_or(errnos[found.pattern()]), found.range()))
}

fn beside(text: &str, span: &Range<usize>) -> Option<Errno> {
    let after = BESIDE.captures(&text[span.end..]).and_then(|c| c.get(1));
    let before = BESIDE.captures(&text[..span.start]).and_then(|c| c.get(2));
    refused(after.or(before)?.as_str())
}

fn labelled(text: &str) -> Option<(Errno, Range<usize>)> {
    LABELLED.captures_iter(text).find_map(|captures| {
        let number = captures.iter().skip(1).flatten().next()?;
        // Behind a path in quotes the number alone is the errno.
        let span = captures.get(3).or(captures.get(0))?.range();
        Some((refused(number.as_str())?, span))
    })
}

/// The errnos that mean a refusal in every message. ENOENT, ENOEXEC and ENOMEM mean one in some
/// messages only, and the patterns of those messages say so.
const REFUSALS: [Errno; 3] = [Errno::Eacces, Errno::Eperm, Errno::Erofs];

fn refused(number: &str) -> Option<Errno> {
    let errno = Errno::from_number(number.parse().ok()?)?;
    REFUSALS.contains(&errno).then_some(errno)
}

/// Whether a number means a refusal in every message.
pub(crate) fn is_refusal(number: i32) -> bool {
    REFUSALS.iter().any(|errno| errno.number() == number)
}

/// The numbers of the refusals, as alternatives of a regular expression.
pub(crate) fn numbers() -> String {
    REFUSALS.map(|errno| errno.number().to_string()).join("|")
}

/// The symbols of the refusals, as alternatives of a regular expression.
pub(crate) fn symbols() -> String {
    REFUSALS.map(Errno::as_str).join("|")
}

/// Compiles a constant regular expression; the tests compile all of them. Letters, digits and words
/// are those of ASCII: with those of all scripts, a hundred patterns take twice as long to compile,
/// and a short log hardly takes longer.
#[expect(clippy::expect_used)]
pub(crate) fn compile(pattern: &str) -> Regex {
    let of_ascii = [(r"\w", "[[:word:]]"), (r"\d", "[[:digit:]]"), (r"\b", r"(?-u:\b)")]
        .iter()
        .fold(pattern.to_owned(), |pattern, (class, of_ascii)| pattern.replace(class, of_ascii));
    Regex::new(&of_ascii).expect("a constant regular expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_errno() {
        let cases = [
            ("mkdir() \"/x\" failed (13: Permission denied)", Some(Errno::Eacces)),
            ("OSError(30, 'Read-only file system')", Some(Errno::Erofs)),
            ("(13)Permission denied: AH00091", Some(Errno::Eacces)),
            ("failed to open /run/x.pid: (13) Permission denied", Some(Errno::Eacces)),
            (
                "Unable to create the PID file (/run/x.pid).: Read-only file system (30)",
                Some(Errno::Erofs),
            ),
            ("(Errcode: 30 \"Read-only file system\")", Some(Errno::Erofs)),
            ("[Errno 1] Operation not permitted: '/x'", Some(Errno::Eperm)),
            ("npm ERR! errno -13", Some(Errno::Eacces)),
            ("  errno: -30,", Some(Errno::Erofs)),
            ("Os { code: 13, kind: PermissionDenied, message: \"x\" }", Some(Errno::Eacces)),
            (
                "Error: Os { code: 1, kind: PermissionDenied, message: \"Operation not permitted\" }",
                Some(Errno::Eperm),
            ),
            ("open: Keine Berechtigung", Some(Errno::Eacces)),
            ("x: /a: openFile: permission denied (Read-only file system)", Some(Errno::Erofs)),
            ("Не удалось (Отказано в доступе)", Some(Errno::Eacces)),
            ("InnoDB: Unable to create temporary file; errno: 30", Some(Errno::Erofs)),
            ("{error,\"Error when reading /x: eacces\"}", Some(Errno::Eacces)),
            ("bind failed, errno = 13", Some(Errno::Eacces)),
            ("apparmor=\"DENIED\" info=\"x\" error=-13", Some(Errno::Eacces)),
            ("unable to load key: [33558541] Permission denied", Some(Errno::Eacces)),
            ("can not modify /x (read-only file system?)", None),
            ("errno: 98 address already in use", None),
            ("No such file or directory (2)", None),
            ("a PEACCESS treaty", None),
            ("java.nio.file.AccessDeniedException: data", Some(Errno::Eacces)),
            ("acme.AccessDeniedException: bob lacks a permission", None),
        ];
        for (text, errno) in cases {
            assert_eq!(find(text).map(|refusal| refusal.errno), errno, "{text}");
        }
    }
}
