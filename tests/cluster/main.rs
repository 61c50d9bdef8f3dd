//! Tests that need: a real cluster with a kubelet.
