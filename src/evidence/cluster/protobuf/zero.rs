//! Go's zero values, which protobuf carries and JSON leaves out.

/// A list of Go's that JSON leaves out where it is empty.
pub(super) fn list<T, U: From<T>>(items: Vec<T>) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.into_iter().map(U::from).collect())
}

/// A string of Go's that JSON leaves out where it is empty.
pub(super) fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
