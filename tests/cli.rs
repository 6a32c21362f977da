//! Sessions of the real binary: those of tests/cli, of the README and of docs, typed and printed as
//! they stand there.

use std::path::Path;

/// The environment of whoever runs the tests must not show in what they print.
const SCRUBBED: [&str; 7] = [
    "KUBECONFIG",
    "HOME",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "KUBERNETES_SERVICE_HOST",
    "DOCKER_CONFIG",
];

#[test]
fn sessions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = trycmd::TestCases::new();
    cases.env("KUBECTL_NONROOT", env!("CARGO_BIN_EXE_kubectl-nonroot"));
    for name in SCRUBBED {
        cases.env(name, "");
    }
    // No registry is asked: what it would say is not ours to know.
    cases.env("NONROOT_OFFLINE", "1");
    // They show what a person at a terminal sees.
    cases.env("COLUMNS", "100");
    cases.register_bin("kubectl", trycmd::schema::Bin::Path(root.join("tests/cli/kubectl")));
    cases.case("tests/cli/*.trycmd").case("README.md").case("docs/*.md");
    cases.run();
}
