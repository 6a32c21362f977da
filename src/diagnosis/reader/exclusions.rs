//! Messages that sound like a refusal by the kernel and come from something else: a server, a
//! database, a cloud.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use crate::model::se_linux::Label;

use super::{call_format, errno::compile, line::LogLine, path};

/// A refusal that no change of the pod's user removes.
struct Exclusion {
    looks_like: &'static str,
    /// No obstacle may be read from a line that matches. Otherwise the match only names what the
    /// log looks like.
    excludes: bool,
    /// The words may stand in a command line, a URL or a name as well: they do not count where the
    /// message has the form of a call that the kernel refused.
    unless_kernel_call: bool,
    pattern: &'static str,
}

const EXCLUSIONS: &[Exclusion] = &[
    Exclusion {
        looks_like: "Kubernetes RBAC: the service account lacks a permission",
        excludes: true,
        unless_kernel_call: false,
        pattern: r#"cannot (?:get|list|watch|create|update|patch|delete|deletecollection|impersonate|use|bind|escalate) resource|is forbidden: User "|is forbidden: error looking up service account|forbidden: user ["'`]?system:|attempting to grant RBAC|User "?system:serviceaccount"#,
    },
    Exclusion {
        looks_like: "a gRPC service that denied the call",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"rpc error: code = (?:PermissionDenied|Unauthenticated)|rpc error making call|rpc error: (?i:permission denied)|code ?[:=] ?PERMISSION_DENIED|status ?[:=] ?\W?PERMISSION_DENIED|StatusCode\.PERMISSION_DENIED|PERMISSION_DENIED:|grpc.*permission.?denied|io\.grpc\.Status",
    },
    Exclusion {
        looks_like: "a database that denied access: grants or credentials",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"SQLSTATE\W{0,3}(?:42501|28)|\b42501\b|InsufficientPrivilege|permission denied (?:for|to) (?:table|relation|schema|database|sequence|function|view|tablespace|language|create|role|set|user|column|materialized|type|extension|terminate|foreign|alter|type|large object)|(?:^|\W)[Mm]ust be (?:owner|superuser|member)|^(?:.* )?(?:HINT|DETAIL):  |[Pp]ermission (?:was )?denied (?:in|on) (?:the )?(?:database|object|schema|table)|Access denied for user|ERROR 1(?:044|045|142|227)\b|Error 1(?:044|045|142|227)\b|ORA-\d+|not authorized on \w+ to execute|permission denied: .\w+. is a system|password authentication failed|authentication failed for user|no pg_hba\.conf entry|pg_hba|NOPERM|NOAUTH|WRONGPASS|READONLY You can't|MongoServerError|Unauthorized.*requires authentication|permission denied:? .*(?:keyspace|collection)|ACL_DENIED|TopicAuthorization|GroupAuthorization|ClusterAuthorization|ACCESS_REFUSED|AuthenticationException|security_exception",
    },
    Exclusion {
        looks_like: "object storage or a cloud API that denied the request (IAM)",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"AmazonS3Exception|S3Exception|AccessDenied\b[^E/]|AccessDenied$|operation error [\w ]+: \w+,|\bapi error |Error Code: \w|\(Service: \w+|\bs3:[A-Z]\w+|arn:aws|not authorized to perform|IAM |iam\.|does not have \S+ (?:access|permission) to|storage\.(?:objects|buckets)|AuthorizationFailed|AuthorizationPermissionMismatch|googleapi: Error 403|AADSTS|InvalidAccessKeyId|SignatureDoesNotMatch|caller does not have permission|UnauthorizedOperation",
    },
    Exclusion {
        looks_like: "an HTTP server that refused the request (401 or 403)",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"\b(?:HTTP(?:/[\d.]+)?|status(?: ?code)?|code|response|error|returned|got|StatusCode)\W{0,4}(?:401|403)\b|\b403 (?:Forbidden|\()|\b401 Unauthorized|403 - Forbidden|springframework\.security|[\w)]\.PermissionDenied\b|\braise PermissionDenied\b|AccessDeniedException: Access |\bForbidden \(|[Pp]ermission denied by\b|: 403\b|statuscode=403|denied: requested access|unauthorized: (?:authentication|access)|insufficient_scope|pull access denied|access to the resource is denied|denied: permission",
    },
    Exclusion {
        looks_like: "an SSH or Git server that refused the key or the user",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"Permission denied \([a-z,-]*(?:publickey|password|keyboard|gssapi|hostbased)|Permission denied, please try again|Permission denied \(publickey|Permission to \S+ denied to|remote: Permission|fatal: Authentication failed|Host key verification failed|git@\S+: Permission denied|\bscp: /|\bdest open\(|remote couldn't|Load key .*(?:invalid format|error in libcrypto)",
    },
    Exclusion {
        looks_like: "a port that another process holds",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"(?i)address (?:is )?already in use|EADDRINUSE|\bin use\b.*port|port .* (?:is )?(?:already )?(?:in use|allocated)|address in use|only one usage of each socket",
    },
    Exclusion {
        looks_like: "a full disk or a quota",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"(?i)no space left on device|ENOSPC|disk quota exceeded|EDQUOT|exceeded quota",
    },
    Exclusion {
        looks_like: "a limit of the node: files, watches or processes",
        excludes: false,
        unless_kernel_call: false,
        pattern: r"(?i)too many open files|\bE[MN]FILE\b|inotify(?: \w+)? (?:limit|instances)|max_user_watches|resource temporarily unavailable",
    },
    Exclusion {
        looks_like: "a kernel interface that the runtime masks for every user",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"(?i)(?:^|[\s'\x22`(=:])/sys/(?:class|fs/cgroup|kernel|devices|block|bus|firmware|module|power)|/proc/(?:kcore|kmsg|timer_list|sched_debug|scsi|acpi|latency_stats|keys)\b",
    },
    Exclusion {
        looks_like: "the container engine's own work on the node, before the container's user matters",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"(?i)error while creating mount source path|nvidia-container-cli|error running (?:pre|post)?\w*\s?hook|profile=.?/usr/bin/dockerd?\b|failed to register layer|(?:error response from daemon: |for \S+ +)?cannot (?:stop|kill|restart|remove) container|unable to signal init|failed to (?:generate|create) (?:container|containerd task)\b.*failed to mkdir|\bmounting \S+ to rootfs\b.*\bmkdir\b|mountvolume\.(?:setup|mountdevice) failed for .*\bmount failed|error response from daemon: (?:mkdir|open|stat|rename|remove) |failed to start daemon|error creating overlay mount|ApplyLayer|/(?:containers/storage|var/lib/(?:docker|containerd))/\S*/(?:merged|rootfs)(?:/|\W|$)|error preparing rootfs|\bstat /var/lib/kubelet/|\b(?:create|run)podsandbox\b.*\b(?:netns|network)|failed to (?:create network namespace|set ?up network) for (?:pod )?sandbox",
    },
    Exclusion {
        looks_like: "an AppArmor profile of the node that denied the access",
        excludes: true,
        unless_kernel_call: false,
        pattern: r#"apparmor=.?"?DENIED"#,
    },
    Exclusion {
        looks_like: "a program that minds running as root",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"(?i)is running as root|running (?:\w+ ){0,3}with super-?user privileges|running as root without|should not be run as root|do not run .* as root|can not run .* as root|refusing to run as root|cannot be run as root|must not be run as root|don't run this as root|not (?:be )?run(?:ning)? as root|can only run as pid 1",
    },
    Exclusion {
        looks_like: "a network policy or firewall that refused the connection",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"dial tcp \S+ connect: (?:permission denied|operation not permitted)|\(connect failed\)|\bsend(?:to|msg)?(?:\(\))?: (?:\w+ )?(?:[Oo]peration not permitted|[Pp]ermission denied)|\bdial udp \S+ connect:|SocketException: Permission denied: connect|\bwrite udp \S+ |\bwrite UDP(?:v[46])?:|connect\(\) to (?:\d|\[)",
    },
    Exclusion {
        looks_like: "a service with permissions of its own",
        excludes: true,
        unless_kernel_call: true,
        pattern: r"etcdserver:|AccessControlException|user=\S+, access=|(?i:\brados(?:\b|_connect))|\bcephx|NT_STATUS_ACCESS_DENIED|access denied by server|mount error\(13\)|\blibrbd|\brbd: |\bkinit|\bKrb5|GSSAPI|\bGSS failure|\bserver said: |\(remote /|\b550 (?:\d|/|[Pp]ermission)|\berror_perm\b|ldap_|Insufficient access|\bremote (?:open|mkdir|setstat|fsetstat|rename|readdir|opendir|remove)\(|\(in \w+\) failed|\brequires? (?:the )?(?:\w+ )?(?:role|scope|permission)\b|mount\.(?:nfs4?|cifs|ceph|smb3)\b.*(?:Permission|access) denied|(?:token|role|user|account|principal|identity)\b[^:]{0,40} (?:lacks?|is missing|does not have|has no|without) (?:the )?(?:permission|policy|scope|privilege)|Permission denied: (?:token|anonymous|user|account|role|not allowed|requires)",
    },
    Exclusion {
        looks_like: "an audit record of a service",
        excludes: true,
        unless_kernel_call: true,
        pattern: r#"(?i)\b(?:result|outcome|decision|verdict)["']?[=:] ?["']?(?:permission|access)[ _]denied"#,
    },
    Exclusion {
        looks_like: "a program on Windows, macOS or Android, outside of a container",
        excludes: true,
        unless_kernel_call: false,
        pattern: r#"(?:path|file|directory|folder) ['"]?[A-Za-z]:\\|(?:^|['"(\s])[a-z]:\\{1,2}[\w. $-]+\\|\berrno:? -4\d{3}\b|\b[A-Z]:\\{1,2}(?:WINDOWS|Windows|Users|Program|ProgramData|inetpub)\b|(?:^|['"(\s])[A-Z]:\\{1,2}[\w.$-]|(?:path|file) '\\{1,4}\w|['" ]/Users/[^/'"]+/|['" ]/(?:Library|Volumes|Applications|System/Library)/|(?:^|['" ])/(?:storage/emulated|sdcard|data/user/\d|data/data/\w+\.\w)/|^adb: "#,
    },
    Exclusion {
        looks_like: "a rule of the language's own, which its configuration sets",
        excludes: true,
        unless_kernel_call: false,
        pattern: r#"open_basedir|access denied \("java\.|AccessControlException: access denied|ERR_ACCESS_DENIED"#,
    },
    Exclusion {
        looks_like: "a kernel setting that is read-only in every container",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"(?i)/proc/sys/\S*.*read-only file ?system",
    },
    Exclusion {
        looks_like: "what the audit log records beside a denial",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"^type=(?:SYSCALL|PROCTITLE|PATH|CWD|EXECVE)\b",
    },
    Exclusion {
        looks_like: "a browser that asks its user or its policy",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"\bDOMException\b|\bNotAllowedError\b|Permission denied by system|denied to access property",
    },
    Exclusion {
        looks_like: "Deno's own permissions, which its flags grant",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"with the --allow-\w+ flag|Requires \w+ access to",
    },
    Exclusion {
        looks_like: "a program for another architecture, or a script without a #! line",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"(?i)exec format error",
    },
    Exclusion {
        looks_like: "a system service manager or bus that is not there",
        excludes: true,
        unless_kernel_call: false,
        pattern: r"Failed at step \w+ spawning |Failed to (?:start|stop|restart|enable|reload) (?:transient )?(?:\S+ )?(?:service|scope|unit)\b|Failed to (?:connect to|get) (?:system )?(?:D-)?[Bb]us|not been booted with systemd",
    },
    Exclusion {
        looks_like: "a network service that refused or cut the connection",
        excludes: false,
        unless_kernel_call: false,
        pattern: r"(?i)connection refused|ECONNREFUSED|ETIMEDOUT|connection reset|connection timed out|no route to host|network is unreachable",
    },
    Exclusion {
        looks_like: "a missing file or program",
        excludes: false,
        unless_kernel_call: false,
        pattern: r"(?i)no such file or directory|ENOENT|executable file not found|command not found|cannot find module|ModuleNotFoundError|ClassNotFoundException",
    },
    Exclusion {
        looks_like: "memory that ran out",
        excludes: false,
        unless_kernel_call: false,
        pattern: r"(?i)OutOfMemory|out of memory|OOMKilled|cannot allocate memory",
    },
];

