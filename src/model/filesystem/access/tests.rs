use std::collections::BTreeMap;

use super::super::mounts::{Mount, MountContent, MountOptions};
use super::*;
use crate::model::capability::Set;

/// An image in a few lines: `PATH MODE UID GID`, or `PATH -> TARGET`.
fn image(text: &'static str) -> impl Fn(&str) -> Lookup {
    let inodes: BTreeMap<&str, Inode> = text
        .lines()
        .map(|line| match line.trim().split(' ').collect::<Vec<_>>()[..] {
            [path, "->", target] => (path, Inode::symlink(target)),
            [path, mode, uid, gid] => {
                let file_type =
                    if path.ends_with('/') { FileType::Directory } else { FileType::File };
                let mode = u16::from_str_radix(mode, 8).unwrap();
                let path = if path == "/" { path } else { path.trim_end_matches('/') };
                (
                    path,
                    Inode {
                        file_type,
                        mode,
                        uid: uid.parse().unwrap(),
                        gid: gid.parse().unwrap(),
                        target: None,
                    },
                )
            }
            _ => panic!("{line}"),
        })
        .collect();
    move |path| inodes.get(path).cloned().map_or(Lookup::Missing, Lookup::Found)
}

const NGINX: &str = "/ 755 0 0
    /etc/ 755 0 0
    /etc/shadow 640 0 42
    /usr/ 755 0 0
    /usr/sbin/ 755 0 0
    /usr/sbin/nginx 755 0 0
    /run/ 755 0 0
    /tmp/ 1777 0 0
    /tmp/theirs 666 7 7
    /var/ 755 0 0
    /var/run -> /run
    /var/cache/ 755 0 0
    /var/cache/nginx/ 700 101 0
    /var/log/ 755 0 0
    /var/log/nginx/ 2770 0 4
    /var/log/nginx/access.log -> /dev/stdout
    /loop -> ./loop";

fn ask(subject: &Credentials, path: &str, access: Access) -> Decision {
    let nginx = image(NGINX);
    decide(subject, &Files::new(&nginx, false, Vec::new()), path, access)
}

fn verdict(subject: &Credentials, path: &str, access: Access) -> AccessVerdict {
    ask(subject, path, access).verdict
}

const EACCES: AccessVerdict = AccessVerdict::Denied(Denial::Mode);
const EPERM: AccessVerdict = AccessVerdict::Denied(Denial::Owner);
const EROFS: AccessVerdict = AccessVerdict::Denied(Denial::ReadOnly);
const ENOENT: AccessVerdict = AccessVerdict::Denied(Denial::Missing);

#[test]
fn the_first_class_that_fits_decides_alone() {
    assert_eq!(
        verdict(&Credentials::unprivileged(101, 101, &[]), "/var/cache/nginx", Access::Write),
        AccessVerdict::Allowed
    );
    assert_eq!(
        verdict(&Credentials::unprivileged(1000, 0, &[]), "/var/cache/nginx", Access::Write),
        EACCES
    );
    assert_eq!(
        verdict(&Credentials::unprivileged(1000, 1000, &[4]), "/var/log/nginx/new", Access::Write),
        AccessVerdict::Allowed
    );
    assert_eq!(
        verdict(&Credentials::unprivileged(1000, 4, &[]), "/var/log/nginx/new", Access::Create),
        AccessVerdict::Allowed
    );
    let locked_out = Inode::file(0o077, 1000, 1000);
    let owner = Credentials::unprivileged(1000, 1000, &[]);
    let refused = Grant::Refused(PermissionClass::Owner);
    assert_eq!(grant(&owner, &locked_out, Permission::READ), refused);
}

#[test]
fn capabilities_override_modes_but_never_make_a_file_executable() {
    let root = |capabilities| Credentials::unprivileged(0, 0, &[]).with_effective(capabilities);
    assert_eq!(verdict(&root(Set::EMPTY), "/var/cache/nginx/x", Access::Read), EACCES);
    let reader = Credentials::unprivileged(1, 1, &[])
        .with_effective(Set::of(&[Capability::DAC_READ_SEARCH]));
    assert_eq!(verdict(&reader, "/etc/shadow", Access::Read), AccessVerdict::Allowed);
    assert_eq!(verdict(&reader, "/etc/shadow", Access::Write), EACCES);
    assert_eq!(
        verdict(&root(Set::CONTAINERD), "/var/cache/nginx/x", Access::Create),
        AccessVerdict::Allowed
    );
    let override_ =
        Credentials::unprivileged(1, 1, &[]).with_effective(Set::of(&[Capability::DAC_OVERRIDE]));
    assert_eq!(verdict(&override_, "/etc/shadow", Access::Write), AccessVerdict::Allowed);
    assert_eq!(verdict(&override_, "/etc/shadow", Access::Execute), EACCES);
    assert_eq!(verdict(&override_, "/usr/sbin/nginx", Access::Execute), AccessVerdict::Allowed);
}

