-- When an interaction entered the queue, or came back to it, while it is there; for older ones their place stands for it.
ALTER TABLE interaction ADD COLUMN queued_at INTEGER;

-- Attempts of agents to start an interaction with a number on a blocklist.
CREATE TABLE blocked_start (
    id              INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    user            TEXT NOT NULL,                  -- the agent who tried
    address         TEXT NOT NULL                   -- the number
) STRICT;
CREATE INDEX blocked_start_by_age ON blocked_start (at);
