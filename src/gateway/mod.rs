//! The gateway of one connector: provider protocol, spool, sending, checking.
