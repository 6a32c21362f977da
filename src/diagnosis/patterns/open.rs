//! open(2) refused, for reading or for writing.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "open",
    title: "a file could not be opened",
    explain: "open(2) needs search permission on every directory of the path and read or write permission on the file; for a file that is not there yet, write permission on its directory. Most programs print the same words for all of these.",
    source: "open(2), path_resolution(7); Go os.Open, java.io.FileNotFoundException, nginx ngx_files.c",
    signals: &[],
    examples: &[
        Example {
            log: "[emerg] 1#1: open() \"/srv/run/web.pid\" failed (13: Permission denied)",
            expected: "open EACCES /srv/run/web.pid unwritable-path",
        },
        Example {
            log: "Error: open /srv/certs/tls.key: permission denied",
            expected: "open EACCES /srv/certs/tls.key unreadable-file",
        },
        Example {
            log: "java.io.FileNotFoundException: /srv/work/app.lock (Permission denied)",
            expected: "open EACCES /srv/work/app.lock unwritable-path",
        },
        Example {
            log: "(13)Permission denied: AH00091: apache2: could not open error log file /srv/log/error.log.",
            expected: "open EACCES /srv/log/error.log unwritable-path",
        },
        Example {
            log: "cat: can't open '/srv/secret': Permission denied",
            expected: "open EACCES /srv/secret unreadable-file",
        },
        Example {
            log: "FATAL: failed to open /srv/squid.pid: (13) Permission denied",
            expected: "open EACCES /srv/squid.pid unwritable-path",
        },
        Example {
            log: "Load key \"/srv/git/id\": Permission denied",
            expected: "open EACCES /srv/git/id unreadable-file",
        },
        Example {
            log: "2026-11-24 (configfile.c.1722) opening errorlog '/srv/log/error.log' failed: Read-only file system",
            expected: "open EROFS /srv/log/error.log read-only-rootfs",
        },
        Example {
            log: "/srv/gems/puma/launcher.rb:34:in `write': Read-only file system @ rb_sysopen - tmp/pids/server.pid (Errno::EROFS)",
            expected: "open EROFS tmp/pids/server.pid read-only-rootfs",
        },
        Example {
            log: "Exiting: failed to create the agent's meta file: open /srv/agent/meta.json.new: permission denied",
            expected: "create EACCES /srv/agent/meta.json.new unwritable-path",
        },
        Example {
            log: "run: create server: open /srv/db/meta/meta.db: permission denied",
            expected: "open EACCES /srv/db/meta/meta.db unwritable-path",
        },
        Example {
            log: "error_class=Errno::EACCES error=\"Permission denied @ rb_file_s_stat - /var/log/pods/7.log\"",
            expected: "open EACCES /var/log/pods/7.log unreadable-file",
        },
        Example {
            log: "Errno::EACCES: Permission denied @ rb_sysopen - /srv/app/config/master.json\n/srv/app/boot.rb:11:in 'File.write'\n/srv/app/boot.rb:11:in '<main>'",
            expected: "open EACCES /srv/app/config/master.json unwritable-path",
        },
        Example {
            log: "open /dev/kvm: permission denied",
            expected: "device EACCES /dev/kvm device-access",
        },
    ],
    near_misses: &[
        "open /srv/x: no such file or directory",
        "open() \"/srv/x\" failed (2: No such file or directory)",
        "System.UnauthorizedAccessException: Access to the path 'd:\\shares\\out' is denied.",
        "createPodSandbox for pod \"web\" failed: failed to create network namespace for sandbox \"1f\": open /var/run/netns/cni-1: permission denied",
        "Dec 01 10:00:00 vm systemd[1]: web.service: Failed to open /srv/x: Permission denied",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"f?open(?:at|ed|ing|dir|file)?",
            r"open(?: \w+){0,4} (?:file|log|stream|socket)",
            r"read(?:ing|file|able)?",
            r"load(?:ing)?(?: \w+){0,2}",
            r"access(?:ing)?",
            r"l?stat(?:ing|ting|x)?",
            r"scandir",
            r"listing",
            r"cat",
            r"ls",
            r"includ(?:e|ing)",
            r"pars(?:e|ing)",
            r"import(?:ing)?",
            r"require",
            r"grep",
            r"tail",
            r"head",
            r"tee",
            r"find",
            r"(?:[\w.]+\.)?filenotfoundexception",
            r"open\w*(?: [\w-]+){0,5} for writing",
            r"accessdeniedexception",
            r"ioerror",
            r"file_get_contents",
            r"watch(?:ing)?",
            r"certificate",
            r"walk(?:ing)?",
            r"sourcing",
            r"examin(?:e|ing)",
            r"access to the path",
            r"unauthorizedaccessexception",
        ])
    });
    categorize::access(context, &WORDS, Operation::Open)
}
