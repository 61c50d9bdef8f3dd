//! What the roles say to each other: documents, messages, and the tokens they show.

pub mod simulator;
