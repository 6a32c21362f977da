//! Images in every form, made by the tests: what is read from them, and what hostile ones cost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Each test uses its part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "image/build.rs"]
mod build;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use build::{
    LayerTar, config, digest, docker_archive, gzip, index, oci, oci_archive, save, write_layout,
    zstd,
};
use nonroot::error::{Class, Error};
use nonroot::evidence::image::layer::Limits;
use nonroot::evidence::image::{Cache, ReadOptions, Source, read};
use nonroot::foresight;
use nonroot::model::facts::Facts;
use nonroot::model::filesystem::Access;
use nonroot::model::image::Image;
use nonroot::model::image::paths::PathId;
use nonroot::output::image::{ImageReport, table, tree};
use nonroot::plan;
use nonroot::remedy;

const ROOT: (u64, u64) = (0, 0);
const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/sbin/nologin\n";
const GROUP: &[u8] = b"root:x:0:\nadm:x:4:\n";

/// `security.capability` of `cap_dac_override,cap_fowner=ep`: its mask is 0x0a, a line break within
/// a PAX record.
const LINE_BREAK: [u8; 20] = [1, 0, 0, 2, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn report(image: &Image, files: Option<PathId>) -> ImageReport {
    ImageReport::new(image, plan::of_image(image, &[], &[]), files)
}

/// A web server as people package it: a base, an install, a copy, a chown, a clean-up.
fn web() -> (Vec<u8>, Vec<Vec<u8>>) {
    let long = format!("usr/share/{}/index.html", "long-directory-name/".repeat(9));
    let base = LayerTar::default()
        .directory("./", 0o755, ROOT)
        .directory("etc/", 0o755, ROOT)
        .file("etc/passwd", 0o644, ROOT, PASSWD)
        .file("etc/group", 0o644, ROOT, GROUP)
        .directory("tmp/", 0o1777, ROOT)
        .symlink("lib", "usr/lib")
        .directory("usr/lib/", 0o755, ROOT)
        .file("usr/bin/su", 0o4755, ROOT, b"\x7fELF su")
        .directory("var/cache/apk/", 0o755, ROOT)
        .file("var/cache/apk/index", 0o644, ROOT, &[7; 3000])
        .file("usr/bin/python", 0o755, ROOT, b"#!/bin/true")
        .hard_link("usr/bin/python3", "usr/bin/python");
    let install = LayerTar::default()
        .file(
            "etc/passwd",
            0o644,
            ROOT,
            &[PASSWD, b"web:x:101:102:web:/var/lib/web:/sbin/nologin\n"].concat(),
        )
        .file("etc/group", 0o644, ROOT, &[GROUP, b"web:x:102:\nlog:x:103:web\n"].concat())
        .directory("var/lib/web/", 0o750, (101, 102))
        .file("var/lib/web/seed.db", 0o640, (101, 102), &[1; 500])
        .file("run.sh", 0o755, ROOT, b"#!/bin/sh\nexec su-exec web server\n")
        .records(&[("SCHILY.xattr.security.capability", LINE_BREAK.as_slice())])
        .file("usr/bin/server", 0o755, ROOT, &[2; 900])
        .file(&long, 0o644, ROOT, b"<h1>It works</h1>");
    let copy = LayerTar::default()
        .directory("app/", 0o755, ROOT)
        .file("app/main", 0o644, ROOT, &[3; 4000])
        .file("app/data", 0o644, ROOT, &[4; 1000]);
    let chown = LayerTar::default()
        .directory("app/", 0o755, (101, 102))
        .file("app/main", 0o644, (101, 102), &[3; 4000])
        .file("app/data", 0o600, ROOT, &[4; 1000]);
    let clean =
        LayerTar::default().whiteout("var/cache/apk/.wh..wh..opq").whiteout("usr/bin/.wh.su");
    let layers: Vec<Vec<u8>> =
        [base, install, copy, chown, clean].into_iter().map(LayerTar::build).collect();
    let run = serde_json::json!({
        "User": "web", "ExposedPorts": { "80/tcp": {}, "8080/tcp": {} }, "Entrypoint": ["/run.sh"], "Cmd": ["-v"],
        "Env": ["PATH=/usr/bin", "SECRET=hush"], "WorkingDir": "/app", "Volumes": { "/var/lib/web": {} },
    });
    let instructions = [
        "/bin/sh -c #(nop) ADD file:base in / ",
        "RUN |1 TOKEN=hush /bin/sh -c apk add web # buildkit",
        "COPY . /app # buildkit",
        "RUN /bin/sh -c chown -R web /app # buildkit",
        "/bin/sh -c rm -r /var/cache/apk/* /usr/bin/su",
    ];
    (config(run, &layers, &instructions), layers)
}

fn options() -> ReadOptions {
    ReadOptions { platform: Some("linux/amd64".to_owned()), ..ReadOptions::default() }
}

async fn read_path(path: &Path, options: ReadOptions) -> Result<Image, Error> {
    let text = path.to_str().unwrap();
    read("test.tar", Source::of(text), options).await
}

fn files(image: &Image) -> String {
    let mut text = String::new();
    tree(image, PathId::ROOT, |line| text.push_str(line));
    text
}

async fn web_image() -> Image {
    let (config, layers) = web();
    let directory = tempfile::tempdir().unwrap();
    let path = save(directory.path(), "web.tar", &docker_archive(&config, &layers));
    read_path(&path, options()).await.unwrap()
}

#[tokio::test]
async fn empty_directories_of_the_program_are_found() {
    let app = LayerTar::default()
        .directory("app/", 0o755, ROOT)
        .file("app/main", 0o755, ROOT, b"#!/bin/sh")
        .directory("app/var/uploads/", 0o755, ROOT)
        .directory("app/node_modules/x/empty/", 0o755, ROOT)
        .directory("app/full/", 0o755, ROOT)
        .file("app/full/x", 0o644, ROOT, b"x")
        .directory("srv/empty/", 0o755, ROOT);
    let layers = vec![app.build()];
    let config = config(serde_json::json!({ "WorkingDir": "/app" }), &layers, &["COPY . /"]);
    let directory = tempfile::tempdir().unwrap();
    let path = save(directory.path(), "app.tar", &docker_archive(&config, &layers));
    let image = read_path(&path, options()).await.unwrap();
    let mut facts = Facts::default();
    foresight::image::learn(&mut facts, &image);
    assert_eq!(facts.empty, ["/app/var/uploads"]);
    assert!(image.empty_directories("/nowhere").is_empty());
}

#[tokio::test]
async fn an_image_is_read_alike_from_every_form() {
    let (config, layers) = web();
    let expected = web_image().await;
    let directory = tempfile::tempdir().unwrap();
    let compressed: Vec<Vec<u8>> = layers
        .iter()
        .enumerate()
        .map(|(i, tar)| if i % 2 == 0 { gzip(tar) } else { zstd(tar) })
        .collect();
    let (blobs, manifest) = oci(&config, &compressed);
    let layout = directory.path().join("layout");
    write_layout(&layout, &blobs, &index(std::slice::from_ref(&manifest)));
    let store = directory.path().join("store");
    write_layout(&store, &blobs, b"");
    std::fs::remove_file(store.join("index.json")).unwrap();
    let archive = oci_archive(&blobs, &index(std::slice::from_ref(&manifest)));
    // Several members make one gzip stream, as pigz and eStargz write it; a skippable frame may
    // come before zstd.
    let split = layers[0].len() / 2;
    let members = [gzip(&layers[0][..split]), gzip(&layers[0][split..])].concat();
    let skippable = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".as_slice(), &zstd(&layers[1])].concat();
    let odd: Vec<Vec<u8>> = [vec![members, skippable], layers[2..].to_vec()].concat();
    let (odd_blobs, odd_manifest) = oci(&config, &odd);

    let docker = docker_archive(&config, &layers);
    let mut paths = vec![
        save(directory.path(), "docker.tar.gz", &gzip(&docker)),
        save(directory.path(), "docker.tar.zst", &zstd(&docker)),
        save(directory.path(), "compressed-layers.tar", &docker_archive(&config, &compressed)),
        save(directory.path(), "oci.tar", &archive),
        save(directory.path(), "odd.tar", &oci_archive(&odd_blobs, &index(&[odd_manifest]))),
        layout,
    ];
    paths.push(format!("{}@{}", store.display(), manifest["digest"].as_str().unwrap()).into());
    for path in paths {
        let image = read_path(&path, options())
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(files(&image), files(&expected), "{}", path.display());
        let numbers = |image: &Image| {
            (image.efficiency, image.wasted_bytes, image.chowned_bytes(), image.size())
        };
        assert_eq!(numbers(&image), numbers(&expected), "{}", path.display());
        assert_eq!(image.config, expected.config, "{}", path.display());
    }
}

#[tokio::test]
async fn what_a_person_sees() {
    let image = web_image().await;
    insta::assert_snapshot!("files", files(&image));
    insta::assert_snapshot!("table", table(&report(&image, None), 100));
    let app = image.tree.resolve(b"/app", true);
    insta::assert_json_snapshot!("report", report(&image, app));
}

#[tokio::test]
async fn no_value_of_the_environment_or_of_a_build_argument_is_shown() {
    let image = web_image().await;
    let report = report(&image, Some(PathId::ROOT));
    for text in [table(&report, 200), serde_json::to_string(&report).unwrap()] {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn escapes_in_an_image_never_reach_a_terminal() {
    let layer = LayerTar::default()
        .file("a\u{1b}[2Jb", 0o4755, ROOT, b"x")
        .symlink("link", "\u{1b}]0;owned\u{7}")
        .file("etc/passwd", 0o644, ROOT, b"e\x1b[31mvil:x:500:500::/\x1bc:/bin/sh\n");
    let layers = [layer.build()];
    let run = serde_json::json!({ "User": "\u{1b}[5m", "Entrypoint": ["\u{1b}c"], "Volumes": { "/\u{9b}31m": {} } });
    let config = config(run, &layers, &["RUN \u{1b}[8m hidden"]);
    let directory = tempfile::tempdir().unwrap();
    let path = save(directory.path(), "evil.tar", &docker_archive(&config, &layers));
    let image = read_path(&path, options()).await.unwrap();
    let shown = [files(&image), table(&report(&image, None), 100)].concat();
    let control = shown.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{}", shown.escape_debug());
}

#[tokio::test]
async fn layers_are_merged_as_runtimes_merge_them() {
    let lower = LayerTar::default()
        .directory("kept", 0o755, ROOT)
        .file("kept/below", 0o644, ROOT, b"1")
        .directory("gone", 0o755, ROOT)
        .file("gone/below", 0o644, ROOT, b"1")
        .directory("replaced", 0o755, ROOT)
        .file("replaced/below", 0o644, ROOT, b"1")
        .directory("emptied", 0o711, (5, 5))
        .file("emptied/old", 0o644, ROOT, b"1")
        .symlink("link", "kept")
        .directory("real", 0o755, ROOT)
        .symlink("alias", "real")
        .file("alias/through", 0o644, ROOT, b"1")
        .file("file", 0o644, ROOT, b"1");
    let upper = LayerTar::default()
        .directory("kept", 0o700, (7, 7))
        .whiteout(".wh.gone")
        .file("replaced", 0o644, ROOT, b"a file now")
        .file("emptied/new", 0o644, ROOT, b"2")
        .whiteout("emptied/.wh..wh..opq")
        .file("gone/again", 0o644, (9, 9), b"2")
        .file("link/new", 0o644, ROOT, b"2")
        .file("file/new", 0o644, ROOT, b"2")
        .whiteout(".wh.never-there")
        .whiteout(".wh..wh.plnk")
        .hard_link("hard", "kept/below")
        .hard_link("dangling", "nowhere");
    let layers = [lower.build(), upper.build()];
    let directory = tempfile::tempdir().unwrap();
    let config = config(serde_json::json!({}), &layers, &[]);
    let path = save(directory.path(), "merge.tar", &docker_archive(&config, &layers));
    let image = read_path(&path, options()).await.unwrap();
    insta::assert_snapshot!("merged", files(&image));
    assert_eq!(
        image.warnings,
        ["layer 1: /dangling is a hard link to nowhere, which is not there: left out"]
    );
}

/// dive v0.13.1 printed these numbers for the same archives (`dive docker-archive://FILE -j`); set
/// `NONROOT_KEEP` to a directory to have them written there.
#[tokio::test]
async fn efficiency_is_dives() {
    let file = |tar: LayerTar, path: &str, size: usize| tar.file(path, 0o644, ROOT, &vec![1; size]);
    let new = LayerTar::default;
    let cases: [(&str, Vec<LayerTar>, f64, u64); 6] = [
        ("nothing", vec![new()], 1.0, 0),
        ("repeated", vec![file(new(), "a", 100), file(new(), "a", 300)], 0.25, 400),
        ("file-removed", vec![file(new(), "d/a", 100), new().whiteout("d/.wh.a")], 0.0, 100),
        (
            "directory-removed",
            vec![
                file(file(new().directory("d", 0o755, ROOT), "d/a", 100), "d/b", 50),
                new().whiteout(".wh.d"),
                new().directory("d", 0o755, ROOT),
            ],
            0.5,
            150,
        ),
        (
            "implied-directory-removed",
            vec![
                file(new().directory("d", 0o755, ROOT), "d/a", 100),
                file(new(), "d/b", 50),
                new().whiteout(".wh.d"),
            ],
            1.0,
            0,
        ),
        (
            "removes-nothing",
            vec![
                file(new(), "z", 100),
                file(new().whiteout(".wh.m"), "z", 100),
                file(new(), "z", 100),
            ],
            0.495,
            200,
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    let keep = std::env::var_os("NONROOT_KEEP").map_or(directory.path().to_owned(), Into::into);
    for (name, layers, efficiency, wasted) in cases {
        let layers: Vec<Vec<u8>> = layers.into_iter().map(LayerTar::build).collect();
        let config = config(serde_json::json!({}), &layers, &[]);
        let path = save(&keep, &format!("{name}.tar"), &docker_archive(&config, &layers));
        let image = read_path(&path, options()).await.unwrap();
        assert_eq!((image.efficiency, image.wasted_bytes), (efficiency, wasted), "{name}");
    }
}

/// The advice for an image of these layers that runs as root.
async fn advised(layers: Vec<LayerTar>) -> Vec<String> {
    let layers: Vec<Vec<u8>> = layers.into_iter().map(LayerTar::build).collect();
    let directory = tempfile::tempdir().unwrap();
    let config = config(serde_json::json!({}), &layers, &[]);
    let path = save(directory.path(), "web.tar", &docker_archive(&config, &layers));
    read_path(&path, options())
        .await
        .unwrap()
        .advice()
        .into_iter()
        .map(|advice| advice.line)
        .collect()
}

#[tokio::test]
async fn the_programs_own_user_is_advised() {
    let debian =
        b"root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\n_apt:x:42:65534::/nonexistent:/bin/sh\n";
    let base = || {
        let apt = LayerTar::default().file("etc/passwd", 0o644, ROOT, debian);
        apt.directory("var/cache/apt/partial", 0o700, (42, 0)).directory("var/www", 0o755, (33, 33))
    };
    let passwd =
        |more: &[u8]| LayerTar::default().file("etc/passwd", 0o644, ROOT, &[debian, more].concat());
    assert_eq!(
        advised(vec![base()]).await,
        ["USER 33:33"],
        "it owns a directory, if the distribution's"
    );
    assert_eq!(
        advised(vec![base(), LayerTar::default().file("app", 0o644, ROOT, b"x")]).await,
        ["USER 1000:1000"]
    );
    assert_eq!(
        advised(vec![base(), LayerTar::default().directory("log", 0o755, (33, 4))]).await,
        ["USER 33:33"]
    );
    let two =
        b"systemd-network:x:998:998::/:/bin/false\nepmd:x:100:102::/:/bin/false\nrabbit:x:101:103::/:/bin/false\n";
    let owned = passwd(two).directory("var/lib/rabbit", 0o750, (101, 103));
    assert_eq!(advised(vec![base(), owned]).await, ["USER 101:103"]);
    let grouped = passwd(two).directory("etc/rabbit", 0o2750, (0, 103));
    assert_eq!(advised(vec![base(), grouped]).await, ["USER 101:103"]);
    assert_eq!(
        advised(vec![base(), passwd(b"nginx:x:999:101::/:/bin/false\n")]).await,
        ["USER 999:101"]
    );
}

#[tokio::test]
async fn a_user_may_do_what_the_merged_files_let_them() {
    let image = web_image().await;
    let user = image.user().unwrap();
    assert_eq!((user.uid, user.gid, user.groups.as_slice()), (101, 102, [103].as_slice()));
    let process = image.first_process(&user);
    assert!(image.may(&process, "/app/main", Access::Write));
    assert!(!image.may(&process, "/app/data", Access::Read));
    assert!(image.may(&process, "/var/lib/web/new", Access::Create));
    assert!(!image.may(&process, "/etc/passwd", Access::Write));
    assert_eq!(image.home(101), "/var/lib/web");
    assert_eq!(image.home(5000), "/");
    assert_eq!(
        image.content("/var/lib/web").map(|content| (content.files, content.bytes)),
        Some((1, 500))
    );
    assert_eq!(
        image.tree.content("/run.sh"),
        Some(b"#!/bin/sh\nexec su-exec web server\n".as_slice())
    );
}

/// What the error says for an image of one layer, read with these limits.
async fn refusal(layer: &[u8], limits: Limits) -> String {
    let (blobs, manifest) = oci(&config(serde_json::json!({}), &[], &[]), &[layer.to_vec()]);
    let directory = tempfile::tempdir().unwrap();
    let path = save(directory.path(), "hostile.tar", &oci_archive(&blobs, &index(&[manifest])));
    let error = read_path(&path, ReadOptions { limits, ..options() })
        .await
        .expect_err("the image is refused");
    assert_eq!(error.class, Class::Input);
    error.to_string().replace(&digest(layer), "DIGEST")
}

fn tight() -> Limits {
    Limits { memory: 50_000, bytes: 1 << 20, ..Limits::default() }
}

#[tokio::test]
async fn hostile_layers_get_a_clear_error() {
    let raw = |path: &[u8], size: u64, kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    };
    let regular = tar::EntryType::Regular;
    let traversal =
        LayerTar::default().header(&raw(b"a/../../etc/cron.d/x", 1, regular), b"x").build();
    let huge = LayerTar::default().header(&raw(b"huge", 1 << 40, regular), b"x").build();
    let long_name =
        LayerTar::default().header(&raw(b"L", 1 << 34, tar::EntryType::GNULongName), b"x").build();
    let long_component = LayerTar::default().file(&"n".repeat(300), 0o644, ROOT, b"").build();
    let long_path = LayerTar::default().file(&"n/".repeat(3000), 0o644, ROOT, b"").build();
    let many = (0..200).fold(LayerTar::default(), |tar, i| tar.whiteout(&format!("f{i}"))).build();
    let bomb = gzip(&LayerTar::default().file("zeros", 0o644, ROOT, &vec![0; 3 << 20]).build());
    let truncated_gzip = gzip(&LayerTar::default().file("f", 0o644, ROOT, &[1; 9000]).build());
    let plain = LayerTar::default().file("f", 0o644, ROOT, &[1; 9000]).build();
    let mut checksum = plain.clone();
    checksum[0] ^= 1;
    let mut pax = LayerTar::default()
        .records(&[("path", b"x".as_slice())])
        .file("f", 0o644, ROOT, b"")
        .build();
    let record = pax.windows(6).position(|window| window == b"9 path").unwrap();
    pax[record] = b'8';
    let owner = LayerTar::default()
        .records(&[("uid", b"4294967296".as_slice())])
        .file("f", 0o644, ROOT, b"")
        .build();
    for (layer, why) in [
        (traversal, "it has a path that leads out of the image, \"a/../../etc/cron.d/x\""),
        (huge, "it is truncated (it ends in the middle of a file)"),
        (long_name, "a name or attribute is longer than 1 MiB"),
        (long_component, "it has a file name of 300 bytes, which is above the limit"),
        (long_path, "it has a path of 6000 bytes, which is above the limit"),
        (
            many,
            "it has so many files that they take more than 50000 bytes of memory, which is above the limit",
        ),
        (bomb, "it has more than 1048576 bytes unpacked, which is above the limit"),
        (
            truncated_gzip[..truncated_gzip.len() / 2].to_vec(),
            "it is truncated (incomplete deflate stream)",
        ),
        (plain[..700].to_vec(), "it is truncated (it ends in the middle of a file)"),
        (plain[..300].to_vec(), "it is truncated (it ends in the middle of a file)"),
        (checksum, "a header's checksum is wrong"),
        (pax, "a PAX record is not LENGTH KEYWORD=VALUE"),
        (owner, "an owner or group is above 4294967295"),
        (b"this is no tar at all".to_vec(), "it is truncated (it ends in the middle of a file)"),
    ] {
        assert_eq!(
            refusal(&layer, tight()).await,
            format!("cannot read image test.tar: layer 0 (DIGEST): {why}")
        );
    }
    let ratio = Limits { ratio: 10, ratio_free: 1 << 20, ..Limits::default() };
    let bomb = gzip(&LayerTar::default().file("zeros", 0o644, ROOT, &vec![0; 3 << 20]).build());
    assert!(
        refusal(&bomb, ratio).await.contains("more than 10 bytes unpacked for each stored one")
    );
}

#[tokio::test]
async fn links_that_lead_in_circles_lead_nowhere() {
    let layer = LayerTar::default()
        .symlink("a", "b")
        .symlink("b", "a")
        .symlink("deep", "deep/deep")
        .hard_link("c", "a")
        .hard_link("d", "a/x")
        .symlink("etc", "etc")
        .symlink("up", "../../../up/../etc");
    let layers = [layer.build()];
    let directory = tempfile::tempdir().unwrap();
    let config = config(serde_json::json!({ "User": "web" }), &layers, &[]);
    let path = save(directory.path(), "circles.tar", &docker_archive(&config, &layers));
    let image = read_path(&path, options()).await.unwrap();
    for path in ["/b", "/deep", "/etc/passwd", "/up"] {
        assert_eq!(
            image.tree.resolve(path.as_bytes(), true).filter(|found| *found != PathId::ROOT),
            None,
            "{path}"
        );
    }
    assert!(image.user().is_err());
    insta::assert_snapshot!("circles", files(&image));
}

#[tokio::test]
async fn digests_are_checked() {
    let (config, layers) = web();
    let directory = tempfile::tempdir().unwrap();
    let (blobs, manifest) = oci(&config, &layers);
    // The layer of /app, the configuration, the manifest.
    for broken in [2, layers.len(), layers.len() + 1] {
        let mut blobs = blobs.clone();
        let bytes = &mut blobs[broken].1;
        match bytes.iter().position(|byte| *byte == b':') {
            // A space in JSON, a byte in a file: nothing but the digest tells.
            Some(colon) if broken >= layers.len() => bytes.insert(colon + 1, b' '),
            _ => bytes[2000] ^= 1,
        }
        let archive = save(
            directory.path(),
            "oci.tar",
            &oci_archive(&blobs, &index(std::slice::from_ref(&manifest))),
        );
        let error =
            read_path(&archive, options()).await.expect_err("a digest is wrong").to_string();
        assert!(
            error.contains("digest sha256:") || error.contains("do not have that digest"),
            "{broken}: {error}"
        );
    }
    let mut wrong = layers.clone();
    let end = wrong[2].len() - 1;
    wrong[2][end] = 1;
    let archive = save(directory.path(), "docker.tar", &docker_archive(&config, &wrong));
    let error = read_path(&archive, options()).await.expect_err("a diff_id is wrong").to_string();
    assert!(error.contains("its bytes have the digest sha256:"), "{error}");
}

/// A file that changed so recently may change again without a trace in its times.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(2100)).await;
}

/// The files of a cache in which what was read of layers is.
fn indexes(cache: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(cache.join("indexes/sha256"));
    found.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_second_look_shows_what_the_first_did() {
    let (config, layers) = web();
    let directory = tempfile::tempdir().unwrap();
    let (blobs, manifest) =
        oci(&config, &layers.iter().map(|layer| gzip(layer)).collect::<Vec<_>>());
    let layout = directory.path().join("layout");
    write_layout(&layout, &blobs, &index(std::slice::from_ref(&manifest)));
    let store = format!("{}@{}", layout.display(), manifest["digest"].as_str().unwrap());
    let docker = docker_archive(&config, &layers);
    let forms = [
        (layout, layers.len()),
        // It has the blobs of the layout.
        (store.into(), 0),
        (
            save(
                directory.path(),
                "oci.tar",
                &oci_archive(&blobs, &index(std::slice::from_ref(&manifest))),
            ),
            layers.len(),
        ),
        (save(directory.path(), "docker.tar", &docker), layers.len()),
        // It is unpacked to a file that is gone afterwards.
        (save(directory.path(), "docker.tar.gz", &gzip(&docker)), 0),
    ];
    settle().await;
    let cache = directory.path().join("cache");
    let kept = || ReadOptions { cache: Some(Cache::new(cache.clone(), 1 << 30)), ..options() };
    let shown = |image: &Image| {
        let report = serde_json::to_string_pretty(&report(image, Some(PathId::ROOT))).unwrap();
        (report, table(&self::report(image, None), 100), files(image))
    };
    for (path, made) in forms {
        let before = indexes(&cache);
        let expected = shown(&read_path(&path, options()).await.unwrap());
        let first = shown(&read_path(&path, kept()).await.unwrap());
        let after = indexes(&cache);
        assert_eq!(after.len() - before.len(), made, "{}", path.display());
        // Its use is noted.
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let new: Vec<&PathBuf> = after.iter().filter(|path| !before.contains(path)).collect();
        new.iter()
            .for_each(|index| std::fs::File::open(index).unwrap().set_modified(long_ago).unwrap());
        let second = shown(&read_path(&path, kept()).await.unwrap());
        assert!(new.iter().all(|index| index.metadata().unwrap().modified().unwrap() > long_ago));
        assert_eq!(first, expected, "{}", path.display());
        assert_eq!(second, expected, "{}", path.display());

        // What is damaged is read anew and replaced in silence.
        for (i, index) in new.iter().enumerate() {
            let mut bytes = std::fs::read(index).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes.truncate(if i % 2 == 0 { bytes.len() } else { middle });
            std::fs::write(index, bytes).unwrap();
        }
        let damaged: Vec<Vec<u8>> = new.iter().map(|index| std::fs::read(index).unwrap()).collect();
        assert_eq!(shown(&read_path(&path, kept()).await.unwrap()), expected, "{}", path.display());
        assert!(
            new.iter()
                .zip(damaged)
                .all(|(index, damaged)| std::fs::read(index).unwrap() != damaged)
        );
    }
}

#[tokio::test]
async fn no_archive_is_taken_for_another() {
    let (config, layers) = web();
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let kept = || ReadOptions { cache: Some(Cache::new(cache.clone(), 1 << 30)), ..options() };
    let mut hostile = layers.clone();
    let end = hostile[2].len() - 1;
    hostile[2][end] = 1;
    // Of these layers, under the digests of the honest ones.
    let (blobs, manifest) = oci(&config, &layers);
    let oci_tar = |layers: &[Vec<u8>]| {
        let contents = layers.iter().chain(blobs[layers.len()..].iter().map(|(_, blob)| blob));
        let blobs: Vec<_> = blobs
            .iter()
            .zip(contents)
            .map(|((name, _), blob)| (name.clone(), blob.clone()))
            .collect();
        oci_archive(&blobs, &index(std::slice::from_ref(&manifest)))
    };
    for (name, honest, hostile) in [
        ("docker.tar", docker_archive(&config, &layers), docker_archive(&config, &hostile)),
        ("oci.tar", oci_tar(&layers), oci_tar(&hostile)),
    ] {
        let path = save(directory.path(), name, &honest);
        settle().await;
        read_path(&path, kept()).await.unwrap();
        assert!(!indexes(&cache).is_empty());
        // The same claims, place, size and times, but for the one that nobody can set.
        let modified = path.metadata().unwrap().modified().unwrap();
        std::fs::write(&path, &hostile).unwrap();
        std::fs::File::open(&path).unwrap().set_modified(modified).unwrap();
        settle().await;
        for _ in 0..2 {
            let error =
                read_path(&path, kept()).await.expect_err("its digest is a lie").to_string();
            assert!(error.contains("its bytes have the digest sha256:"), "{error}");
        }
        // Nor is a copy with these claims under another name.
        let copy = save(directory.path(), "copy.tar", &hostile);
        settle().await;
        assert!(read_path(&copy, kept()).await.is_err());
    }
}

#[tokio::test]
async fn what_was_just_written_is_not_kept() {
    let (config, layers) = web();
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let path = save(directory.path(), "web.tar", &docker_archive(&config, &layers));
    let options = ReadOptions { cache: Some(Cache::new(cache.clone(), 1 << 30)), ..options() };
    read_path(&path, options).await.unwrap();
    assert!(indexes(&cache).is_empty());
}

#[tokio::test]
async fn the_image_that_is_meant_is_chosen() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let mut manifests = Vec::new();
    for (platform, tag, user) in [
        (serde_json::json!({ "os": "linux", "architecture": "amd64" }), "one", "1"),
        (
            serde_json::json!({ "os": "linux", "architecture": "arm64", "variant": "v8" }),
            "one",
            "2",
        ),
        (serde_json::json!({ "os": "unknown", "architecture": "unknown" }), "one", "3"),
        (serde_json::json!({ "os": "linux", "architecture": "amd64" }), "two", "4"),
    ] {
        let (blobs, mut manifest) =
            oci(&config(serde_json::json!({ "User": user }), &[], &[]), &[]);
        manifest["platform"] = platform;
        manifest["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": tag });
        all.extend(blobs);
        manifests.push(manifest);
    }
    let layout = directory.path().join("layout");
    std::fs::create_dir(&layout).unwrap();
    write_layout(&layout, &all, &index(&manifests));
    let ask = async |platform: &str, image: Option<&str>| {
        let options = ReadOptions {
            platform: Some(platform.to_owned()),
            image: image.map(str::to_owned),
            ..ReadOptions::default()
        };
        read_path(&layout, options)
            .await
            .map(|image| image.config.user)
            .map_err(|error| error.to_string())
    };
    assert_eq!(ask("linux/amd64", Some("one")).await.as_deref(), Ok("1"));
    assert_eq!(ask("linux/arm64", Some("one")).await.as_deref(), Ok("2"));
    assert_eq!(ask("linux/amd64", Some("two")).await.as_deref(), Ok("4"));
    assert_eq!(
        ask("linux/s390x", Some("one")).await,
        Err("cannot read image test.tar: it is not made for linux/s390x, but for linux/amd64, linux/arm64/v8"
            .to_owned())
    );
    assert_eq!(
        ask("linux/amd64", Some("three")).await,
        Err("cannot read image test.tar: it holds no image three, but one, one, one, two"
            .to_owned())
    );
    assert_eq!(
        ask("amd64", None).await,
        Err("cannot read image test.tar: \"amd64\" is no platform; give one such as linux/arm64"
            .to_owned())
    );
}

#[tokio::test]
async fn what_is_no_image_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let text = save(directory.path(), "text", b"FROM scratch\n");
    let empty = save(
        directory.path(),
        "empty.tar",
        &LayerTar::default().file("f", 0o644, ROOT, b"").build(),
    );
    let folder = directory.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let mut cut = docker_archive(&web().0, &web().1);
    cut.truncate(5000);
    let cut = save(directory.path(), "cut.tar", &cut);
    for (path, why) in [
        (text, "the archive is truncated (it ends in the middle of a file)"),
        (empty, "the archive holds no image: it has neither an index.json nor a manifest.json"),
        (folder, "the directory is no OCI image layout: it has no index.json"),
        (cut, "the archive holds no image: it has neither an index.json nor a manifest.json"),
    ] {
        let error = read_path(&path, options()).await.expect_err("no image");
        assert_eq!(error.to_string(), format!("cannot read image test.tar: {why}"));
    }
}

/// `security.capability` of `cap_net_bind_service=ep` and of `cap_net_raw=ep`.
const NET_BIND_SERVICE: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[tokio::test]
async fn what_an_image_tells_before_it_runs() {
    let layer = LayerTar::default()
        .file(
            "etc/passwd",
            0o644,
            ROOT,
            &[PASSWD, b"web:x:101:102:web:/srv:/sbin/nologin\n"].concat(),
        )
        .directory("srv/", 0o700, (101, 102))
        .file("srv/seed", 0o640, (101, 102), b"1")
        .symlink("var/www", "/srv")
        .file(
            "run.sh",
            0o755,
            ROOT,
            b"#!/bin/sh\n# ping nobody\nping -c1 web && exec server \"$@\"\n",
        )
        .records(&[("SCHILY.xattr.security.capability", NET_BIND_SERVICE.as_slice())])
        .file("usr/bin/server", 0o755, ROOT, b"\x7fELF server")
        .records(&[("SCHILY.xattr.security.capability", NET_RAW.as_slice())])
        .file("usr/bin/ping", 0o755, ROOT, b"\x7fELF ping")
        .file("bin/sh", 0o755, ROOT, b"\x7fELF sh")
        .file("bin/cp", 0o755, ROOT, b"\x7fELF cp");
    let run = serde_json::json!({
        "Entrypoint": ["/run.sh"], "Env": ["PATH=/usr/bin:/bin"], "WorkingDir": "/srv", "Volumes": { "/var/www": {} },
        "ExposedPorts": { "80/tcp": {}, "8080/tcp": {} },
    });
    let layers = vec![layer.build()];
    let directory = tempfile::tempdir().unwrap();
    let archive = docker_archive(&config(run, &layers, &["ADD . /"]), &layers);
    let image = read_path(&save(directory.path(), "web.tar", &archive), options()).await.unwrap();

    let mut facts = Facts { container: "web".to_owned(), observer_uid: 1000, ..Facts::default() };
    foresight::image::learn(&mut facts, &image);
    assert_eq!(
        (facts.low_ports.as_slice(), facts.volumes.as_slice()),
        (&[80][..], &["/var/www".to_owned()][..])
    );
    assert_eq!((facts.directory.as_deref(), facts.observer_uid), (Some("/srv"), 0));
    assert!(!facts.has_shell, "mkdir is missing");
    facts.stats = foresight::image::look(&image, "/var/www");
    facts.stats.extend(foresight::image::look(&image, "/srv/missing/too"));
    assert_eq!(facts.resolved("/var/www/seed"), "/srv/seed");
    assert!(
        !facts.has_content("/srv"),
        "nobody looked into it, and root would have seen what is there"
    );
    facts.stats.extend(foresight::image::look(&image, "/srv"));
    assert!(facts.has_content("/srv"));
    let seed = facts.inode("/srv/seed").unwrap();
    assert_eq!(seed.to_string(), "-rw-r----- 101:102");

    let refused = foresight::image::file_capabilities("web", &image, &[]);
    let mut told: Vec<_> =
        refused.iter().map(|one| (one.path.as_deref(), one.capability.as_deref())).collect();
    told.sort_unstable();
    let expected = [
        (Some("/usr/bin/ping"), Some("NET_RAW")),
        (Some("/usr/bin/server"), Some("NET_BIND_SERVICE")),
    ];
    assert_eq!(told, expected);
    let remedies =
        |obstacle| remedy::proposals(obstacle, &Facts { has_shell: true, ..facts.clone() });
    let given_back: Vec<bool> = refused
        .iter()
        .map(|one| remedies(one).first().is_some_and(|one| one.remedy == "file-capability"))
        .collect();
    let is_server: Vec<bool> =
        refused.iter().map(|one| one.path.as_deref() == Some("/usr/bin/server")).collect();
    assert_eq!(given_back, is_server, "only NET_BIND_SERVICE may be added");
    assert_eq!(foresight::image::file_capabilities("web", &image, &["/bin/sh".to_owned()]), []);
}
