//! What removes an obstacle, one file a remedy.
