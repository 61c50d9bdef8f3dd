//! The channel's state machine: commands in, events out; no clock, no I/O.
