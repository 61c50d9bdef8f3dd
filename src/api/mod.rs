//! The five kinds of `aldis.dev/v1alpha1`, with their conditions and reasons. No I/O.
