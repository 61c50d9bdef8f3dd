-- Bots talk to customers: where each stands, what it has set, which version it keeps to, and what it did.

ALTER TABLE interaction ADD COLUMN bot TEXT;                                -- JSON: the bot that runs
ALTER TABLE interaction ADD COLUMN finished TEXT;                           -- JSON: its agent has finished it, and a bot still talks
ALTER TABLE interaction ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;     -- 0 to 9; higher comes first in the queue
ALTER TABLE customer ADD COLUMN met_bots_since INTEGER;                     -- when they met the first of the bots that count
ALTER TABLE customer ADD COLUMN met_bots INTEGER NOT NULL DEFAULT 0;        -- how many they met since
ALTER TABLE note ADD COLUMN bot TEXT;                                       -- the bot that left it; user is empty then

CREATE TABLE bot_values (
    interaction     INTEGER PRIMARY KEY REFERENCES interaction (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    json            TEXT NOT NULL                   -- what the customer said and services answered; gone when the bot ends
) STRICT;

CREATE TABLE bot_version (
    version         TEXT PRIMARY KEY,
    spec            TEXT NOT NULL                   -- JSON: kept while the channel names it or a conversation keeps to it
) STRICT, WITHOUT ROWID;

CREATE TABLE bot_trace (
    interaction     INTEGER NOT NULL REFERENCES interaction (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    n               INTEGER NOT NULL,               -- counts the events of bots in the interaction, from 1
    at              INTEGER NOT NULL,
    body            TEXT NOT NULL,                  -- JSON: the event
    PRIMARY KEY (interaction, n)
) STRICT, WITHOUT ROWID;