#[test]
fn links_lead_where_they_point() {
    let decision =
        ask(&Credentials::unprivileged(1000, 1000, &[]), "/var/run/nginx.pid", Access::Write);
    assert_eq!(decision.verdict, EACCES);
    let shown: Vec<String> = decision.steps.iter().map(AccessStep::to_string).collect();
    assert_eq!(
        shown,
        [
            "/ drwxr-xr-x 0:0: others may search",
            "/var drwxr-xr-x 0:0: others may search",
            "/var/run lrwxrwxrwx 0:0 -> /run: followed",
            "/ drwxr-xr-x 0:0: others may search",
            "/run drwxr-xr-x 0:0: others may search",
            "/run/nginx.pid: does not exist",
            "/run drwxr-xr-x 0:0: others may not write and search",
        ]
    );
    assert_eq!(
        verdict(&Credentials::unprivileged(1, 1, &[]), "/loop", Access::Read),
        AccessVerdict::Denied(Denial::Loop)
    );
    assert_eq!(verdict(&Credentials::unprivileged(1, 1, &[]), "/loop", Access::Remove), EACCES);
    assert_eq!(
        verdict(&Credentials::unprivileged(1, 1, &[]), "/usr/../../etc/./shadow", Access::Read),
        EACCES
    );
    assert_eq!(
        verdict(&Credentials::unprivileged(1, 1, &[]), "/etc/shadow/x", Access::Read),
        AccessVerdict::Denied(Denial::NotDirectory)
    );
    assert_eq!(verdict(&Credentials::unprivileged(1, 1, &[]), "/nowhere/x", Access::Read), ENOENT);
}

#[test]
fn only_owners_change_owners_and_remove_from_sticky_directories() {
    let user = Credentials::unprivileged(7, 7, &[8]);
    assert_eq!(verdict(&user, "/tmp/theirs", Access::Chmod), AccessVerdict::Allowed);
    assert_eq!(verdict(&user, "/tmp/theirs", Access::Remove), AccessVerdict::Allowed);
    assert_eq!(
        verdict(&user, "/tmp/theirs", Access::Chown { uid: Some(7), gid: Some(8) }),
        AccessVerdict::Allowed
    );
    assert_eq!(verdict(&user, "/tmp/theirs", Access::Chown { uid: Some(0), gid: None }), EPERM);
    assert_eq!(verdict(&user, "/tmp/theirs", Access::Chown { uid: None, gid: Some(9) }), EPERM);
    let other = Credentials::unprivileged(1000, 1000, &[]);
    assert_eq!(verdict(&other, "/tmp/theirs", Access::Write), AccessVerdict::Allowed);
    assert_eq!(verdict(&other, "/tmp/theirs", Access::Chmod), EPERM);
    assert_eq!(verdict(&other, "/tmp/theirs", Access::Chown { uid: Some(7), gid: Some(7) }), EPERM);
    assert_eq!(verdict(&other, "/tmp/theirs", Access::Remove), EPERM);
    let owner = other.with_effective(Set::of(&[Capability::FOWNER]));
    assert_eq!(verdict(&owner, "/tmp/theirs", Access::Remove), AccessVerdict::Allowed);
}

