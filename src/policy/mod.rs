//! The Pod Security Standards, one file a check, versioned as k8s.io/pod-security-admission has them.
