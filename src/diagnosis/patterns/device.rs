//! Devices that a message calls by what they are, without their path in /dev.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, path_kind, verb};
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "device",
    title: "a device may not be opened",
    explain: "Two things guard a device in a container: its mode bits (EACCES) and the container's device cgroup (EPERM), which a \
              device plugin opens. Device nodes belong to root and a group of the node, such as video, render or kvm.",
    source: "Documentation/admin-guide/cgroup-v2.rst, device controller; KEP-3063; QEMU accel/kvm",
    signals: &[],
    examples: &[
        Example {
            log: "Could not access KVM kernel module: Permission denied",
            expected: "device EACCES device-access",
        },
        Example {
            log: "fuse: failed to open /dev/fuse: Operation not permitted",
            expected: "device EPERM /dev/fuse device-access",
        },
        Example {
            log: "could not open port /dev/ttyUSB0: [Errno 13] Permission denied: '/dev/ttyUSB0'",
            expected: "device EACCES /dev/ttyUSB0 device-access",
        },
    ],
    near_misses: &["Could not access KVM kernel module: No such file or directory"],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"kvm(?: kernel module)?",
            r"vhost-net",
            r"(?:tun|tap|tun/tap)(?: dev(?:ice)?)?",
            r"gpu(?: device)?",
            r"nvml",
            r"va-?api",
            r"drm(?: device)?",
            r"alsa",
            r"pcm",
            r"usb device",
            r"serial port",
            r"open port",
            r"i2c",
            r"spi",
            r"gpio\w*",
            r"v4l2?",
            r"video device",
            r"block device",
            r"loop device",
            r"framebuffer",
        ])
    });
    let verb = context.verb(&WORDS, Operation::Device)?;
    let errno = context.refusal()?.errno;
    // The device is open, and the network interface is what was refused.
    if context.text().contains("TUNSETIFF") {
        return None;
    }
    let path = context.object(verb).filter(|path| path_kind::is_device(path));
    (errno != Errno::Erofs).then(|| {
        Finding::new(Operation::Device, Category::DeviceAccess)
            .errno(errno)
            .path(path)
            .confidence(verb.confidence)
    })
}