#[test]
fn volumes_cover_what_is_below_them() {
    let nginx = image(NGINX);
    let keys = BTreeMap::from([("conf.d/web.conf".to_owned(), 0o440)]);
    let config = Mount::of_keys("/etc/nginx", "configMap web", &keys, false, Some(3000));
    let claim = Mount {
        content: MountContent::Partial,
        root: Inode::directory(0o755, 0, 0).with_fs_group(2000, false),
        ..Mount::empty_dir("/var/lib/data", "data", false, None)
    };
    let mounts = vec![
        Mount::empty_dir("/var/cache/nginx", "cache", false, None),
        Mount::empty_dir("/var/run/lock/deep", "lock", true, Some(2000)),
        config,
        Mount { options: MountOptions::READ_ONLY, ..claim.clone() },
        Mount { path: "/var/lib/data/own".to_owned(), ..claim },
    ];
    let files = Files::new(&nginx, true, mounts);
    let ask = |groups: &[u32], path: &str, access| {
        decide(&Credentials::unprivileged(1000, 1000, groups), &files, path, access).verdict
    };
    assert_eq!(ask(&[], "/var/cache/nginx/client_temp", Access::Create), AccessVerdict::Allowed);
    assert_eq!(ask(&[], "/tmp/x", Access::Create), EROFS);
    assert_eq!(ask(&[], "/tmp/theirs", Access::Write), EROFS);
    assert_eq!(
        ask(&[], "/etc/shadow", Access::Write),
        EACCES,
        "the kernel looks at the mode of a file first"
    );
    assert_eq!(ask(&[], "/etc/nginx/conf.d/web.conf", Access::Read), EACCES);
    assert_eq!(ask(&[3000], "/etc/nginx/conf.d/web.conf", Access::Read), AccessVerdict::Allowed);
    assert_eq!(ask(&[3000], "/etc/nginx/conf.d/web.conf", Access::Write), EACCES);
    assert_eq!(ask(&[], "/etc/nginx/conf.d/web.conf", Access::Remove), EROFS);
    assert_eq!(ask(&[], "/etc/nginx/missing", Access::Read), ENOENT);
    assert_eq!(
        ask(&[], "/run/lock", Access::Search),
        AccessVerdict::Allowed,
        "the runtime makes the way to a mount"
    );
    assert_eq!(
        ask(&[], "/run/lock/deep/x", Access::Create),
        AccessVerdict::Allowed,
        "and follows the image's links"
    );
    assert_eq!(ask(&[], "/var/lib/data/file", Access::Read), AccessVerdict::Unknown);
    assert_eq!(ask(&[], "/var/lib/data/file", Access::Write), EROFS);
    assert_eq!(ask(&[], "/var/lib/data/own", Access::Write), EACCES);
    assert_eq!(ask(&[2000], "/var/lib/data/own", Access::Write), AccessVerdict::Allowed);
    assert_eq!(ask(&[2000], "/var/lib/data/own/file", Access::Write), AccessVerdict::Unknown);
}

#[test]
fn a_mount_goes_where_the_images_links_lead() {
    let image = |path: &str| match path {
        "/" | "/var" | "/run" => Lookup::Found(Inode::directory(0o755, 0, 0)),
        "/var/run" => Lookup::Found(Inode::symlink("../run")),
        _ => Lookup::Missing,
    };
    let token = BTreeMap::from([("token".to_owned(), 0o600)]);
    let secrets = "/var/run/secrets/kubernetes.io/serviceaccount";
    let files =
        Files::new(&image, false, vec![Mount::of_keys(secrets, "token", &token, true, Some(2000))]);
    assert_eq!(files.mounts[0].path, "/run/secrets/kubernetes.io/serviceaccount");
    let ask = |gid| {
        decide(
            &Credentials::unprivileged(1000, gid, &[]),
            &files,
            &format!("{secrets}/token"),
            Access::Read,
        )
        .verdict
    };
    assert_eq!(ask(2000), AccessVerdict::Allowed);
    assert_ne!(ask(1000), AccessVerdict::Allowed);
    assert_eq!(files.mounts[0].root.to_string(), "drwxrwsrwt 0:2000", "as a real pod shows it");
}

#[test]
fn what_the_runtime_mounts_lies_over_the_image() {
    let image = |path: &str| match path {
        "/" | "/etc" => Lookup::Found(Inode::directory(0o777, 0, 0)),
        _ => Lookup::Missing,
    };
    let files = Files::new(&image, true, Mount::of_runtime(true));
    let ask = |path, access| {
        decide(&Credentials::unprivileged(1000, 1000, &[]), &files, path, access).verdict
    };
    assert_eq!(ask("/dev/null", Access::Write), AccessVerdict::Allowed);
    assert_eq!(ask("/dev/shm/x", Access::Create), AccessVerdict::Allowed);
    assert_eq!(ask("/dev/termination-log", Access::Write), AccessVerdict::Allowed);
    assert_eq!(
        ask("/dev/stdout", Access::Write),
        AccessVerdict::Unknown,
        "it depends on where the output goes"
    );
    assert_eq!(ask("/etc/hosts", Access::Read), AccessVerdict::Allowed);
    assert_ne!(ask("/etc/hosts", Access::Write), AccessVerdict::Allowed);
    assert_ne!(ask("/dev/x", Access::Create), AccessVerdict::Allowed);
    assert_ne!(ask("/sys/x", Access::Write), AccessVerdict::Allowed);
    let root = Credentials::unprivileged(0, 0, &[]).with_effective(Set::ALL);
    assert_ne!(
        decide(&root, &files, "/proc", Access::Write).verdict,
        AccessVerdict::Allowed,
        "not even root"
    );
}
