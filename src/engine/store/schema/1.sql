-- Times are nanoseconds since 1970, UTC. Texts and addresses stand in customer, message, note and idempotency only.

CREATE TABLE store (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    id              TEXT NOT NULL,
    account         TEXT NOT NULL,
    number          TEXT NOT NULL,
    receipt_key     BLOB NOT NULL CHECK (length(receipt_key) = 32),
    created_at      INTEGER NOT NULL,
    commits         INTEGER NOT NULL,
    last_sequence   INTEGER NOT NULL,
    scalars         TEXT NOT NULL                   -- JSON: counters and clocks of the state machine
) STRICT;

CREATE TABLE event (
    sequence        INTEGER PRIMARY KEY,            -- without gaps until the oldest that retention left
    at              INTEGER NOT NULL,
    type            TEXT NOT NULL,
    body            TEXT NOT NULL                   -- JSON with its version "v"; ids only
) STRICT;
CREATE INDEX event_by_age ON event (at);

CREATE TABLE customer (
    id                      INTEGER PRIMARY KEY,
    address                 TEXT NOT NULL UNIQUE,   -- canonical number, or the provider's text
    can_receive             INTEGER NOT NULL,
    opted_out               INTEGER NOT NULL,
    out_of_hours_text_at    INTEGER,
    queue_full_text_at      INTEGER,
    last_agent              TEXT
) STRICT;

CREATE TABLE interaction (
    id              INTEGER PRIMARY KEY,
    customer        INTEGER NOT NULL REFERENCES customer (id) DEFERRABLE INITIALLY DEFERRED,
    state           TEXT NOT NULL,                  -- Opened, Queued, Active, Closed
    started_by      TEXT,                           -- the agent who wrote first; none = the customer did
    opted_out       INTEGER NOT NULL,               -- the customer had opted out when it began
    arrived_at      INTEGER NOT NULL,
    at_head         INTEGER NOT NULL,               -- queued before those that have not had an agent
    place_at        INTEGER,                        -- place in the queue, while it is there
    owner           TEXT,                           -- who has it, or had it when it was closed
    epoch           INTEGER NOT NULL,
    waiting_since   INTEGER,                        -- the service level's clock, while it runs
    active_at       INTEGER NOT NULL,               -- last activity, in the channel's own time
    closed_at       INTEGER,
    close_reason    TEXT
) STRICT;
CREATE INDEX interaction_by_state ON interaction (state, id);
CREATE INDEX interaction_by_customer ON interaction (customer);
CREATE INDEX interaction_by_owner ON interaction (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX interaction_by_age ON interaction (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE message (
    id              INTEGER PRIMARY KEY,
    customer        INTEGER NOT NULL REFERENCES customer (id) DEFERRABLE INITIALLY DEFERRED,
    interaction     INTEGER REFERENCES interaction (id) DEFERRABLE INITIALLY DEFERRED,
    direction       TEXT NOT NULL CHECK (direction IN ('Inbound', 'Outbound')),
    at              INTEGER NOT NULL,
    text            TEXT NOT NULL,
    outcome         TEXT,                           -- inbound: what became of it
    received_at     INTEGER,                        -- inbound: when the gateway got it
    purpose         TEXT,                           -- outbound: what it is
    user            TEXT,                           -- outbound: the agent who wrote it
    encoding        TEXT,                           -- outbound
    segments        INTEGER,                        -- outbound
    status          TEXT,                           -- outbound: how far it came
    failure_class   TEXT,                           -- outbound, when it failed
    provider_code   TEXT,                           -- outbound: the provider's own code, for people
    CHECK ((direction = 'Inbound') = (outcome IS NOT NULL)),
    CHECK ((direction = 'Outbound') = (status IS NOT NULL))
) STRICT;
CREATE INDEX message_by_customer ON message (customer, id);
CREATE INDEX message_by_interaction ON message (interaction, id) WHERE interaction IS NOT NULL;
CREATE INDEX message_by_age ON message (at) WHERE interaction IS NULL;
CREATE INDEX message_unknown ON message (id) WHERE status = 'Unknown';

-- Outbound messages that wait or are at the gateway.
CREATE TABLE outbox (
    message         INTEGER PRIMARY KEY REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,
    attempt         INTEGER NOT NULL,
    sending_until   INTEGER,
    receipt_status  TEXT,                           -- a receipt that came before the gateway's answer
    receipt_class   TEXT
) STRICT;

-- Every attempt to send, for audit.
CREATE TABLE attempt (
    message         INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    attempt         INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    ended_at        INTEGER,
    outcome         TEXT,                           -- NotSent, or the status that the answer led to
    PRIMARY KEY (message, attempt)
) STRICT, WITHOUT ROWID;

-- The provider's ids of outbound messages, to find a receipt's message.
CREATE TABLE provider_message (
    provider_id     TEXT PRIMARY KEY,
    message         INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_message_by_message ON provider_message (message);

-- Receipts whose message is not known yet.
CREATE TABLE parked_receipt (
    id              INTEGER PRIMARY KEY,
    provider_id     TEXT NOT NULL,
    state           TEXT NOT NULL,
    failure_class   TEXT,
    at              INTEGER NOT NULL
) STRICT;
CREATE INDEX parked_receipt_by_provider_id ON parked_receipt (provider_id);
CREATE INDEX parked_receipt_by_age ON parked_receipt (at);

-- The provider's ids of inbound messages: the same id again is a duplicate.
CREATE TABLE dedup (
    provider_id     TEXT PRIMARY KEY,
    message         INTEGER NOT NULL,
    at              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dedup_by_age ON dedup (at);

CREATE TABLE agent (
    user            TEXT PRIMARY KEY,
    present         INTEGER NOT NULL,
    last_finish     INTEGER,
    last_assigned   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
    id              INTEGER PRIMARY KEY,
    interaction     INTEGER NOT NULL REFERENCES interaction (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    user            TEXT NOT NULL,
    at              INTEGER NOT NULL,
    text            TEXT NOT NULL
) STRICT;
CREATE INDEX note_by_interaction ON note (interaction, id);

-- One row for each wait that ended: the service level.
CREATE TABLE sample (
    id              INTEGER PRIMARY KEY,
    interaction     INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    result          TEXT NOT NULL,
    in_target       INTEGER NOT NULL,
    waited_millis   INTEGER NOT NULL,
    target_seconds  INTEGER NOT NULL
) STRICT;
CREATE INDEX sample_by_age ON sample (at);

-- Answers to requests with an Idempotency-Key.
CREATE TABLE idempotency (
    user            TEXT NOT NULL,
    key             TEXT NOT NULL,
    request_hash    BLOB NOT NULL CHECK (length(request_hash) = 32),
    status          INTEGER NOT NULL,
    body            TEXT NOT NULL,
    at              INTEGER NOT NULL,
    PRIMARY KEY (user, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);
