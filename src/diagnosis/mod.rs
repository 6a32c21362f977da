//! Text to obstacles, one file a family of messages.