/// Words that a log is searched for, so that it can be named where no obstacle is found.
pub(crate) const SIGNALS: &[&str] = &[
    "cannot list resource",
    "cannot get resource",
    "is forbidden",
    "permissiondenied",
    "permission_denied",
    "sqlstate",
    "access denied",
    " 403",
    "=403",
    ":403",
    "(403",
    "\"403",
    "forbidden",
    "publickey",
    "address already in use",
    "eaddrinuse",
    "no space left",
    "enospc",
    "quota exceeded",
    "too many open files",
    "accessdenied",
    "out of memory",
    "connection refused",
    "running as root",
    "denied",
    "outofmemory",
    "exec format error",
    "oomkilled",
];

fn set() -> &'static RegexSet {
    #[expect(clippy::expect_used)]
    static SET: LazyLock<RegexSet> = LazyLock::new(|| {
        RegexSet::new(EXCLUSIONS.iter().map(|exclusion| exclusion.pattern))
            .expect("constant regular expressions")
    });
    &SET
}

/// Whether something other than the kernel refuses in this message.
pub(crate) fn excludes(line: &LogLine) -> bool {
    // Refusals of a pod by Kubernetes are `forbidden` too, and are obstacles.
    static OF_KUBERNETES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"PodSecurity|security context constraint|pod security policy|image will run as root|non-numeric user|breaks non-root policy|^FAIL - |(?i:containers?) (?:must|should|may) not run as root",
        )
    });
    if line.refusal.is_some() && (is_connection(&line.text) || is_of_systemd(line)) {
        return true;
    }
    // A collector puts all records of one event on one line, with the denial among them.
    if line.text.contains("avc: ") && line.text.contains(" tcontext=") {
        let labels = line.text.split(" scontext=").skip(1);
        let mut processes = labels.filter_map(|rest| Label::parse(rest.split(' ').next()?));
        return !processes.any(|process| process.is_of_container());
    }
    let found = set().matches(&line.text);
    let excludes = |index: usize| {
        let exclusion = &EXCLUSIONS[index];
        exclusion.excludes
            && !(exclusion.unless_kernel_call
                && call_format::is_kernels(&line.text, line.refusal.as_ref()))
    };
    found.iter().any(excludes) && !OF_KUBERNETES.is_match(&line.text)
}

