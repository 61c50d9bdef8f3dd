-- What is written with each message lies one behind the other; look-ups by customer are written later, many at once.

ALTER TABLE store ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;    -- messages up to this one stand in dedup and message_of_customer
UPDATE store SET indexed = coalesce((SELECT max(id) FROM message), 0);

-- One row for each transaction.
CREATE TABLE event_2 (
    last            INTEGER PRIMARY KEY,            -- sequence number of its last event
    first           INTEGER NOT NULL,               -- and of its first
    at              INTEGER NOT NULL,               -- when the last of them happened
    body            TEXT NOT NULL                   -- JSON: an array of events with their version "v"; ids only
) STRICT;
INSERT INTO event_2 (last, first, at, body) SELECT sequence, sequence, at, '[' || body || ']' FROM event ORDER BY sequence;
DROP TABLE event;
ALTER TABLE event_2 RENAME TO event;

ALTER TABLE message ADD COLUMN provider_id TEXT;                    -- inbound: the provider's id
CREATE TABLE message_of_customer (
    customer        INTEGER NOT NULL,
    message         INTEGER NOT NULL,
    PRIMARY KEY (customer, message)
) STRICT, WITHOUT ROWID;
INSERT INTO message_of_customer (customer, message) SELECT customer, id FROM message ORDER BY customer, id;

-- The messages of an interaction are those of its customer between these two, but for few that belong to none.
ALTER TABLE interaction ADD COLUMN first_message INTEGER NOT NULL DEFAULT 0;
ALTER TABLE interaction ADD COLUMN last_message INTEGER;            -- once it is closed
UPDATE interaction SET first_message = coalesce((SELECT min(m.id) FROM message m WHERE m.interaction = interaction.id), 0);
UPDATE interaction SET last_message = coalesce((SELECT max(m.id) FROM message m WHERE m.interaction = interaction.id), 0)
    WHERE closed_at IS NOT NULL;
DROP INDEX message_by_interaction;
DROP INDEX message_by_customer;

DROP INDEX interaction_by_state;
DROP INDEX interaction_by_customer;
CREATE INDEX interaction_open_by_customer ON interaction (customer) WHERE closed_at IS NULL;
CREATE INDEX interaction_open_by_state ON interaction (state, id) WHERE closed_at IS NULL;
CREATE INDEX interaction_open_by_owner ON interaction (owner, id) WHERE closed_at IS NULL AND owner IS NOT NULL;
