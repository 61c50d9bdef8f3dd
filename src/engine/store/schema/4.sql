-- The look-up of customers by address is written later, too; the last activity of an open interaction follows from its messages.

ALTER TABLE store ADD COLUMN indexed_customer INTEGER NOT NULL DEFAULT 0;   -- customers up to this one stand in customer_by_address
UPDATE store SET indexed_customer = coalesce((SELECT max(id) FROM customer), 0);

CREATE TABLE customer_by_address (
    address         TEXT PRIMARY KEY,
    customer        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO customer_by_address (address, customer) SELECT address, id FROM customer ORDER BY address;

CREATE TABLE customer_2 (
    id                      INTEGER PRIMARY KEY,
    address                 TEXT NOT NULL,          -- canonical number, or the provider's text; each stands here once
    can_receive             INTEGER NOT NULL,
    opted_out               INTEGER NOT NULL,
    out_of_hours_text_at    INTEGER,
    queue_full_text_at      INTEGER,
    last_agent              TEXT
) STRICT;
INSERT INTO customer_2 SELECT id, address, can_receive, opted_out, out_of_hours_text_at, queue_full_text_at, last_agent FROM customer ORDER BY id;
DROP TABLE customer;
ALTER TABLE customer_2 RENAME TO customer;

ALTER TABLE message ADD COLUMN own_at INTEGER;      -- when it was committed, in the channel's own time; older ones count in interaction.active_at
DROP INDEX dedup_by_age;
