//! Which category a refused path falls into.

use std::sync::LazyLock;

use regex::Regex;

use super::{context::LineContext, errno::compile, path_kind};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::model::obstacle::{Category, Errno, Operation};

/// An access to a path that was refused.
pub(crate) struct PathAccess<'a> {
    pub operation: Operation,
    pub errno: Option<Errno>,
    pub path: Option<&'a str>,
    /// The whole message: "reading", "for writing".
    pub text: &'a str,
}

/// Reads a refused access to a path by the verbs of one operation.
pub(crate) fn access(
    context: &LineContext,
    verbs: &Regex,
    operation: Operation,
) -> Option<Finding> {
    let verb = context.verb(verbs, operation)?;
    let path = if operation == Operation::Create { context.target(verb) } else { None }
        .or_else(|| context.object(verb));
    // Servers use the words of an errno as well, with a verb behind them and without a path:
    // `permission denied: bob cannot access team x`.
    let refusal = context.refusal()?;
    if path.is_none()
        && !refusal.from_kernel
        && verb.confidence.certainty == Certainty::VerbAfterErrno
    {
        return None;
    }
    let errno = Some(refusal.errno);
    let access = PathAccess { operation, errno, path: path.as_deref(), text: context.text() };
    let mut finding = finding(&access).confidence(verb.confidence);
    // The runtime's own word counts more than what the path looks like.
    if finding.operation == Operation::Mkdir
        && context.reported.is_some_and(|reported| reported.operation == operation)
    {
        finding.operation = operation;
    }
    finding.category = by_frames(context, &finding);
    // Go prints what was wanted, and then the call: `cannot create log: open /x: permission denied`.
    static TO_CREATE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?i)\bcreat(?:e|ing) (?:(?:[\w'’-]+ ){0,4}(?:file|log)(?: "[^"]*")?|/[^\s:]+) ?: (?:[^:]*: )?open$"#,
        )
    });
    if finding.operation == Operation::Open
        && TO_CREATE.is_match(&context.text()[..verb.end.min(context.text().len())])
    {
        finding.operation = Operation::Create;
    }
    if errno == Some(Errno::Eperm) {
        let until_errno = &context.text()[..context.refusal()?.span.start];
        return Some(not_permitted(
            finding,
            &context.text()[..verb.end.min(context.text().len())],
            until_errno,
        ));
    }
    Some(finding)
}

/// The category of an opened file, where the frames say whether it was to be read or written.
pub(crate) fn by_frames(context: &LineContext, finding: &Finding) -> Category {
    let opens = matches!(finding.operation, Operation::Open | Operation::Create);
    match (finding.category, context.frames_write().filter(|_| opens)) {
        (Category::UnreadableFile, Some(true)) => Category::UnwritablePath,
        (Category::UnwritablePath, Some(false)) => Category::UnreadableFile,
        (category, _) => category,
    }
}

/// What EPERM means, which mode bits never give: only the owner may do it, or it needs a privilege.
fn not_permitted(finding: Finding, until_verb: &str, until_errno: &str) -> Finding {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)(?:\b[fl]?ch?times|\b[fl]?utimes?|utimensat|futimens|\btimes?(?:tamps?)?(?: (?:of|on|for))?)(?:\(\))?$",
        )
    });
    static FAILED: LazyLock<Regex> = LazyLock::new(|| compile(r"(?i)\butime failed:? ?$"));
    if TIMES.is_match(until_verb) || FAILED.is_match(until_errno) {
        let place = finding.path.as_deref().unwrap_or("a file").to_owned();
        let cause = format!("only the owner of {place} or root may set its times");
        return Finding {
            operation: Operation::Other,
            category: Category::OwnershipChange,
            ..finding
        }
        .cause(cause);
    }
    match finding.operation {
        // Without a path it may be an object of the kernel as well as a file.
        Operation::Create | Operation::Open if finding.path.is_none() => Finding {
            operation: Operation::Other,
            category: Category::CapabilityMissing,
            ..finding
        },
        // A copy may write the new file, but not give it the owner or the mode bits of the old one.
        Operation::Create => Finding { category: Category::OwnershipChange, ..finding },
        _ => finding,
    }
}