/// Whether systemd itself tells of one of its units: it runs as root, or it is a desktop's.
fn is_of_systemd(line: &LogLine) -> bool {
    static SYSTEMD: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?:^|\s)systemd\[\d+\]: \S+\.(?:service|socket|mount|automount|scope|slice|timer|path|device|swap|target): ",
        )
    });
    line.whole.as_deref().is_some_and(|whole| SYSTEMD.is_match(whole))
}

/// Whether a connection to another host was refused, and not a listener or the path of a socket.
fn is_connection(text: &str) -> bool {
    static CONNECTS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\bconnect(?:ing|ion)?(?:\(\))?(?: to(?: host| server(?: at)?)?)? (?:E(?:ACCES|PERM) )?\(?['\x22]?(?:\d{1,3}(?:\.\d{1,3}){3}|localhost|[\w-]+(?:\.[\w-]+)+)['\x22]?(?:,? ?(?:port )?|:)\d{2,5}\b",
        )
    });
    let listens = ["0.0.0.0", "[::]", "connect to (", "connection to ("]
        .iter()
        .any(|words| text.contains(words));
    // Node prints its own address as well: `connect EPERM 192.0.2.7:443 - Local (0.0.0.0:0)`.
    let listens = listens && !text.contains(" - Local (");
    !listens && CONNECTS.is_match(text) && path::paths(text).is_empty()
}

/// In a few words, what a line looks like that is no obstacle.
pub(crate) fn looks_like(text: &str) -> Option<&'static str> {
    set().matches(text).iter().next().map(|index| EXCLUSIONS[index].looks_like)
}
