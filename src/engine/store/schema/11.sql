-- Who has opted out is listed, with how that came about; supervisors import it. What happened today is counted.

ALTER TABLE customer ADD COLUMN opted_out_since INTEGER;    -- when they opted out, while they are; none for some older ones
ALTER TABLE customer ADD COLUMN opted_out_by TEXT;          -- Keyword, Provider or Import, while they are
ALTER TABLE customer ADD COLUMN opted_out_user TEXT;        -- the supervisor who imported it
UPDATE customer SET opted_out_since = opted_out_at, opted_out_by = iif(opted_out_at IS NULL, 'Provider', 'Keyword') WHERE opted_out = 1;
CREATE INDEX customer_opted_out ON customer (id) WHERE opted_out = 1 AND can_receive = 1;

CREATE TABLE opt_out_import (
    id              INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    user            TEXT NOT NULL,                  -- the supervisor
    source          TEXT NOT NULL,                  -- where the list came from, in their words
    listed          INTEGER NOT NULL,               -- numbers on the list
    opted_out       INTEGER NOT NULL                -- of these, customers who were not opted out before
) STRICT;
CREATE INDEX opt_out_import_by_age ON opt_out_import (at);

ALTER TABLE interaction ADD COLUMN unreplied_since INTEGER; -- since when the customer waits for the first reply, if that counts
ALTER TABLE interaction ADD COLUMN owned_since INTEGER;     -- since when its owner has it
UPDATE interaction SET unreplied_since = waiting_since WHERE closed_at IS NULL;

-- What agents did on the day that store.scalars counts; emptied when another one begins.
CREATE TABLE agent_today (
    user            TEXT PRIMARY KEY,
    counts          TEXT NOT NULL                   -- JSON
) STRICT, WITHOUT ROWID;