/// The finding for an access to a path that was refused.
pub(crate) fn finding(access: &PathAccess<'_>) -> Finding {
    let operation = match access.path {
        Some(path)
            if matches!(access.operation, Operation::Open | Operation::Other)
                && path_kind::is_device(path) =>
        {
            Operation::Device
        }
        Some(path) if access.operation == Operation::Open && path_kind::is_temporary(path) => {
            Operation::Create
        }
        Some(path)
            if matches!(access.operation, Operation::Open | Operation::Create)
                && path_kind::is_directory(path) =>
        {
            Operation::Mkdir
        }
        _ => access.operation,
    };
    Finding::new(operation, category(access)).errno(access.errno).path(access.path)
}

fn category(access: &PathAccess<'_>) -> Category {
    if access.errno == Some(Errno::Erofs) {
        return Category::ReadOnlyRootfs;
    }
    let path = access.path.unwrap_or_default();
    if path_kind::is_device(path) {
        return Category::DeviceAccess;
    }
    if access.operation == Operation::Open && is_program_of_root(access.text, path) {
        return Category::UnreadableFile;
    }
    if access.operation == Operation::Open && is_read_in_home(access.text, path) {
        return Category::UnreadableFile;
    }
    if path_kind::is_in_home(path) {
        return Category::HomeUnwritable;
    }
    if access.operation == Operation::Open && reads(access.text, path) {
        return Category::UnreadableFile;
    }
    Category::UnwritablePath
}

/// A program or a part of one that an interpreter was to read, in the home of root, which nobody
/// else may enter.
fn is_program_of_root(text: &str, path: &str) -> bool {
    static READS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"^(?:/\S*/)?(?:python[\d.]*|node|perl|ruby|php|java|sh|bash|dash|ash|lua\S*|Rscript)(?:\[\d+\])?: ",
        )
    });
    static PROGRAM: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"\.(?:py|pyz|pyc|js|mjs|cjs|sh|bash|pl|pm|rb|php|jar|lua|R|exs?|so(?:\.[\d.]+)?)$")
    });
    path.starts_with("/root/") && (PROGRAM.is_match(path) || READS.is_match(text))
}

/// What is in the home of a named user and was only to be looked at: no cache or setting that a
/// program would make there.
fn is_read_in_home(text: &str, path: &str) -> bool {
    static READS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:can(?:'t|not| not)|could(?: not|n't)|unable to|failed to) (?:read|access|stat|list|enter|look (?:at|into)|get information)\b",
        )
    });
    (path.starts_with("/home/") || path.starts_with("/root/"))
        && !path.contains("/.")
        && READS.is_match(text)
}

