-- Long texts that come in parts: what is there of those that are not whole, and what a message was joined from.

CREATE TABLE assembly (
    id              INTEGER PRIMARY KEY,
    customer        INTEGER NOT NULL REFERENCES customer (id) DEFERRABLE INITIALLY DEFERRED,
    reference       INTEGER NOT NULL,               -- what the customer's device called the text
    total           INTEGER NOT NULL,               -- how many parts it has
    ends_at         INTEGER NOT NULL,               -- when it is waited for no longer, in the channel's own time
    timed_out       INTEGER NOT NULL                -- that time has come
) STRICT;
CREATE INDEX assembly_by_customer ON assembly (customer);

-- Gone when their text is a message; the provider's ids stand in dedup then.
CREATE TABLE part (
    provider_id     TEXT PRIMARY KEY,               -- the same id again is a duplicate
    assembly        INTEGER NOT NULL REFERENCES assembly (id) DEFERRABLE INITIALLY DEFERRED,
    sequence        INTEGER NOT NULL,
    received_at     INTEGER,                        -- when the gateway got it
    text            TEXT,                           -- none = it was there already, under another id
    note            TEXT,
    bytes           INTEGER                         -- of text and note
) STRICT, WITHOUT ROWID;
CREATE INDEX part_by_assembly ON part (assembly, sequence);

ALTER TABLE message ADD COLUMN parts TEXT;          -- inbound, JSON: the parts that it was joined from, and which are missing