/// Whether an `open` was for reading: by the message's word, else by what kind of file it is. Most
/// programs print the same for both, and what lies in the image to be read is there with wrong mode
/// bits, not missing.
fn reads(text: &str, path: &str) -> bool {
    static WRITES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:writ(?:e|ing|able)|append|creat(?:e|ing)|log ?file|sav(?:e|ing)|updat(?:e|ing)|pid|lock|O_(?:WRONLY|RDWR|CREAT)|rotat\w*|modify|edit|dump|persist\w*|stor(?:e|ing)|touch)\b",
        )
    });
    static READS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:read(?:ing|able|s)?|load(?:ing)?|pars(?:e|ing)|includ(?:e|ing)|source|import(?:ing)?|stat(?:ting|ing)?|list(?:ing)?|access(?:ing)?|scan(?:ning)?|certificate|private key|key file|shared (?:library|object)|config(?:uration)?(?: file)?|in Unknown|tls|ssl|secret|password file|credentials|O_RDONLY|required)\b",
        )
    });
    static READER: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"^(?:/\S*/)?(?:cat|ls|head|tail|grep|find|less|more|wc|md5sum|sha256sum|stat|diff|du|file|source|jq|awk): ",
        )
    });
    static WRITER: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^(?:/\S*/)?(?:tee|dd|touch|truncate|sponge|wget|split): "));
    static READ_ONLY_KIND: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?ix) \.(?:pem|crt|cer|key|p12|pfx|jks|keystore|truststore|htpasswd|keytab|so|so\.[\d.]+|dll|jar|war|class|py|pyc|rb|js|mjs|cjs|ts|php|pl|lua|html?|css|conf|cnf|cfg|sql|ini|ya?ml|toml|json|xml|properties|env|ejs|hcl|config|template|tmpl|rules|proto|wasm|mmdb)$
            | /(?:etc|secrets?|certs?|ssl|tls|pki|keys?|config(?:s|uration)?|conf\.d|usr/lib\d*|usr/share|lib|vendor|run/secrets|serviceaccount)/
            | (?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|ssh_host_\w+|shadow|sudoers|token|password|ssh)$ | ^/(?:proc|sys)/",
        )
    });
    static WRITTEN_KIND: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?ix) \.(?:log|pid|lock|lockb|lck|tmp|temp|out|err|db|sqlite3?|journal|wal|active|sock(?:et)?|cache|state|swp|bak|rdb|aof|data)(?:\.[\w]+)?$ | ^/(?:tmp|var/(?:log|cache|run|tmp|spool|lib)|run|data|logs?|cache)/ | (?:package-lock|npm-shrinkwrap|pnpm-lock|Project|Manifest)\.\w+$ | /\.[a-z][\w-]*[a-z]/[^/]*\.json$ | /(?:logs?|cache|tmp|temp|data|optimize|bundles|storage|uploads?|\.cache)/",
        )
    });
    // Everybody may read these in every image.
    static PUBLIC: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"^/etc/(?:resolv\.conf|hosts|hostname|passwd|group|localtime|timezone|nsswitch\.conf|ld\.so\.\w+|mtab|profile|environment|services|protocols|machine-id|sysctl\.conf)$",
        )
    });
    // The standard streams are opened anew to be written to.
    if PUBLIC.is_match(path)
        || ["/proc/self/fd/", "/dev/std"].iter().any(|streams| path.starts_with(streams))
    {
        return false;
    }
    // The message says so, whatever kind of file it is.
    static ONLY_READS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:error|failed|failure|unable|cannot|can't|could not|problem)(?: when| while)? (?:to )?read(?:ing)?(?: from)?(?: the)?(?: contents? of)?(?: file)? \W?/|\b(?:cannot|can't|could not|unable to|failed to|error) (?:load(?:ing)?|pars(?:e|ing)|includ(?:e|ing)|import(?:ing)?|sourc(?:e|ing))\b|\b(?:tail(?:er|ing|ed)?|in_tail|harvest(?:er|ing)?|filelog|filestream)\b|@ rb_file_s_(?:l?stat|size)\b",
        )
    });
    // A message about a "config file" may be about writing it; only a clear word for writing counts.
    static SECRET: LazyLock<Regex> = LazyLock::new(|| compile(r"/(?:secrets?|serviceaccount)/"));
    if READER.is_match(text) || SECRET.is_match(path) || ONLY_READS.is_match(text) {
        return true;
    }
    if path_kind::is_of_node(path) && !text.contains("creat") {
        return true;
    }
    if WRITER.is_match(text) || WRITTEN_KIND.is_match(path) {
        return false;
    }
    // `while reading upstream` is what the server did, not what failed.
    // `access denied` is the refusal itself.
    let words = text
        .split(" while ")
        .next()
        .unwrap_or(text)
        .replace(path, " ")
        .replace("access denied", " ");
    if READS.is_match(&words) && !WRITES.is_match(&words) {
        return true;
    }
    READ_ONLY_KIND.is_match(path) && !WRITES.is_match(&words)
}
